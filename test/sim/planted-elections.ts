import { RULES } from '../../src/replication/rules.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { countOldTerms } from '../replication/wrong-rules.js';
import { applyAgain, forgetSessions, forgetVote } from './defects.js';
import { FORCED_OUT, LOST, STALE, TOO_EARLY, TWICE, UNREADABLE } from './findings.js';
import type { Plan } from './plan.js';
import type { Planted } from './planted.js';

/** Three nodes that make their own primary, and nobody who does anything about it. */
const ALONE: Partial<Plan> = {
  nodes: 3,
  acks: 'majority',
  failover: 'auto',
  fsync: 'always',
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 100, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  isLossy: false,
  operatorPauseMsMax: Infinity,
  quiet: undefined,
};

/** One node hears nobody for a while, or nobody hears it, and the primary works on. */
const ONE_AWAY: Partial<Plan> = {
  ...ALONE,
  faults: { kinds: ['isolate', 'deaf', 'mute', 'pause'], pauseMsMax: 2000, downMsMax: 500 },
  quiet: { removes: false },
};

const MANY_CRASHES = Array.from({ length: 12 }, () => 'crash in office' as const);

/** Whoever takes office loses it at once, and entries travel one by one. */
const SHORT_TERMS: Partial<Plan> = {
  ...ALONE,
  timing: {
    ...DEFAULT_TIMING,
    automatic: {
      heartbeatMs: 20,
      leaseMs: 80,
      answerMs: 60,
      resendMs: 30,
      electionMinMs: 150,
      electionMaxMs: 300,
    },
  },
  syncMsMax: 20,
  latencyMsMax: 20,
  windows: { bytes: 4096, messages: 1, messageBytes: 1 },
  clientOptions: { keys: ['a'], thinkMsMax: 50, valueBytesMax: 1, timeoutMs: 5000, usesSessions: false },
  faults: { kinds: [...MANY_CRASHES, 'kill'], pauseMsMax: 100, downMsMax: 1500 },
};

/** The members change, whoever is in office and however long. */
const CHANGES: Partial<Plan> = { ...SHORT_TERMS, nodes: 4, operatorPauseMsMax: 150 };

/** A primary that is cut off, goes on reading, and is succeeded. */
const CUT_PRIMARIES: Partial<Plan> = {
  ...ALONE,
  clients: 5,
  clientOptions: { keys: ['a'], thinkMsMax: 50, valueBytesMax: 1, timeoutMs: 200, usesSessions: false },
  faults: { kinds: ['isolate'], pauseMsMax: 3000, downMsMax: 500 },
};

/** Clients that send again what they had no answer to, while primaries come and go. */
const RETRIES: Partial<Plan> = {
  ...ALONE,
  snapshotLogBytes: 4096,
  clientOptions: {
    keys: ['a', 'b'],
    thinkMsMax: 100,
    valueBytesMax: 100,
    timeoutMs: 300,
    usesSessions: true,
  },
  faults: { kinds: ['kill', 'isolate', 'pause'], pauseMsMax: 2000, downMsMax: 1000 },
};

/** Defects that matter where the members make their own primary. */
export const PLANTED_ELECTIONS: readonly Planted[] = [
  { name: 'no pre-vote', rules: { asksFirst: false }, plan: ONE_AWAY, finds: FORCED_OUT, from: 1 },
  {
    name: 'vote not persisted, with elections',
    states: forgetVote,
    plan: { ...ALONE, faults: { kinds: ['kill', 'crash in office'], pauseMsMax: 2000, downMsMax: 500 } },
    finds: UNREADABLE,
    from: 1,
  },
  {
    name: 'old-term counting, with elections',
    rules: { committable: countOldTerms },
    plan: SHORT_TERMS,
    finds: LOST,
    from: 460,
  },
  {
    name: 'membership change before the first entry',
    rules: { changesOnlyServing: false },
    plan: CHANGES,
    finds: TOO_EARLY,
    from: 33,
  },
  {
    name: 'lease longer than the election timeout',
    rules: { countedLeaseMs: (grantedMs) => 4 * RULES.countedLeaseMs(grantedMs) },
    plan: CUT_PRIMARIES,
    finds: STALE,
    from: 19,
  },
  { name: 'session applied twice', sessions: applyAgain, plan: RETRIES, finds: TWICE, from: 1 },
  {
    name: 'sessions forgotten over a restart',
    sessions: forgetSessions,
    plan: RETRIES,
    finds: /the state of .* and elsewhere it was|answers nothing more: the state of/,
    from: 1,
  },
];
