import type { NodeClock } from '../../src/clock.js';
import type { Log, NodeStates } from '../../src/node/ports.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Files } from '../../src/storage/files.js';
import type { Sessions } from '../../src/store/sessions.js';
import type { Table } from '../../src/store/table.js';
import { askNewest, countOldTerms, countUnderLater, takeAnyHalf } from '../replication/wrong-rules.js';
import { appendEarly, claimWhatIsThere, forgetVote, misapply, skipDirectorySync } from './defects.js';
import type { FaultOptions } from './faults.js';
import { LOST, STALE, UNREADABLE } from './findings.js';
import { QUICK } from './plan.js';
import type { Plan } from './plan.js';
import { PLANTED_ELECTIONS } from './planted-elections.js';
import { runSeeds } from './seeds.js';
import type { Campaign } from './seeds.js';
import type { Result } from './simulate.js';
import type { StartNode } from './sim-node.js';

/** One defect, and where it is put in. */
export interface Planted {
  readonly name: string;
  readonly rules?: Partial<ReplicationRules>;
  /** `isPrimary` says what the node is at that moment. */
  log?(log: Log, isPrimary: () => boolean): Log;
  /** `log` is the log without the defect. */
  states?(states: NodeStates, log: () => Log | undefined): NodeStates;
  files?(files: Files): Files;
  /** The nodes have to find it by themselves: the simulator compares no states then. */
  table?(table: Table, address: string): void;
  clock?(clock: NodeClock): NodeClock;
  sessions?(sessions: Sessions): void;
  /** How the schedules must be for it to matter. */
  readonly plan: Partial<Plan>;
  /** The checks that may find it, and no others. */
  readonly finds: RegExp;
  /** A seed that finds it: where the search begins. */
  readonly from: number;
}

/** Without a power cut, what was written is not lost. */
const POWER_CUTS: Partial<Plan> = {
  fsync: 'always',
  faults: { kinds: ['power cut', 'kill', 'slow disk', 'isolate'], pauseMsMax: 3000, downMsMax: 3000 },
};

/** Writes wait for a slow disk, and the power goes before they are on it. */
const LOST_WRITES: Partial<Plan> = {
  nodes: 2,
  acks: '0',
  fsync: 'always',
  timing: QUICK,
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 150, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: ['power cut', 'slow disk', 'slow disk', 'isolate'], pauseMsMax: 800, downMsMax: 500 },
};

/** The power of all but one goes at once. */
const CUTS_OF_MANY: FaultOptions = {
  kinds: ['rack', 'power cut', 'slow disk', 'slow disk', 'isolate'],
  pauseMsMax: 800,
  downMsMax: 500,
};

/** Whoever takes office loses it at once, and its entries travel one by one. */
const SHORT_TERMS: Partial<Plan> = {
  nodes: 3,
  acks: 'majority',
  fsync: 'always',
  timing: { ...QUICK, leaseMs: 50 },
  syncMsMax: 20,
  latencyMsMax: 20,
  windows: { bytes: 4096, messages: 1, messageBytes: 1 },
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 50, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: ['crash in office'], pauseMsMax: 150, downMsMax: 400 },
  operatorPauseMsMax: 500,
  onlyPromotes: true,
};

/** Voters that all restart at once, beside a primary that is cut off and still reads, and are asked at once. */
const RESTARTED_VOTERS: Partial<Plan> = {
  nodes: 3,
  acks: 'majority',
  fsync: 'always',
  timing: { ...QUICK, leaseMs: 3000 },
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 100, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: ['rack'], pauseMsMax: 8000, downMsMax: 50 },
  operatorPauseMsMax: 600,
  onlyPromotes: true,
};

/** Primaries that sleep, and are succeeded meanwhile. */
const SLEEPING_PRIMARIES: Partial<Plan> = {
  nodes: 3,
  acks: 'majority',
  fsync: 'always',
  timing: QUICK,
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 100, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: ['suspend'], pauseMsMax: 2000, downMsMax: 500 },
  operatorPauseMsMax: 600,
  onlyPromotes: true,
};

/** Pairs whose members come and go. */
const CHANGING_PAIR: Partial<Plan> = {
  nodes: 2,
  acks: 'majority',
  fsync: 'always',
  timing: QUICK,
  clients: 2,
  clientOptions: { keys: ['a'], thinkMsMax: 200, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: ['kill', 'isolate', 'crash in office', 'cut one way'], pauseMsMax: 1500, downMsMax: 2000 },
  operatorPauseMsMax: 800,
};

/** Marks come often, and whoever starts as primary stays it. */
const CALM_STATES: Partial<Plan> = {
  acks: 'majority',
  segmentBytes: 4096,
  snapshotLogBytes: 4096,
  clients: 3,
  clientOptions: {
    keys: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    thinkMsMax: 50,
    valueBytesMax: 100,
    timeoutMs: 5000,
    usesSessions: false,
  },
  faults: { kinds: ['slow disk'], pauseMsMax: 5000, downMsMax: 500 },
  isLossy: false,
  operatorPauseMsMax: 60_000,
};

/** Defects that matter where a person makes another primary. */
const PLANTED_BY_HAND: readonly Planted[] = [
  {
    name: 'reply before fsync',
    log: (log, isPrimary) => appendEarly(log, isPrimary),
    states: claimWhatIsThere,
    plan: LOST_WRITES,
    finds: LOST,
    from: 1,
  },
  {
    name: 'backup acknowledges before it is durable',
    log: (log, isPrimary) => appendEarly(log, () => !isPrimary()),
    states: claimWhatIsThere,
    plan: { ...LOST_WRITES, nodes: 3, acks: 'majority', faults: { ...CUTS_OF_MANY } },
    finds: LOST,
    from: 111,
  },
  { name: 'vote not persisted', states: forgetVote, plan: { nodes: 3 }, finds: UNREADABLE, from: 1 },
  { name: 'skipped directory fsync', files: skipDirectorySync, plan: POWER_CUTS, finds: UNREADABLE, from: 1 },
  {
    name: 'old-term counting',
    rules: { committable: countOldTerms },
    plan: SHORT_TERMS,
    finds: LOST,
    from: 200,
  },
  {
    name: 'missing empty entry',
    rules: { opensTermFirst: false },
    plan: SHORT_TERMS, // What a forced promotion decides stands in that entry. In 300 schedules nothing was lost by its absence.
    finds: /does not come together again/,
    from: 1,
  },
  {
    name: 'position reuse',
    rules: { takesNewTerm: false },
    plan: { ...LOST_WRITES, acks: 'majority' },
    finds: /has other bytes at entry/,
    from: 1,
  },
  {
    name: 'half without confirmation',
    rules: { decidePromotion: takeAnyHalf },
    plan: CHANGING_PAIR,
    finds: LOST,
    from: 1,
  },
  {
    name: 'lease forgotten over a restart',
    rules: { waitsAtStart: false },
    plan: RESTARTED_VOTERS,
    finds: STALE,
    from: 136,
  },
  {
    name: 'lease believed over a suspension',
    clock: (clock) => ({ ...clock, wallMs: () => clock.nowMs() }),
    plan: SLEEPING_PRIMARIES,
    finds: STALE,
    from: 20,
  },
  {
    name: 'only the newest membership binds',
    rules: { decidePromotion: askNewest },
    plan: CHANGING_PAIR,
    finds: LOST,
    from: 28,
  },
  {
    name: 'writes counted under the later membership',
    rules: { committable: countUnderLater },
    plan: CHANGING_PAIR,
    finds: LOST,
    from: 47,
  },
  {
    name: 'commit beyond what was matched',
    rules: { commitsOnlyMatched: false },
    plan: SHORT_TERMS,
    finds: LOST,
    from: 1,
  },
  {
    name: 'a backup of a pair loses an entry while it applies',
    table: misapply('10.0.0.2', true),
    plan: { ...CALM_STATES, nodes: 2 },
    finds: /^n2 answers nothing more: the state of this node .* nobody can know/,
    from: 1,
  },
  {
    name: 'a backup of three alters an entry while it applies',
    table: misapply('10.0.0.3', false),
    plan: { ...CALM_STATES, nodes: 3 },
    finds: /^n3 answers nothing more: the state of this node .* the data of this node is wrong/,
    from: 1,
  },
  {
    name: 'the primary of three alters an entry while it applies',
    table: misapply('10.0.0.1', false),
    plan: { ...CALM_STATES, nodes: 3 },
    finds: /^n1 answers nothing more: the state of this node, the primary, .* the data of this node is wrong/,
    from: 1,
  },
];

/** Every defect that the simulator must find. */
export const PLANTED = [...PLANTED_BY_HAND, ...PLANTED_ELECTIONS];

/** Runs seeds with a defect until a check finds it, or `seedsMax` have found nothing. */
export function findPlanted(
  planted: Planted,
  startNode: StartNode,
  from: number,
  seedsMax: number,
): Promise<Campaign> {
  const isFound = ({ violation }: Result): boolean =>
    violation !== undefined && planted.finds.test(violation);
  const plan = { failover: 'manual', ...planted.plan } as const;
  return runSeeds({ from, count: seedsMax }, { startNode, planted, plan }, isFound);
}
