import { refusal } from '../engine.js';
import type { ByteRange, Refusal } from '../engine.js';
import type { RequestLimits } from './limits.js';

/** How the bytes of a request say where it ends. The reply comes in the same framing. */
export type Framing = 'line' | 'resp';

/** What a word costs beside its bytes while its request is read: its range, and its place in a list. */
export const WORD_BYTES = 64;

/** One request, whatever framing it came in. */
export interface Request {
  /** The command's name as it was sent, then its arguments. At least one word; borrowed from the reader. */
  readonly words: readonly ByteRange[];
  /**
   * False for a last line that the end of the stream cut off. The sender may have died in the middle of it, so
   * it may be read from but not written with.
   */
  readonly terminated: boolean;
  readonly framing: Framing;
  /** It is good until the reader is called again, and no longer than the chunk that it came in. Otherwise it is until the reader is fed. */
  readonly isLent?: true;
}

/** Bytes that are no request. */
export interface Violation {
  readonly refusal: Refusal;
  /** True when nobody can tell where the next request would begin: answer, then close. */
  readonly fatal: boolean;
  /** The framing in which it is to be answered. */
  readonly framing: Framing;
  /** The name of the command that a line begins with, where it was understood as far; borrowed. */
  readonly name?: ByteRange | undefined;
}

/**
 * What a reader of requests answers. `skipped`: bytes that are not answered; more may follow. `unfinished`: there is more
 * to do without another byte, and it is time that others have a turn. Undefined: everything was read.
 */
export type Reading = Request | Violation | 'skipped' | 'unfinished' | undefined;

/** About how many bytes a reader looks at before others have a turn; a word counts as `WORD_BYTES`. */
export const TURN_BYTES = 256 * 1024;

export function isViolation(outcome: Request | Violation): outcome is Violation {
  return 'refusal' in outcome;
}

/** A copy that outlives the reader's buffers, in one piece of memory. */
export function cloneRequest(request: Request): Request {
  const { terminated, framing } = request;
  return { words: clonedTogether(request) ?? clonedApart(request), terminated, framing };
}

/** With one copy, where the words lie side by side as those of an array do: many cost 100 ns each otherwise. */
function clonedTogether(request: Request): ByteRange[] | undefined {
  const { words } = request;
  const [first] = words;
  const last = words.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const { bytes: source, start: from } = first;
  if (last.end - from > heldBytes(request)) return undefined;
  const isInside = (word: ByteRange): boolean =>
    word.bytes === source && word.start >= from && word.end <= last.end;
  if (!words.every(isInside)) return undefined;
  const bytes = Buffer.from(source.subarray(from, last.end));
  return words.map(({ start, end }) => ({ bytes, start: start - from, end: end - from }));
}

function clonedApart(request: Request): ByteRange[] {
  const bytes = Buffer.allocUnsafe(requestBytes(request));
  let end = 0;
  return request.words.map((word) => {
    const start = end;
    end += word.bytes.copy(bytes, start, word.start, word.end);
    return { bytes, start, end };
  });
}

/** The request itself if it stays as it is until the reader is fed again, otherwise a copy. */
export function keptRequest(request: Request): Request {
  return request.isLent === true ? cloneRequest(request) : request;
}

/** What it takes to keep it. */
export function heldBytes(request: Request): number {
  return requestBytes(request) + WORD_BYTES * request.words.length;
}

/** The bytes of all its words. */
export function requestBytes(request: Request): number {
  return request.words.reduce((sum, word) => sum + word.end - word.start, 0);
}

export function tooLong(limits: RequestLimits, framing: Framing): Violation {
  const message = `the request is longer than ${String(limits.requestBytesMax)} bytes`;
  return { refusal: refusal('TOO_LARGE', message), fatal: true, framing };
}

/** Only a line ends where everybody can see it. */
export function tooManyWords(limits: RequestLimits, framing: Framing): Violation {
  const message = `more than ${String(limits.wordsMax)} words in one request: split it`;
  return { refusal: refusal('TOO_LARGE', message), fatal: framing === 'resp', framing };
}
