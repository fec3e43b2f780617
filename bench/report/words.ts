import type { Goal, Outcome } from '../goals.js';
import type { Spread } from '../statistics.js';

/** Whoever reads 123.46 looks for two digits that nobody measured. */
export function showNumber(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The median, and the range where there were several rounds: `1.05 (1.01..1.08)`. */
export function showSpread({ median, least, most }: Spread): string {
  const range = least === most ? '' : ` (${showNumber(least)}..${showNumber(most)})`;
  return `${showNumber(median)}${range}`;
}

/** Such as `1.05 (1.01..1.08) of Redis`. */
export function showMeasured({ goal, spread }: Outcome): string {
  const of = goal.against === undefined ? '' : ` of ${goal.against}`;
  return `${showSpread(spread)}${goal.unit === undefined ? '' : ` ${goal.unit}`}${of}`;
}

/** Such as `at least 10 ms`. */
export function showBound({ better, bound, unit }: Goal): string {
  return `at ${better === 'more' ? 'least' : 'most'} ${showLimit(bound, unit)}`;
}

export function showAim({ aim, unit }: Goal): string {
  return showLimit(aim, unit);
}

function showLimit(limit: number, unit: string | undefined): string {
  return unit === undefined ? String(limit) : `${String(limit)} ${unit}`;
}
