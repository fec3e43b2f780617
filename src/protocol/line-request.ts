import { BACKSLASH, CR, LF, LOWER_N, LOWER_R, QUOTE, SPACE, isBlank } from './byte.js';

/**
 * Writes requests of the line framing, the other side of `line.ts`.
 *
 * A word travels as it is wherever that is exact. Inside quotes only what must be escaped is escaped, so that
 * binary values travel at about their own size. Values can be large, so the loops go by index: iterators are several
 * times slower.
 */

/** Endings that make the first line of a connection look like HTTP, which the server never executes. */
const HTTP_ENDINGS = ['HTTP/1.0', 'HTTP/1.1'].map((ending) => Buffer.from(ending));

/** A request of words between blanks. The answer's bytes are its own. */
export function encodeRequest(name: string, words: readonly Buffer[]): Buffer {
  const bare = words.map((word, at) => isPlainWord(word) && !(at === words.length - 1 && endsLikeHttp(word)));
  let size = name.length + 1;
  words.forEach((word, at) => (size += 1 + (bare[at] === true ? word.length : quotedLength(word))));
  const target = Buffer.allocUnsafe(size);
  let length = target.write(name, 'latin1');
  words.forEach((word, at) => {
    target[length++] = SPACE;
    length = bare[at] === true ? length + word.copy(target, length) : writeQuotedWord(target, length, word);
  });
  target[length] = LF;
  return target;
}

/** A `PUT`, whose value is the rest of the line wherever that is exact. The answer's bytes are its own. */
export function encodePut(key: Buffer, value: Buffer): Buffer {
  const bareKey = isPlainWord(key);
  const bareValue = isPlainRest(value) && !endsLikeHttp(value);
  const keyLength = bareKey ? key.length : quotedLength(key);
  const valueLength = bareValue ? value.length : quotedLength(value);
  const target = Buffer.allocUnsafe('PUT '.length + keyLength + 1 + valueLength + 1);
  let length = target.write('PUT ', 'latin1');
  length = bareKey ? length + key.copy(target, length) : writeQuotedWord(target, length, key);
  target[length++] = SPACE;
  length = bareValue ? length + value.copy(target, length) : writeQuotedWord(target, length, value);
  target[length] = LF;
  return target;
}

function isPlainWord(word: Buffer): boolean {
  if (word.length === 0 || word[0] === QUOTE) return false;
  let at = 0;
  while (at < word.length && isPlain(word[at])) at++;
  return at === word.length;
}

function isPlain(byte: number | undefined): boolean {
  return !isBlank(byte) && byte !== LF && byte !== CR;
}

/** Whether a value survives as the rest of a line: one CR before the LF would be taken for the line's ending. */
function isPlainRest(value: Buffer): boolean {
  if (value.length === 0 || value[0] === QUOTE || value[value.length - 1] === CR) return false;
  return !value.includes(LF);
}

function endsLikeHttp(word: Buffer): boolean {
  return HTTP_ENDINGS.some((ending) => {
    const start = word.length - ending.length;
    if (start < 0 || ending.compare(word, start) !== 0) return false;
    return start === 0 || word[start - 1] === SPACE;
  });
}

function quotedLength(word: Buffer): number {
  let length = word.length + 2;
  let from = 0;
  while (from < word.length) if (escapeLetter(word[from++] ?? 0) !== 0) length++;
  return length;
}

function writeQuotedWord(target: Buffer, at: number, word: Buffer): number {
  target[at++] = QUOTE;
  let from = 0;
  while (from < word.length) {
    const byte = word[from++] ?? 0;
    const letter = escapeLetter(byte);
    if (letter !== 0) target[at++] = BACKSLASH;
    target[at++] = letter === 0 ? byte : letter;
  }
  target[at++] = QUOTE;
  return at;
}

/** What stands behind the backslash for this byte; 0 for a byte that stands for itself. */
function escapeLetter(byte: number): number {
  if (byte === QUOTE || byte === BACKSLASH) return byte;
  return byte === LF ? LOWER_N : byte === CR ? LOWER_R : 0;
}
