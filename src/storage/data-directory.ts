import path from 'node:path';
import type { ClusterId, Index } from '../engine.js';
import { EMPTY_LOG, isSameEnd } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';
import type { DataDirectoryOptions } from './data-directory-options.js';
import { DiskFull } from './blank-segments.js';
import { lockDirectory } from './directory-lock.js';
import { Exclusive } from './exclusive.js';
import { StorageFault, damaged } from './fault.js';
import { errorCode, isFullDisk } from './files.js';
import type { FileLock, Files } from './files.js';
import { historyBehind } from './log-history.js';
import type { LogHistory } from './log-history.js';
import { NODE_STATE_NAME, saveNodeState } from './node-state.js';
import type { NodeState } from './node-state.js';
import { openNode } from './opening.js';
import type { OpenedNode } from './opening.js';
import { ArrivingSnapshot, installArrival } from './replacement.js';
import { SegmentLog } from './segment-log.js';
import { SnapshotDamage } from './snapshot-reader.js';
import { readTo } from './snapshots.js';
import type { SnapshotFiles, SnapshotTarget } from './snapshots.js';

export type {
  DataDirectoryOptions,
  FirstStart,
  RecoveryEvent,
  RecoveryTarget,
} from './data-directory-options.js';

/**
 * Opens the data of a node, making it when there is none, and shows it to the target.
 *
 * @throws StorageFault when the data is in use, damaged or not this node's; nothing was changed then.
 */
export async function openDataDirectory(options: DataDirectoryOptions): Promise<DataDirectory> {
  const directory = `${options.dbPath}.d`;
  await makeDirectory(options.files, options.dbPath, directory);
  const lock = await lockDirectory(options.files, directory);
  try {
    return new DataDirectory(options, directory, lock, await openNode(options, directory));
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function makeDirectory(files: Files, dbPath: string, directory: string): Promise<void> {
  const parent = path.dirname(path.resolve(dbPath));
  try {
    const isNew = !(await files.exists(path.join(directory, NODE_STATE_NAME)));
    await files.makeDirectory(directory);
    await files.syncDirectory(parent);
    if (isNew) await syncAncestors(files, parent);
  } catch (error) {
    const advice = isFullDisk(error)
      ? 'make room on the disk'
      : 'give a --db-path in a directory that can be written to';
    const message = `${directory} cannot be made (${errorCode(error) ?? String(error)}): ${advice}`;
    throw new StorageFault('unreadable', directory, message);
  }
}

/** What is at the root's end of the way here may belong to others, and was there before. */
const NOT_OURS: readonly unknown[] = ['EACCES', 'EPERM', 'EINVAL'];

/** Makes the way to a directory durable: it may have been made with it, now or by a process that ended too soon. */
async function syncAncestors(files: Files, directory: string): Promise<void> {
  for (let below = directory; path.dirname(below) !== below; below = path.dirname(below)) {
    await files.syncDirectory(path.dirname(below)).catch((error: unknown) => {
      if (!NOT_OURS.includes(errorCode(error))) throw error;
    });
  }
}

/** The open files of one node. */
export class DataDirectory {
  readonly snapshots: SnapshotFiles;
  readonly #options: DataDirectoryOptions;
  readonly #directory: string;
  readonly #lock: FileLock;
  readonly #states = new Exclusive();
  #state: NodeState;
  #log: SegmentLog | undefined;
  #history: LogHistory;
  #replayedTo: LogEnd;
  #arrival: ArrivingSnapshot | undefined;
  /** The arrival for which what only this node has was kept already. */
  #keptFor: ArrivingSnapshot | undefined;
  /** The mark of a replacement is on disk. */
  #isMarked = false;
  /** The cluster that this node is being made a part of. */
  #adopting: ClusterId | undefined;
  #putOff: (() => Promise<void>) | undefined;
  #failure: Error | undefined;

  constructor(options: DataDirectoryOptions, directory: string, lock: FileLock, opened: OpenedNode) {
    this.#options = options;
    this.#directory = directory;
    this.#lock = lock;
    this.#state = opened.state;
    this.#log = opened.log;
    this.#history = opened.history;
    this.#replayedTo = opened.replayedTo;
    this.#putOff = opened.putOff;
    this.snapshots = opened.snapshots;
  }

  /** As it was saved last. */
  get state(): NodeState {
    return this.#state;
  }

  /** Undefined until the node is adopted. From then on it is the same one, also when everything is replaced. */
  get log(): SegmentLog | undefined {
    return this.#log;
  }

  /** What the log held when it was opened, or begun anew. */
  get history(): LogHistory {
    return this.#history;
  }

  /** The position of what was shown to the target, or of what replaced it. */
  get replayedTo(): LogEnd {
    return this.#replayedTo;
  }

  /**
   * Does what opening had to put off because the disk was full: it keeps what is cut off the log, and goes on behind it. Comes
   * before anything else that changes something.
   *
   * @throws DiskFull when it is still full, and this may be called again. Any other error is final.
   */
  async makeReady(): Promise<void> {
    await this.#putOff?.();
    this.#putOff = undefined;
  }

  /**
   * Replaces the node state, and resolves once it is durable; nothing was changed where that fails with `DiskFull`. `originIndex` is the directory's own: what is handed in for it
   * does not count.
   */
  saveState(state: NodeState): Promise<void> {
    return this.#states.run(() => this.#save(state));
  }

  /** Begins to take a snapshot from the primary, in place of one that was begun before. */
  async receive(): Promise<ArrivingSnapshot> {
    const { cluster } = this.#state;
    if (cluster === undefined) throw new Error('a node without a cluster takes no snapshot');
    await this.#arrival?.abandon();
    this.#arrival = await ArrivingSnapshot.create(this.#options.files, this.#directory, cluster);
    return this.#arrival;
  }

  /**
   * Puts a whole arrival in the place of everything that this node holds, see replacement.ts. Entries of the log behind the
   * last one that the state knows to be committed are kept in a file of their own first.
   *
   * A failure is final unless its name is `DiskFull`: then this may be called again with the same, and goes on where it was. Until it
   * has come to its end no state is saved.
   */
  async replace(arrival: ArrivingSnapshot, end: LogEnd, state: NodeState): Promise<void> {
    await this.snapshots.supersede(() =>
      this.#states.run(async () => {
        const { summary } = arrival;
        const log = this.#log;
        if (arrival !== this.#arrival || summary === undefined || !isSameEnd(summary.head.end, end)) {
          throw new Error('only an arrival that is whole replaces what the node holds');
        }
        if (log === undefined) throw new Error('a node without a cluster holds nothing to replace');
        if (this.#keptFor !== arrival) {
          const keptAs = await log.keep(this.#state.commit);
          if (keptAs !== undefined) this.#options.report({ kind: 'entries kept', keptAs });
        }
        // Whoever tries again for want of room keeps nothing twice.
        this.#keptFor = arrival;
        await this.#replaceAll(log, end, state);
        this.#arrival = undefined;
        return summary;
      }),
    );
  }

  /** Shows every entry of the JSON file, and every session. Between two pieces of a bounded size everything else gets a turn. */
  async load(target: Pick<SnapshotTarget, 'put' | 'session'>): Promise<void> {
    if (this.snapshots.current === undefined) return;
    const { files, dbPath } = this.#options;
    try {
      await readTo(files, dbPath, target);
    } catch (error) {
      if (error instanceof SnapshotDamage) throw damaged(dbPath, error.what, error.offset);
      throw error;
    }
  }

  /**
   * Makes a new backup a node of this cluster, with an empty log. After a crash it is one, or it is as it was. After `DiskFull`
   * it may be called again, and goes on where it was.
   */
  adopt(cluster: ClusterId, state: NodeState): Promise<void> {
    return this.#states.run(async () => {
      if (this.#log !== undefined && this.#adopting !== cluster)
        throw new Error('the node has a cluster already');
      this.#adopting = cluster;
      const adopted = { ...state, cluster, originIndex: EMPTY_LOG.index, cleanEnd: undefined };
      await this.#save({ ...adopted, logIndex: undefined });
      const options = { ...this.#options, directory: this.#directory, cluster, node: state.node };
      this.#log ??= await SegmentLog.create(options, EMPTY_LOG);
      await this.#save({ ...adopted, logIndex: EMPTY_LOG.index });
      this.#adopting = undefined;
    });
  }

  /** Closes the files and lets the next server in. */
  async close(): Promise<void> {
    await this.#arrival?.close().catch(() => undefined);
    const closing = this.#log?.close() ?? Promise.resolve();
    await closing.finally(() => this.#lock.release());
  }

  async #save(state: NodeState): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isMarked) throw new Error('the content of this node is being replaced');
    const saved: NodeState = { ...state, originIndex: this.#state.originIndex };
    this.#checkLogIndex(saved.logIndex);
    await saveNodeState(this.#options.files, this.#directory, saved);
    this.#state = saved;
  }

  /** A claim about entries that the log does not have would make the next start take their absence for damage. */
  #checkLogIndex(claimed: Index | undefined): void {
    const held = this.#log?.end.index ?? 0;
    if ((claimed ?? 0) <= held) return;
    throw new Error(`the log ends at ${String(held)}, and the node state must not claim ${String(claimed)}`);
  }

  async #replaceAll(log: SegmentLog, end: LogEnd, state: NodeState): Promise<void> {
    const { files, dbPath } = this.#options;
    const replaced = { ...state, cluster: this.#state.cluster, originIndex: end.index, cleanEnd: undefined };
    const marked = { ...replaced, logIndex: undefined };
    if (!this.#isMarked) await this.#orFail(saveNodeState(files, this.#directory, marked, end));
    // Only whoever finishes the work takes the mark away.
    this.#isMarked = true;
    await this.#orFail(installArrival(files, dbPath, this.#directory));
    await this.#orFail(log.startAnew(end));
    const done = { ...replaced, logIndex: end.index };
    await this.#orFail(saveNodeState(files, this.#directory, done));
    this.#isMarked = false;
    this.#state = done;
    this.#history = historyBehind(end);
    this.#replayedTo = end;
    // Nothing needs it any more, and a start would remove it.
    await this.#arrival?.abandon().catch(() => undefined);
  }

  /** Once the mark may be on disk, only a start can tell what is there; but for want of room nothing was changed. */
  async #orFail(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (error instanceof DiskFull) throw error;
      const final = new Error('the content of this node was being replaced: the next start finishes it', {
        cause: error,
      });
      this.#failure = final;
      throw final;
    }
  }
}
