import type { ByteRange } from '../engine.js';
import { BACKSLASH, CR, LF, LOWER_N, LOWER_R, LOWER_T, LOWER_X, QUOTE, TAB, hexDigit } from './byte.js';
import type { KeptBytes } from './kept-bytes.js';

/** What is wrong with a quoted word. */
export type UnquoteFault = 'open quote' | 'unknown escape';

/**
 * Reads one quoted word, a bounded piece at a time: it may be very long. First its closing quote is found, so that
 * memory is taken for exactly what it holds; then its escapes are replaced.
 */
export class QuotedWord {
  readonly #line: Buffer;
  readonly #open: number;
  readonly #end: number;
  #at: number;
  /** The offset of the closing quote; -1 until it was found. */
  #close = -1;
  /** By how much the word is shorter than what stands between the quotes. */
  #savedBytes = 0;
  /** The offset of the first escape that is none; -1 while there is none. */
  #unknownAt = -1;
  #target: ByteRange | undefined;
  #filledTo = 0;

  /** `at` is the offset of the opening quote, `end` that behind the last byte of the line. */
  constructor(line: Buffer, at: number, end: number) {
    this.#line = line;
    this.#open = at;
    this.#at = at + 1;
    this.#end = end;
  }

  /** The offset behind the closing quote, once the word was read. */
  get next(): number {
    return this.#close + 1;
  }

  /** Where the fault shows: an open quote where it opens, an escape at its backslash. */
  get faultAt(): number {
    return this.#close === -1 ? this.#open : this.#unknownAt;
  }

  /**
   * The word; undefined when it is not read after about as many bytes as `workBytes`. Without escapes it is a range of the
   * line, otherwise it goes into `memory`.
   */
  read(workBytes: number, memory: KeptBytes): ByteRange | UnquoteFault | undefined {
    if (this.#close === -1) {
      if (!this.#findClose(workBytes)) return this.#at < this.#end ? undefined : 'open quote';
      if (this.#unknownAt !== -1) return 'unknown escape';
      const from = this.#open + 1;
      if (this.#savedBytes === 0) return { bytes: this.#line, start: from, end: this.#close };
      this.#at = from;
    }
    this.#target ??= memory.reserve(this.#close - this.#open - 1 - this.#savedBytes);
    return this.#unescape(this.#target, workBytes) ? this.#target : undefined;
  }

  #findClose(workBytes: number): boolean {
    const line = this.#line;
    const stop = Math.min(this.#end, this.#at + workBytes);
    let at = this.#at;
    for (; at < stop; at++) {
      const byte = line[at];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) this.#countEscape(at++);
    }
    this.#at = at;
    if (at >= stop) return false;
    this.#close = at;
    return true;
  }

  #countEscape(at: number): void {
    const letter = this.#line[at + 1];
    const isHex = letter === LOWER_X;
    this.#savedBytes += isHex ? 3 : 1;
    if (this.#unknownAt !== -1) return;
    const isKnown = isHex
      ? at + 3 < this.#end && hexDigit(this.#line[at + 2]) >= 0 && hexDigit(this.#line[at + 3]) >= 0
      : unescaped(letter) !== undefined;
    if (!isKnown) this.#unknownAt = at;
  }

  #unescape(target: ByteRange, workBytes: number): boolean {
    const line = this.#line;
    const stop = Math.min(this.#close, this.#at + workBytes);
    let at = this.#at;
    let to = target.start + this.#filledTo;
    while (at < stop) {
      let byte = line[at++];
      if (byte === BACKSLASH) {
        const letter = line[at++];
        if (letter === LOWER_X) {
          byte = hexDigit(line[at]) * 16 + hexDigit(line[at + 1]);
          at += 2;
        } else {
          byte = unescaped(letter);
        }
      }
      target.bytes[to++] = byte ?? 0;
    }
    this.#at = at;
    this.#filledTo = to - target.start;
    return at >= this.#close;
  }
}

function unescaped(letter: number | undefined): number | undefined {
  switch (letter) {
    case QUOTE:
    case BACKSLASH:
      return letter;
    case LOWER_N:
      return LF;
    case LOWER_R:
      return CR;
    case LOWER_T:
      return TAB;
    default:
      return undefined;
  }
}
