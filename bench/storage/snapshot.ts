import { contendersOf } from '../comparison.js';
import type { Case, Figure, Sample, Subject } from '../comparison.js';
import { bytesOf, load } from '../entries.js';
import type { Content } from '../entries.js';
import { pause } from '../first-answer.js';
import type { Goal } from '../goals.js';
import { removeDirectory } from '../leftovers.js';
import { LightLoad } from '../light-load.js';
import type { Peer } from '../peers.js';
import { forgetPeak, memoryOf } from '../process-files.js';
import { PingWatch } from '../server-process.js';
import type { BenchServer } from '../server-process.js';
import { settledResidentBytes } from './settling.js';
import { STALL_METRICS, stallsDuring } from './stalls.js';
import { SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Where values are larger, what is light goes to keys of its own. */
const LIGHT_VALUE_BYTES_MAX = KIB;
const LIGHT: Content = { from: 500_000_000, entries: 1000, valueBytes: SMALL_VALUE_BYTES };

export function snapshotFigures(sizes: Sizes, peers: readonly Peer[]): Figure[] {
  const { entries, snapshotBytes, largeValueBytes } = sizes;
  const small: Content = { entries, valueBytes: SMALL_VALUE_BYTES };
  const large: Content[] = [
    { entries: snapshotBytes / KIB, valueBytes: KIB },
    { entries: snapshotBytes / largeValueBytes, valueBytes: largeValueBytes },
  ];
  const goal: Goal = {
    work: `longest stall while a snapshot of ${entries.toLocaleString('en')} entries is written`,
    metric: 'longest ping',
    unit: 'ms',
    better: 'less',
    bound: 10,
    aim: 4,
  };
  return [
    figureOf('snapshot', [{ ...caseOf(small, sizes, peers), goals: [goal] }]),
    {
      ...figureOf(
        'snapshot-large',
        large.map((content) => caseOf(content, sizes, peers)),
      ),
      isOnRequest: true,
    },
  ];
}

function figureOf(name: string, cases: readonly Case[]): Figure {
  return {
    name,
    title: 'SNAPSHOT (Redis: BGSAVE) beside a light load of 1,000 GET and SET a second',
    notes: [
      'Stalls are the longest waits of a client that pings every millisecond; "before" is the same load without a snapshot.',
      'Extra memory is the highest during the snapshot minus before. Redis: with what its child copied (rdb_last_cow_size).',
      'With large values the load goes to a thousand small keys of its own.',
    ],
    metrics: [
      { name: 'longest ping', unit: 'ms', digits: 1 },
      { name: 'p99 of pings', unit: 'ms', digits: 2 },
      { name: 'longest ping before', unit: 'ms', digits: 1 },
      ...STALL_METRICS,
      { name: 'took', unit: 'ms', digits: 0 },
      { name: 'keys and values', unit: 'MB/s', digits: 0 },
      { name: 'memory before', unit: 'MiB', digits: 1 },
      { name: 'extra memory', unit: 'MiB', digits: 1 },
    ],
    cases,
  };
}

function caseOf(content: Content, times: Times, peers: readonly Peer[]): Case {
  const { entries, valueBytes } = content;
  const size = valueBytes < KIB ? `${String(valueBytes)} B` : `${String(valueBytes / KIB)} KiB`;
  return {
    name: `${entries.toLocaleString('en')} x ${size}`,
    contenders: contendersOf(
      peers,
      (peer) => peer.settings('off'),
      (peer, directory) => prepare(peer, directory, content, times),
    ),
  };
}

async function prepare(peer: Peer, directory: string, content: Content, times: Times): Promise<Subject> {
  const server = await peer.start(directory, 'off', { isProbed: true });
  await load(server, content);
  const light = content.valueBytes > LIGHT_VALUE_BYTES_MAX ? LIGHT : content;
  if (light === LIGHT) await load(server, LIGHT);
  const watch = await PingWatch.start(server);
  return {
    measure: () => measure({ peer, server, watch, content, light, times }),
    close: async () => {
      await watch.stop();
      await server.kill();
      removeDirectory(directory);
    },
  };
}

/** The load alone is watched for as long as a run of throughput takes. */
type Times = Pick<Sizes, 'settledMs' | 'runMs'>;

interface Scene {
  readonly peer: Peer;
  readonly server: BenchServer;
  readonly watch: PingWatch;
  readonly content: Content;
  readonly light: Content;
  readonly times: Times;
}

async function measure({ peer, server, watch, content, light, times }: Scene): Promise<Sample> {
  const before = await settledResidentBytes(server.processId, times.settledMs);
  const load = await LightLoad.start(server, light);
  const idle = await watch.during(() => pause(times.runMs));
  forgetPeak(server.processId);
  let tookMs = 0;
  let elsewhereBytes = 0;
  const snapshot = async (): Promise<void> => {
    const fromMs = performance.now();
    ({ elsewhereBytes } = await peer.writeSnapshot(server));
    tookMs = performance.now() - fromMs;
  };
  let stalls: Sample = {};
  const pings = await watch.during(async () => {
    stalls = await stallsDuring(server, snapshot);
  });
  const { peakResidentBytes } = memoryOf(server.processId);
  await load.stop();
  return {
    'longest ping': pings.longestMs,
    'p99 of pings': pings.p99Ms,
    'longest ping before': idle.longestMs,
    ...stalls,
    took: tookMs,
    'keys and values': bytesOf(content) / 1e6 / (tookMs / 1000),
    'memory before': before / MIB,
    'extra memory': (peakResidentBytes - before + elsewhereBytes) / MIB,
  };
}
