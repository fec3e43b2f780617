import type { Position } from '../engine.js';
import { controlEntryOf } from '../log/control.js';
import type { ControlEntry } from '../log/control.js';
import { MalformedEntry } from '../log/entry.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { addToSpans, positionOf } from '../log/history.js';
import type { TermSpan } from '../log/history.js';

/** A control entry that says something of terms and members, and where it stands. */
export interface PlacedControl {
  readonly position: Position;
  readonly entry: Exclude<ControlEntry, { readonly kind: 'mark' }>;
}

/** What a log tells about terms and members, from its first frame to its last. */
export interface LogHistory {
  /** What its first frame follows. */
  readonly start: LogEnd;
  /** They begin with the entry at `start`, if there is one: that the log has it is known, where its term began is not. */
  readonly spans: readonly TermSpan[];
  readonly controls: readonly PlacedControl[];
}

/** The history of a log that holds nothing behind `start`. */
export function historyBehind(start: LogEnd): LogHistory {
  return { start, spans: baseSpans(start), controls: [] };
}

/** Gathers a history from frames, oldest first. */
export class HistoryReading {
  readonly #frames: TermSpan[] = [];
  readonly #controls: PlacedControl[] = [];

  visit(frame: Frame): void {
    try {
      const entry = controlEntryOf(frame);
      if (entry !== undefined && entry.kind !== 'mark')
        this.#controls.push({ position: positionOf(frame), entry });
      addToSpans(this.#frames, frame);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new MalformedEntry(frame.firstIndex, 'it is a control entry, and not JSON');
    }
  }

  behind(start: LogEnd): LogHistory {
    const [base] = baseSpans(start);
    const frames = this.#frames;
    const spans = base === undefined ? frames : [base, ...frames.filter(({ term }) => term !== base.term)];
    return { start, spans, controls: this.#controls };
  }
}

function baseSpans(start: LogEnd): TermSpan[] {
  return start.index === 0 ? [] : [{ term: start.term, firstIndex: start.index, isLossy: false }];
}
