import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NO_SEEDS, together } from './seeds.js';
import type { Campaign, SeedRange } from './seeds.js';

/** So many seeds are given to a worker at a time, and are lost when the run is broken off. */
const SEEDS_A_SHARE = 25;
const WORKER = fileURLToPath(new URL('seed-worker.js', import.meta.url));
/** A schedule leaves much behind that is garbage at once: collected rarely, little of it was ever copied. */
const WORKER_FLAGS = ['--max-semi-space-size=64'];

/** Runs the seeds that it is given. */
export interface SeedWorker {
  run(seeds: SeedRange): Promise<Campaign>;
  end(): void;
}

export interface SharedRunOptions {
  readonly workers: readonly SeedWorker[];
  /** Keeps how far the run has come, so that it can be broken off and gone on with. */
  readonly progressFile?: string | undefined;
  readonly seedsAShare?: number;
  /** Told each time that more seeds are known to be clean, all those before them included. */
  readonly progressed?: (campaign: Campaign, cleanUpTo: number) => void;
}

/** Lets several workers run seeds, until one of them fails. What it answers, tells and keeps is always about all seeds up to one. */
export async function runShared(range: SeedRange, options: SharedRunOptions): Promise<Campaign> {
  const { workers, progressFile, progressed, seedsAShare = SEEDS_A_SHARE } = options;
  let campaign = progressFile === undefined ? NO_SEEDS : readProgress(progressFile, range.from);
  /** By their first seed, shares that wait for those before them. */
  const waiting = new Map<number, Campaign>();
  const behind = range.from + range.count;
  let next = range.from + campaign.seeds;
  const takeIn = (): void => {
    for (;;) {
      const share = waiting.get(range.from + campaign.seeds);
      if (share === undefined || campaign.failure !== undefined) return;
      campaign = together(campaign, share);
      if (campaign.failure !== undefined) return;
      if (progressFile !== undefined) writeProgress(progressFile, range.from, campaign);
      progressed?.(campaign, range.from + campaign.seeds - 1);
    }
  };
  const employ = async (worker: SeedWorker): Promise<void> => {
    try {
      while (next < behind) {
        const from = next;
        const count = Math.min(seedsAShare, behind - from);
        next += count;
        const share = await worker.run({ from, count });
        // Those before it are still run to their end: the failure to show is the first one.
        if (share.failure !== undefined) next = behind;
        waiting.set(from, share);
        takeIn();
      }
    } finally {
      next = behind;
      worker.end();
    }
  };
  await Promise.all(workers.map(employ));
  return campaign;
}

/** Processes of their own, so that all processors are used. */
export function forkWorkers(count: number): SeedWorker[] {
  return Array.from({ length: count }, () => {
    const child = fork(WORKER, { execArgv: WORKER_FLAGS, serialization: 'advanced' });
    return { run: (seeds) => askFor(child, seeds), end: () => void child.kill() };
  });
}

async function askFor(child: ChildProcess, share: SeedRange): Promise<Campaign> {
  const ended = new AbortController();
  child.send(share);
  try {
    const [answer] = (await Promise.race([
      once(child, 'message', { signal: ended.signal }),
      once(child, 'exit', { signal: ended.signal }).then(([code, signal]) => {
        const seeds = `${String(share.count)} seeds from ${String(share.from)}`;
        throw new Error(`the worker for ${seeds} ended: ${String(code ?? signal)}`);
      }),
    ])) as [Campaign];
    return answer;
  } finally {
    ended.abort();
  }
}

/** What a file of progress holds: all of these seeds are clean. */
interface Progress extends Omit<Campaign, 'failure' | 'counts'> {
  readonly from: number;
  readonly cleanUpTo: number;
  readonly counts: Readonly<Record<string, number>>;
}

function readProgress(file: string, from: number): Campaign {
  if (!existsSync(file)) return NO_SEEDS;
  const progress = JSON.parse(readFileSync(file, 'utf8')) as Progress;
  if (progress.from !== from) {
    throw new Error(
      `${file} is of a run from seed ${String(progress.from)}: give KV_SIM_FROM, or remove it to begin anew`,
    );
  }
  const { seeds, simulatedHours, events, counts } = progress;
  return { seeds, simulatedHours, events, counts: new Map(Object.entries(counts)), failure: undefined };
}

function writeProgress(file: string, from: number, campaign: Campaign): void {
  const { seeds, simulatedHours, events, counts } = campaign;
  const cleanUpTo = from + seeds - 1;
  const progress: Progress = {
    from,
    cleanUpTo,
    seeds,
    simulatedHours,
    events,
    counts: Object.fromEntries(counts),
  };
  // Never half a file, whenever the run is broken off.
  writeFileSync(`${file}.new`, `${JSON.stringify(progress, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}
