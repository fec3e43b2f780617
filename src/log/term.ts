import type { Position, Term } from '../engine.js';

/**
 * A term is a count and 28 random bits below it: `count * 2^28 + random`.
 *
 * No two nodes may ever hold the same term, not even after a forced promotion on each side of a cut or on a
 * copy of a data directory. Both would take the same next count; the random bits tell them apart. People are shown the
 * count alone.
 */
const RANDOM_BITS = 28;
const RANDOM_RANGE = 2 ** RANDOM_BITS;
/** 2^25 changes of primary: one a second for a year. */
const COUNT_MAX = 2 ** (53 - RANDOM_BITS) - 1;

/** The number that people are shown for a term. */
export function termCount(term: Term): number {
  return Math.floor(term / RANDOM_RANGE);
}

/**
 * A term above `highest`.
 *
 * @param random - a fresh random number, at least 0 and below 1.
 * @throws RangeError when the counts are used up.
 */
export function termAfter(highest: Term, random: number): Term {
  const count = termCount(highest) + 1;
  if (count > COUNT_MAX) throw new RangeError(`no term is left after ${String(highest)}`);
  return (count * RANDOM_RANGE + Math.floor(random * RANDOM_RANGE)) as Term;
}

/** Negative when `a` comes before `b`. The longer log is the one whose last position comes later. */
export function comparePositions(a: Position, b: Position): number {
  return a.term === b.term ? a.index - b.index : a.term - b.term;
}

/** A position as people see it: `count:index`. */
export function showPosition(position: Position): string {
  return `${String(termCount(position.term))}:${String(position.index)}`;
}
