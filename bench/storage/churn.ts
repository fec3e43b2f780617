import { BulkClient } from '../bulk-client.js';
import { ChurnLoad } from '../churn-load.js';
import { contendersOf } from '../comparison.js';
import type { Figure, Metric, Sample } from '../comparison.js';
import { RequestBatch } from '../entries.js';
import { askUntilAnswered, pause } from '../first-answer.js';
import type { Goal } from '../goals.js';
import { removeDirectory } from '../leftovers.js';
import type { Peer } from '../peers.js';
import { memoryOf, processorMsOf } from '../process-files.js';
import { encode } from '../reader.js';
import { PingWatch } from '../server-process.js';
import type { BenchServer } from '../server-process.js';
import { spreadOf } from '../statistics.js';
import { settledResidentBytes } from './settling.js';
import { STALL_METRICS, stallsDuring } from './stalls.js';
import type { ChurnSizes, Sizes } from '../sizes.js';

const TICK_MS = 10;
const BATCH_OPERATIONS = 50;

const METRICS: readonly Metric[] = [
  { name: 'memory over live bytes, once filled', unit: '', digits: 3 },
  { name: 'median', unit: '', digits: 3 },
  { name: 'most', unit: '', digits: 3 },
  { name: 'at the end', unit: '', digits: 3 },
  { name: 'at the end, settled', unit: '', digits: 3 },
  { name: 'settled, without the empty server', unit: '', digits: 3 },
  { name: 'alive at the end', unit: 'MB', digits: 1 },
  { name: 'keys at the end', unit: '', digits: 0 },
  { name: 'operations', unit: '1/s', digits: 0 },
  { name: 'CPU of the server', unit: 'µs each', digits: 1 },
  { name: 'longest ping', unit: 'ms', digits: 1 },
  { name: 'p99 of pings', unit: 'ms', digits: 2 },
  ...STALL_METRICS,
];

export function churnFigure(
  { churn, settledMs }: Sizes,
  peers: readonly Peer[],
  progress: (text: string) => void,
): Figure {
  const duration = `${(churn.minutes * 60).toFixed(0)} s`;
  const contenders = contendersOf(
    peers,
    (peer) => peer.settings('off'),
    async (peer, directory) => {
      const server = await peer.start(directory, 'off', { isProbed: true });
      return {
        measure: () => measure({ peer, server, churn, settledMs, progress }),
        close: async () => {
          await server.kill();
          removeDirectory(directory);
        },
      };
    },
  );
  const goal: Goal = {
    work: `memory over live bytes, after ${duration} of churn`,
    metric: 'at the end',
    against: 'Redis',
    better: 'less',
    bound: 1.1,
    aim: 0.8,
  };
  return {
    name: 'churn',
    title: `${duration} of overwrites and deletes, ${String(churn.operationsPerSecond)} a second, about ${(churn.liveBytes / 1e6).toFixed(0)} MB alive`,
    notes: [
      'Values of 16 B to 16 KiB, evenly by their logarithm, one of 1,000 has 256 KiB; a quarter of the operations deletes.',
      'The same operations for every server, at the same time. Resident memory, of the whole server, over keys and values alive.',
    ],
    metrics: METRICS,
    cases: [{ name: 'mixed sizes', contenders, goals: [goal] }],
    isAtOnce: true,
    isOnRequest: true,
  };
}

interface Scene {
  readonly peer: Peer;
  readonly server: BenchServer;
  readonly churn: ChurnSizes;
  readonly settledMs: number;
  readonly progress: (text: string) => void;
}

async function measure(scene: Scene): Promise<Sample> {
  const { peer, server, churn, settledMs } = scene;
  const { processId } = server;
  const empty = await settledResidentBytes(processId, settledMs);
  const load = new ChurnLoad(churn.liveBytes);
  const client = await BulkClient.connect(server);
  while (load.operations < load.keys) await send(client, load, BATCH_OPERATIONS);
  await client.answered();
  const filled = memoryOf(processId).residentBytes / load.liveBytes;
  const watch = await PingWatch.start(server);
  const [beforeMs, before] = [processorMsOf(processId), load.operations];
  let run: Run = { ratios: [], tookMs: 0 };
  let stalls: Sample = {};
  const pings = await watch.during(async () => {
    stalls = await stallsDuring(server, async () => {
      run = await keepRate(scene, client, load);
    });
  });
  const usedMs = processorMsOf(processId) - beforeMs;
  const done = load.operations - before;
  await watch.stop();
  client.close();
  await checkKeys(peer, server, load.liveKeys);
  const atEnd = memoryOf(processId).residentBytes;
  const settled = await settledResidentBytes(processId, settledMs);
  const spread = spreadOf(run.ratios);
  return {
    'memory over live bytes, once filled': filled,
    ...(spread === undefined ? {} : { median: spread.median, most: spread.most }),
    'at the end': atEnd / load.liveBytes,
    'at the end, settled': settled / load.liveBytes,
    'settled, without the empty server': (settled - empty) / load.liveBytes,
    'alive at the end': load.liveBytes / 1e6,
    'keys at the end': load.liveKeys,
    operations: done / (run.tookMs / 1000),
    'CPU of the server': (usedMs * 1000) / done,
    'longest ping': pings.longestMs,
    'p99 of pings': pings.p99Ms,
    ...stalls,
  };
}

interface Run {
  readonly ratios: readonly number[];
  readonly tookMs: number;
}

/** Sends as many operations as are due, until the time is up, and looks at the memory now and then. */
async function keepRate(
  { peer, server, churn, progress }: Scene,
  client: BulkClient,
  load: ChurnLoad,
): Promise<Run> {
  const operations = Math.round(churn.minutes * 60 * churn.operationsPerSecond);
  const ratios: number[] = [];
  const fromMs = performance.now();
  let sampleAtMs = fromMs + churn.sampleMs;
  for (let sent = 0; sent < operations;) {
    const nowMs = performance.now();
    const due = Math.min(operations, Math.floor(((nowMs - fromMs) / 1000) * churn.operationsPerSecond));
    for (; sent < due; sent += Math.min(BATCH_OPERATIONS, due - sent)) {
      await send(client, load, Math.min(BATCH_OPERATIONS, due - sent));
    }
    if (nowMs >= sampleAtMs) {
      sampleAtMs += churn.sampleMs;
      const ratio = memoryOf(server.processId).residentBytes / load.liveBytes;
      ratios.push(ratio);
      progress(
        `churn, ${((nowMs - fromMs) / 1000).toFixed(0)} s: ${peer.name} ${ratio.toFixed(3)} of ${(load.liveBytes / 1e6).toFixed(1)} MB`,
      );
    }
    await pause(TICK_MS);
  }
  await client.answered();
  return { ratios, tookMs: performance.now() - fromMs };
}

async function send(client: BulkClient, load: ChurnLoad, operations: number): Promise<void> {
  const batch = new RequestBatch();
  for (let at = 0; at < operations; at++) load.next(batch);
  const { lines } = batch;
  await client.send(batch.take(), lines);
}

/** What was counted here is what is there. */
async function checkKeys(peer: Peer, server: BenchServer, keys: number): Promise<void> {
  const answer = await askUntilAnswered(server, encode('resp', ['DBSIZE']));
  const found = Number(answer.toString('latin1').slice(1));
  if (found !== keys)
    throw new Error(`${peer.name} has ${String(found)} keys, and should have ${String(keys)}`);
}
