/** How much each figure works with. */
export interface Sizes {
  /** Entries of 16 B + 64 B. */
  readonly entries: number;
  /** All values of a large snapshot together, in values of 1 KiB and in large ones. */
  readonly snapshotBytes: number;
  readonly largeValueBytes: number;
  /** Requests of one run of redis-benchmark, by pipeline depth. */
  readonly requests: ReadonlyMap<number, number>;
  /** Until memory that does not change counts as settled. */
  readonly settledMs: number;
  readonly churn: ChurnSizes;
}

export interface ChurnSizes {
  readonly liveBytes: number;
  readonly minutes: number;
  readonly operationsPerSecond: number;
  readonly sampleMs: number;
}

const MIB = 1024 * 1024;
export const SMALL_VALUE_BYTES = 64;

export const FULL: Sizes = {
  entries: 1_000_000,
  snapshotBytes: 1024 * MIB,
  largeValueBytes: 64 * MIB,
  requests: new Map([
    [1, 200_000],
    [16, 1_500_000],
    [64, 3_000_000],
  ]),
  settledMs: 5000,
  churn: { liveBytes: 300e6, minutes: 15, operationsPerSecond: 5000, sampleMs: 10_000 },
};

/** Shows that everything works; its figures say little. */
export const QUICK: Sizes = {
  entries: 20_000,
  snapshotBytes: 32 * MIB,
  largeValueBytes: 8 * MIB,
  requests: new Map([
    [1, 5000],
    [16, 50_000],
    [64, 100_000],
  ]),
  settledMs: 500,
  churn: { liveBytes: 5e6, minutes: 5 / 60, operationsPerSecond: 5000, sampleMs: 500 },
};
