import type { Case, Figure } from '../comparison.js';
import { ETCD_SETTINGS, startEtcd } from '../etcd-process.js';
import type { Goal } from '../goals.js';
import { MEMCACHED_SETTINGS, startMemcached } from '../memcached-process.js';
import { OwnCluster } from '../own-cluster.js';
import { UNDERSTUDY } from '../peers.js';
import type { Durability, Installed, Peer } from '../peers.js';
import { REDIS_PAIR_SETTINGS, startRedisPair } from '../redis-process.js';
import { CLIENTS, SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';
import { drivenContender, drivenNotes } from './driven.js';
import type { Driven, DrivenWork } from './driven.js';
import { metricName, runMetrics } from './metrics.js';

/** Writes to several nodes take longer than to one, and so does setting all keys first. */
const REPLICATED_KEYS_MAX = 20_000;
const MIXED = 'mixed';
const SHARES = '10 % SET, 90 % GET';

/** What redis-benchmark cannot drive. */
export function drivenFigures(sizes: Sizes, installed: Installed): Figure[] {
  return [
    mixedFigure(sizes, installed.peers),
    ...(installed.versions.has('memcached') ? [memcachedFigure(sizes, installed.peers)] : []),
    pairFigure(sizes, installed),
    trioFigure(sizes, installed),
  ];
}

function lone(peer: Peer, durability: Durability): Driven {
  return {
    name: peer.name,
    settings: peer.settings(durability),
    protocol: 'resp',
    start: async (directory) => [await peer.start(directory, durability)],
  };
}

function figureOf(
  sizes: Sizes,
  name: string,
  title: string,
  notes: readonly string[],
  tests: readonly string[],
  cases: readonly Case[],
): Figure {
  const isReplicated = name === 'pair' || name === 'trio';
  return {
    name,
    title: `${title}; ${String(CLIENTS)} clients, keys of 16 B, values of ${String(SMALL_VALUE_BYTES)} B`,
    notes: [...notes, ...drivenNotes(sizes)],
    metrics: tests.flatMap((test) => runMetrics(test, { isReplicated })),
    cases,
  };
}

function caseOf(
  name: string,
  all: readonly Driven[],
  work: DrivenWork,
  sizes: Sizes,
  goals: readonly Goal[],
): Case {
  return { name, contenders: all.map((driven) => drivenContender(driven, work, sizes)), goals };
}

function rateGoal(test: string, against: string, work: string, bound: number, aim: number): Goal {
  return { work, metric: metricName(test, 'rate'), against, better: 'more', bound, aim };
}

function mixedFigure(sizes: Sizes, peers: readonly Peer[]): Figure {
  const each = (pipeline: number, bound: number, aim: number): Case => {
    const work = `${SHARES}, writes synced, pipeline ${String(pipeline)}`;
    const slowest: Goal = {
      work: `${work}: p99`,
      metric: metricName(MIXED, 'p99'),
      against: 'Redis',
      better: 'less',
      bound: 1.5,
      aim: 1,
    };
    return caseOf(
      `pipeline ${String(pipeline)}`,
      peers.map((peer) => lone(peer, 'always')),
      { tests: { [MIXED]: 90 }, pipeline, keys: sizes.entries },
      sizes,
      [rateGoal(MIXED, 'Redis', work, bound, aim), slowest],
    );
  };
  return figureOf(
    sizes,
    'mixed',
    `${SHARES}, synced before the reply on both`,
    [],
    [MIXED],
    [each(1, 1.1, 1.4), each(16, 1.4, 1.8)],
  );
}

function memcachedFigure(sizes: Sizes, peers: readonly Peer[]): Figure {
  const memcached: Driven = {
    name: 'memcached',
    settings: MEMCACHED_SETTINGS,
    protocol: 'memcached',
    start: async () => [await startMemcached()],
  };
  return figureOf(
    sizes,
    'memcached',
    'GET and SET, nothing synced, one request at a time',
    ['memcached keeps nothing on the disk; in its own text protocol.'],
    ['GET', 'SET'],
    [
      caseOf(
        'pipeline 1',
        [...peers.map((peer) => lone(peer, 'off')), memcached],
        { tests: { GET: 100, SET: 0 }, pipeline: 1, keys: sizes.entries },
        sizes,
        [],
      ),
    ],
  );
}

function ownCluster(nodes: number, failover: 'manual' | 'auto'): Driven {
  return {
    name: UNDERSTUDY.name,
    settings: `${String(nodes)} x kv server --failover ${failover} --log-level error, with --fsync always --acks majority as is usual`,
    protocol: 'resp',
    start: async (directory) => (await OwnCluster.start(directory, { nodes, failover })).servers(),
  };
}

function pairFigure(sizes: Sizes, { versions }: Installed): Figure {
  const redis: Driven = {
    name: 'Redis',
    settings: REDIS_PAIR_SETTINGS,
    protocol: 'resp',
    isWaitedFor: true,
    start: startRedisPair,
  };
  const contenders = [ownCluster(2, 'manual'), ...(versions.has('redis-server') ? [redis] : [])];
  const keys = Math.min(sizes.entries, REPLICATED_KEYS_MAX);
  const each = (pipeline: number, bound: number, aim: number): Case =>
    caseOf(`pipeline ${String(pipeline)}`, contenders, { tests: { SET: 0 }, pipeline, keys }, sizes, [
      rateGoal('SET', 'Redis', `SET with one backup, pipeline ${String(pipeline)}`, bound, aim),
    ]);
  return figureOf(
    sizes,
    'pair',
    'SET with one backup',
    [
      'Ours is on the disk of both before the reply. Redis 7.0 has it in the memory of both: each batch ends with WAIT 1, and it has',
      'nothing that waits for a disk of the replica (WAITAOF came with 7.2).',
    ],
    ['SET'],
    [each(1, 0.6, 0.8), each(16, 0.9, 1.2)],
  );
}

function trioFigure(sizes: Sizes, { versions }: Installed): Figure {
  const etcd: Driven = {
    name: 'etcd',
    settings: `3 x ${ETCD_SETTINGS}`,
    protocol: 'etcd',
    start: (directory) => startEtcd(directory, 3),
  };
  const contenders = [ownCluster(3, 'auto'), ...(versions.has('etcd') ? [etcd] : [])];
  const work = {
    tests: { SET: 0, GET: 100 },
    pipeline: 1,
    keys: Math.min(sizes.entries, REPLICATED_KEYS_MAX),
  };
  const goals = [
    rateGoal('SET', 'etcd', 'SET with three nodes, on the disks of a majority', 3, 5),
    rateGoal('GET', 'etcd', 'GET with three nodes, linearizable', 6, 11),
  ];
  return figureOf(
    sizes,
    'trio',
    'SET and GET with three nodes that make their own primary',
    [
      'On the disks of a majority before the reply, and reads are linearizable, on both. All clients are at the primary, for etcd at',
      'the leader. etcd is asked in its own protocol, gRPC; nothing is pipelined.',
    ],
    ['SET', 'GET'],
    [caseOf('no pipeline', contenders, work, sizes, goals)],
  );
}
