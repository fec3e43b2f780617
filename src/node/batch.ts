import type { Clock } from '../clock.js';
import type { EntryBatch, SessionTag, WriteObserver } from '../engine.js';
import { FrameBuilder, entryBytes, putEachBytes } from '../log/entry.js';
import type { LoggedOperation } from '../log/entry.js';
import { FRAME_HEADER_BYTES } from '../log/frame.js';

/** A batch closes when it has this many bytes: one frame, one write, one sync, and a bounded turn to apply it. */
const BATCH_BYTES = 256 * 1024;
const KEPT_BATCHES_MAX = 4;

/** How many of these puts share a batch for certain: fewer where they are large, and at least one. */
export function batchedCount(entries: EntryBatch): number {
  let count = entries.keys.count;
  while (count > 1 && putEachBytes(entries, count) > BATCH_BYTES - FRAME_HEADER_BYTES) count >>= 1;
  return count;
}

/** Operations that will share a frame, and who waits for them, in the same order. */
export class Batch {
  readonly builder = new FrameBuilder();
  readonly observers: (WriteObserver | undefined)[] = [];
  /** When its first operation came. */
  sinceMs = 0;

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
  readonly #clock: Clock;

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
    return this.#kept.pop() ?? new Batch();
  }

  /** The oldest batch, which is closed by this. */
  take(): Batch | undefined {
    const batch = this.#waiting.shift();
    if (batch === undefined) return undefined;
    this.#waitingBytes -= batch.builder.length - FRAME_HEADER_BYTES;
    return batch;
  }

  /** Takes back a batch whose bytes and observers nobody needs any more. */
  recycle(batch: Batch): void {
    batch.reset();
    if (this.#kept.length < KEPT_BATCHES_MAX) this.#kept.push(batch);
  }
}
