import { EMPTY_LOG } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { replayFrame } from '../../src/node/applier.js';
import type { Log } from '../../src/node/ports.js';
import { ReplicaEngine } from '../../src/node/replica-engine.js';
import { committedAtStart } from '../../src/replication/beginning.js';
import { RULES } from '../../src/replication/rules.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import { makeTable } from '../store/make-table.js';
import { Store } from '../../src/store/store.js';
import { watchApplied } from './applied-once.js';
import type { NodePorts, RunningNode } from './sim-node.js';
import { watchedLog, watchedReplacements } from './watched.js';

const WAITING_BYTES_MAX = 1024 * 1024;
const WRITE_TIMEOUT_MS = 4000;
const READ_BYTES = 1024 * 1024;

/** Starts the real loop on the simulated disk, network and clock: what `startServer` does, without sockets. */
export async function startRealNode(ports: NodePorts): Promise<RunningNode> {
  const table = makeTable();
  ports.planted?.table?.(table, ports.address);
  watchApplied(table, (what) => {
    ports.report(what);
  });
  const store = new Store(table);
  ports.planted?.sessions?.(store.sessions);
  const data = await openData(ports, store);
  const isPrimary = { now: (): boolean => false };
  const log = logOf(data, ports, () => isPrimary.now());
  await showLog(data, ports);
  const states = ports.planted?.states?.(data, () => data.log) ?? data;
  const rules = ports.planted?.rules;
  const engine = await ReplicaEngine.start({
    store,
    log,
    states: { saveState: (state) => states.saveState(state) },
    snapshots: data.snapshots,
    replacements: watchedReplacements(data, ports.watcher),
    network: ports.network,
    state: data.state,
    history: data.history,
    replayedTo: data.replayedTo,
    clock: ports.clock,
    events: ports.events,
    fsync: ports.fsync,
    acks: undefined,
    waitingBytesMax: WAITING_BYTES_MAX,
    writeTimeoutMs: WRITE_TIMEOUT_MS,
    snapshotLogBytes: ports.snapshotLogBytes,
    timing: ports.timing,
    windows: ports.windows,
    sessionIdleMs: ports.sessionIdleMs,
    connections: () => ports.connections,
    address: () => ports.address,
    random: () => ports.random.next(),
    failed: (error) => {
      ports.failed(error);
    },
    makeReady: () => data.makeReady(),
    replaced: () => undefined,
    ...(rules === undefined ? {} : { rules: { ...RULES, ...rules } }),
  });
  isPrimary.now = () => engine.status().role === 'primary';
  return {
    engine,
    inspect() {
      const { role, service, term, commit, applied, position } = engine.standing();
      return { role, service, term, commit, applied, last: position };
    },
    content() {
      if (!store.lock.tryRead()) return undefined;
      const content = new Map<string, string>();
      for (let slot = 0; slot < table.slots; slot++) {
        table.visit(slot, (key, value) => {
          content.set(
            key.bytes.toString('latin1', key.start, key.end),
            value.bytes.toString('latin1', value.start, value.end),
          );
        });
      }
      store.lock.releaseRead();
      return content;
    },
    async close() {
      await engine.close();
      await data.close();
    },
  };
}

function openData(ports: NodePorts, store: Store): Promise<DataDirectory> {
  const { files, dbPath, fsync, segmentBytes, role, primaryAddress, random } = ports;
  return openDataDirectory({
    files,
    dbPath,
    fsync,
    segmentBytes,
    firstStart: role === 'backup' ? { role, primaryAddress: primaryAddress ?? 'nobody:1' } : { role },
    isCommitted: ({ node, configuration, leftOutAt, commit }) =>
      committedAtStart({ self: node, configuration, leftOutAt, commit }),
    random: () => random.next(),
    randomIdentity: () => random.bytes(16).toString('hex'),
    report: () => undefined,
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
}

/** The same log each time it is asked for, watched, and spoilt where a defect is planted. */
function logOf(data: DataDirectory, ports: NodePorts, isPrimary: () => boolean): () => Log | undefined {
  let watched: Log | undefined;
  return () => {
    if (watched === undefined && data.log !== undefined) {
      const log = watchedLog(data.log, ports.watcher);
      watched = ports.planted?.log?.(log, isPrimary) ?? log;
    }
    return watched;
  };
}

/** Shows what the log held at the start. */
async function showLog(data: DataDirectory, ports: NodePorts): Promise<void> {
  const { log } = data;
  const base: LogEnd = log === undefined ? EMPTY_LOG : data.history.start;
  const frames: Frame[] = [];
  for (let after = base.index; log !== undefined;) {
    const more = await log.read(after, READ_BYTES);
    const last = more === 'trimmed' ? undefined : more.at(-1);
    if (more === 'trimmed' || last === undefined) break;
    frames.push(...more);
    after = (last.firstIndex + last.count - 1) as typeof after;
  }
  ports.watcher.opened(base, frames);
}
