import { randomBytes, randomInt } from 'node:crypto';
import { showAddress } from '../client/address.js';
import { keepAlive, systemClock } from '../clock.js';
import type { EventLog } from '../event-log.js';
import { ReplicaEngine } from '../node/replica-engine.js';
import type { RequestLimits } from '../protocol/limits.js';
import { DEFAULT_SERVER_LIMITS, LINK_LIMITS } from '../server/limits.js';
import type { ServerLimits } from '../server/limits.js';
import { PeerLinks } from '../server/peer-links.js';
import { startServer as startListening } from '../server/server.js';
import type { RunningServer } from '../server/server.js';
import type { DataDirectory } from '../storage/data-directory.js';
import type { Joining } from './joining.js';
import { checkAddress, listenFault } from './listening-address.js';
import { openData, stateAtStart } from './opening-data.js';
import type { Chance, OpenedData } from './opening-data.js';
import { StartFault, checkOptions } from './start-options.js';
import type { RunningNode, StartOptions } from './start-options.js';
import { readVersion } from './version.js';

export { DEFAULT_SERVER_LIMITS, StartFault };
export type { RequestLimits, RunningNode, ServerLimits, StartOptions };

const NONCE_BYTES = 16;
const DEFAULT_SNAPSHOT_LOG_BYTES = 64 * 1024 * 1024;
const WAITING_BYTES_MAX = 256 * 1024 * 1024;
const WRITE_TIMEOUT_MS = 4000;
const SETTLE_MS = 3000;
const SETTLE_STEP_MS = 20;

/** As wide as the system draws it. */
const CHANCE_RANGE = 2 ** 48 - 1;

const CHANCE: Chance = {
  // Drawn for every step of the core. This takes many at a time from the kernel: 0.05 µs each in place of 2.4.
  number: () => randomInt(CHANCE_RANGE) / CHANCE_RANGE,
  bytes: (count) => randomBytes(count),
};

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
  checkOptions(options);
  await checkAddress(options);
  const events = options.events ?? SILENT;
  const joining = await joiningOf(options, events);
  const starting = new Starting(options, events, joining, await openData(options, events, CHANCE));
  // Before it listens, a node may have nothing under way but the next tick.
  return keepAlive(starting.run());
}

/** Only a node that joins asks others as a client does: without it the client is not loaded. */
async function joiningOf({ join: at }: StartOptions, events: EventLog): Promise<Joining | undefined> {
  if (at === undefined) return undefined;
  const { Joining } = await import('./joining.js');
  return new Joining({ at, clock: systemClock, events, random: CHANCE.number });
}

/** The parts of a server on their way up. Each that is there is let go of again when a later one fails. */
class Starting {
  readonly #options: StartOptions;
  readonly #events: EventLog;
  readonly #opened: OpenedData;
  readonly #links: PeerLinks;
  readonly #joining: Joining | undefined;
  readonly #failed: Promise<Error>;
  #tellFailure: (reason: Error) => void = () => undefined;
  #engine: ReplicaEngine | undefined;
  #server: RunningServer | undefined;
  /** Kept apart from the server: nodes are still reached, and told where this one is, after it has stopped listening. */
  #listeningAt: StartOptions['address'];

  constructor(options: StartOptions, events: EventLog, joining: Joining | undefined, opened: OpenedData) {
    this.#options = options;
    this.#events = events;
    this.#opened = opened;
    this.#links = linksOf(options, events);
    this.#joining = joining;
    this.#failed = new Promise((resolve) => (this.#tellFailure = resolve));
    this.#listeningAt = options.address;
  }

  async run(): Promise<RunningNode> {
    const { address } = this.#options;
    const { data } = this.#opened;
    const links = this.#links;
    try {
      const engine = await this.#startEngine();
      this.#engine = engine;
      const server = await this.#listen(engine);
      this.#server = server;
      this.#listeningAt = { host: address.host, port: server.port };
      await settle(engine);
      const joined = this.#joining?.join({ status: () => engine.status(), address: () => this.#address });
      const parts = { server, engine, links, data, joining: this.#joining, events: this.#events };
      return running(parts, joined ?? Promise.resolve(), this.#failed);
    } catch (error) {
      await this.#server?.stop();
      await this.#engine?.close();
      links.close();
      await data.close();
      throw listenFault(address, error);
    }
  }

  /** Where the other nodes reach this one. */
  get #address(): string {
    return showAddress(this.#options.advertise ?? this.#listeningAt);
  }

  #startEngine(): Promise<ReplicaEngine> {
    const { data, store } = this.#opened;
    const options = this.#options;
    return ReplicaEngine.start({
      store,
      log: () => data.log,
      states: data,
      snapshots: data.snapshots,
      replacements: data,
      network: this.#links,
      state: stateAtStart(data, options),
      history: data.history,
      replayedTo: data.replayedTo,
      clock: systemClock,
      events: this.#events,
      fsync: options.fsync ?? 'always',
      acks: options.acks,
      failover: options.failover,
      joining: this.#joining,
      waitingBytesMax: WAITING_BYTES_MAX,
      dataBytesMax: options.dataBytesMax,
      readsBehindMaxMs: options.readsBehindMaxMs,
      sessionIdleMs: options.sessionIdleMs,
      writeTimeoutMs: options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
      snapshotLogBytes: options.snapshotLogBytes ?? DEFAULT_SNAPSHOT_LOG_BYTES,
      connections: () => this.#server?.connections ?? 0,
      address: () => this.#address,
      random: CHANCE.number,
      makeReady: () => data.makeReady(),
      failed: (error) => {
        this.#events.error({ err: error }, 'nothing more can be written; this node stops');
        this.#tellFailure(error instanceof Error ? error : new Error(String(error)));
      },
      replaced: () => this.#server?.dropClients(),
    });
  }

  #listen(engine: ReplicaEngine): Promise<RunningServer> {
    const { address, limits } = this.#options;
    const parts = {
      engine,
      version: readVersion(),
      clock: systemClock,
      events: this.#events,
      limits: { ...DEFAULT_SERVER_LIMITS, ...limits },
      links: this.#links,
    };
    return startListening(parts, address.host, address.port);
  }
}

function linksOf({ clusterSecret: secret }: StartOptions, events: EventLog): PeerLinks {
  const nonce = (): string => CHANCE.bytes(NONCE_BYTES).toString('hex');
  return new PeerLinks({
    clock: systemClock,
    events,
    limits: LINK_LIMITS,
    secret,
    random: CHANCE.number,
    nonce,
  });
}

interface Parts {
  readonly server: RunningServer;
  readonly engine: ReplicaEngine;
  readonly links: PeerLinks;
  readonly data: DataDirectory;
  readonly joining: Joining | undefined;
  readonly events: EventLog;
}

/** What the caller sees of a server that is up. */
function running(parts: Parts, joined: Promise<void>, failed: Promise<Error>): RunningNode {
  const { engine, events } = parts;
  const { role, service, advice } = engine.status();
  // Of a full disk it was told already, and who joins tells what it waits for.
  const isTold = engine.isDiskFull || (service === 'unadopted' && parts.joining !== undefined);
  if (advice !== undefined && !isTold) events.warn({ role, service }, advice);
  let stopping: Promise<void> | undefined;
  return {
    address: showAddress({ host: parts.server.host, port: parts.server.port }),
    get role() {
      return engine.status().role;
    },
    get service() {
      return engine.status().service;
    },
    get term() {
      return engine.status().term;
    },
    get keys() {
      return engine.status().keys;
    },
    get members() {
      return engine.status().members;
    },
    get guarantees() {
      return engine.guarantees;
    },
    get isDiskFull() {
      return engine.isDiskFull;
    },
    joined,
    failed,
    stop: () => (stopping ??= stopAll(parts)),
  };
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
  parts.joining?.stop();
  await handOver(parts);
  await parts.server.stop();
  try {
    await parts.engine.close();
  } finally {
    parts.links.close();
    await parts.data.close();
  }
}

/** Of a primary whose members make their own: one of them takes over while this node still answers. */
async function handOver({ engine, events }: Parts): Promise<void> {
  const { service, guarantees, members } = engine.status();
  const isPlanned = service === 'serving' && guarantees.failover === 'auto' && members.length > 1;
  if (isPlanned) events.info({}, 'stopping: another member takes over first');
  await engine.handOver();
  if (!isPlanned) return;
  const { role, primary } = engine.status();
  if (role === 'backup') events.info({ primary }, 'another member took over');
}
