import { randomBytes } from 'node:crypto';
import dns from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import { showAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import { systemClock } from '../clock.js';
import type { AcksPolicy, FailoverPolicy, FsyncPolicy, Role, Service, Term } from '../engine.js';
import type { EventLog } from '../event-log.js';
import { showPosition } from '../log/term.js';
import { replayFrame } from '../node/applier.js';
import { ReplicaEngine } from '../node/replica-engine.js';
import { LARGEST_REQUEST_LIMITS } from '../protocol/limits.js';
import type { RequestLimits } from '../protocol/limits.js';
import { secretObjection } from '../server/handshake-proofs.js';
import { DEFAULT_SERVER_LIMITS, LINK_LIMITS } from '../server/limits.js';
import type { ServerLimits } from '../server/limits.js';
import { isLoopbackAddress } from '../server/loopback.js';
import { PeerLinks } from '../server/peer-links.js';
import { startServer as startListening } from '../server/server.js';
import type { RunningServer } from '../server/server.js';
import { openDataDirectory } from '../storage/data-directory.js';
import type { DataDirectory, RecoveryEvent } from '../storage/data-directory.js';
import { StorageFault } from '../storage/fault.js';
import type { NodeState } from '../storage/node-state.js';
import { errorCode, systemFiles } from '../storage/files.js';
import type { Files } from '../storage/files.js';
import { ArenaTable } from '../store/arena-table.js';
import { HASH_SECRET_BYTES } from '../store/keyed-hash.js';
import { Store } from '../store/store.js';
import { committedWith } from './committed-at-start.js';
import { readVersion } from './version.js';

export { DEFAULT_SERVER_LIMITS };
export type { RequestLimits, ServerLimits };

/** How a server is to run. Everything but the address and the file has a default. */
export interface StartOptions {
  /** Port 0 lets the system choose one. */
  readonly address: Address;
  /** The JSON file; the log lies beside it in a directory of the same name and `.d`. */
  readonly dbPath: string;
  readonly fsync?: FsyncPolicy;
  /** How a new data file starts; what a node knows already wins over it. */
  readonly role?: Role | undefined;
  /** The only node that may add a new backup. */
  readonly primary?: Address | undefined;
  /** Where the other nodes reach this one; the address that it listens at when not given. */
  readonly advertise?: Address | undefined;
  /** How many members must hold a write. Changed where this node is the primary. */
  readonly acks?: AcksPolicy | undefined;
  /** Who makes another primary when this one is lost. Changed where this node is the primary. */
  readonly failover?: FailoverPolicy | undefined;
  /**
   * What the nodes of a cluster prove to each other that they have, 16 to 4096 bytes. Without it they speak with each other on
   * one machine only. Neither logged nor shown.
   */
  readonly clusterSecret?: string | Uint8Array | undefined;
  /** Listen where other machines can connect, although no client is asked who it is. */
  readonly allowUnauthenticated?: boolean;
  /** Size of a log segment. */
  readonly segmentBytes?: number;
  /** The JSON file is written when the log grew by this much. */
  readonly snapshotLogBytes?: number;
  /** What clients may ask of it. What is not given keeps its default. A backup follows its primary whatever these are. */
  readonly limits?: Partial<ServerLimits>;
  /** Bytes of all keys and values. Past it a write that adds to them is refused with `MEMORY_FULL`; no bound when not given. */
  readonly dataBytesMax?: number | undefined;
  /** As a backup, reads are refused while what they would show may be older than this; no bound when not given. */
  readonly readsBehindMaxMs?: number | undefined;
  /** A session that no client uses for so long is ended; an hour when not given. */
  readonly sessionIdleMs?: number | undefined;
  /** A write that is not confirmed after this long is answered so. */
  readonly writeTimeoutMs?: number;
  readonly events?: EventLog;
  /** The file system; tests put one in its place that fails. */
  readonly files?: Files;
}

/** A server that is up. */
export interface RunningNode {
  /** `HOST:PORT`, with the port that the system chose. */
  readonly address: string;
  readonly role: Role;
  readonly service: Service;
  readonly term: Term;
  readonly keys: number;
  /** It started on a full disk: it answers reads, and goes on by itself once there is room. */
  readonly isDiskFull: boolean;
  /** Answers what was accepted, writes the JSON file and lets go of the data. Safe to call twice. */
  stop(): Promise<void>;
  /** Resolves, and never rejects, with the reason when the node had to stop taking writes; then call `stop`. */
  readonly failed: Promise<Error>;
}

/** Why a server did not start. The message is one line and says what to do. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

const NONCE_BYTES = 16;
const DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024;
const DEFAULT_SNAPSHOT_LOG_BYTES = 64 * 1024 * 1024;
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
const WRITE_TIMEOUT_MS = 4000;
const SETTLE_MS = 3000;
const SETTLE_STEP_MS = 20;

const SILENT: EventLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Opens the data, takes up service and listens. This is where the parts of a server meet: nothing else
 * knows more than its own neighbours.
 *
 * @throws StartFault or StorageFault; then nothing is left open.
 */
export async function startServer(options: StartOptions): Promise<RunningNode> {
  checkBounds(options);
  await checkAddress(options);
  const events = options.events ?? SILENT;
  const { data, store, isNew } = await openData(options, events);
  if (!isNew) sayWhatWins(data, options, events);
  let tellFailure: (reason: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (tellFailure = resolve));
  const limits = { ...DEFAULT_SERVER_LIMITS, ...options.limits };
  const links = linksOf(options, events);
  let engine: ReplicaEngine | undefined;
  let server: RunningServer | undefined;
  // Kept apart from the server: nodes are still reached, and told where this one is, after it has stopped listening.
  let listeningAt = options.address;
  try {
    engine = await ReplicaEngine.start({
      store,
      log: () => data.log,
      states: data,
      snapshots: data.snapshots,
      replacements: data,
      network: links,
      state: stateAtStart(data, options),
      history: data.history,
      replayedTo: data.replayedTo,
      clock: systemClock,
      events,
      fsync: options.fsync ?? 'always',
      acks: options.acks,
      failover: options.failover,
      waitingBytesMax: WAITING_BYTES_MAX,
      ...boundsOf(options),
      writeTimeoutMs: options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
      snapshotLogBytes: options.snapshotLogBytes ?? DEFAULT_SNAPSHOT_LOG_BYTES,
      connections: () => server?.connections ?? 0,
      address: () => showAddress(options.advertise ?? listeningAt),
      random,
      makeReady: () => data.makeReady(),
      failed: (error) => {
        events.error({ err: error }, 'nothing more can be written; this node stops');
        tellFailure(error instanceof Error ? error : new Error(String(error)));
      },
      replaced: () => server?.dropClients(),
    });
    const { host, port } = options.address;
    server = await startListening(
      { engine, version: readVersion(), clock: systemClock, events, limits, links },
      host,
      port,
    );
    listeningAt = { host, port: server.port };
    await settle(engine);
  } catch (error) {
    await server?.stop();
    await engine?.close();
    links.close();
    await data.close();
    throw listenFault(options.address, error);
  }
  return running({ server, engine, links, data }, failed, events);
}

/** Bounds that the engine keeps. */
function boundsOf({ dataBytesMax, readsBehindMaxMs, sessionIdleMs }: StartOptions): EngineBounds {
  return { dataBytesMax, readsBehindMaxMs, sessionIdleMs };
}

type EngineBounds = Pick<StartOptions, 'dataBytesMax' | 'readsBehindMaxMs' | 'sessionIdleMs'>;

function linksOf({ clusterSecret: secret }: StartOptions, events: EventLog): PeerLinks {
  const nonce = (): string => randomBytes(NONCE_BYTES).toString('hex');
  return new PeerLinks({ clock: systemClock, events, limits: LINK_LIMITS, secret, random, nonce });
}

interface Parts {
  readonly server: RunningServer;
  readonly engine: ReplicaEngine;
  readonly links: PeerLinks;
  readonly data: DataDirectory;
}

/** What the caller sees of a server that is up. */
function running(parts: Parts, failed: Promise<Error>, events: EventLog): RunningNode {
  const { role, service, term, keys, advice } = parts.engine.status();
  // Of a full disk it was told already.
  if (advice !== undefined && !parts.engine.isDiskFull) events.warn({ role, service }, advice);
  let stopping: Promise<void> | undefined;
  return {
    address: addressOf(parts.server),
    role,
    service,
    term,
    keys,
    isDiskFull: parts.engine.isDiskFull,
    failed,
    stop: () => (stopping ??= stopAll(parts)),
  };
}

/** What a node knows wins over how it was started. */
function sayWhatWins({ state }: DataDirectory, { role, primary }: StartOptions, events: EventLog): void {
  if (role !== undefined && role !== state.role) {
    events.warn(
      { asked: role, role: state.role },
      '--role is for new data; what this node knows of its role counts',
    );
  }
  if (primary !== undefined && state.cluster !== undefined) {
    events.info(
      { asked: showAddress(primary) },
      '--primary is for a new backup; this one was added to a cluster already',
    );
  }
}

/** Until a new backup was added, whoever starts it says which primary may do that. */
function stateAtStart({ state }: DataDirectory, { primary }: StartOptions): NodeState {
  if (state.cluster !== undefined || primary === undefined) return state;
  return { ...state, primaryAddress: showAddress(primary) };
}

/** A node that was the primary gets a moment to find out whether it still is, so that what it says first holds. */
async function settle(engine: ReplicaEngine): Promise<void> {
  const untilMs = systemClock.nowMs() + SETTLE_MS;
  const isOpen = (): boolean => engine.status().service === 'waiting' && !engine.isDiskFull;
  while (isOpen() && systemClock.nowMs() < untilMs) {
    await new Promise<void>((resolve) => systemClock.after(SETTLE_STEP_MS, resolve));
  }
}

async function stopAll(parts: Parts): Promise<void> {
  await parts.engine.handOver();
  await parts.server.stop();
  try {
    await parts.engine.close();
  } finally {
    parts.links.close();
    await parts.data.close();
  }
}

async function openData(
  options: StartOptions,
  events: EventLog,
): Promise<{ data: DataDirectory; store: Store; isNew: boolean }> {
  const store = new Store(new ArenaTable({ secret: randomBytes(HASH_SECRET_BYTES) }));
  let isNew = false;
  const { role, primary } = options;
  const data = await openDataDirectory({
    files: options.files ?? systemFiles,
    dbPath: options.dbPath,
    fsync: options.fsync ?? 'always',
    segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    firstStart:
      role === 'backup' && primary !== undefined
        ? { role: 'backup', primaryAddress: showAddress(primary) }
        : { role: 'primary' },
    isCommitted: committedWith,
    random,
    randomIdentity: () => randomBytes(16).toString('hex'),
    report: (event) => {
      isNew ||= event.kind === 'created' || event.kind === 'imported';
      reportRecovery(events, options.dbPath, event);
    },
    target: {
      clear: () => {
        store.clear();
      },
      put: (key, value) => {
        store.put(key, value);
      },
      session: (id, lowest, answers) => {
        store.sessions.restore(id, lowest, answers);
      },
      replay: (frame) => {
        replayFrame(store, frame);
      },
    },
  });
  return { data, store, isNew };
}

function random(): number {
  return randomBytes(6).readUIntLE(0, 6) / 2 ** 48;
}

function reportRecovery(events: EventLog, dbPath: string, event: RecoveryEvent): void {
  switch (event.kind) {
    case 'created':
      events.info({ dbPath }, 'new data');
      break;
    case 'imported':
      events.info({ dbPath, entries: event.entries }, 'new data, with the content of the JSON file');
      break;
    case 'recovered': {
      const { snapshotIndex, end, clean } = event;
      events.info({ dbPath, snapshotIndex, position: showPosition(end), cleanStop: clean }, 'data recovered');
      break;
    }
    case 'snapshot made good':
      events.warn(
        { file: dbPath, fault: event.fault, keptAs: event.keptAs },
        'the JSON file was made good from the log',
      );
      break;
    case 'entries kept':
      events.warn(
        { keptAs: event.keptAs },
        'entries that only this node had are kept in a file of their own',
      );
      break;
    case 'torn end cut': {
      const { file, offset, keptAs } = event;
      events.warn({ file, offset, keptAs }, 'an interrupted write was cut off the end of the log');
    }
  }
}

function addressOf(server: RunningServer): string {
  return showAddress({ host: server.host, port: server.port });
}

/** Refuses a secret that is none, and bounds on requests beyond what the log, links and the JSON file can carry. */
function checkBounds(options: StartOptions): void {
  const { limits, dataBytesMax = Infinity, readsBehindMaxMs = 0, sessionIdleMs = 1, clusterSecret } = options;
  const objection = clusterSecret === undefined ? undefined : secretObjection(clusterSecret);
  if (objection !== undefined) throw new StartFault(objection);
  const wanted: Partial<RequestLimits> = limits?.request ?? {};
  for (const name of ['keyBytesMax', 'valueBytesMax', 'requestBytesMax', 'wordsMax'] as const) {
    const largest = LARGEST_REQUEST_LIMITS[name];
    const value = wanted[name] ?? largest;
    if (value >= 1 && value <= largest) continue;
    throw new StartFault(`limits.request.${name} is ${String(value)}: give 1 to ${String(largest)}`);
  }
  if (!(dataBytesMax >= 0))
    throw new StartFault(`dataBytesMax is ${String(dataBytesMax)}: give a number of bytes`);
  if (!(readsBehindMaxMs >= 0))
    throw new StartFault(`readsBehindMaxMs is ${String(readsBehindMaxMs)}: give milliseconds`);
  if (!(sessionIdleMs > 0))
    throw new StartFault(`sessionIdleMs is ${String(sessionIdleMs)}: give milliseconds`);
}

/** Refuses what would fail or harm later, before any data is touched. */
async function checkAddress(options: StartOptions): Promise<void> {
  const { address } = options;
  if (options.allowUnauthenticated !== true && !(await isLoopback(address.host))) {
    throw new StartFault(
      `${showAddress(address)} can be reached from other machines, and clients are not asked who they are: ` +
        'everybody there could read and change everything. Use 127.0.0.1, or give --allow-unauthenticated if you trust the whole network',
    );
  }
  if (address.port !== 0) await probe(address);
}

async function isLoopback(host: string): Promise<boolean> {
  let found: dns.LookupAddress[];
  try {
    found = await dns.promises.lookup(host, { all: true });
  } catch (error) {
    const reason = errorCode(error) ?? String(error);
    throw new StartFault(`${host} is not an address of this machine (${reason}): try 127.0.0.1`);
  }
  return found.every(({ address }) => isLoopbackAddress(address));
}

/**
 * Finds out early whether the port can be had: recovering a large store first would waste the user's time.
 *
 * A client's socket has to have the port too, and takes no connections, as a listening one would that is closed again:
 * whoever waits for the port must not be let in and thrown out. It goes to port 0, where nobody is.
 */
async function probe(address: Address): Promise<void> {
  const { address: host } = await dns.promises.lookup(address.host);
  const socket = net.connect({ host, port: 0, localAddress: host, localPort: address.port });
  try {
    // It has its own port by then, or has failed.
    await once(socket, 'connectionAttempt');
  } catch (error) {
    throw listenFault(address, error);
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

function listenFault(address: Address, error: unknown): unknown {
  if (error instanceof StorageFault || error instanceof StartFault) return error;
  const shown = showAddress(address);
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new StartFault(
        `something listens at ${shown} already, perhaps another server: stop it, or give another --address`,
      );
    case 'EACCES':
      return new StartFault(
        `${shown} may not be used by this user: give an --address with a port above 1023`,
      );
    case 'EADDRNOTAVAIL':
      return new StartFault(`${shown} is not an address of this machine: try 127.0.0.1`);
    default:
      return error;
  }
}
