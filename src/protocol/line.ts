import type { ByteRange } from '../engine.js';
import { refusal } from '../engine.js';
import { QUOTE, isBlank } from './byte.js';
import type { RequestLimits } from './limits.js';
import { readQuoted, unknownEscapeAt } from './quoting.js';
import type { UnquoteFault } from './quoting.js';
import { tooManyWords } from './request.js';
import type { Request, Violation } from './request.js';

/**
 * Line framing: one request a line, words between blanks, `"quoted words"` for anything else.
 *
 * The value of a command that takes the rest of the line (PUT) is everything behind one blank after the key,
 * verbatim, unless it starts with a quote.
 */
export interface LineGrammar {
  readonly limits: RequestLimits;
  /** Whether the command's second argument is the rest of the line. */
  takesRest(name: ByteRange): boolean;
}

/** A line that is no request, and where that shows. */
export interface LineViolation extends Violation {
  /** An offset into the line's bytes; its end where something is missing. */
  readonly at: number;
}

/** Which word of a command that takes the rest of the line is that rest. */
const REST_WORD = 2;

/** Reads one line, from `start` to `end`, without its line ending. */
export function parseLine(
  line: Buffer,
  start: number,
  end: number,
  terminated: boolean,
  grammar: LineGrammar,
): Request | LineViolation {
  const words: ByteRange[] = [];
  let at = start;
  let takesRest = false;
  for (;;) {
    if (takesRest && words.length === REST_WORD) {
      const value = readRest(line, at, end);
      if ('refusal' in value) return value;
      words.push(value);
      return { words, terminated, framing: 'line' };
    }
    while (at < end && isBlank(line[at])) at++;
    if (at === end) break;
    if (words.length === grammar.limits.wordsMax) return { ...tooManyWords(grammar.limits, 'line'), at };
    if (line[at] === QUOTE) {
      const word = readQuoted(line, at, end);
      if (typeof word === 'string') {
        return syntax(`${word} in word ${String(words.length + 1)}`, faultAt(word, line, at));
      }
      if (word.next < end && !isBlank(line[word.next])) {
        return syntax(`word ${String(words.length + 1)} goes on behind its closing quote`, word.next);
      }
      words.push({ bytes: word.bytes, start: 0, end: word.bytes.length });
      at = word.next;
    } else {
      const from = at;
      while (at < end && !isBlank(line[at])) at++;
      words.push({ bytes: line, start: from, end: at });
    }
    const first = words[0];
    if (words.length === 1 && first !== undefined) takesRest = grammar.takesRest(first);
  }
  if (words.length === 0) return syntax('the line is empty: send a command, for example PING', end);
  return { words, terminated, framing: 'line' };
}

/** The value that begins one blank behind `at`. */
function readRest(line: Buffer, at: number, end: number): ByteRange | LineViolation {
  const from = at + 1;
  if (from >= end) return syntax('the value is missing: PUT key value, or PUT key "" for an empty one', end);
  if (line[from] !== QUOTE) return { bytes: line, start: from, end };
  const value = readQuoted(line, from, end);
  if (typeof value === 'string') {
    const message = `${value} in the value: a value that starts with a quote is one quoted word`;
    return syntax(message, faultAt(value, line, from));
  }
  for (let rest = value.next; rest < end; rest++) {
    if (!isBlank(line[rest])) return syntax('only blanks may follow the closing quote of the value', rest);
  }
  return { bytes: value.bytes, start: 0, end: value.bytes.length };
}

/** Where a quoted word that opens at `at` goes wrong: an open quote where it opens, an escape where it stands. */
function faultAt(fault: UnquoteFault, line: Buffer, at: number): number {
  return fault === 'open quote' ? at : unknownEscapeAt(line, at);
}

function syntax(message: string, at: number): LineViolation {
  return { refusal: refusal('SYNTAX', message), fatal: false, framing: 'line', at };
}
