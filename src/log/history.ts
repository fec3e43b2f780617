import type { Index, Position, Term } from '../engine.js';
import { controlEntryOf } from './control.js';
import { endOf } from './frame.js';
import type { Frame } from './frame.js';

/** A stretch of the log with entries of one term. */
export interface TermSpan {
  readonly term: Term;
  /** Where it begins. It ends where the next one begins, or with the log. */
  readonly firstIndex: Index;
  /** The term began with a promotion for which the operator accepted that data is lost. */
  readonly isLossy: boolean;
}

/** The terms of a log and where they begin, oldest first, up to its last entry. */
export interface History {
  readonly spans: readonly TermSpan[];
  readonly last: Position;
}

/** Adds a frame to the spans that lie before it. */
export function addToSpans(spans: TermSpan[], frame: Frame): void {
  if (spans.at(-1)?.term === frame.term) return;
  const entry = controlEntryOf(frame);
  const isLossy = entry?.kind === 'open' && entry.lossAfter !== undefined;
  spans.push({ term: frame.term, firstIndex: frame.firstIndex, isLossy });
}

/** The term of an entry; undefined when the log does not have it, or no longer knows. */
export function termAt(history: History, index: Index): Term | undefined {
  if (index > history.last.index) return undefined;
  return history.spans.findLast((span) => span.firstIndex <= index)?.term;
}

/**
 * The last entry that two logs have in common; undefined when nothing that both still know of is common.
 *
 * A position is never used for two entries, and whoever appends to a log of an earlier term has all of it up to there. So two
 * logs that both have entries of one term agree up to the shorter one's last entry of that term.
 */
export function commonPrefix(a: History, b: History): Position | undefined {
  for (const span of [...a.spans].reverse()) {
    if (!b.spans.some((other) => other.term === span.term)) continue;
    const index = Math.min(lastOf(a, span.term), lastOf(b, span.term)) as Index;
    return { term: span.term, index };
  }
  return undefined;
}

/** The last index of a term that the history has. */
function lastOf(history: History, term: Term): number {
  const at = history.spans.findIndex((span) => span.term === term);
  const next = history.spans[at + 1];
  return next === undefined ? history.last.index : next.firstIndex - 1;
}

/** The spans of a log that is cut behind `last`. */
export function cutSpans(spans: readonly TermSpan[], last: Index): TermSpan[] {
  return spans.filter((span) => span.firstIndex <= last);
}

/** Where a frame ends, as a position. */
export function positionOf(frame: Frame): Position {
  const { term, index } = endOf(frame);
  return { term, index };
}
