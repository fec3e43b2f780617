import os from 'node:os';

/** How much each figure works with. */
export interface Sizes {
  /** Entries of 16 B + 64 B. */
  readonly entries: number;
  /** All values of a large snapshot together, in values of 1 KiB and in large ones. */
  readonly snapshotBytes: number;
  readonly largeValueBytes: number;
  /** How long a run of throughput takes, and how long its servers are warmed up before the first. */
  readonly runMs: number;
  readonly warmUpMs: number;
  /** Of the clients of this bench: they must not be what limits a server where there are processors for both. */
  readonly clientProcesses: number;
  /** What a new backup has to fetch, in values of 1 KiB. */
  readonly catchUpBytes: number;
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

const CLIENT_PROCESSES_MAX = 4;
/** Half of the processors that the busiest server leaves. */
const CLIENT_PROCESSES = Math.max(
  1,
  Math.min(CLIENT_PROCESSES_MAX, Math.floor((os.availableParallelism() - 1) / 2)),
);

const MIB = 1024 * 1024;
export const SMALL_VALUE_BYTES = 64;
export const CLIENTS = 50;

export const FULL: Sizes = {
  entries: 1_000_000,
  snapshotBytes: 1024 * MIB,
  largeValueBytes: 64 * MIB,
  runMs: 2500,
  warmUpMs: 1500,
  clientProcesses: CLIENT_PROCESSES,
  catchUpBytes: 512 * MIB,
  settledMs: 5000,
  churn: { liveBytes: 300e6, minutes: 15, operationsPerSecond: 5000, sampleMs: 10_000 },
};

/** Shows that everything works; its figures say less. */
export const QUICK: Sizes = {
  entries: 50_000,
  snapshotBytes: 32 * MIB,
  largeValueBytes: 8 * MIB,
  runMs: 400,
  warmUpMs: 300,
  clientProcesses: CLIENT_PROCESSES,
  catchUpBytes: 64 * MIB,
  settledMs: 300,
  churn: { liveBytes: 5e6, minutes: 5 / 60, operationsPerSecond: 5000, sampleMs: 500 },
};
