import type { ReplicationRules } from '../../src/replication/rules.js';
import {
  ALL_TALK,
  ELECTING,
  ELECTING_UNDER_LEASES,
  NO_LEASE,
  SMALL_TALK,
  TIMING,
  allBut,
  pair,
  three,
} from './core-search-cases.js';
import type { Case } from './core-search-cases.js';
import { askNewest, countOldTerms, countUnderLater, takeAnyHalf, takeOwnLog } from './wrong-rules.js';

/** Wrong rules, which the search must find. They are those that the simulator finds. */

/** A wrong rule, and bounds within which it breaks something. */
export interface Planted extends Case {
  readonly rules: Partial<ReplicationRules>;
  readonly finds: RegExp;
  /** Steps that are taken before the search begins, where it would have to go too far. */
  readonly after?: readonly string[];
}

const LOST = /without entry|truncates|committed, and it was|diverged|misses|refuses a link/;

export const PLANTED: readonly Planted[] = [
  {
    name: 'half without confirmation',
    rules: { decidePromotion: takeAnyHalf },
    bounds: pair({ crashes: 2, ticks: 2, orders: 2 }, { prompt: SMALL_TALK, orders: ['others are down'] }),
    finds: LOST,
  },
  {
    name: 'only the newest membership binds',
    rules: { decidePromotion: askNewest },
    bounds: pair(
      { crashes: 1, ticks: 2, orders: 2 },
      { prompt: SMALL_TALK, orders: ['others are down', 'remove'] },
    ),
    finds: LOST,
  },
  {
    name: 'writes counted under the later membership',
    rules: { committable: countUnderLater },
    bounds: pair(
      { writes: 1, crashes: 1, ticks: 1, orders: 2 },
      { prompt: SMALL_TALK, orders: ['others are down', 'remove'] },
    ),
    finds: LOST,
  },
  {
    name: 'position reuse',
    rules: { takesNewTerm: false },
    bounds: pair({ writes: 2, crashes: 1, ticks: 1 }, { prompt: SMALL_TALK }),
    finds: /other bytes|is held by/,
  },
  {
    name: 'missing empty entry',
    rules: { opensTermFirst: false },
    bounds: pair(
      { writes: 1, crashes: 2, ticks: 2, orders: 2 },
      { prompt: SMALL_TALK, areCrashesSeen: true, areLinksPrompt: true, orders: ['others are down'] },
    ),
    finds: LOST,
  },
  {
    name: 'commit beyond what was matched',
    rules: { commitsOnlyMatched: false },
    bounds: three(
      { writes: 1, ticks: 1, orders: 1 },
      {
        prompt: allBut('append', 'heartbeat', 'probe'),
        orders: ['promote'],
        only: { ticks: [1], orders: [1] },
        areCrashesSeen: true,
        areLinksPrompt: true,
        isDiskPrompt: true,
        timing: NO_LEASE,
      },
    ),
    finds: LOST,
  },
  {
    name: 'lease forgotten over a restart',
    rules: { waitsAtStart: false },
    bounds: three(
      { writes: 1, crashes: 2, ticks: 1, orders: 1 },
      {
        prompt: ALL_TALK,
        orders: ['promote'],
        isCrashWhole: true,
        only: { crashes: [1, 2], ticks: [1], orders: [1] },
        isClockShared: true,
        areCrashesSeen: true,
        isDiskPrompt: true,
        timing: { ...TIMING, leaseMs: 3000 },
      },
    ),
    finds: /misses/,
  },
  {
    name: 'old-term counting',
    rules: { committable: countOldTerms },
    bounds: three(
      { writes: 1, crashes: 3, ticks: 2, orders: 1 },
      {
        prompt: allBut('append'),
        oneByOne: true,
        orders: ['promote'],
        only: { crashes: [0, 1], ticks: [0, 1], orders: [1] },
        isClockShared: true,
        areCrashesSeen: true,
        areLinksPrompt: true,
        isDiskPrompt: true,
        isCrashWhole: true,
        timing: { ...NO_LEASE, silentMs: 1000 },
      },
    ),
    finds: LOST,
    after: ['a client writes to A', 'A crashes', 'B: promote', 'B crashes'],
  },
  {
    name: 'the log of whoever is elected is taken as it is',
    rules: { decidePromotion: takeOwnLog },
    bounds: three(
      { writes: 1, crashes: 2, ticks: 4 },
      {
        ...ELECTING,
        prompt: allBut('append'),
        only: { crashes: [0], ticks: [1, 2] },
        areCrashesSeen: true,
        areLinksPrompt: true,
        isDiskPrompt: true,
        isCrashWhole: true,
      },
    ),
    finds: LOST,
  },
  {
    name: 'position reuse where the members elect',
    rules: { takesNewTerm: false },
    bounds: pair({ writes: 2, crashes: 1, ticks: 2 }, { ...ELECTING, prompt: SMALL_TALK }),
    finds: /other bytes|is held by/,
  },
  {
    name: 'a lease that is counted for longer than it was granted',
    rules: { countedLeaseMs: (grantedMs) => 10 * grantedMs },
    bounds: three(
      { writes: 1, ticks: 2, breaks: 1 },
      {
        ...ELECTING_UNDER_LEASES,
        prompt: ALL_TALK,
        only: { breaks: [0], ticks: [1] },
        areCrashesSeen: true,
        isDiskPrompt: true,
      },
    ),
    finds: /misses/,
  },
];
