import type { Engine } from '../../src/engine.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { History, TermSpan } from '../../src/log/history.js';
import { addToSpans } from '../../src/log/history.js';
import { replayFrame } from '../../src/node/applier.js';
import type { Log, NodeStates, Replacements, Snapshots } from '../../src/node/ports.js';
import { ReplicaEngine } from '../../src/node/replica-engine.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectoryOptions } from '../../src/storage/data-directory.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { HashTable } from '../../src/store/hash-table.js';
import { Store } from '../../src/store/store.js';
import { copyFrame } from './copy-message.js';
import type { NodePorts, RunningNode, StartNode } from './sim-node.js';
import { watchedLog, watchedReplacements } from './watched.js';

const WAITING_BYTES_MAX = 2 ** 20;

/** What an open data directory offers to a node. */
interface NodeData extends NodeStates {
  readonly state: NodeState;
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly replacements: Replacements;
  close(): Promise<void>;
}

/**
 * The real node on simulated parts: the one place that knows how it is put together, besides `cli/start-server.ts`.
 *
 * The casts are there for as long as the engine and the data directory do not have these parts yet.
 */
export const startSimNode: StartNode = async (ports) => {
  const { random, watcher, planted } = ports;
  let table = new HashTable(1);
  const frames: Frame[] = [];
  const spans: TermSpan[] = [];
  const options: DataDirectoryOptions = {
    ...ports,
    random: () => random.next(),
    randomIdentity: () => random.bytes(16).toString('hex'),
    report: () => undefined,
    target: {
      clear: () => (table = new HashTable(1)),
      put: (key, value) => table.put(key, value),
      replay: (frame) => {
        frames.push(copyFrame(frame));
        addToSpans(spans, frame);
        replayFrame(new Store(table), frame);
      },
    },
  };
  const data = (await openDataDirectory(options)) as unknown as NodeData;
  const base = baseOf(frames, data.log.end);
  watcher.opened(base, frames);
  const store = new Store(table);
  const replayedTo = data.log.end;
  const history: History = { spans, last: data.log.end };
  const { node, log, states } = plant(ports, data);
  const starter = ReplicaEngine as unknown as { start(parts: object): Promise<Engine> };
  const engine = await starter.start({
    ...ports,
    ...{ store, log, states, snapshots: data.snapshots, state: data.state, history, replayedTo },
    replacements: watchedReplacements(data.replacements, watcher),
    rules: planted?.rules,
    waitingBytesMax: WAITING_BYTES_MAX,
    address: () => ports.address,
    random: () => random.next(),
  });
  node.engine = engine;
  return running(engine, table, data);
};

/** The log goes on behind here: what its first frame follows. */
function baseOf(frames: readonly Frame[], end: LogEnd): LogEnd {
  const [first] = frames;
  if (first === undefined) return end;
  // The term of the entry before is not in the frame; only its index and its checksum are ever asked for.
  return { ...end, index: (first.firstIndex - 1) as LogEnd['index'], checksum: first.previous };
}

function plant(
  ports: NodePorts,
  data: NodeData,
): { node: { engine?: Engine }; log: Log; states: NodeStates } {
  const { planted, watcher } = ports;
  const node: { engine?: Engine } = {};
  const log = watchedLog(data.log, watcher);
  const isPrimary = (): boolean => node.engine?.status().role === 'primary';
  const states: NodeStates = { saveState: (state) => data.saveState(state) };
  return {
    node,
    log: planted?.log?.(log, isPrimary) ?? log,
    states: planted?.states?.(states) ?? states,
  };
}

function running(engine: Engine, table: HashTable, data: NodeData): RunningNode {
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
