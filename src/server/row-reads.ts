import { KeyBatch } from '../engine.js';
import type { Engine, ValueSink } from '../engine.js';
import { OneKeyRequests } from '../protocol/one-key-requests.js';
import type { RequestLimits } from '../protocol/limits.js';
import type { RequestReader } from '../protocol/request-reader.js';
import type { RespReply } from '../protocol/resp-reply.js';

/** Reads that come together and are answered together, for the connections of one server. Nothing is kept from one call to the next. */
export class RowReads {
  readonly #keys = new KeyBatch();
  readonly #requests: OneKeyRequests;

  constructor(limits: RequestLimits) {
    this.#requests = new OneKeyRequests('GET', limits);
  }

  /** Answers what comes next from a reader, as far as it is such a row. @returns how many requests were answered. */
  answer(reader: RequestReader, engine: Engine, row: RowOfReplies): number {
    if (row.aloneCount > 0) {
      row.aloneCount--;
      return 0;
    }
    const keys = this.#keys;
    reader.findKeys(this.#requests, keys);
    if (keys.count === 0) return 0;
    row.begin();
    engine.readEach(keys, row);
    const { count } = row;
    // What was not answered is not looked up for a row again, so that nothing is looked up many times.
    row.aloneCount = keys.count - count;
    if (count > 0) reader.takeUpTo(keys.ends[count - 1] ?? 0);
    else row.aloneCount--;
    keys.end();
    return count;
  }
}

/** Writes replies to reads that came together, up to one that somebody has to look at more closely. */
export class RowOfReplies implements ValueSink {
  /** How many were written. */
  count = 0;
  isFull = false;
  /** So many of the next requests are answered by themselves. */
  aloneCount = 0;
  readonly #reply: RespReply;
  readonly #valueBytesMax: number;
  readonly #freeBytes: () => number;
  #bytesMax = 0;

  /**
   * @param valueBytesMax - a longer value is none of a row.
   * @param freeBytes - how much may be written before others have their turn.
   */
  constructor(reply: RespReply, valueBytesMax: number, freeBytes: () => number) {
    this.#reply = reply;
    this.#valueBytesMax = valueBytesMax;
    this.#freeBytes = freeBytes;
  }

  begin(): void {
    this.count = 0;
    this.isFull = false;
    this.#bytesMax = this.#reply.length + this.#freeBytes() - this.#valueBytesMax;
  }

  hit(bytes: Buffer, start: number, end: number, view?: DataView): void {
    if (this.#isTooMuch(end - start)) return;
    this.#reply.hit(bytes, start, end, view);
    this.count++;
  }

  miss(): void {
    if (this.#isTooMuch(0)) return;
    this.#reply.miss();
    this.count++;
  }

  #isTooMuch(valueBytes: number): boolean {
    this.isFull = valueBytes > this.#valueBytesMax || this.#reply.length > this.#bytesMax;
    return this.isFull;
  }
}
