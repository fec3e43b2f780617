import path from 'node:path';
import type { Case, Figure, Metric, Sample, Subject } from '../comparison.js';
import { bytesOf, load } from '../entries.js';
import type { Content } from '../entries.js';
import { pause } from '../first-answer.js';
import type { Goal } from '../goals.js';
import { removeDirectory } from '../leftovers.js';
import type { LoadPlan } from '../load/conversation.js';
import { LoadClients } from '../load/load-clients.js';
import { OwnCluster } from '../own-cluster.js';
import type { Node } from '../own-cluster.js';
import { UNDERSTUDY } from '../peers.js';
import type { BenchServer } from '../server-process.js';
import { CLIENTS, SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';

const KIB = 1024;
const WRITTEN_KEYS = 10_000;

const METRICS: readonly Metric[] = [
  { name: 'caught up', unit: 'ms', digits: 0 },
  { name: 'fetched', unit: 'MB/s', digits: 0 },
  { name: 'caught up beside writes', unit: 'ms', digits: 0 },
  { name: 'writes alone', unit: '1/s', digits: 0 },
  { name: 'writes beside a catch-up', unit: '1/s', digits: 0 },
  { name: 'share of writes', unit: '', digits: 2 },
  { name: 'p99 alone', unit: 'ms', digits: 2 },
  { name: 'p99 beside a catch-up', unit: 'ms', digits: 2 },
];

const GOALS: readonly Goal[] = [
  {
    work: 'catch-up of a new backup over loopback, values of 1 KiB',
    metric: 'fetched',
    unit: 'MB/s',
    better: 'more',
    bound: 100,
    aim: 300,
  },
  {
    work: "the primary's throughput while a backup catches up, over itself alone",
    metric: 'share of writes',
    better: 'more',
    bound: 0.7,
    aim: 0.9,
  },
];

/** What a new backup costs; of this project alone, everything synced before the reply. */
export function catchUpFigure({ catchUpBytes, runMs, warmUpMs, clientProcesses }: Sizes): Figure {
  const content: Content = { entries: catchUpBytes / KIB, valueBytes: KIB };
  const only: Case = {
    name: `${content.entries.toLocaleString('en')} x 1 KiB`,
    contenders: [
      {
        name: UNDERSTUDY.name,
        settings: '2 x kv server --log-level error, with --fsync always --acks majority as is usual',
        prepare: (directory) => prepare(directory, content, { runMs, warmUpMs, clientProcesses }),
      },
    ],
    goals: GOALS,
  };
  return {
    name: 'catch-up',
    title: `a new backup is added to a primary of ${String(Math.round(bytesOf(content) / 1e6))} MB`,
    notes: [
      'From the command that adds it until it is counted, with its data on its disk. Then once more beside writes: SET of 64 B,',
      `${String(CLIENTS)} clients, no pipeline, which go on; alone is right before. Primary, backup and clients share the machine.`,
    ],
    metrics: METRICS,
    cases: [only],
  };
}

type Times = Pick<Sizes, 'runMs' | 'warmUpMs' | 'clientProcesses'>;

async function prepare(directory: string, content: Content, times: Times): Promise<Subject> {
  const cluster = await OwnCluster.start(directory, { nodes: 1, failover: 'manual' });
  const [primary] = await cluster.servers();
  if (primary === undefined) throw new Error('there is no primary');
  await load(primary, content);
  return {
    measure: (round) => measure(cluster, primary, { directory, round, content, times }),
    close: async () => {
      await cluster.end();
      removeDirectory(directory);
    },
  };
}

interface Scene {
  readonly directory: string;
  readonly round: number;
  readonly content: Content;
  readonly times: Times;
}

async function measure(cluster: OwnCluster, primary: BenchServer, scene: Scene): Promise<Sample> {
  const { directory, round, content, times } = scene;
  const dbPath = (name: string): string => path.join(directory, `${name}-${String(round)}.json`);
  // How long a process takes to start is no part of it, nor what that costs the primary.
  const quietMs = await joinMs(cluster, await cluster.startNode(dbPath('quiet')));
  await cluster.dismissLast();
  const node = await cluster.startNode(dbPath('beside'));
  const clients = await LoadClients.start(planOf(primary), times.clientProcesses);
  try {
    await clients.during(() => pause(times.warmUpMs));
    const alone = await clients.during(() => pause(times.runMs));
    let besideMs = 0;
    const beside = await clients.during(async () => {
      besideMs = await joinMs(cluster, node);
    });
    return {
      'caught up': quietMs,
      fetched: bytesOf(content) / 1e6 / (quietMs / 1000),
      'caught up beside writes': besideMs,
      'writes alone': alone.requestsPerSecond,
      'writes beside a catch-up': beside.requestsPerSecond,
      'share of writes': beside.requestsPerSecond / alone.requestsPerSecond,
      'p99 alone': alone.p99Ms,
      'p99 beside a catch-up': beside.p99Ms,
    };
  } finally {
    await clients.stop();
    await cluster.dismissLast();
  }
}

/** From the command that adds a new backup until it is a member. */
async function joinMs(cluster: OwnCluster, node: Node): Promise<number> {
  const fromMs = performance.now();
  await cluster.join(node);
  return performance.now() - fromMs;
}

function planOf({ host, port }: BenchServer): LoadPlan {
  return {
    host,
    port,
    protocol: 'resp',
    clients: CLIENTS,
    pipeline: 1,
    readsPercent: 0,
    keys: WRITTEN_KEYS,
    valueBytes: SMALL_VALUE_BYTES,
  };
}
