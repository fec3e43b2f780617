import { refusal } from '../engine.js';
import type { Operation, Refusal, Term, WriteObserver } from '../engine.js';
import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { showPosition } from '../log/term.js';
import type { Store } from '../store/store.js';
import { Applier } from './applier.js';
import type { Pause } from './applier.js';
import { BatchQueue } from './batch.js';
import type { Batch } from './batch.js';
import type { Log } from './ports.js';

export interface WritePipelineParts {
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  /** Writes that wait, in bytes; past this they are refused with `BUSY`. */
  readonly waitingBytesMax: number;
  snapshotIsBehind(): boolean;
  snapshotCaughtUp(): Promise<void>;
  /** Told after each frame was applied. */
  applied(): void;
  /** Told once, when the log can no longer be trusted to take anything. */
  failed(error: unknown): void;
}

/**
 * The way of a write: everything that arrives in one turn, or while the log is busy, becomes one batch, one
 * frame, one sync. When the frame is committed it is applied, and its observers are told. The next frame is on its way to
 * the disk meanwhile.
 *
 * Invariants: at most one append is under way; frames are applied in the order of the log; nothing is applied before
 * it is committed. (One node by itself: what is durable here is committed.)
 */
export class WritePipeline {
  readonly #parts: WritePipelineParts;
  readonly #queue = new BatchQueue();
  #term: Term;
  #applied: LogEnd;
  #committed: LogEnd;
  #running: Promise<void> | undefined;
  #failure: Refusal | undefined;
  #isBetweenEntries = false;

  constructor(parts: WritePipelineParts, term: Term) {
    this.#parts = parts;
    this.#term = term;
    this.#applied = parts.log.end;
    this.#committed = parts.log.end;
  }

  /** Where the last applied frame ends. The store is the map at this position whenever nobody writes to it. */
  get applied(): LogEnd {
    return this.#applied;
  }

  /** The last entry that is safe. */
  get committed(): LogEnd {
    return this.#committed;
  }

  get waitingBytes(): number {
    return this.#queue.waitingBytes;
  }

  get failure(): Refusal | undefined {
    return this.#failure;
  }

  /**
   * Whether the caller runs inside the call to a write's observer. The store is locked then, and yet is the map at
   * exactly that write's position.
   */
  get isBetweenEntries(): boolean {
    return this.#isBetweenEntries;
  }

  write(operation: Operation, observer: WriteObserver): void {
    if (this.#failure !== undefined) {
      observer.written(this.#failure, 0);
      return;
    }
    if (this.#queue.waitingBytes > this.#parts.waitingBytesMax) {
      observer.written(refusal('BUSY', 'too many writes wait for the disk: try again in a moment'), 0);
      return;
    }
    this.#queue.add(operation, observer);
    this.#running ??= this.#runNextTurn();
  }

  /** Appends the entry that opens this node's term, and resolves when it is applied. */
  async open(): Promise<void> {
    const batch = this.#queue.emptyBatch();
    batch.builder.open();
    batch.observers.push(undefined);
    const frame = this.#seal(batch);
    await this.#parts.log.append(frame);
    await this.#apply(batch, frame);
  }

  /** Resolves when no write is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #runNextTurn(): Promise<void> {
    await turn(this.#parts.clock);
    try {
      await this.#run();
    } catch (error) {
      this.fail(error);
    }
    // What came after the last look at the queue found a run under way, and counts on this one.
    this.#running = this.#queue.isEmpty ? undefined : this.#runNextTurn();
  }

  async #run(): Promise<void> {
    let batch = this.#queue.take();
    let append = batch && this.#append(batch);
    while (batch !== undefined && append !== undefined) {
      const outcome = await append;
      const done = batch;
      // The next frame goes to the disk while this one is applied.
      batch = this.#queue.take();
      append = batch && this.#append(batch);
      if ('code' in outcome) tell(done, outcome);
      else await this.#apply(done, outcome);
      this.#queue.recycle(done);
      batch ??= this.#queue.take();
      append ??= batch && this.#append(batch);
    }
  }

  /** The frame, once it is in the log, or why it is not. Nobody is told here: those in front are not applied yet. */
  async #append(batch: Batch): Promise<Frame | Refusal> {
    if (this.#failure !== undefined) return this.#failure;
    const frame = this.#seal(batch);
    try {
      await this.#parts.log.append(frame);
      return frame;
    } catch (error) {
      if (error instanceof Error && error.name === 'DiskFull') {
        return refusal('DISK_FULL', 'the disk is full, nothing was written: make room and try again');
      }
      this.fail(error);
      const position = showPosition(endOf(frame));
      const message = `the log could not be written: the write at ${position} may or may not be there after a restart`;
      return refusal('UNCONFIRMED', message);
    }
  }

  /** Takes nothing more: what the disk holds is unknown from here on. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = refusal('INTERNAL', 'this node takes no more writes and stops: look at its log');
    this.#parts.failed(error);
  }

  #seal(batch: Batch): Frame {
    const { end } = this.#parts.log;
    return batch.builder.seal(this.#term, (end.index + 1) as LogEnd['index'], end.checksum);
  }

  async #apply(batch: Batch, frame: Frame): Promise<void> {
    const { store, clock } = this.#parts;
    this.#committed = endOf(frame);
    const applier = new Applier(store, frame, batch.observers, () => this.#parts.snapshotIsBehind());
    if (!store.lock.tryWrite()) await store.lock.write();
    try {
      for (;;) {
        const pause = this.#runApplier(applier);
        if (pause === undefined) break;
        if (pause === 'snapshot') await this.#parts.snapshotCaughtUp();
        else await turn(clock);
      }
      this.#applied = endOf(frame);
    } finally {
      store.lock.releaseWrite();
    }
    this.#parts.applied();
  }

  #runApplier(applier: Applier): Pause | undefined {
    this.#isBetweenEntries = true;
    try {
      return applier.run();
    } finally {
      this.#isBetweenEntries = false;
    }
  }
}

function tell(batch: Batch, refused: Refusal): void {
  for (const observer of batch.observers) observer?.written(refused, 0);
}
