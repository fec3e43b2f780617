import type { Case, Figure, Sample, Subject } from '../comparison.js';
import { load } from '../entries.js';
import { removeDirectory } from '../leftovers.js';
import type { Durability } from '../peers.js';
import { processorMsOf } from '../process-files.js';
import { runRedisBenchmark } from '../redis-benchmark.js';
import type { BenchServer } from '../server-process.js';
import { SMALL_VALUE_BYTES } from './sizes.js';
import type { Sizes } from './sizes.js';

const CLIENTS = 50;
const TESTS = ['set', 'get'] as const;
/** A synced write takes longer than one that is not: fewer of them take as long. */
const SYNCED_SHARE = 0.5;

export function throughputFigure(sizes: Sizes): Figure {
  const perTest = [
    { name: 'requests', unit: '1/s', digits: 0 },
    { name: 'CPU of the server', unit: 'µs each', digits: 2 },
    { name: 'p50', unit: 'ms', digits: 3 },
    { name: 'p99', unit: 'ms', digits: 3 },
  ];
  return {
    name: 'throughput',
    title: `redis-benchmark, ${String(CLIENTS)} clients, ${sizes.entries.toLocaleString('en')} keys of 16 B, values of ${String(SMALL_VALUE_BYTES)} B`,
    notes: [
      'off: nothing synced here, nothing written by Redis. always: each write synced before its reply, on both.',
      'Snapshots are written as they come due here (Redis: save ""). CPU is that of all threads of the server.',
    ],
    metrics: TESTS.flatMap((test) =>
      perTest.map((metric) => ({ ...metric, name: `${test.toUpperCase()} ${metric.name}` })),
    ),
    cases: (['off', 'always'] as const).flatMap((durability) =>
      [...sizes.requests].map(([pipeline, requests]) =>
        caseOf(
          durability,
          pipeline,
          durability === 'off' ? requests : requests * SYNCED_SHARE,
          sizes.entries,
        ),
      ),
    ),
  };
}

function caseOf(durability: Durability, pipeline: number, requests: number, keys: number): Case {
  return {
    name: `${durability}, pipeline ${String(pipeline)}`,
    prepare: async (peer, directory): Promise<Subject> => {
      const server = await peer.start(directory, durability);
      await load(server, { entries: keys, valueBytes: SMALL_VALUE_BYTES });
      return {
        measure: async () => {
          let sample: Sample = {};
          for (const test of TESTS) {
            const run = { test, clients: CLIENTS, pipeline, requests, keys, valueBytes: SMALL_VALUE_BYTES };
            sample = { ...sample, ...(await measure(server, run)) };
          }
          return sample;
        },
        close: async () => {
          await server.kill();
          removeDirectory(directory);
        },
      };
    },
  };
}

async function measure(server: BenchServer, run: Parameters<typeof runRedisBenchmark>[1]): Promise<Sample> {
  const beforeMs = processorMsOf(server.processId);
  const line = await runRedisBenchmark(server, run);
  const usedMs = processorMsOf(server.processId) - beforeMs;
  const name = run.test.toUpperCase();
  return {
    [`${name} requests`]: line.requestsPerSecond,
    [`${name} CPU of the server`]: (usedMs * 1000) / run.requests,
    [`${name} p50`]: line.p50Ms,
    [`${name} p99`]: line.p99Ms,
  };
}
