import { ASTERISK, DOLLAR } from './byte.js';
import { writeLineEnd, writeNumber } from './writing.js';

/** Writes a request of the RESP framing: an array of bulk strings. The answer's bytes are its own. */
export function encodeRespRequest(words: readonly Buffer[]): Buffer {
  let size = headLength(words.length);
  for (const word of words) size += headLength(word.length) + word.length + 2;
  const target = Buffer.allocUnsafe(size);
  let length = writeHead(target, 0, ASTERISK, words.length);
  for (const word of words) {
    length = writeHead(target, length, DOLLAR, word.length);
    length += word.copy(target, length);
    length = writeLineEnd(target, length);
  }
  return target;
}

/** A type, a length and a line ending. */
function headLength(count: number): number {
  return String(count).length + 3;
}

function writeHead(target: Buffer, at: number, type: number, count: number): number {
  target[at] = type;
  return writeLineEnd(target, writeNumber(target, at + 1, count));
}
