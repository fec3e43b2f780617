/** What is told of several measurements of the same thing. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** The spread of at least one value; undefined when there is none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return undefined;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? most;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? least;
  return { median: (lower + upper) / 2, least, most };
}

/**
 * The ratio of each round, not of two medians: what disturbs a round disturbs both sides of it. Rounds in which one side is
 * missing or the other one is 0 have none.
 */
export function ratiosOf(
  values: readonly (number | undefined)[],
  against: readonly (number | undefined)[],
): number[] {
  const ratios: number[] = [];
  for (const [round, value] of values.entries()) {
    const other = against[round];
    if (value !== undefined && other !== undefined && other !== 0) ratios.push(value / other);
  }
  return ratios;
}

/**
 * The value at or below which this share of them lies (nearest rank): 0.99 of a hundred is the second largest.
 *
 * @param values - at least one.
 */
export function percentileOf(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  const value = sorted[rank - 1];
  if (value === undefined) throw new RangeError('there is no value');
  return value;
}
