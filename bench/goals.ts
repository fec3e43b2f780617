import type { Sample } from './comparison.js';
import { ratiosOf, spreadOf } from './statistics.js';
import type { Spread } from './statistics.js';

/** What a figure is wanted to be: of the ratio to a peer in the same round, or of the value itself. */
export interface Goal {
  /** What was done, as a reader of the summary has to know it. */
  readonly work: string;
  readonly metric: string;
  /** The contender that ours is divided by; left out, it is our own value. */
  readonly against?: string;
  readonly unit?: string;
  readonly better: 'more' | 'less';
  /** What it has to reach at least. */
  readonly bound: number;
  /** What is aimed at. */
  readonly aim: number;
}

export type Reached = 'aim' | 'bound' | 'neither';

export interface Outcome {
  readonly goal: Goal;
  readonly spread: Spread;
  readonly reached: Reached;
}

/** Undefined where one of the two sides was not measured. */
export function outcomeOf(
  goal: Goal,
  samples: Readonly<Record<string, readonly Sample[]>>,
): Outcome | undefined {
  const [own] = Object.keys(samples);
  if (own === undefined) return undefined;
  const valuesOf = (name: string): (number | undefined)[] =>
    (samples[name] ?? []).map((sample) => sample[goal.metric]);
  const values =
    goal.against === undefined
      ? valuesOf(own).filter((value) => value !== undefined)
      : ratiosOf(valuesOf(own), valuesOf(goal.against));
  const spread = spreadOf(values);
  return spread === undefined ? undefined : { goal, spread, reached: reachedBy(spread.median, goal) };
}

function reachedBy(median: number, { better, bound, aim }: Goal): Reached {
  const reaches = (limit: number): boolean => (better === 'more' ? median >= limit : median <= limit);
  if (reaches(aim)) return 'aim';
  return reaches(bound) ? 'bound' : 'neither';
}
