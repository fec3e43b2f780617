import { ASTERISK, CR, DOLLAR, LF } from './byte.js';

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
  const end = at + 1 + target.write(String(count), at + 1, 'latin1');
  return writeLineEnd(target, end);
}

function writeLineEnd(target: Buffer, at: number): number {
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
