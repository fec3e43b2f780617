import { BATCH_KEYS_MAX } from '../engine.js';
import type { EntryBatch } from '../engine.js';
import { DOLLAR } from './byte.js';
import type { RequestLimits } from './limits.js';
import { RequestHead } from './request-head.js';
import type { Unread } from './unread.js';
import { LINE_END_BYTES, NONE, isLineEnd, lengthAt, wordBehind } from './whole-word.js';

/** As `OneKeyRequests`, for a command with one key and its value: `*3 CRLF $3 CRLF SET CRLF $1 CRLF k CRLF $1 CRLF v CRLF`. */
export class EntryRequests {
  /** How many words each has. */
  readonly words = 3;
  readonly #head: RequestHead;
  readonly #limits: RequestLimits;

  /** @param name - of letters only. */
  constructor(name: string, limits: RequestLimits) {
    this.#head = new RequestHead(name, this.words);
    this.#limits = limits;
  }

  /** Fills in the entries of the requests that lie one behind the other in what is unread, at most so many, and moves nothing. */
  find({ bytes, at: from }: Unread, entries: EntryBatch, countMax: number): void {
    const { keys } = entries;
    keys.begin(bytes);
    const most = Math.min(countMax, BATCH_KEYS_MAX);
    for (let at = from; keys.count < most;) {
      const end = this.#findOne(bytes, at, entries);
      if (end === at) return;
      at = end;
      keys.count++;
    }
  }

  /** Where the request that begins at `from` ends; `from` when there is none. */
  #findOne(bytes: Buffer, from: number, { keys, valueStarts, valueEnds }: EntryBatch): number {
    if (!this.#head.isAt(keys.view, from)) return from;
    const { keyBytesMax, valueBytesMax, requestBytesMax } = this.#limits;
    const keyAt = from + this.#head.length;
    const keyLength = lengthAt(bytes, keyAt, keyBytesMax);
    if (keyLength === NONE || keyLength === 0) return from;
    const start = wordBehind(keyAt, keyLength);
    const end = start + keyLength;
    const valueAt = end + LINE_END_BYTES + 1;
    if (!isLineEnd(bytes, start - LINE_END_BYTES) || !isLineEnd(bytes, end)) return from;
    if (bytes[valueAt - 1] !== DOLLAR) return from;
    const valueLength = lengthAt(bytes, valueAt, valueBytesMax);
    if (valueLength === NONE) return from;
    const valueStart = wordBehind(valueAt, valueLength);
    const valueEnd = valueStart + valueLength;
    if (!isLineEnd(bytes, valueStart - LINE_END_BYTES) || !isLineEnd(bytes, valueEnd)) return from;
    if (valueEnd + LINE_END_BYTES - from > requestBytesMax) return from;
    keys.starts[keys.count] = start;
    keys.ends[keys.count] = end;
    valueStarts[keys.count] = valueStart;
    valueEnds[keys.count] = valueEnd;
    return valueEnd + LINE_END_BYTES;
  }
}
