import { BATCH_KEYS_MAX } from '../engine.js';
import type { KeyBatch } from '../engine.js';
import { CR, LF } from './byte.js';
import type { RequestLimits } from './limits.js';
import type { Unread } from './unread.js';

const CASE_BIT = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
/** Of the length of a key. */
const DIGITS_MAX = 5;

/**
 * Finds requests of one command with one key in the RESP framing, many at a time, as clients send them that do not wait for each
 * answer: `*2 CRLF $3 CRLF GET CRLF $1 CRLF k CRLF`, the name in any mix of capitals. Anything that is not exactly so ends the row.
 */
export class OneKeyRequests {
  readonly #head: Buffer;
  /** By byte of the head: the bit that tells capitals apart where it is a letter of the name. */
  readonly #caseBits: Buffer;
  readonly #keyBytesMax: number;
  readonly #requestBytesMax: number;

  /** @param name - of letters only. */
  constructor(name: string, { keyBytesMax, requestBytesMax }: RequestLimits) {
    this.#head = Buffer.from(`*2\r\n$${String(name.length)}\r\n${name.toLowerCase()}\r\n$`, 'latin1');
    this.#caseBits = Buffer.from(this.#head.map((byte) => (isLetter(byte) ? CASE_BIT : 0)));
    this.#keyBytesMax = keyBytesMax;
    this.#requestBytesMax = requestBytesMax;
  }

  /** Fills in the keys of the requests that lie one behind the other in what is unread, and moves nothing. */
  find({ bytes, at: from }: Unread, keys: KeyBatch): void {
    keys.bytes = bytes;
    keys.count = 0;
    for (let at = from; keys.count < BATCH_KEYS_MAX;) {
      const end = this.#findOne(bytes, at, keys);
      if (end === at) return;
      at = end;
      keys.count++;
    }
  }

  /** Where the request that begins at `from` ends; `from` when there is none. */
  #findOne(bytes: Buffer, from: number, { starts, ends, count }: KeyBatch): number {
    const head = this.#head;
    const caseBits = this.#caseBits;
    let at = from + head.length;
    // A digit, CR, LF, a byte of a key, CR and LF are the least that follows.
    if (at + 6 > bytes.length) return from;
    for (let place = 0; place < head.length; place++) {
      if (((bytes[from + place] ?? 0) | (caseBits[place] ?? 0)) !== head[place]) return from;
    }
    let length = 0;
    const digitsEnd = at + DIGITS_MAX;
    for (let byte = bytes[at] ?? 0; byte !== CR; byte = bytes[++at] ?? 0) {
      const isDigit = byte >= ZERO && byte <= NINE;
      // Whoever writes a zero in front is told so elsewhere.
      if (!isDigit || at === digitsEnd || (byte === ZERO && length === 0)) return from;
      length = length * 10 + byte - ZERO;
    }
    const start = at + 2;
    const end = start + length;
    const isWhole =
      end + 2 <= bytes.length && bytes[at + 1] === LF && bytes[end] === CR && bytes[end + 1] === LF;
    const isWithin = length > 0 && length <= this.#keyBytesMax && end + 2 - from <= this.#requestBytesMax;
    if (!isWhole || !isWithin) return from;
    starts[count] = start;
    ends[count] = end;
    return end + 2;
  }
}

function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
