import type { ByteRange } from '../engine.js';
import { ASTERISK, CR, DOLLAR, LF } from './byte.js';
import type { RequestLimits } from './limits.js';
import type { Request } from './request.js';
import type { Unread } from './unread.js';

/** More words than this, or a longer one, are read by the reader for everything. */
const WORDS_MAX = 9;
const LENGTH_DIGITS_MAX = 6;
/** `$0`, and two line endings. */
const SHORTEST_WORD_BYTES = 6;
/** The same behind `*1` and its line ending. */
const SHORTEST_BYTES = 4 + SHORTEST_WORD_BYTES;
const ZERO = 0x30;
const NINE = 0x39;
const NONE = -1;

interface MutableRange extends ByteRange {
  bytes: Buffer;
  start: number;
  end: number;
}

/**
 * Reads requests of the RESP framing that lie in one piece and have few words, which nearly all do, at a third of what it costs
 * otherwise: 125 ns for a GET became 40. Whatever is not exactly of this kind is left where it is, for the reader that knows
 * everything else and what is wrong with it.
 *
 * A request that is answered is overwritten by the next call.
 */
export class WholeRequestReader {
  readonly #requestBytesMax: number;
  /** By how many words it has. */
  readonly #requests: readonly Request[];
  readonly #ranges: readonly MutableRange[];
  #length = 0;

  constructor(limits: RequestLimits) {
    this.#requestBytesMax = limits.requestBytesMax;
    const bytes = Buffer.alloc(0);
    this.#ranges = Array.from({ length: Math.min(WORDS_MAX, limits.wordsMax) }, () => ({
      bytes,
      start: 0,
      end: 0,
    }));
    this.#requests = [...this.#ranges.keys()].map((last) => ({
      words: this.#ranges.slice(0, last + 1),
      terminated: true,
      framing: 'resp',
      isLent: true,
    }));
  }

  /** The request that begins at the next byte; undefined, and nothing was read, when it is none of this kind. */
  read(unread: Unread): Request | undefined {
    const { bytes, at: from } = unread;
    if (from + SHORTEST_BYTES > bytes.length || bytes[from] !== ASTERISK) return undefined;
    const count = (bytes[from + 1] ?? 0) - ZERO;
    const request = this.#requests[count - 1];
    if (request === undefined || bytes[from + 2] !== CR || bytes[from + 3] !== LF) return undefined;
    let at = from + 4;
    for (let word = 0; word < count; word++) {
      const range = this.#ranges[word];
      const start = this.#readHeader(bytes, at);
      if (range === undefined || start === NONE) return undefined;
      const end = start + this.#length;
      if (end + 2 > bytes.length || bytes[end] !== CR || bytes[end + 1] !== LF) return undefined;
      range.bytes = bytes;
      range.start = start;
      range.end = end;
      at = end + 2;
    }
    if (at - from > this.#requestBytesMax) return undefined;
    unread.at = at;
    return request;
  }

  /**
   * Reads `$`, a length and CRLF, and answers where the word begins. The length is then in `#length`. With the functions of
   * `whole-word.ts`, which know less of where they read, a GET takes 35 ns in place of 30, and a SET 47 in place of 39.
   */
  #readHeader(bytes: Buffer, from: number): number {
    if (from + SHORTEST_WORD_BYTES > bytes.length || bytes[from] !== DOLLAR) return NONE;
    const first = bytes[from + 1] ?? 0;
    if (first < ZERO || first > NINE) return NONE;
    let length = first - ZERO;
    let at = from + 2;
    for (let byte = bytes[at] ?? 0; byte !== CR; byte = bytes[++at] ?? 0) {
      if (byte < ZERO || byte > NINE || length === 0 || at > from + LENGTH_DIGITS_MAX) return NONE;
      length = length * 10 + byte - ZERO;
    }
    this.#length = length;
    return bytes[at + 1] === LF ? at + 2 : NONE;
  }
}
