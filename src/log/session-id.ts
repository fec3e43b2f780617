import type { Index, Term } from '../engine.js';

/**
 * The id of a session is made of where the log opens it: 25 low bits of the index above the 28 low bits of the term, which are
 * random. So all nodes make the same one, and no id of a history that was lost comes again in another. Two that are open at a time can
 * be equal only when one is 2^25 entries older: the second one is not opened then.
 */
const INDEX_RANGE = 2 ** 25;
const TERM_RANGE = 2 ** 28;

/** Below 2^53. */
export function sessionIdAt(term: Term, index: Index): number {
  return (index % INDEX_RANGE) * TERM_RANGE + (term % TERM_RANGE);
}
