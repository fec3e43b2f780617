import type { Engine, Index } from '../../src/engine.js';
import type { Frame } from '../../src/log/frame.js';
import { lastIndexOf } from '../../src/log/frame.js';
import { replayFrame } from '../../src/node/applier.js';
import type { Log, NodeStates } from '../../src/node/ports.js';
import { ReplicaEngine } from '../../src/node/replica-engine.js';
import { committedAtStart } from '../../src/replication/beginning.js';
import { RULES } from '../../src/replication/rules.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import { HashTable } from '../../src/store/hash-table.js';
import { Store } from '../../src/store/store.js';
import { copyFrame } from './copy-message.js';
import type { NodePorts, RunningNode, StartNode } from './sim-node.js';
import { watchedLog, watchedReplacements } from './watched.js';

const WAITING_BYTES_MAX = 2 ** 20;
const WRITE_TIMEOUT_MS = 4000;
const READ_BYTES = 2 ** 20;

/** The real node on simulated parts: the one place that knows how it is put together, besides `cli/start-server.ts`. */
export const startSimNode: StartNode = async (ports) => {
  const { random, watcher, planted } = ports;
  const table = new HashTable(1);
  const store = new Store(table);
  const data = await open(ports, store);
  await watchFromStart(ports, data);
  const node: { engine?: Engine } = {};
  const isPrimary = (): boolean => node.engine?.status().role === 'primary';
  const states: NodeStates = { saveState: (state) => data.saveState(state) };
  node.engine = await ReplicaEngine.start({
    store,
    log: logOf(data, ports, isPrimary),
    states: planted?.states?.(states) ?? states,
    snapshots: data.snapshots,
    replacements: watchedReplacements(data, watcher),
    network: ports.network,
    clock: ports.clock,
    events: ports.events,
    state: data.state,
    history: data.history,
    replayedTo: data.replayedTo,
    fsync: ports.fsync,
    acks: undefined,
    waitingBytesMax: WAITING_BYTES_MAX,
    writeTimeoutMs: WRITE_TIMEOUT_MS,
    snapshotLogBytes: ports.snapshotLogBytes,
    rules: { ...RULES, ...planted?.rules },
    address: () => ports.address,
    random: () => random.next(),
    failed: (error) => {
      ports.failed(error);
    },
    replaced: () => undefined,
  });
  return running(node.engine, table, data);
};

function open(ports: NodePorts, store: Store): Promise<DataDirectory> {
  const { random, primaryAddress } = ports;
  return openDataDirectory({
    files: ports.files,
    dbPath: ports.dbPath,
    fsync: ports.fsync,
    segmentBytes: ports.segmentBytes,
    firstStart: primaryAddress === undefined ? { role: 'primary' } : { role: 'backup', primaryAddress },
    isCommitted: ({ node, configuration, isLeftOut, commit }) =>
      committedAtStart({ self: node, configuration, isLeftOut, commit }),
    random: () => random.next(),
    randomIdentity: () => random.bytes(16).toString('hex'),
    report: (event) => {
      ports.events.info(event, event.kind);
    },
    target: {
      clear: () => {
        store.clear();
      },
      put: (key, value) => {
        store.put(key, value);
      },
      replay: (frame) => {
        replayFrame(store, frame);
      },
    },
  });
}

/** Shows the watcher the log as it was found. */
async function watchFromStart({ watcher }: NodePorts, data: DataDirectory): Promise<void> {
  const { log, history } = data;
  const found: Frame[] = [];
  let after: Index = history.start.index;
  while (log !== undefined && after < log.end.index) {
    const frames = await log.read(after, READ_BYTES);
    if (frames === 'trimmed') throw new Error(`the log does not reach back to ${String(after)}, as it says`);
    found.push(...frames.map(copyFrame));
    const last = frames.at(-1);
    if (last === undefined) break;
    after = lastIndexOf(last);
  }
  watcher.opened(history.start, found);
}

/** The log, once there is one, with the watcher and the defect in front of it. */
function logOf(data: DataDirectory, ports: NodePorts, isPrimary: () => boolean): () => Log | undefined {
  let made: Log | undefined;
  return () => {
    if (made !== undefined || data.log === undefined) return made;
    const log = watchedLog(data.log, ports.watcher);
    return (made = ports.planted?.log?.(log, isPrimary) ?? log);
  };
}

function running(engine: Engine, table: HashTable, data: DataDirectory): RunningNode {
  return {
    engine,
    inspect() {
      const { role, service, term, commit, applied, position } = engine.status();
      return { role, service, term, commit, applied, last: position };
    },
    content() {
      const content = new Map<string, string>();
      for (let slot = 0; slot < table.slots; slot++) {
        table.visit(slot, (key, value) => {
          const text = ({ bytes, start, end }: typeof key): string => bytes.toString('latin1', start, end);
          content.set(text(key), text(value));
        });
      }
      return content;
    },
    close: () => engine.close().then(() => data.close()),
  };
}
