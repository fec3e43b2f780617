import { BATCH_KEYS_MAX } from '../engine.js';
import type { KeyBatch } from '../engine.js';
import type { RequestLimits } from './limits.js';
import { RequestHead } from './request-head.js';
import type { Unread } from './unread.js';
import { LINE_END_BYTES, NONE, isLineEnd, lengthAt, wordBehind } from './whole-word.js';

/**
 * Finds requests of one command with one key in the RESP framing, many at a time, as clients send them that do not wait for each
 * answer: `*2 CRLF $3 CRLF GET CRLF $1 CRLF k CRLF`. Anything that is not exactly so ends the row.
 */
export class OneKeyRequests {
  /** How many words each has. */
  readonly words = 2;
  readonly #head: RequestHead;
  readonly #keyBytesMax: number;
  readonly #requestBytesMax: number;

  /** @param name - of letters only. */
  constructor(name: string, { keyBytesMax, requestBytesMax }: RequestLimits) {
    this.#head = new RequestHead(name, this.words);
    this.#keyBytesMax = keyBytesMax;
    this.#requestBytesMax = requestBytesMax;
  }

  /** Fills in the keys of the requests that lie one behind the other in what is unread, at most so many, and moves nothing. */
  find({ bytes, at: from }: Unread, keys: KeyBatch, countMax: number): void {
    keys.begin(bytes);
    const most = Math.min(countMax, BATCH_KEYS_MAX);
    for (let at = from; keys.count < most;) {
      const end = this.#findOne(bytes, at, keys);
      if (end === at) return;
      at = end;
      keys.count++;
    }
  }

  /** Where the request that begins at `from` ends; `from` when there is none. */
  #findOne(bytes: Buffer, from: number, { view, starts, ends, count }: KeyBatch): number {
    if (!this.#head.isAt(view, from)) return from;
    const at = from + this.#head.length;
    const length = lengthAt(bytes, at, this.#keyBytesMax);
    if (length === NONE || length === 0) return from;
    const start = wordBehind(at, length);
    const end = start + length;
    if (!isLineEnd(bytes, start - LINE_END_BYTES) || !isLineEnd(bytes, end)) return from;
    if (end + LINE_END_BYTES - from > this.#requestBytesMax) return from;
    starts[count] = start;
    ends[count] = end;
    return end + LINE_END_BYTES;
  }
}
