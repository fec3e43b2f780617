import { foreignFirstByte, foreignLine } from '../../src/protocol/foreign.js';
import { parseLine } from '../../src/protocol/line.js';
import type { LineGrammar } from '../../src/protocol/line.js';
import { bytes, closed, seen } from './reading.js';
import type { Seen } from './reading.js';

/**
 * What all bytes of a connection mean, found the simple way: all of them are there, and expressions say what a header is.
 * Only for small streams, and one character for each byte.
 */
export function readAtOnce(stream: string, grammar: LineGrammar): Seen[] {
  const all: Seen[] = [];
  if (stream !== '' && foreignFirstByte(stream.charCodeAt(0)) !== undefined) return [closed('SYNTAX')];
  let rest = stream;
  let isFirstLine = true;
  let followsArray = false;
  while (rest !== '') {
    const isArray = rest.startsWith('*');
    const read: Read = isArray
      ? readArray(rest, grammar)
      : readLine(rest, grammar, isFirstLine, followsArray);
    if (!isArray && read.seen !== undefined) isFirstLine = false;
    followsArray = isArray || (followsArray && read.seen === undefined);
    if (read.seen !== undefined) all.push(read.seen);
    if (read.seen !== undefined && 'fatal' in read.seen && read.seen.fatal) return all;
    rest = rest.slice(read.length);
  }
  return all;
}

/** What the first `length` characters mean: undefined for nothing. */
interface Read {
  readonly seen: Seen | undefined;
  readonly length: number;
}

function readLine(rest: string, grammar: LineGrammar, isFirst: boolean, skipsEmpty: boolean): Read {
  const lf = rest.indexOf('\n');
  const length = lf === -1 ? rest.length : lf + 1;
  if (length > grammar.limits.requestBytesMax) return { seen: closed('TOO_LARGE'), length };
  const line = lf === -1 ? rest : rest.slice(0, lf).replace(/\r$/, '');
  if (skipsEmpty && lf !== -1 && line === '') return { seen: undefined, length };
  const whole = bytes(line);
  if (foreignLine(whole, 0, whole.length, isFirst) !== undefined) return { seen: closed('SYNTAX'), length };
  return { seen: seen(parseLine(whole, 0, whole.length, lf !== -1, grammar)), length };
}

const HEADER = /^[*$](0|-?[1-9][0-9]{0,18})\r\n/;
const HEADER_BEGUN = /^([*$](-?|(0|-?[1-9][0-9]{0,18})\r?))?$/;

/** Always answers for the whole rest when the array is not complete in it. */
function readArray(stream: string, { limits }: LineGrammar): Read {
  const tooLarge = { seen: closed('TOO_LARGE', 'resp'), length: stream.length };
  const malformed = { seen: closed('SYNTAX', 'resp'), length: stream.length };
  const cutOff = { seen: undefined, length: stream.length };
  const bound = stream.slice(0, limits.requestBytesMax);
  let at = 0;
  const header = (type: string): number | Read => {
    const text = bound.slice(at);
    if (text !== '' && !text.startsWith(type)) return malformed;
    const [whole, digits] = HEADER.exec(text) ?? [];
    if (whole !== undefined) {
      at += whole.length;
      return Number(digits);
    }
    if (!HEADER_BEGUN.test(text)) return malformed;
    return at + text.length === limits.requestBytesMax ? tooLarge : cutOff;
  };
  const count = header('*');
  if (typeof count !== 'number') return count;
  if (count <= 0) return { seen: undefined, length: at };
  if (count > limits.wordsMax) return tooLarge;
  const words: string[] = [];
  while (words.length < count) {
    const length = header('$');
    if (typeof length !== 'number') return length;
    if (length < 0) return malformed;
    if (at + length + 2 > limits.requestBytesMax) return tooLarge;
    const ending = stream.slice(at + length, at + length + 2);
    if (!'\r\n'.startsWith(ending)) return malformed;
    if (ending.length < 2) return cutOff;
    words.push(stream.slice(at, at + length));
    at += length + 2;
  }
  return { seen: { words, terminated: true, framing: 'resp' }, length: at };
}
