import type { ByteRange, Refusal } from '../engine.js';
import { showWord } from '../protocol/quoting.js';
import type { Told } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

const SHOWN_BYTES_MAX = 40;

/** The arguments of a request: its words without the command's name. */
export function argumentsOf(request: Request): readonly ByteRange[] {
  return request.words.slice(1);
}

/** One of the arguments, whose presence was checked before. */
export function argument(request: Request, at: number): ByteRange {
  const word = request.words[at + 1];
  if (word === undefined) throw new Error(`word ${String(at + 1)} was not checked to be there`);
  return word;
}

/** Longer than anything that a word has to be compared with. */
const TEXT_BYTES_MAX = 1024;

/**
 * The beginning of a word as text, or undefined when there is none: enough to tell which name it is, or that it is none. Bytes
 * that are not UTF-8 are replaced.
 */
export function textOf(word: ByteRange | undefined): string | undefined {
  return word?.bytes.toString('utf8', word.start, Math.min(word.end, word.start + TEXT_BYTES_MAX));
}

/** Whether a word that was sent is this one, in any mix of capitals. */
export function isWord(sent: ByteRange | undefined, word: string): boolean {
  if (sent === undefined || sent.end - sent.start !== word.length) return false;
  return sent.bytes.toString('latin1', sent.start, sent.end).toUpperCase() === word;
}

/** The beginning of a word, so that it can stand in a message. */
export function shownStart(word: ByteRange): string {
  const isLong = word.end - word.start > SHOWN_BYTES_MAX;
  const shown = word.bytes.subarray(word.start, isLong ? word.start + SHOWN_BYTES_MAX : word.end);
  return `${showWord(shown, false)}${isLong ? '…' : ''}`;
}

/** A refusal, and what Redis would say in its place. */
export function toldAsRedis(code: Refusal['code'], message: string, redisError: string): Told {
  return { code, message, redisError };
}
