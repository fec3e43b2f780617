import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Index, Operation, Refusal, Term, WriteObserver } from '../engine.js';
import { endOf, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { showPosition } from '../log/term.js';
import { BatchQueue } from './batch.js';
import type { Batch } from './batch.js';
import type { FrameCache } from './frame-cache.js';

export interface ProposalsParts {
  readonly clock: Clock;
  readonly cache: FrameCache;
  /** Writes that wait, in bytes; past this they are refused with `BUSY`. */
  readonly waitingBytesMax: number;
  /** A write that is not committed after this long is answered `UNCONFIRMED`. */
  readonly writeTimeoutMs: number;
  /** Why no write can be taken now; undefined when one can. */
  objection(): Refusal | undefined;
  /** A hand-over is under way: writes wait until it is decided. */
  isHeld(): boolean;
  /** Whether the log is busy: what comes meanwhile becomes one batch. */
  isLogBusy(): boolean;
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

/** A batch that was proposed or refused, and whose observers are not told yet. */
interface Waiting {
  readonly batch: Batch;
  readonly frame: Frame | undefined;
  readonly refused: Refusal | undefined;
  readonly bytes: number;
  readonly deadlineMs: number;
}

/**
 * The way of a write until it is committed: everything that arrives in one turn, or while the log is busy, becomes one batch and
 * one frame. Its observers are told when the frame is applied, or when it is clear that nobody will know.
 *
 * Invariant: observers are told in the order of their writes.
 */
export class Proposals {
  readonly #parts: ProposalsParts;
  readonly #queue = new BatchQueue();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #applying: Frame | undefined;
  #isRunning = false;

  constructor(parts: ProposalsParts) {
    this.#parts = parts;
  }

  get waitingBytes(): number {
    return this.#queue.waitingBytes + this.#waitingBytes;
  }

  get isEmpty(): boolean {
    return this.#queue.isEmpty && this.#waiting.length === 0;
  }

  write(operation: Operation, observer: WriteObserver): void {
    if (this.isEmpty) {
      const refused = this.#parts.objection();
      if (refused !== undefined) {
        observer.written(refused, 0);
        return;
      }
    }
    if (this.waitingBytes > this.#parts.waitingBytesMax) {
      observer.written(refusal('BUSY', 'too many writes wait for the disk: try again in a moment'), 0);
      return;
    }
    this.#queue.add(operation, observer, this.#parts.clock.nowMs());
    if (!this.#isRunning) void this.#runNextTurn();
  }

  /** Looks again whether a batch can go: the log is free, the office changed, time has passed. */
  goOn(): void {
    if (!this.#queue.isEmpty && !this.#isRunning) void this.#run();
  }

  async #runNextTurn(): Promise<void> {
    this.#isRunning = true;
    await turn(this.#parts.clock);
    await this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    while (!this.#queue.isEmpty && !this.#parts.isLogBusy() && !this.#parts.isHeld()) {
      const batch = this.#queue.take();
      if (batch === undefined) break;
      const refused = await this.#refusalOf(batch);
      if (refused === undefined) this.#propose(batch);
      else this.#refuse(batch, refused);
    }
    this.#isRunning = false;
  }

  async #refusalOf(batch: Batch): Promise<Refusal | undefined> {
    const before = this.#parts.objection();
    if (before !== undefined) return before;
    try {
      await this.#parts.reserve(batch.builder.length);
    } catch (error) {
      if (error instanceof Error && error.name === 'DiskFull') {
        return refusal('DISK_FULL', 'the disk is full, nothing was written: make room and try again');
      }
      this.#parts.failed(error);
      return refusal('INTERNAL', 'the log takes no more writes: look at the log of this node');
    }
    // The office may have been lost meanwhile.
    return this.#parts.objection();
  }

  #propose(batch: Batch): void {
    const { term, last } = this.#parts.tail();
    const frame = batch.builder.seal(term, (last.index + 1) as Index, last.checksum);
    this.#push({ batch, frame, refused: undefined });
    this.#parts.propose(frame);
  }

  #refuse(batch: Batch, refused: Refusal): void {
    this.#push({ batch, frame: undefined, refused });
    this.#tellRefused();
  }

  #push(item: Pick<Waiting, 'batch' | 'frame' | 'refused'>): void {
    const { clock, writeTimeoutMs } = this.#parts;
    const bytes = item.batch.builder.length;
    this.#waiting.push({ ...item, bytes, deadlineMs: clock.nowMs() + writeTimeoutMs });
    this.#waitingBytes += bytes;
  }

  /** Who waits for a frame that is committed and is about to be applied. */
  observersOf(frame: Frame): readonly (WriteObserver | undefined)[] {
    const [first] = this.#waiting;
    if (first?.frame === undefined || !isSame(first.frame, frame)) return [];
    this.#applying = first.frame;
    return first.batch.observers;
  }

  /** A frame was applied, and its observers were told. */
  applied(frame: Frame): void {
    this.#applying = undefined;
    const [first] = this.#waiting;
    if (first?.frame === undefined || !isSame(first.frame, frame)) return;
    this.#shift(first);
    if (this.#parts.cache.release(first.frame)) this.#queue.recycle(first.batch);
    this.#tellRefused();
  }

  /** Tells those whose time is up that nobody knows yet. */
  checkTime(commit: Index): void {
    const nowMs = this.#parts.clock.nowMs();
    for (let first = this.#waiting[0]; first?.frame !== undefined; first = this.#waiting[0]) {
      if (nowMs < first.deadlineMs || lastIndexOf(first.frame) <= commit) break;
      const position = showPosition(endOf(first.frame));
      const message = `the write at ${position} is not confirmed in time and may still take effect; it waits for ${this.#parts.whoIsSilent()}: start what is down, or look at status`;
      this.#giveUp(first, refusal('UNCONFIRMED', message));
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

  /** The office is lost: what is not committed may still take effect, and what was not proposed never will. */
  lose(commit: Index, reason: Refusal): void {
    for (const item of [...this.#waiting]) {
      if (item.frame !== undefined && lastIndexOf(item.frame) <= commit) continue;
      if (item.frame === this.#applying && item.frame !== undefined) continue;
      if (this.#waiting[0] !== item) break;
      const position = item.frame === undefined ? '' : showPosition(endOf(item.frame));
      const message = `this node is no longer the primary; the write at ${position} may still take effect`;
      this.#giveUp(item, item.refused ?? refusal('UNCONFIRMED', message));
    }
    // What stands behind something committed is told behind it.
    this.#waiting = this.#waiting.map((item) => {
      if (item.frame === undefined || lastIndexOf(item.frame) <= commit) return item;
      const message = `this node is no longer the primary; the write at ${showPosition(endOf(item.frame))} may still take effect`;
      return { ...item, frame: undefined, refused: refusal('UNCONFIRMED', message) };
    });
    for (let batch = this.#queue.take(); batch !== undefined; batch = this.#queue.take()) {
      this.#refuse(batch, reason);
    }
  }

  #giveUp(item: Waiting, refused: Refusal): void {
    this.#shift(item);
    for (const observer of item.batch.observers) observer?.written(refused, 0);
    this.#tellRefused();
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
