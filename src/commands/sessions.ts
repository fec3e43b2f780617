import { refusal, tagObjection } from '../engine.js';
import type { ByteRange } from '../engine.js';
import type { SessionCommand, SessionRequest } from './command.js';
import { argumentsOf, shownStart } from './words.js';

/** 2^53 has as many. */
const DIGITS_MAX = 16;
const WORDS = 3;

/** `SESSION`, and `SESSION id number lowest`. */
export const SESSION_COMMAND: SessionCommand = {
  name: 'SESSION',
  shape: 'words',
  operands: { usage: '[id number lowest]', min: 0, max: WORDS },
  effect: 'numbers',
  answers: 'the id of a new session, or `OK`',
  summary: 'Opens a session; with its id, names the next write so that it takes effect once.',
  asked(request): SessionRequest {
    const words = argumentsOf(request);
    if (words.length === 0) return 'open';
    if (words.length !== WORDS) {
      return refusal('SYNTAX', 'SESSION stands alone, or with the id, the number and the lowest number');
    }
    const wrong = words.find((word) => numberOf(word) === undefined);
    if (wrong !== undefined) return refusal('SYNTAX', `${shownStart(wrong)} is no whole number from 1 on`);
    const [session = 0, number = 0, lowest = 0] = words.map(numberOf);
    const tag = { session, number, lowest };
    return tagObjection(tag) ?? tag;
  },
};

/** A whole number from 1 on and below 2^53, in plain digits. */
function numberOf({ bytes, start, end }: ByteRange): number | undefined {
  if (end - start > DIGITS_MAX) return undefined;
  const text = bytes.toString('latin1', start, end);
  const number = Number(text);
  return /^[1-9]\d*$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}
