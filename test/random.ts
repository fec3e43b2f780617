/** A stream of pseudo-random numbers that a seed repeats (mulberry32, Tommy Ettinger). */
export interface Random {
  /** At least 0 and below 1. */
  next(): number;
  /** A whole number, at least 0 and below `limit`. */
  below(limit: number): number;
  bytes(length: number): Buffer;
  pick<T>(items: readonly T[]): T;
}

export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick: (items) => items[below(items.length)]!,
  };
}

/** Where the reporter of the suite looks for seeds: a test that takes too long, or asserts elsewhere, does not name its own. */
const DRAWN = Symbol.for('understudy: seeds that were drawn');

/** The seed of a randomised test: new each time, or the one in `KV_SEED` to repeat a run. */
export function testSeed(): number {
  const given = process.env.KV_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  (globalThis as { [DRAWN]?: number[] })[DRAWN]?.push(seed);
  return seed;
}

/** Runs a randomised test, and names its seed when it fails. */
export async function withSeed(seed: number, work: (random: Random) => Promise<void> | void): Promise<void> {
  try {
    await work(seededRandom(seed));
  } catch (error) {
    throw new Error(`failed with KV_SEED=${String(seed)}`, { cause: error });
  }
}
