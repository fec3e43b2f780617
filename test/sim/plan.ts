import type { AcksPolicy, FailoverPolicy, FsyncPolicy } from '../../src/engine.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import type { Timing, Windows } from '../../src/replication/timing.js';
import type { Random } from '../random.js';
import {
  CLOCK_FAULT_KINDS,
  FAULT_KINDS,
  LINK_FAULT_KINDS,
  PARTITION_KINDS,
  SHARED_FAULT_KINDS,
} from './faults.js';
import type { FaultKind, FaultOptions } from './faults.js';
import type { ClientOptions } from './clients.js';

/** All that nodes wait for takes a tenth of the time: ten times as much happens in a schedule. */
export const QUICK: Timing = {
  heartbeatMs: 100,
  silentMs: 500,
  leaseMs: 300,
  answerMs: 150,
  resendMs: 50,
  handOverMs: 500,
  commandMs: 1000,
  commitMs: 1,
  automatic: DEFAULT_TIMING.automatic,
};

/** What a seed decides before the run begins. */
export interface Plan {
  readonly nodes: number;
  readonly acks: AcksPolicy;
  /** What the operators begin with, and may change. */
  readonly failover: FailoverPolicy;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly snapshotLogBytes: number;
  readonly timing: Timing;
  /** How long a message takes at the most while the network is sound. */
  readonly latencyMsMax: number;
  /** How long the longest sync of a sound disk takes. */
  readonly syncMsMax: number;
  readonly windows: Windows;
  /** How many clients a node takes there to be. Of few, each small write is done while everything else waits. */
  readonly connections: number;
  readonly clients: number;
  readonly clientOptions: ClientOptions;
  readonly faults: FaultOptions;
  readonly isLossy: boolean;
  readonly operatorPauseMsMax: number;
  /** The operator does nothing but promote, and never with the word that others are down. */
  readonly onlyPromotes: boolean;
  readonly durationMs: number;
  /** A session that nobody uses for so long is ended. */
  readonly sessionIdleMs: number;
  /** How far the monotonic clocks go from the right pace, as a share of it. */
  readonly driftMax: number;
  /**
   * Only the last node, which never becomes primary, has anything wrong with it: the first one stays the primary all the while. With
   * `removes`, the operator takes the last one out meanwhile.
   */
  readonly quiet: { readonly removes: boolean } | undefined;
}

/** The pace of a clock within these is exact enough for leases, which are counted a tenth shorter than they are held. */
const DRIFT_MAX = 0.05;

const HOUR_MS = 3_600_000;
/** As the client library does by default. */
const CLIENT_TIMEOUT_MS = 5000;

/** Heartbeats are ten times as many: a shorter schedule takes as long. */
const DURATION_WITH_ELECTIONS_MS = 10_000;

/** Each draws what came later, so that all that was there before stays what it was. */
export interface Draws {
  readonly random: Random;
  readonly laterRandom: Random;
  readonly electionRandom: Random;
}

/**
 * Draws a schedule. Each kind of fault is in about half of them: with all of them at once, one would hide
 * what another one finds.
 */
export function drawPlan({ random, laterRandom, electionRandom }: Draws, given: Partial<Plan>): Plan {
  const failover = given.failover ?? (electionRandom.next() < 0.5 ? 'auto' : 'manual');
  const acks = given.acks ?? random.pick(['majority', 'majority', 'all', '0'] as const);
  const fsync = given.fsync ?? (random.next() < 0.9 ? 'always' : random.pick(['everysec', 'off'] as const));
  const chosen = FAULT_KINDS.filter(() => random.next() < 0.5);
  const addedLater = [...CLOCK_FAULT_KINDS, ...LINK_FAULT_KINDS].filter(() => laterRandom.next() < 0.4);
  // What is only safe from crashes of the process is not safe from a power cut.
  const isLegal = (kind: FaultKind): boolean => fsync === 'always' || kind !== 'power cut';
  const keys = ['a', 'b', 'c', 'd'].slice(0, 1 + random.below(4));
  const drawn: Plan = {
    nodes: random.pick([2, 3, 3, 5]),
    acks,
    failover,
    fsync,
    segmentBytes: random.pick([4096, 8192]),
    snapshotLogBytes: random.pick([4096, 16_384, 1_000_000]),
    timing: random.next() < 0.3 ? QUICK : DEFAULT_TIMING,
    latencyMsMax: random.pick([2, 2, 20]),
    syncMsMax: random.pick([1, 4, 4, 30]),
    windows: {
      bytes: random.pick([4096, 4 * 1024 * 1024]),
      messages: random.pick([2, 256]),
      messageBytes: random.pick([1, 256, 4096, 512 * 1024]),
    },
    clients: 1 + random.below(3),
    clientOptions: {
      keys,
      thinkMsMax: random.pick([300, 800, 2000]),
      valueBytesMax: random.pick([1, 100, 1500]),
      timeoutMs: CLIENT_TIMEOUT_MS,
      usesSessions: false,
    },
    faults: {
      kinds: [...chosen.filter(isLegal), ...addedLater],
      pauseMsMax: random.pick([2000, 5000, 10_000]),
      downMsMax: random.pick([500, 5000, 20_000]),
    },
    isLossy: random.next() < 0.1,
    onlyPromotes: false,
    operatorPauseMsMax: random.pick([2000, 6000, 20_000]),
    durationMs: 30_000,
    connections: random.pick([1, 1000]),
    driftMax: 0.01,
    sessionIdleMs: HOUR_MS,
    quiet: undefined,
  };
  const withElections = failover === 'auto' ? drawElections(electionRandom, drawn) : {};
  return { ...drawn, ...withElections, ...given };
}

/** What is different where the members make their own primary. */
function drawElections(random: Random, drawn: Plan): Partial<Plan> {
  const { faults, clientOptions } = drawn;
  const quiet = random.next() < 0.15 ? { removes: random.next() < 0.3 } : undefined;
  const partitions = PARTITION_KINDS.filter(() => random.next() < 0.4);
  const kinds = [...faults.kinds, ...partitions];
  const ofOne = kinds.filter((kind) => !SHARED_FAULT_KINDS.has(kind));
  return {
    nodes: random.pick(quiet === undefined ? [2, 3, 3, 3, 4, 5] : [3, 3, 4, 5]),
    acks: random.pick(['majority', 'majority', 'majority', 'all']),
    clientOptions: {
      ...clientOptions,
      thinkMsMax: random.pick([100, 300, 1000]),
      timeoutMs: random.pick([300, 1000, CLIENT_TIMEOUT_MS]),
      usesSessions: random.next() < 0.6,
    },
    faults: {
      kinds: quiet === undefined ? kinds : ofOne,
      pauseMsMax: random.pick([1000, 3000, 6000]),
      downMsMax: random.pick([500, 2000, 8000]),
    },
    operatorPauseMsMax: random.pick([1500, 4000, 12_000]),
    isLossy: quiet === undefined && drawn.isLossy,
    durationMs: DURATION_WITH_ELECTIONS_MS,
    driftMax: random.next() < 0.7 ? DRIFT_MAX : 0.01,
    sessionIdleMs: random.pick([1000, HOUR_MS, HOUR_MS]),
    quiet,
  };
}
