import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { EntryBatch, Index, Operation, Refusal, SessionTag, Term, WriteObserver } from '../engine.js';
import type { SessionOperation } from '../log/entry.js';
import { endOf, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { showPosition } from '../log/term.js';
import { BatchQueue, batchedCount } from './batch.js';
import type { Batch } from './batch.js';
import { diskFull, isDiskFull } from './disk-room.js';
import type { FrameCache } from './frame-cache.js';
import { Gathering } from './gathering.js';

export interface ProposalsParts {
  readonly clock: Clock;
  readonly cache: FrameCache;
  /** Writes that wait, in bytes; past this they are refused with `BUSY`. */
  readonly waitingBytesMax: number;
  /** A write that is not committed after this long is answered `UNCONFIRMED`. */
  readonly writeTimeoutMs: number;
  /** Why no write can be taken now; undefined when one can. */
  objection(): Refusal | undefined;
  /** Counts a write that is about to be taken among what the data may grow to; a refusal when that is too much. */
  admit(operation: Operation, tag: SessionTag | undefined): Refusal | undefined;
  /** As {@link admit} for puts: how many of the first `count` are counted and may be taken without a closer look. */
  admitEach(entries: EntryBatch, count: number): number;
  /** A hand-over is under way: writes wait until it is decided. */
  isHeld(): boolean;
  /** Whether the log, or the core, is busy: what comes meanwhile becomes one batch. `goOn` is called once it no longer is. */
  isLogBusy(): boolean;
  /** For how long writes are gathered that are to wait together; 0 where there is nothing to wait for. */
  gatheredMsMax(): number;
  /** Whether a frame can be proposed although the log is busy. */
  mayTakeAhead(frameBytes: number): boolean;
  /** Nothing can be written for want of room: whatever comes is refused at once. */
  isStuck(): boolean;
  /** Whether there is room for a frame without anything to be done for it. */
  hasRoomFor(frameBytes: number): boolean;
  /** Makes room for a frame; throws an error whose name is `DiskFull` when there is none. */
  reserve(frameBytes: number): Promise<void>;
  /** What the next frame follows, and its term. */
  tail(): { readonly term: Term; readonly last: LogEnd };
  propose(frame: Frame): void;
  /** The log takes nothing more. */
  failed(error: unknown): void;
  /** Members that do not answer, for people. */
  whoIsSilent(): string;
}

/** A batch whose turn came, and whose observers are not told yet. While it has neither a frame nor a refusal, room is made for it. */
interface Waiting {
  readonly batch: Batch;
  readonly bytes: number;
  frame: Frame | undefined;
  refused: Refusal | undefined;
  deadlineMs: number;
}

/**
 * The way of a write until it is committed: everything that arrives in one turn or in a few, or while the log is busy, becomes one
 * batch and one frame. Its observers are told when the frame is applied, or when it is clear that nobody will know.
 *
 * Invariant: observers are told in the order of their writes.
 */
export class Proposals {
  readonly #parts: ProposalsParts;
  readonly #queue: BatchQueue;
  readonly #gathering = new Gathering();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isRunning = false;

  constructor(parts: ProposalsParts) {
    this.#parts = parts;
    this.#queue = new BatchQueue(parts.clock);
  }

  get waitingBytes(): number {
    return this.#queue.waitingBytes + this.#waitingBytes;
  }

  /** The part of them that has no frame yet, and so is not in the log. */
  get unproposedBytes(): number {
    return this.#waiting.reduce(
      (sum, { frame, refused, bytes }) => (frame === undefined && refused === undefined ? sum + bytes : sum),
      this.#queue.waitingBytes,
    );
  }

  get isEmpty(): boolean {
    return this.#queue.isEmpty && this.#waiting.length === 0;
  }

  write(operation: Operation, observer: WriteObserver, tag?: SessionTag): void {
    const refused = this.#objection() ?? this.#parts.admit(operation, tag);
    if (refused === undefined) this.#add(operation, observer, tag);
    else observer.written(refused, 0);
  }

  /** Takes some of these, as the engine's `putEach` says. */
  putEach(entries: EntryBatch, observer: WriteObserver): number {
    if (this.#objection() !== undefined) return 0;
    const count = this.#parts.admitEach(entries, batchedCount(entries));
    if (count === 0) return 0;
    this.#queue.putEach(entries, count, observer);
    this.#schedule();
    return count;
  }

  /** As {@link write}: opens a session, or ends some. */
  changeSessions(operation: SessionOperation, observer: WriteObserver): void {
    const refused = this.#objection();
    if (refused === undefined) this.#add(operation, observer, undefined);
    else observer.written(refused, 0);
  }

  /** Why no write is taken in this moment. Behind others it is found out when its turn comes. */
  #objection(): Refusal | undefined {
    const refused = this.isEmpty ? this.#parts.objection() : undefined;
    if (refused !== undefined || this.waitingBytes <= this.#parts.waitingBytesMax) return refused;
    return refusal('BUSY', 'too many writes wait for the disk: try again in a moment');
  }

  #add(operation: Operation | SessionOperation, observer: WriteObserver, tag: SessionTag | undefined): void {
    this.#queue.add(operation, observer, tag);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#parts.clock.nextTurn(this.#run);
  }

  /** Looks again whether a batch can go: the log is free, the office changed, time has passed. */
  goOn(): void {
    if (!this.#queue.isEmpty && !this.#isRunning) this.#run();
  }

  readonly #run = (): void => {
    this.#isRunning = true;
    while (this.#mayTake) {
      if (this.#isGathering()) {
        this.#parts.clock.nextTurn(this.#run);
        return;
      }
      const batch = this.#queue.take();
      if (batch === undefined) break;
      // It keeps its place while room is made: whatever is refused meanwhile is told behind it.
      const item = this.#push(batch);
      if (!this.#parts.hasRoomFor(batch.builder.length)) {
        void this.#runOnceThereIsRoom(item);
        return;
      }
      this.#decide(item, this.#parts.objection());
    }
    this.#isRunning = false;
  };

  /** A batch that takes no more is not waited for. */
  #isGathering(): boolean {
    const gatheredMsMax = this.#parts.gatheredMsMax();
    if (gatheredMsMax === 0 || this.#queue.closedBytes !== undefined) return false;
    const nowMs = this.#parts.clock.nowMs();
    return this.#gathering.isWorthATurn(this.#queue.waitingBytes, nowMs, gatheredMsMax);
  }

  /** Never rejects. */
  async #runOnceThereIsRoom(item: Waiting): Promise<void> {
    this.#decide(item, await this.#refusalOf(item.batch));
    this.#run();
  }

  #decide(item: Waiting, refused: Refusal | undefined): void {
    item.refused = refused;
    if (refused === undefined) this.#propose(item);
    else this.#tellRefused();
  }

  get #mayTake(): boolean {
    if (this.#queue.isEmpty) return false;
    if (this.#parts.isStuck()) return true;
    if (this.#parts.isHeld()) return false;
    return !this.#parts.isLogBusy() || this.#mayTakeAhead;
  }

  /**
   * A batch that takes no more writes need not wait until the log is at rest, only for what is being written there: it is written with others
   * of its kind while that is applied.
   */
  get #mayTakeAhead(): boolean {
    const bytes = this.#queue.closedBytes;
    return bytes !== undefined && this.#parts.mayTakeAhead(bytes);
  }

  async #refusalOf(batch: Batch): Promise<Refusal | undefined> {
    const before = this.#parts.objection();
    if (before !== undefined) return before;
    try {
      await this.#parts.reserve(batch.builder.length);
    } catch (error) {
      if (isDiskFull(error)) return diskFull('nothing was written');
      this.#parts.failed(error);
      return refusal('INTERNAL', 'the log takes no more writes: look at the log of this node');
    }
    // The office may have been lost meanwhile.
    return this.#parts.objection();
  }

  #propose(item: Waiting): void {
    const { clock, writeTimeoutMs } = this.#parts;
    const { term, last } = this.#parts.tail();
    item.frame = item.batch.builder.seal(term, (last.index + 1) as Index, last.checksum);
    item.deadlineMs = clock.nowMs() + writeTimeoutMs;
    this.#parts.propose(item.frame);
  }

  #refuse(batch: Batch, refused: Refusal): void {
    this.#push(batch).refused = refused;
    this.#tellRefused();
  }

  #push(batch: Batch): Waiting {
    const bytes = batch.builder.length;
    const item = {
      batch,
      bytes,
      frame: undefined,
      refused: undefined,
      deadlineMs: Infinity,
    };
    this.#waiting.push(item);
    this.#waitingBytes += bytes;
    return item;
  }

  /** Who waits for a frame that is committed and is about to be applied. */
  observersOf(frame: Frame): readonly (WriteObserver | undefined)[] {
    const [first] = this.#waiting;
    if (first?.frame === undefined || !isSame(first.frame, frame)) return [];
    return first.batch.observers;
  }

  /** A frame was applied, and its observers were told. */
  applied(frame: Frame): void {
    const { cache } = this.#parts;
    const [first] = this.#waiting;
    if (first?.frame === undefined || !isSame(first.frame, frame)) {
      cache.release(frame);
      return;
    }
    this.#shift(first);
    if (cache.release(first.frame)) this.#queue.recycle(first.batch);
    this.#tellRefused();
  }

  /** Tells those whose time is up that nobody knows yet. What lies up to `reach` is about to be applied, and told then. */
  checkTime(reach: Index): void {
    const nowMs = this.#parts.clock.nowMs();
    for (let first = this.#waiting[0]; first?.frame !== undefined; first = this.#waiting[0]) {
      if (nowMs < first.deadlineMs || lastIndexOf(first.frame) <= reach) break;
      const position = showPosition(endOf(first.frame));
      const message = `the write at ${position} is not confirmed in time and may still take effect; it waits for ${this.#parts.whoIsSilent()}: start what is down, or look at status`;
      first.refused = refusal('UNCONFIRMED', message);
      this.#tellRefused();
    }
    this.#refuseOverdue(nowMs);
  }

  /** What has waited for its turn until now was not proposed, and never will be. */
  #refuseOverdue(nowMs: number): void {
    const { writeTimeoutMs } = this.#parts;
    for (let since = this.#queue.sinceMs; since !== undefined; since = this.#queue.sinceMs) {
      if (nowMs - since < writeTimeoutMs) return;
      const batch = this.#queue.take();
      if (batch === undefined) return;
      this.#refuse(
        batch,
        refusal(
          'BUSY',
          'not applied: the log takes nothing just now; look at status, and try again in a moment',
        ),
      );
    }
  }

  /**
   * The office is lost: what lies behind `kept`, what is committed and will be applied, may still take effect, and what was
   * not proposed never will.
   */
  lose(kept: Index, reason: Refusal): void {
    for (const item of this.#waiting) {
      if (item.frame === undefined || lastIndexOf(item.frame) <= kept) continue;
      const position = showPosition(endOf(item.frame));
      const message = `this node is no longer the primary; the write at ${position} may still take effect`;
      item.refused = refusal('UNCONFIRMED', message);
      item.frame = undefined;
    }
    // What stands behind something committed is told behind it.
    this.#tellRefused();
    for (let batch = this.#queue.take(); batch !== undefined; batch = this.#queue.take()) {
      this.#refuse(batch, reason);
    }
  }

  #tellRefused(): void {
    for (let first = this.#waiting[0]; first?.refused !== undefined; first = this.#waiting[0]) {
      this.#shift(first);
      for (const observer of first.batch.observers) observer?.written(first.refused, 0);
      // A frame may still refer to the batch of a write whose outcome is unknown.
      if (first.refused.code !== 'UNCONFIRMED') this.#queue.recycle(first.batch);
    }
  }

  #shift(item: Waiting): void {
    this.#waiting.shift();
    this.#waitingBytes -= item.bytes;
  }
}

/** Of one entry there is only one content: a frame that was read from the files is the one that was proposed. */
function isSame(a: Frame, b: Frame): boolean {
  return a.term === b.term && a.firstIndex === b.firstIndex;
}
