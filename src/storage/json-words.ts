import { copyBytes } from '../copying.js';

/**
 * The inside of a JSON string to bytes, as it comes in chunks. What is read stands in memory that the next word uses again.
 */

const BYTES_INITIAL = 4096;
/** A word that is longer than this gets room for any word at once: memory that is not touched costs nothing, and copying does. */
const DOUBLED_BYTES_MAX = 1024 * 1024;
const LONGEST_WORD_BYTES = 128 * 1024 * 1024;
const CHARACTER_BYTES_MAX = 4;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
const ZERO = 0x30;

/** By byte: 1 where it stands for itself inside a string, 0 for a quote, a backslash and what may not stand there. */
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

/** By the byte behind a backslash: what both of them mean, 0 where they mean nothing. */
const MEANINGS = new Uint8Array(256);
const LETTERS = '"\\/bfnrt';
const MEANT = '"\\/\b\f\n\r\t';
for (let at = 0; at < LETTERS.length; at++) MEANINGS[LETTERS.charCodeAt(at)] = MEANT.charCodeAt(at);

/** By byte: 0 to 15, or -1 for one that is no hexadecimal digit. */
const DIGITS = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  const letter = digit.toString(16);
  DIGITS[letter.charCodeAt(0)] = digit;
  DIGITS[letter.toUpperCase().charCodeAt(0)] = digit;
}

/** The first byte from `at` on that is a quote, a backslash or a control character; where the bytes end if there is none. */
export function wordStop(bytes: Buffer, at: number): number {
  const end = bytes.length;
  // Four at a time take about half as long.
  for (const fours = end - 3; at < fours; at += 4) {
    const all =
      (PLAIN[bytes[at] ?? 0] ?? 0) &
      (PLAIN[bytes[at + 1] ?? 0] ?? 0) &
      (PLAIN[bytes[at + 2] ?? 0] ?? 0) &
      (PLAIN[bytes[at + 3] ?? 0] ?? 0);
    if (all === 0) break;
  }
  while (at < end && PLAIN[bytes[at] ?? 0] === 1) at++;
  return at;
}

/** Bytes that are added at the end, in memory of their own. */
class WordBytes {
  bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_INITIAL);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const isLong = needed > DOUBLED_BYTES_MAX && this.bytes.length < LONGEST_WORD_BYTES;
    const grown = Buffer.allocUnsafeSlow(
      Math.max(needed, isLong ? LONGEST_WORD_BYTES : this.bytes.length * 2),
    );
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** For these there is room already. */
  add(source: Buffer, from: number, to: number): void {
    this.length = copyBytes(source, from, to, this.bytes, this.length);
  }

  addByte(byte: number): void {
    this.bytes[this.length++] = byte;
  }

  addCharacter(codePoint: number): void {
    this.length += this.bytes.write(String.fromCodePoint(codePoint), this.length);
  }
}

/** What has been read of a word. */
export interface WordReader {
  readonly bytes: Buffer;
  readonly length: number;
  begin(): void;
  /** Takes the bytes from `at` on up to the quote that ends the word, or all there are. Answers how far it came; -1 when it is malformed. */
  read(chunk: Buffer, at: number): number;
  /** Whether what was read is a word, once a quote follows. */
  end(): boolean;
}

/** A word of text with escapes. */
export class TextWord implements WordReader {
  readonly #word = new WordBytes();
  #isEscape = false;
  #digitsLeft = 0;
  #unit = 0;
  /** The first half of a character that was escaped in two. */
  #high = 0;
  /** Whether half a character stands in it, which JSON allows and no bytes stand for. Known once it has ended. */
  holdsHalf = false;

  get bytes(): Buffer {
    return this.#word.bytes;
  }

  get length(): number {
    return this.#word.length;
  }

  begin(): void {
    this.#word.clear();
    this.holdsHalf = false;
    this.#isEscape = false;
    this.#digitsLeft = 0;
    this.#high = 0;
  }

  read(chunk: Buffer, at: number): number {
    // Nothing becomes longer by being read, but for a character of which all but the last byte was in the chunk before.
    this.#word.reserve(chunk.length - at + CHARACTER_BYTES_MAX);
    while (at < chunk.length) {
      if (this.#isEscape) {
        if (!this.#readEscape(chunk[at++] ?? 0)) return -1;
        continue;
      }
      if (chunk[at] === BACKSLASH) {
        const behind = this.#high === 0 ? this.#readWholeEscape(chunk, at) : at;
        this.#isEscape = behind === at;
        at = this.#isEscape ? at + 1 : behind;
        continue;
      }
      const stop = wordStop(chunk, at);
      if (stop > at) {
        this.#endHalf();
        this.#word.add(chunk, at, stop);
        at = stop;
      }
      if (chunk[at] === QUOTE) return at;
      if (at < chunk.length && chunk[at] !== BACKSLASH) return -1;
    }
    return at;
  }

  end(): boolean {
    this.#endHalf();
    return !this.#isEscape && !this.holdsHalf;
  }

  /** Takes one of the common escapes that stands whole in the chunk, and answers where it ends; `at` when it is none. */
  #readWholeEscape(chunk: Buffer, at: number): number {
    const letter = chunk[at + 1] ?? 0;
    const meant = MEANINGS[letter] ?? 0;
    if (meant !== 0) {
      this.#word.addByte(meant);
      return at + 2;
    }
    if (letter !== LOWER_U || chunk[at + 2] !== ZERO || chunk[at + 3] !== ZERO) return at;
    const high = DIGITS[chunk[at + 4] ?? 0] ?? -1;
    const low = DIGITS[chunk[at + 5] ?? 0] ?? -1;
    if (high < 0 || high >= 8 || low < 0) return at;
    const unit = high * 16 + low;
    this.#word.addByte(unit);
    return at + 6;
  }

  /** Takes one byte behind a backslash. */
  #readEscape(byte: number): boolean {
    if (this.#digitsLeft > 0) {
      const digit = DIGITS[byte] ?? -1;
      this.#unit = this.#unit * 16 + digit;
      if (--this.#digitsLeft === 0) this.#takeUnit(this.#unit);
      return digit !== -1;
    }
    if (byte === LOWER_U) {
      this.#digitsLeft = 4;
      this.#unit = 0;
      return true;
    }
    const meant = MEANINGS[byte] ?? 0;
    if (meant === 0) return false;
    this.#endHalf();
    this.#word.addByte(meant);
    this.#isEscape = false;
    return true;
  }

  #takeUnit(unit: number): void {
    this.#isEscape = false;
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (this.#high !== 0 && isLow) {
      this.#word.addCharacter(0x10000 + ((this.#high - 0xd800) << 10) + (unit - 0xdc00));
      this.#high = 0;
      return;
    }
    this.#endHalf();
    if (isLow) this.holdsHalf = true;
    else if (unit >= 0xd800 && unit <= 0xdbff) this.#high = unit;
    else this.#word.addCharacter(unit);
  }

  #endHalf(): void {
    if (this.#high === 0) return;
    this.holdsHalf = true;
    this.#high = 0;
  }
}

/** A word in base64, without escapes. */
export class Base64Word implements WordReader {
  readonly #word = new WordBytes();
  /** Letters that make no whole group of four yet. */
  #rest = '';
  #isPadded = false;

  get bytes(): Buffer {
    return this.#word.bytes;
  }

  get length(): number {
    return this.#word.length;
  }

  begin(): void {
    this.#word.clear();
    this.#rest = '';
    this.#isPadded = false;
  }

  read(chunk: Buffer, at: number): number {
    const quote = chunk.indexOf(QUOTE, at);
    const stop = quote === -1 ? chunk.length : quote;
    const letters = this.#rest + chunk.toString('latin1', at, stop);
    const whole = letters.length - (letters.length % 4);
    this.#rest = letters.slice(whole);
    return this.#decode(whole === letters.length ? letters : letters.slice(0, whole)) ? stop : -1;
  }

  end(): boolean {
    return this.#rest === '';
  }

  #decode(letters: string): boolean {
    if (letters === '') return true;
    if (this.#isPadded) return false;
    const padding = letters.endsWith('==') ? 2 : letters.endsWith('=') ? 1 : 0;
    this.#isPadded = padding > 0;
    const size = (letters.length / 4) * 3 - padding;
    this.#word.reserve(size);
    const written = this.#word.bytes.write(letters, this.#word.length, 'base64');
    this.#word.length += size;
    return written === size;
  }
}
