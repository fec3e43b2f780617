import { turn } from '../clock.js';
import type { Cancel, Clock } from '../clock.js';
import { copyRange, refusal } from '../engine.js';
import type {
  ByteRange,
  Engine,
  FsyncPolicy,
  Guarantees,
  Operation,
  Position,
  ReadOutcome,
  Reconfiguration,
  Refusal,
  ScanPage,
  Status,
  ValueSink,
  WriteObserver,
} from '../engine.js';
import type { EventLog } from '../event-log.js';
import { termAfter } from '../log/term.js';
import type { NodeState } from '../storage/node-state.js';
import type { Store } from '../store/store.js';
import type { Log, NodeStates, Snapshots } from './ports.js';
import { Snapshotter } from './snapshotter.js';
import { WritePipeline } from './write-pipeline.js';

/** Keys that are read in one turn; more of them are read in slices, with the lock held. */
const KEYS_A_SLICE = 10_000;
const SYNC_PERIOD_MS = 1000;

export interface ReplicaEngineParts {
  readonly store: Store;
  readonly log: Log;
  readonly states: NodeStates;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly state: NodeState;
  readonly fsync: FsyncPolicy;
  readonly waitingBytesMax: number;
  readonly snapshotLogBytes: number;
  /** Where others reach this node, for STATUS. */
  address(): string;
  random(): number;
  /** Told once when the node must not go on: its log took a failure. */
  failed(error: unknown): void;
}

/**
 * A node: the store, its log, and the way between them.
 *
 * Today it is a cluster of one, the primary: it takes a new term when it starts, opens it with an empty entry, and what is
 * durable here is committed.
 */
export class ReplicaEngine implements Engine {
  readonly guarantees: Guarantees;
  readonly #parts: ReplicaEngineParts;
  readonly #pipeline: WritePipeline;
  readonly #snapshotter: Snapshotter;
  #state: NodeState;
  #syncing: Cancel | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: ReplicaEngineParts, state: NodeState) {
    this.#parts = parts;
    this.#state = state;
    this.guarantees = { fsync: parts.fsync, acks: 'majority', linearizableReads: true };
    this.#snapshotter = new Snapshotter({
      ...parts,
      identity: { cluster: state.cluster, node: state.node },
      logBytes: parts.snapshotLogBytes,
      applied: () => this.#pipeline.applied,
    });
    const pipelineParts = {
      ...parts,
      snapshotIsBehind: () => this.#snapshotter.isBehind,
      snapshotCaughtUp: () => this.#snapshotter.caughtUp(),
      applied: () => {
        this.#snapshotter.writeIfDue();
      },
    };
    this.#pipeline = new WritePipeline(pipelineParts, state.term);
  }

  /**
   * Takes up service as primary. A position is never used again for other bytes: what a crash cut off may have
   * been seen somewhere, so this start writes under a term of its own, and that term is durable first.
   */
  static async start(parts: ReplicaEngineParts): Promise<ReplicaEngine> {
    const { end } = parts.log;
    parts.store.settle();
    const highest = parts.state.term > end.term ? parts.state.term : end.term;
    const state: NodeState = {
      ...parts.state,
      term: termAfter(highest, parts.random()),
      logIndex: end.index,
      cleanEnd: undefined,
    };
    await parts.states.saveState(state);
    const engine = new ReplicaEngine(parts, state);
    await engine.#pipeline.open();
    if (parts.fsync === 'everysec') {
      engine.#syncing = parts.clock.every(SYNC_PERIOD_MS, () => {
        parts.log.sync().catch((error: unknown) => {
          engine.#pipeline.fail(error);
        });
      });
    }
    return engine;
  }

  read(key: ByteRange, sink: ValueSink): ReadOutcome {
    const { lock } = this.#parts.store;
    if (this.#pipeline.isBetweenEntries) {
      this.#parts.store.read(key, sink);
      return 'answered';
    }
    const { failure } = this.#pipeline;
    if (failure !== undefined) return failure;
    if (!lock.tryRead()) return 'wait';
    this.#parts.store.read(key, sink);
    lock.releaseRead();
    return 'answered';
  }

  readAll(keys: readonly ByteRange[], sink: ValueSink, done: (refused?: Refusal) => void): void {
    const { store } = this.#parts;
    const { failure, isBetweenEntries } = this.#pipeline;
    const isSmall = keys.length <= KEYS_A_SLICE;
    if (failure !== undefined) {
      done(failure);
    } else if (isSmall && isBetweenEntries) {
      done(readInto(store, keys, sink));
    } else if (isSmall && store.lock.tryRead()) {
      const refused = readInto(store, keys, sink);
      store.lock.releaseRead();
      done(refused);
    } else {
      this.#readInSlices(keys.map(copyRange), sink).then(done, (error: unknown) => {
        done(refusal('BUSY', error instanceof Error ? error.message : String(error)));
      });
    }
  }

  async #readInSlices(keys: readonly ByteRange[], sink: ValueSink): Promise<Refusal | undefined> {
    const { store, clock } = this.#parts;
    await store.lock.read();
    try {
      for (let at = 0; at < keys.length; at += KEYS_A_SLICE) {
        if (at > 0) await turn(clock);
        const refused = readInto(store, keys.slice(at, at + KEYS_A_SLICE), sink);
        if (refused !== undefined) return refused;
      }
      return undefined;
    } finally {
      store.lock.releaseRead();
    }
  }

  write(operation: Operation, observer: WriteObserver): void {
    if (this.#closing === undefined) this.#pipeline.write(operation, observer);
    else observer.written(refusal('INTERNAL', 'this node is stopping: try again when it is back'), 0);
  }

  async *scan(cursor: number, keyBytesMax?: number): AsyncGenerator<ScanPage> {
    const { store, clock } = this.#parts;
    for (let next = cursor; ;) {
      if (!store.lock.tryRead()) await store.lock.read();
      const page = store.page(next, keyBytesMax);
      store.lock.releaseRead();
      yield page;
      if (page.cursor === 0) return;
      next = page.cursor;
      await turn(clock);
    }
  }

  count(): number {
    return this.#parts.store.count;
  }

  async snapshot(): Promise<Position | Refusal> {
    try {
      return await this.#snapshotter.write();
    } catch (error) {
      // The reason's own text may name files; it is in the event log.
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'a defect';
      const isFull = reason === 'ENOSPC' || reason === 'EDQUOT';
      const advice = isFull ? 'make room on the disk' : "look at the server's log";
      return refusal(
        isFull ? 'DISK_FULL' : 'INTERNAL',
        `the snapshot was not written (${reason}): ${advice}`,
      );
    }
  }

  status(): Status {
    const { store, log, snapshots } = this.#parts;
    const own = {
      address: this.#parts.address(),
      role: this.#state.role,
      state: 'member',
      acked: log.end,
      lag: 0,
    } as const;
    return {
      role: this.#state.role,
      node: this.#state.node,
      cluster: this.#state.cluster,
      term: this.#state.term,
      position: log.end,
      commit: this.#pipeline.committed.index,
      keys: store.count,
      dataBytes: store.dataBytes,
      snapshot: snapshots.current,
      waitingBytes: this.#pipeline.waitingBytes,
      guarantees: this.guarantees,
      members: [own],
    };
  }

  reconfigure(change: Reconfiguration): Promise<Refusal | Status> {
    const message = `${change.kind} is not available yet: this version runs as one node`;
    return Promise.resolve(refusal('UNKNOWN_COMMAND', message));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { log, states, events } = this.#parts;
    await this.#pipeline.idle();
    this.#syncing?.cancel();
    if (this.#pipeline.failure !== undefined) return;
    await log.sync();
    // A failure was told as an event; the log has everything, so the stop is a clean one all the same.
    await this.#snapshotter.write().catch(() => undefined);
    this.#state = { ...this.#state, logIndex: log.end.index, cleanEnd: log.end };
    await states.saveState(this.#state);
    events.info({ index: log.end.index }, 'stopped cleanly');
  }
}

/** Reads keys until the sink is full. The store is locked, or is at the position of one entry. */
function readInto(store: Store, keys: readonly ByteRange[], sink: ValueSink): Refusal | undefined {
  for (const key of keys) {
    if (sink.isFull)
      return refusal('TOO_LARGE', 'the values are more than one reply may hold: ask for fewer keys');
    store.read(key, sink);
  }
  return sink.isFull
    ? refusal('TOO_LARGE', 'the values are more than one reply may hold: ask for fewer keys')
    : undefined;
}
