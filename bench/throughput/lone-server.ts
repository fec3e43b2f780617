import { contendersOf } from '../comparison.js';
import type { Case, Figure, Sample, Subject } from '../comparison.js';
import { load } from '../entries.js';
import type { Goal } from '../goals.js';
import { removeDirectory } from '../leftovers.js';
import type { Durability, Peer } from '../peers.js';
import { processorMsOf } from '../process-files.js';
import { runRedisBenchmark } from '../redis-benchmark.js';
import type { BenchmarkRun } from '../redis-benchmark.js';
import type { BenchServer } from '../server-process.js';
import { CLIENTS, SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';
import { metricName, runMetrics, sampleOf } from './metrics.js';
import type { RunFigures } from './metrics.js';

type Test = BenchmarkRun['test'];

interface Work {
  readonly name: string;
  readonly durability: Durability;
  readonly pipeline: number;
  readonly tests: readonly Test[];
  readonly valueBytes: number;
  readonly goals: readonly Goal[];
}

const KIB = 1024;
/** So that all values together stay small beside the memory of any machine. */
const LARGE_ENTRIES_MAX = 100_000;

const NOTES = [
  'redis-benchmark drives all of them, on keys that are there. In a pipeline the latency of a request is the time until',
  'something of the answer to its whole batch had arrived. CPU is that of all threads of the server.',
];

/** One server of each kind, and what is kept of writes is the same on both sides. */
export function loneServerFigures(sizes: Sizes, peers: readonly Peer[]): Figure[] {
  const figure = (name: string, title: string, notes: readonly string[], works: readonly Work[]): Figure => ({
    name,
    title: `${title}; redis-benchmark, ${String(CLIENTS)} clients, ${sizes.entries.toLocaleString('en')} keys of 16 B`,
    notes: [...notes, ...NOTES],
    metrics: [...new Set(works.flatMap(({ tests }) => tests))].flatMap((test) =>
      runMetrics(test.toUpperCase()),
    ),
    cases: works.map((work) => caseOf(work, sizes, peers)),
  });
  return [
    figure(
      'unsynced',
      'GET and SET, nothing synced',
      [
        'Redis writes nothing to the disk, this project always has its log. Snapshots are written as they come due here.',
      ],
      unsyncedWorks(),
    ),
    figure('everysec', 'SET, synced once a second on both', [], syncedWorks('everysec')),
    figure('synced', 'SET, synced before the reply on both', [], syncedWorks('always')),
  ];
}

const ratio = { against: 'Redis', better: 'more' } as const;

function unsyncedWorks(): Work[] {
  const work = (pipeline: number, goals: readonly Goal[]): Work => ({
    name: `pipeline ${String(pipeline)}`,
    durability: 'off',
    pipeline,
    tests: ['get', 'set'],
    valueBytes: SMALL_VALUE_BYTES,
    goals,
  });
  const plain = ['GET', 'SET'].flatMap((test): Goal[] => [
    { work: `${test}, nothing synced`, metric: metricName(test, 'rate'), ...ratio, bound: 0.97, aim: 1 },
    {
      work: `${test}, nothing synced: CPU of the server`,
      metric: metricName(test, 'cpu'),
      against: 'Redis',
      better: 'less',
      bound: 1.25,
      aim: 1.05,
    },
  ]);
  const get = (pipeline: number, bound: number, aim: number): Goal => ({
    work: `GET, pipeline ${String(pipeline)}`,
    metric: metricName('GET', 'rate'),
    ...ratio,
    bound,
    aim,
  });
  return [work(1, plain), work(16, [get(16, 1.1, 1.5)]), work(64, [get(64, 1.3, 1.8)])];
}

const SYNCED_GOALS = {
  everysec: {
    when: 'synced once a second',
    limits: [
      [1, 0.9, 1],
      [16, 1.3, 1.7],
      [64, 1.5, 1.9],
    ],
  },
  always: {
    when: 'synced before the reply',
    limits: [
      [1, 1.1, 1.4],
      [16, 1.6, 2.2],
      [64, 1.9, 2.6],
    ],
  },
} as const;

function syncedWorks(durability: 'everysec' | 'always'): Work[] {
  const { when, limits } = SYNCED_GOALS[durability];
  const work = (pipeline: number, bound: number, aim: number, valueBytes: number, size: string): Work => {
    const name = `pipeline ${String(pipeline)}${size}`;
    const goal: Goal = {
      work: `SET, ${when}, ${name}`,
      metric: metricName('SET', 'rate'),
      ...ratio,
      bound,
      aim,
    };
    return { name, durability, pipeline, tests: ['set'], valueBytes, goals: [goal] };
  };
  return [
    ...limits.map(([pipeline, bound, aim]) => work(pipeline, bound, aim, SMALL_VALUE_BYTES, '')),
    ...(durability === 'always' ? [work(16, 2, 3.8, KIB, ', values of 1 KiB')] : []),
  ];
}

function caseOf(work: Work, sizes: Sizes, peers: readonly Peer[]): Case {
  return {
    name: work.name,
    contenders: contendersOf(
      peers,
      (peer) => peer.settings(work.durability),
      (peer, directory) => prepare(peer, directory, work, sizes),
    ),
    goals: work.goals,
  };
}

async function prepare(peer: Peer, directory: string, work: Work, sizes: Sizes): Promise<Subject> {
  const { durability, pipeline, tests, valueBytes } = work;
  const { runMs, warmUpMs } = sizes;
  const keys = valueBytes > SMALL_VALUE_BYTES ? Math.min(sizes.entries, LARGE_ENTRIES_MAX) : sizes.entries;
  const server = await peer.start(directory, durability);
  await load(server, { entries: keys, valueBytes });
  /** Requests that take a run, by what the last run took. */
  const rates = new Map<Test, number>();
  const run = async (test: Test, runMs: number): Promise<RunFigures> => {
    const requests = Math.ceil(((rates.get(test) ?? FIRST_RATE) * runMs) / 1000);
    const figures = await measure(server, { test, clients: CLIENTS, pipeline, requests, keys, valueBytes });
    rates.set(test, figures.requestsPerSecond);
    return figures;
  };
  for (const test of tests) {
    await run(test, FIRST_RUN_MS);
    await run(test, warmUpMs);
  }
  return {
    measure: async () => {
      let sample: Sample = {};
      for (const test of tests) {
        sample = { ...sample, ...sampleOf(test.toUpperCase(), await run(test, runMs)) };
      }
      return sample;
    },
    close: async () => {
      await server.kill();
      removeDirectory(directory);
    },
  };
}

/** What a server that nothing is known of is asked for, to learn how fast it is. */
const FIRST_RATE = 50_000;
const FIRST_RUN_MS = 200;

async function measure(server: BenchServer, run: BenchmarkRun): Promise<RunFigures> {
  const beforeMs = processorMsOf(server.processId);
  const report = await runRedisBenchmark(server, run);
  const usedMs = processorMsOf(server.processId) - beforeMs;
  const tookMs = (run.requests / report.requestsPerSecond) * 1000;
  return {
    ...report,
    serversUs: [(usedMs * 1000) / run.requests],
    clientProcessors: report.clientMs / tookMs,
  };
}
