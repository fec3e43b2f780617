import { isUtf8 } from 'node:buffer';
import {
  BACKSLASH,
  CR,
  DELETE,
  LF,
  LOWER_N,
  LOWER_R,
  LOWER_T,
  LOWER_X,
  QUOTE,
  SPACE,
  TAB,
  isBlank,
  isControl,
} from './byte.js';
import { copyRange } from '../engine.js';
import { KeptBytes } from './kept-bytes.js';
import { QuotedWord } from './quoted-word.js';
import type { UnquoteFault } from './quoted-word.js';

/**
 * Quoting: how any bytes travel as one word of a line.
 *
 * A reply shows a value bare where a person could not mistake it for anything else, and quoted otherwise, so
 * that whatever `GET` prints can be given back to `PUT`.
 */

/** First words that mean something in a reply, and so never begin a bare value. */
const RESERVED = ['OK', 'NULL', 'END', 'ERROR'].map((word) => Buffer.from(word));
const HEX = '0123456789abcdef';

/** Whether these bytes can stand in a reply as they are. `blanksAllowed` is false for keys. */
export function isBare(bytes: Buffer, start: number, end: number, blanksAllowed: boolean): boolean {
  return looksBare(bytes, start, end) && isPlain(bytes, start, end, blanksAllowed);
}

/** Whether nothing at either end speaks against it. */
export function looksBare(bytes: Buffer, start: number, end: number): boolean {
  if (start === end || bytes[start] === QUOTE) return false;
  if (isBlank(bytes[start]) || isBlank(bytes[end - 1])) return false;
  return !startsWithReservedWord(bytes, start, end);
}

/** Whether all the bytes are valid UTF-8 without control characters. True for the whole where it is for all its {@link cut} parts. */
export function isPlain(bytes: Buffer, start: number, end: number, blanksAllowed: boolean): boolean {
  let isAscii = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < SPACE || byte === DELETE) return false;
    if (byte === SPACE && !blanksAllowed) return false;
    if (byte > DELETE) isAscii = false;
  }
  return isAscii || isUtf8(bytes.subarray(start, end));
}

/**
 * The first place from `at` on, and below `end`, where bytes can be cut in two and looked at by themselves: no valid sequence of
 * UTF-8 stands across it.
 */
export function cut(bytes: Buffer, at: number, end: number): number {
  // No sequence is longer than a lead and three continuations: what follows three of them begins anew, or is none.
  const stop = Math.min(end, at + 3);
  while (at < stop && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return Math.min(at, end);
}

function startsWithReservedWord(bytes: Buffer, start: number, end: number): boolean {
  for (const word of RESERVED) {
    if (bytes[start] !== word[0] || end - start < word.length) continue;
    const after = start + word.length;
    if (after < end && !isBlank(bytes[after])) continue;
    if (bytes.compare(word, 0, word.length, start, after) === 0) return true;
  }
  return false;
}

/** At most this many bytes of output come from one byte of input, beside the two quotes. */
export const QUOTED_BYTES_PER_BYTE_MAX = 4;

/**
 * Writes a quoted word for people and terminals: valid UTF-8 stays, control characters and bytes that are not
 * valid UTF-8 become escapes. `target` has room for `4 * (end - start) + 2` bytes.
 *
 * @returns the offset behind the closing quote.
 */
export function writeQuoted(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  target[at++] = QUOTE;
  at = writeEscaped(target, at, bytes, start, end);
  target[at++] = QUOTE;
  return at;
}

/** As {@link writeQuoted}, without the quotes. {@link cut} parts of a word may be written one behind the other. */
export function writeEscaped(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  const valid = isUtf8(bytes.subarray(start, end));
  for (let from = start; from < end;) {
    const byte = bytes[from] ?? 0;
    if (byte > DELETE) {
      const length = valid ? 1 : utf8SequenceLength(bytes, from, end);
      if (length === 0) {
        at = writeHexEscape(target, at, byte);
        from++;
      } else {
        for (const stop = from + length; from < stop; from++) target[at++] = bytes[from] ?? 0;
      }
    } else {
      at = writeEscapedByte(target, at, byte);
      from++;
    }
  }
  return at;
}

/** How many bytes `writeQuoted` would write. */
export function quotedLength(bytes: Buffer, start: number, end: number): number {
  const valid = isUtf8(bytes.subarray(start, end));
  let length = 2;
  let from = start;
  while (from < end) {
    const byte = bytes[from] ?? 0;
    if (byte <= DELETE) {
      length += escapedLength(byte);
      from++;
      continue;
    }
    const sequence = valid ? 1 : utf8SequenceLength(bytes, from, end);
    length += sequence === 0 ? QUOTED_BYTES_PER_BYTE_MAX : sequence;
    from += sequence === 0 ? 1 : sequence;
  }
  return length;
}

function escapedLength(byte: number): number {
  if (!isControl(byte)) return byte === QUOTE || byte === BACKSLASH ? 2 : 1;
  return byte === LF || byte === CR || byte === TAB ? 2 : QUOTED_BYTES_PER_BYTE_MAX;
}

function writeEscapedByte(target: Buffer, at: number, byte: number): number {
  if (!isControl(byte)) {
    if (byte === QUOTE || byte === BACKSLASH) target[at++] = BACKSLASH;
    target[at++] = byte;
    return at;
  }
  const letter = byte === LF ? LOWER_N : byte === CR ? LOWER_R : byte === TAB ? LOWER_T : 0;
  if (letter === 0) return writeHexEscape(target, at, byte);
  target[at++] = BACKSLASH;
  target[at++] = letter;
  return at;
}

function writeHexEscape(target: Buffer, at: number, byte: number): number {
  target[at++] = BACKSLASH;
  target[at++] = LOWER_X;
  target[at++] = HEX.charCodeAt(byte >> 4);
  target[at++] = HEX.charCodeAt(byte & 15);
  return at;
}

/** The length of the valid UTF-8 sequence of several bytes that begins here; 0 when there is none (RFC 3629, section 4). */
function utf8SequenceLength(bytes: Buffer, at: number, end: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (at + length > end) return 0;
  const second = bytes[at + 1] ?? 0;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = at + 2; next < at + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** The word as text for a terminal: bare where that cannot be mistaken, quoted otherwise. */
export function showWord(bytes: Buffer, blanksAllowed: boolean): string {
  if (isBare(bytes, 0, bytes.length, blanksAllowed)) return bytes.toString('utf8');
  const target = Buffer.allocUnsafe(QUOTED_BYTES_PER_BYTE_MAX * bytes.length + 2);
  return target.toString('utf8', 0, writeQuoted(target, 0, bytes, 0, bytes.length));
}

/** A quoted word as it was meant. */
export interface Unquoted {
  /** Its own. */
  readonly bytes: Buffer;
  /** The offset behind the closing quote. */
  readonly next: number;
}

/** Reads the quoted word whose opening quote stands at `at`. */
export function readQuoted(line: Buffer, at: number, end: number): Unquoted | UnquoteFault {
  const word = new QuotedWord(line, at, end);
  const range = word.read(Infinity, new KeptBytes());
  if (range === undefined) return 'open quote';
  if (typeof range === 'string') return range;
  return { bytes: copyRange(range).bytes, next: word.next };
}
