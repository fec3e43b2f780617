import { isUtf8 } from 'node:buffer';
import { copyBytes } from '../copying.js';
import type { ByteRange } from '../engine.js';

/**
 * Bytes to the inside of a JSON string and no string of the engine's in between. What is written is what `JSON.stringify`
 * writes: an escape for a quote, a backslash and a control character, everything else as it is.
 */

/** What one byte may become: `\u001f`. */
export const ESCAPE_BYTES_MAX = 6;
/** From here on bytes are copied and then looked at as words: 0.5 µs for 1 KiB of plain ones where byte by byte takes 0.9. */
export const WORDWISE_BYTES_MIN = 128;
const WORD_BYTES = 4;
/** The same byte, four times. */
const ONES = 0x01010101;
const CONTROLS_END = 0x20 * ONES;
const QUOTES = 0x22 * ONES;
const BACKSLASHES = 0x5c * ONES;
const HIGHEST_BITS = 0x80 * ONES;
/** How much is looked at in one turn to see whether it is UTF-8. Memory that was not touched lately is read at 5 to 10 GB/s. */
export const CHECK_BYTES_A_TURN = 1024 * 1024;

/** By byte: whether it stands for itself. In the second one also where it is a part of a longer character. */
const PLAIN_ASCII = new Uint8Array(256);
const PLAIN_TEXT = new Uint8Array(256);
/** By byte: its escape; empty where there is none. */
const ESCAPES: readonly (readonly number[])[] = Array.from({ length: 128 }, (_, byte) => {
  const escaped = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return escaped.length === 1 ? [] : [...Buffer.from(escaped)];
});
for (let byte = 0; byte < 256; byte++) {
  const standsForItself = byte >= 0x80 || ESCAPES[byte]?.length === 0 ? 1 : 0;
  PLAIN_TEXT[byte] = standsForItself;
  PLAIN_ASCII[byte] = byte < 0x80 ? standsForItself : 0;
}

/** Memory that text is written to, and the same as words. */
export interface TextTarget {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

export function textTarget(bytesMax: number): TextTarget {
  const bytes = Buffer.allocUnsafeSlow(bytesMax);
  return { bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytesMax / WORD_BYTES) };
}

/**
 * A place up to which all bytes from `at` on are plain ASCII: less than two words before the first one that is not, or before `end`.
 *
 * Of a word `x` and each of its bytes: the highest bit is set in `x` where it is no ASCII, in `x - 0x20…` where it is a control
 * character, and in `(x ^ c…) - 0x01…` where it is `c`. A byte that borrows may set the next one's bit as well, and has set its own.
 */
function plainWordsEnd({ bytes, words }: TextTarget, at: number, end: number): number {
  for (; at % WORD_BYTES !== 0; at++) if (PLAIN_ASCII[bytes[at] ?? 0] !== 1) return at;
  let word = at / WORD_BYTES;
  for (const last = Math.floor(end / WORD_BYTES) - 1; word < last; word += 2) {
    const one = words[word] ?? 0;
    const two = words[word + 1] ?? 0;
    const found =
      one |
      (one - CONTROLS_END) |
      ((one ^ QUOTES) - ONES) |
      ((one ^ BACKSLASHES) - ONES) |
      (two | (two - CONTROLS_END) | ((two ^ QUOTES) - ONES) | ((two ^ BACKSLASHES) - ONES));
    if ((found & HIGHEST_BITS) !== 0) break;
  }
  return word * WORD_BYTES;
}

/** The first byte from `at` on that is not plain; `end` when all are. */
function plainEnd(plain: Uint8Array, bytes: Buffer, at: number, end: number): number {
  // Four at a time take about half as long.
  for (const fours = end - 3; at < fours; at += 4) {
    const all =
      (plain[bytes[at] ?? 0] ?? 0) &
      (plain[bytes[at + 1] ?? 0] ?? 0) &
      (plain[bytes[at + 2] ?? 0] ?? 0) &
      (plain[bytes[at + 3] ?? 0] ?? 0);
    if (all === 0) break;
  }
  while (at < end && plain[bytes[at] ?? 0] === 1) at++;
  return at;
}

function escape(byte: number, target: Buffer, at: number): number {
  const escaped = ESCAPES[byte];
  if (escaped === undefined || escaped.length === 0) throw new Error(`byte ${String(byte)} has no escape`);
  for (const letter of escaped) target[at++] = letter;
  return at;
}

/**
 * Writes bytes with their escapes to a place with room for {@link ESCAPE_BYTES_MAX} times as many.
 *
 * @returns where it ends, or -1 when they are not UTF-8; what was written is worth nothing then.
 */
export function writeText({ bytes, start, end }: ByteRange, to: TextTarget, at: number): number {
  const target = to.bytes;
  let plain = PLAIN_ASCII;
  let from = start;
  if (end - start >= WORDWISE_BYTES_MIN) {
    copyBytes(bytes, start, end, target, at);
    const stop = plainWordsEnd(to, at, at + end - start);
    from += stop - at;
    at = stop;
  }
  for (;;) {
    const stop = plainEnd(plain, bytes, from, end);
    at = copyBytes(bytes, from, stop, target, at);
    if (stop === end) return at;
    const byte = bytes[stop] ?? 0;
    from = stop;
    if (byte < 0x80) at = escape(bytes[from++] ?? 0, target, at);
    else if (isUtf8(bytes.subarray(start, end))) plain = PLAIN_TEXT;
    else return -1;
  }
}

/** Something that is written in as many calls as there is room for. */
export interface Source {
  readonly isAtEnd: boolean;
  /** Writes on until the target is full, or nearly so, or all is written; answers where it ends. */
  write(target: Buffer, at: number): number;
}

/** Bytes as they are. */
export class RawSource implements Source {
  readonly #bytes: Buffer;
  #from = 0;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
  }

  get isAtEnd(): boolean {
    return this.#from === this.#bytes.length;
  }

  write(target: Buffer, at: number): number {
    const written = this.#bytes.copy(target, at, this.#from);
    this.#from += written;
    return at + written;
  }
}

/** What is made of a range, from its first byte on. */
abstract class RangeSource implements Source {
  protected readonly range: ByteRange;
  protected from: number;

  constructor(range: ByteRange) {
    this.range = range;
    this.from = range.start;
  }

  get isAtEnd(): boolean {
    return this.from === this.range.end;
  }

  abstract write(target: Buffer, at: number): number;
}

/** Bytes that are known to be UTF-8, with their escapes. */
export class TextSource extends RangeSource {
  /** Needs room for an escape to go on. */
  write(target: Buffer, at: number): number {
    const { bytes, end } = this.range;
    while (this.from < end) {
      const room = target.length - at;
      const stop = plainEnd(PLAIN_TEXT, bytes, this.from, Math.min(end, this.from + room));
      at = copyBytes(bytes, this.from, stop, target, at);
      this.from = stop;
      if (stop === end || target.length - at < ESCAPE_BYTES_MAX) break;
      at = escape(bytes[this.from++] ?? 0, target, at);
    }
    return at;
  }
}

/** Bytes in base64. */
export class Base64Source extends RangeSource {
  /** Three bytes become four letters: only at the end of all may there be fewer. Needs room for four to go on. */
  write(target: Buffer, at: number): number {
    const { bytes, end } = this.range;
    const stop = Math.min(end, this.from + Math.floor((target.length - at) / 4) * 3);
    const letters = bytes.toString('base64', this.from, stop);
    this.from = stop;
    return at + target.write(letters, at, 'latin1');
  }
}

/** Whether bytes are UTF-8, with a turn for others after each piece of them when they are many. */
export async function isText(range: ByteRange, giveTurn: () => Promise<void>): Promise<boolean> {
  const { bytes, end } = range;
  for (let from = range.start; from < end;) {
    const stop = characterStart(bytes, from, Math.min(end, from + CHECK_BYTES_A_TURN), end);
    if (!isUtf8(bytes.subarray(from, stop))) return false;
    from = stop;
    if (from < end) await giveTurn();
  }
  return true;
}

/** The last place up to `at` where a character begins; `at` itself where none begins near enough, or at the end of all. */
function characterStart(bytes: Buffer, from: number, at: number, end: number): number {
  if (at === end) return end;
  for (let back = 0; back < 4 && at - back > from; back++) {
    if (((bytes[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}
