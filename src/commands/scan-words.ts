import { refusal } from '../engine.js';
import type { ByteRange, Refusal } from '../engine.js';
import { isWord } from './words.js';

/** What SCAN is asked for. */
export interface ScanWords {
  readonly cursor: number;
  readonly pattern: ByteRange | undefined;
  /** About how many keys to look at. */
  readonly count: number;
}

const COUNT_DEFAULT = 10;
/** More than this are not looked at for one answer, whatever is asked: COUNT is how much to do, not how much to list. */
const COUNT_MAX = 1_000_000;

/** As far as 2^64: a cursor of another server is none of ours, and yet one. */
const DIGITS_MAX = 20;
const WHOLE = /^\d+$/;

/** Reads the words behind `SCAN`: a cursor, then options by name, in any order and each at most once. */
export function readScanWords(words: readonly ByteRange[]): ScanWords | Refusal {
  const cursor = wholeOf(words[0]);
  if (cursor === undefined)
    return syntax('invalid cursor: SCAN begins with 0, and goes on with what it answered');
  let pattern: ByteRange | undefined;
  let count: number | undefined;
  for (let at = 1; at < words.length; at += 2) {
    const value = words[at + 1];
    const name = words[at];
    if (value === undefined) return syntax('nothing stands behind the last option of SCAN');
    if (isWord(name, 'MATCH') && pattern === undefined) {
      pattern = value;
    } else if (isWord(name, 'COUNT') && count === undefined) {
      count = wholeOf(value);
      if (count === undefined || count < 1) return syntax('COUNT is a whole number, and at least 1');
    } else {
      return syntax('the options of SCAN are MATCH glob and COUNT n, each at most once');
    }
  }
  return { cursor, pattern, count: Math.min(count ?? COUNT_DEFAULT, COUNT_MAX) };
}

function wholeOf(word: ByteRange | undefined): number | undefined {
  if (word === undefined || word.end - word.start > DIGITS_MAX) return undefined;
  const text = word.bytes.toString('latin1', word.start, word.end);
  return WHOLE.test(text) ? Number(text) : undefined;
}

function syntax(message: string): Refusal {
  return refusal('SYNTAX', message);
}
