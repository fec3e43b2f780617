import type { Clock } from '../clock.js';
import type { EntryBatch, SessionTag, WriteObserver } from '../engine.js';
import { FrameBuilder, entryBytes, putEachBytes } from '../log/entry.js';
import type { LoggedOperation } from '../log/entry.js';
import { FRAME_HEADER_BYTES } from '../log/frame.js';

/** A batch closes when it has this many bytes: one frame, one write, one sync, and a bounded turn to apply it. */
const BATCH_BYTES = 256 * 1024;
/** What batches hold together that are kept for those that come: as many as are under way when values are large. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
const KEPT_BATCHES_MAX = 64;

/** How many of these puts share a batch for certain: fewer where they are large, and at least one. */
export function batchedCount(entries: EntryBatch): number {
  let count = entries.keys.count;
  while (count > 1 && putEachBytes(entries, count) > BATCH_BYTES - FRAME_HEADER_BYTES) count >>= 1;
  return count;
}

/** Operations that will share a frame, and who waits for them, in the same order. */
export class Batch {
  readonly builder: FrameBuilder;
  readonly observers: (WriteObserver | undefined)[] = [];
  /** When its first operation came. */
  sinceMs = 0;

  constructor(expectedBytes: number) {
    this.builder = new FrameBuilder(expectedBytes);
  }

  reset(): void {
    this.builder.reset();
    this.observers.length = 0;
  }
}

/** The writes that have not been handed to the log yet, in the order in which they came. */
export class BatchQueue {
  #waiting: Batch[] = [];
  #waitingBytes = 0;
  readonly #kept: Batch[] = [];
  #keptBytes = 0;
  readonly #clock: Clock;
  /** A power of two: the last batch that was taken had at most so many, and the next is likely to be like it. */
  #expectedBytes = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** When the oldest operation came; undefined when there is none. */
  get sinceMs(): number | undefined {
    return this.#waiting[0]?.sinceMs;
  }

  /** The size of the oldest batch where it takes no more, since others follow it. */
  get closedBytes(): number | undefined {
    return this.#waiting.length > 1 ? this.#waiting[0]?.builder.length : undefined;
  }

  add(operation: LoggedOperation, observer: WriteObserver | undefined, tag: SessionTag | undefined): void {
    const bytes = entryBytes(operation, tag);
    const batch = this.#batchFor(bytes);
    batch.builder.append(operation, tag);
    batch.observers.push(observer);
    this.#waitingBytes += bytes;
  }

  /** Adds the first `count` of these to one batch, as a put each. The observer is that of the last of them, the others have none. */
  putEach(entries: EntryBatch, count: number, observer: WriteObserver): void {
    const bytes = putEachBytes(entries, count);
    const { builder, observers } = this.#batchFor(bytes);
    builder.putEach(entries, count);
    for (let before = 1; before < count; before++) observers.push(undefined);
    observers.push(observer);
    this.#waitingBytes += bytes;
  }

  /** The batch that so many bytes are added to. */
  #batchFor(bytes: number): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.builder.length + bytes <= BATCH_BYTES) return last;
    const batch = this.#emptyBatch();
    batch.sinceMs = this.#clock.nowMs();
    this.#waiting.push(batch);
    return batch;
  }

  #emptyBatch(): Batch {
    const kept = this.#kept.pop();
    if (kept === undefined) return new Batch(Math.min(this.#expectedBytes, BATCH_BYTES));
    this.#keptBytes -= kept.builder.heldBytes;
    return kept;
  }

  /** The oldest batch, which is closed by this. */
  take(): Batch | undefined {
    const batch = this.#waiting.shift();
    if (batch === undefined) return undefined;
    this.#expectedBytes = 2 ** Math.ceil(Math.log2(batch.builder.length));
    this.#waitingBytes -= batch.builder.length - FRAME_HEADER_BYTES;
    return batch;
  }

  /** Takes back a batch whose bytes and observers nobody needs any more. */
  recycle(batch: Batch): void {
    batch.reset();
    const { heldBytes } = batch.builder;
    if (this.#kept.length === KEPT_BATCHES_MAX || this.#keptBytes + heldBytes > KEPT_BYTES_MAX) return;
    this.#kept.push(batch);
    this.#keptBytes += heldBytes;
  }
}
