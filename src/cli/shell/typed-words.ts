import { QUOTE, isBlank } from '../../protocol/byte.js';
import { readQuoted } from '../../protocol/quoting.js';

/** One word of a line that may not be finished, with its place in the line's bytes. */
export interface TypedWord {
  readonly start: number;
  readonly end: number;
  /** What the word means; undefined when nobody can tell, as in the middle of an escape. */
  readonly bytes: Buffer | undefined;
  /** It begins with a quote. */
  readonly isQuoted: boolean;
  /** Its quote is not closed, or nothing that ends it stands behind it: what is typed next belongs to it. */
  readonly isOpen: boolean;
}

const CLOSING_QUOTE = Buffer.from('"');

/**
 * The words of a line as far as it was typed: for completion, and to say where a word stands. It takes what is there
 * as well as it can be taken, where `parseLine` refuses.
 */
export function typedWords(line: Buffer): TypedWord[] {
  const words: TypedWord[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line[at])) at++;
    if (at === line.length) return words;
    const word = line[at] === QUOTE ? quotedWord(line, at) : bareWord(line, at);
    words.push(word);
    at = word.end;
  }
}

function bareWord(line: Buffer, start: number): TypedWord {
  let end = start;
  while (end < line.length && !isBlank(line[end])) end++;
  const bytes = line.subarray(start, end);
  return { start, end, bytes, isQuoted: false, isOpen: end === line.length };
}

function quotedWord(line: Buffer, start: number): TypedWord {
  const whole = readQuoted(line, start, line.length);
  if (typeof whole !== 'string') {
    return { start, end: whole.next, bytes: whole.bytes, isQuoted: true, isOpen: false };
  }
  const closed = Buffer.concat([line.subarray(start), CLOSING_QUOTE]);
  const rest = whole === 'open quote' ? readQuoted(closed, 0, closed.length) : whole;
  const bytes = typeof rest === 'string' ? undefined : rest.bytes;
  return { start, end: line.length, bytes, isQuoted: true, isOpen: true };
}
