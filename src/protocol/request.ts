import { copyRange } from '../engine.js';
import type { ByteRange, Refusal } from '../engine.js';

/** One request, whatever framing it came in. */
export interface Request {
  /** The command's name as it was sent, then its arguments. At least one word; borrowed from the reader. */
  readonly words: readonly ByteRange[];
  /**
   * False for a last line that the end of the stream cut off. The sender may have died in the middle of it, so
   * it may be read from but not written with.
   */
  readonly terminated: boolean;
}

/** Bytes that are no request. */
export interface Violation {
  readonly refusal: Refusal;
  /** True when nobody can tell where the next request would begin: answer, then close. */
  readonly fatal: boolean;
}

export function isViolation(outcome: Request | Violation): outcome is Violation {
  return 'refusal' in outcome;
}

/** A copy that outlives the reader's buffers. */
export function cloneRequest(request: Request): Request {
  return { words: request.words.map(copyRange), terminated: request.terminated };
}

/** The bytes of all its words. */
export function requestBytes(request: Request): number {
  return request.words.reduce((sum, word) => sum + word.end - word.start, 0);
}
