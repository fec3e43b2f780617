import { CR, LF } from './byte.js';

const ZERO = 0x30;
const NINE = 0x39;
export const NONE = -1;
export const LINE_END_BYTES = 2;

/**
 * The length that stands at `at` in decimal, in front of a CR: the length of a word of the RESP framing. {@link NONE} where it is written
 * in any other way, with zeros in front for one, and where it is larger than `lengthMax`.
 */
export function lengthAt(bytes: Buffer, at: number, lengthMax: number): number {
  const first = bytes[at] ?? 0;
  if (first < ZERO || first > NINE) return NONE;
  let length = first - ZERO;
  for (let byte = bytes[++at] ?? 0; byte !== CR; byte = bytes[++at] ?? 0) {
    if (byte < ZERO || byte > NINE || length === 0) return NONE;
    length = length * 10 + byte - ZERO;
    if (length > lengthMax) return NONE;
  }
  return length > lengthMax ? NONE : length;
}

/** Where the word begins whose length was read at `at`: as lengths have no zeros in front, one says itself how many digits it takes. */
export function wordBehind(at: number, length: number): number {
  let digits = 1;
  for (let power = 10; power <= length; power *= 10) digits++;
  return at + digits + LINE_END_BYTES;
}

/** Whether a line ends at `at`, within the bytes. */
export function isLineEnd(bytes: Buffer, at: number): boolean {
  return bytes[at] === CR && bytes[at + 1] === LF;
}
