import type { Message } from '../../src/replication/message.js';
import { RULES } from '../../src/replication/rules.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Timing } from '../../src/replication/state.js';
import type { Bounds, Budget } from './core-search-world.js';

/** The bounds within which everything is tried. */

/** One tick may pass every limit but those of a whole command. */
const TIMING: Timing = {
  heartbeatMs: 1000,
  silentMs: 4500,
  leaseMs: 1000,
  answerMs: 1000,
  resendMs: 250,
  handOverMs: 3000,
  commandMs: 8000,
};
/** Nobody promises to wait for anybody. */
const NO_LEASE: Timing = { ...TIMING, leaseMs: 0 };
const TICK_MS = 1100;

export const NOTHING: Budget = {
  writes: 0,
  crashes: 0,
  ticks: 0,
  drops: 0,
  duplicates: 0,
  overtakings: 0,
  breaks: 0,
  orders: 0,
};

/** What only asks, or only says that it has arrived: whether it does is tried elsewhere. */
export const SMALL_TALK: ReadonlySet<Message['kind']> = new Set([
  'heartbeat answer',
  'probe',
  'probe answer',
  'mismatch',
  'survey',
  'survey answer',
  'fetch',
  'supply',
  'hand over',
  'hand over answer',
  'left out answer',
  'snapshot part',
  'snapshot answer',
]);

const ALL_TALK: ReadonlySet<Message['kind']> = new Set([
  ...SMALL_TALK,
  'heartbeat',
  'append',
  'append answer',
  'fence',
  'fence answer',
  'left out',
]);

function allBut(...kinds: Message['kind'][]): ReadonlySet<Message['kind']> {
  return new Set([...ALL_TALK].filter((kind) => !kinds.includes(kind)));
}

export const NO_MESSAGES: ReadonlySet<Message['kind']> = new Set();

const PAIR: Bounds = {
  nodes: 2,
  budget: NOTHING,
  orders: ['promote', 'others are down'],
  inFlightMax: 3,
  prompt: NO_MESSAGES,
  areCrashesSeen: false,
  areLinksPrompt: false,
  isDiskPrompt: false,
  isDiskSlow: false,
  oneByOne: false,
  ticksMs: [TICK_MS],
  isClockShared: false,
  termsMax: 4,
  timing: TIMING,
};

export interface Case {
  readonly name: string;
  readonly bounds: Bounds;
}

function pair(budget: Partial<Budget>, other: Partial<Bounds> = {}): Bounds {
  return { ...PAIR, ...other, budget: { ...NOTHING, ...budget } };
}

function three(budget: Partial<Budget>, other: Partial<Bounds> = {}): Bounds {
  return { ...PAIR, nodes: 3, prompt: SMALL_TALK, ...other, budget: { ...NOTHING, ...budget } };
}

const OPERATORS: Bounds['orders'] = ['promote', 'others are down', 'add', 'remove', 'backup is down'];
/** What is said of nodes that are down, and what goes before. */
const FORCING: Bounds['orders'] = ['others are down', 'remove', 'backup is down'];
/** The three are looked at in larger steps: what is certain to come comes at once. */
const LARGE_STEPS: Partial<Bounds> = { prompt: ALL_TALK, areCrashesSeen: true, isDiskPrompt: true };
const LEASES: Partial<Bounds> = { isClockShared: true, timing: { ...TIMING, leaseMs: 3000 } };

/** Everything that can happen within these is tried in each run of the tests. */
export const USUAL: readonly Case[] = [
  {
    name: 'a pair, message by message',
    bounds: pair({ crashes: 1, ticks: 1, orders: 1 }),
  },
  {
    name: 'a pair with a network that loses, doubles and reorders',
    bounds: pair({ writes: 1, ticks: 1, drops: 1, duplicates: 1, overtakings: 1 }),
  },
  {
    name: 'a pair with a slow disk',
    bounds: pair({ writes: 1, crashes: 1, orders: 1 }, { isDiskSlow: true, prompt: SMALL_TALK }),
  },
  {
    name: 'a pair and its operators',
    bounds: pair({ crashes: 1, ticks: 1, orders: 2 }, { prompt: SMALL_TALK, orders: FORCING }),
  },
  {
    name: 'a pair that is made',
    bounds: pair({ crashes: 1, ticks: 1, orders: 1 }, { members: 1, orders: ['add'] }),
  },
  {
    name: 'a pair that gives up data',
    bounds: pair(
      { writes: 1, crashes: 1, ticks: 1, orders: 1 },
      { prompt: SMALL_TALK, orders: ['accept loss'] },
    ),
  },
  {
    name: 'three and their operators, in larger steps',
    bounds: three({ crashes: 1, ticks: 1, orders: 1 }, { ...LARGE_STEPS, orders: OPERATORS }),
  },
  {
    name: 'three that read under leases, in larger steps',
    bounds: three({ writes: 1, crashes: 1, ticks: 1, orders: 1 }, { ...LARGE_STEPS, ...LEASES }),
  },
];

/** What takes minutes. */
export const LARGE: readonly Case[] = [
  {
    name: 'a pair and all its operators',
    bounds: pair({ crashes: 1, ticks: 1, orders: 2 }, { prompt: SMALL_TALK, orders: OPERATORS }),
  },
  {
    name: 'a pair that crashes twice',
    bounds: pair({ crashes: 2, ticks: 1, orders: 1 }, { prompt: SMALL_TALK, orders: OPERATORS }),
  },
  {
    name: 'a pair, message by message, with a write',
    bounds: pair({ writes: 1, crashes: 1, ticks: 1, orders: 1 }, { orders: OPERATORS }),
  },
  {
    name: 'a pair, message by message, with two ticks',
    bounds: pair({ writes: 1, crashes: 1, ticks: 2, orders: 1 }),
  },
  {
    name: 'a pair with a network that loses, doubles, reorders and breaks',
    bounds: pair({ writes: 1, ticks: 1, drops: 1, duplicates: 1, overtakings: 1, breaks: 1, orders: 1 }),
  },
  {
    name: 'a pair with a slow disk and its operators',
    bounds: pair(
      { writes: 1, crashes: 1, ticks: 1, orders: 1 },
      { isDiskSlow: true, prompt: SMALL_TALK, orders: OPERATORS },
    ),
  },
  {
    name: 'a pair that crashes twice, and its operators',
    bounds: pair({ writes: 1, crashes: 2, ticks: 1, orders: 2 }, { prompt: SMALL_TALK, orders: OPERATORS }),
  },
  {
    name: 'a pair that is made, and writes',
    bounds: pair({ writes: 1, crashes: 1, ticks: 1, orders: 1 }, { members: 1, orders: ['add'] }),
  },
  {
    name: 'a pair that gives up data twice',
    bounds: pair(
      { writes: 2, crashes: 2, ticks: 2, orders: 2 },
      { prompt: SMALL_TALK, orders: ['accept loss', 'add'] },
    ),
  },
  {
    name: 'three, with what decides message by message',
    bounds: three(
      { crashes: 1, ticks: 1, orders: 1 },
      { areCrashesSeen: true, isDiskPrompt: true, orders: OPERATORS },
    ),
  },
  {
    name: 'three and their operators, in larger steps, with a write',
    bounds: three({ writes: 1, crashes: 2, ticks: 2, orders: 2 }, { ...LARGE_STEPS, orders: OPERATORS }),
  },
  {
    name: 'three that are cut off and read under leases, in larger steps',
    bounds: three({ writes: 1, crashes: 1, ticks: 1, breaks: 1, orders: 1 }, { ...LARGE_STEPS, ...LEASES }),
  },
];

/** Entries of earlier terms are counted by themselves, and not only with the opening of the current one. */
const countOldTerms: ReplicationRules['committable'] = (open, durable) =>
  RULES.committable(
    open.map((range) => ({ ...range, isWhole: false })),
    durable,
  );

const takeAnyHalf: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const confirmed = answers.map((answer) => ({ ...answer, isConfirmed: true }));
  return RULES.decidePromotion(candidate, confirmed, terms);
};

/** Of all memberships that may last, only the newest one is asked. */
const askNewest: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const narrowed = answers.map((answer) => {
    const { committed, open } = answer.memberships;
    return { ...answer, memberships: { committed: open.at(-1) ?? committed, open: [] } };
  });
  return RULES.decidePromotion(candidate, narrowed, terms);
};

/** What was appended before a change of the membership is counted as if it came behind it. */
const countUnderLater: ReplicationRules['committable'] = (open, durable) => {
  const later = open.at(-1)?.needs.at(-1);
  return RULES.committable(
    open.map((range) => (range.isWhole || later === undefined ? range : { ...range, needs: [later] })),
    durable,
  );
};

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
];
