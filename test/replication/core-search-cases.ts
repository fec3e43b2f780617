import type { Message } from '../../src/replication/message.js';
import type { Timing } from '../../src/replication/timing.js';
import type { Bounds, Budget } from './core-search-world.js';

/** The bounds within which everything is tried. */

/** One tick may pass every limit but those of a whole command. */
export const TIMING: Timing = {
  heartbeatMs: 1000,
  silentMs: 4500,
  leaseMs: 1000,
  answerMs: 1000,
  resendMs: 250,
  handOverMs: 3000,
  commandMs: 8000,
  // Told at once, as one message more that may be lost: to be told later is the same.
  commitMs: 0,
  automatic: {
    heartbeatMs: 1000,
    leaseMs: 1000,
    answerMs: 1000,
    resendMs: 250,
    electionMinMs: 1000,
    electionMaxMs: 2000,
  },
};
/** Nobody promises to wait for anybody. */
export const NO_LEASE: Timing = { ...TIMING, leaseMs: 0, automatic: { ...TIMING.automatic, leaseMs: 0 } };
const TICK_MS = 1100;

export const NOTHING: Budget = {
  writes: 0,
  crashes: 0,
  ticks: 0,
  drops: 0,
  duplicates: 0,
  overtakings: 0,
  breaks: 0,
  trims: 0,
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

export const ALL_TALK: ReadonlySet<Message['kind']> = new Set([
  ...SMALL_TALK,
  'heartbeat',
  'append',
  'append answer',
  'fence',
  'fence answer',
  'left out',
]);

export function allBut(...kinds: Message['kind'][]): ReadonlySet<Message['kind']> {
  return new Set([...ALL_TALK].filter((kind) => !kinds.includes(kind)));
}

const NO_SNAPSHOTS: ReadonlySet<Message['kind']> = new Set(
  [...SMALL_TALK].filter((kind) => !kind.startsWith('snapshot')),
);

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

export function pair(budget: Partial<Budget>, other: Partial<Bounds> = {}): Bounds {
  return { ...PAIR, ...other, budget: { ...NOTHING, ...budget } };
}

export function three(budget: Partial<Budget>, other: Partial<Bounds> = {}): Bounds {
  return { ...PAIR, nodes: 3, prompt: SMALL_TALK, ...other, budget: { ...NOTHING, ...budget } };
}

const OPERATORS: Bounds['orders'] = ['promote', 'others are down', 'add', 'remove', 'backup is down'];
/** What is said of nodes that are down, and what goes before. */
const FORCING: Bounds['orders'] = ['others are down', 'remove', 'backup is down'];
/** The three are looked at in larger steps: what is certain to come comes at once. */
const LARGE_STEPS: Partial<Bounds> = { prompt: ALL_TALK, areCrashesSeen: true, isDiskPrompt: true };
const LEASES: Partial<Bounds> = { isClockShared: true, timing: { ...TIMING, leaseMs: 3000 } };

export const ELECTING: Partial<Bounds> = { failover: 'auto', orders: [] };
/** Leases last longer than one tick, and a primary that hears nobody stays longer than another one needs to be elected. */
export const ELECTING_UNDER_LEASES: Partial<Bounds> = {
  ...ELECTING,
  isClockShared: true,
  ticksMs: [TICK_MS, 4 * TICK_MS],
  timing: {
    ...TIMING,
    automatic: { ...TIMING.automatic, leaseMs: 3000, electionMinMs: 3500, electionMaxMs: 6000 },
  },
};

/** Everything that can happen within these is tried in each run of the tests. */
export const USUAL: readonly Case[] = [
  {
    name: 'three that hand over and read under leases',
    bounds: three(
      { writes: 1, ticks: 1, orders: 1 },
      {
        ...LARGE_STEPS,
        ...ELECTING_UNDER_LEASES,
        prompt: allBut('fence', 'fence answer'),
        orders: ['leave'],
      },
    ),
  },
  {
    name: 'a pair that elects',
    bounds: pair({ writes: 1, crashes: 1, ticks: 2 }, { ...ELECTING, prompt: SMALL_TALK }),
  },
  {
    name: 'three that elect, in larger steps',
    bounds: three({ writes: 1, crashes: 1, ticks: 3 }, { ...LARGE_STEPS, ...ELECTING }),
  },
  {
    name: 'three that elect and read under leases, in larger steps',
    bounds: three({ writes: 1, ticks: 2, breaks: 1 }, { ...LARGE_STEPS, ...ELECTING_UNDER_LEASES }),
  },
  {
    name: 'a pair, message by message',
    bounds: pair({ crashes: 1, ticks: 1, orders: 1 }),
  },
  {
    name: 'a pair with a network that loses, doubles and reorders',
    bounds: pair({ writes: 1, ticks: 1, drops: 1, duplicates: 1, overtakings: 1, breaks: 1 }),
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
    name: 'a pair that gives up data, and comes together again',
    bounds: pair(
      { crashes: 1, orders: 3 },
      { prompt: SMALL_TALK, isCrashWhole: true, orders: ['accept loss', 'add', 'remove'] },
    ),
  },
  {
    name: 'a pair that is made from a snapshot',
    bounds: pair(
      { crashes: 1, ticks: 1, trims: 1, orders: 1 },
      { members: 1, prompt: NO_SNAPSHOTS, areCrashesSeen: true, orders: ['add'] },
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
    name: 'three that change their policy and read under leases, in larger steps',
    bounds: three(
      { writes: 1, crashes: 1, ticks: 2, orders: 2 },
      {
        ...LARGE_STEPS,
        ...ELECTING_UNDER_LEASES,
        failover: 'manual',
        isCrashWhole: true,
        only: { crashes: [1], ticks: [2] },
        orders: ['set failover', 'promote'],
      },
    ),
  },
  {
    name: 'three that elect, with what decides message by message',
    bounds: three(
      { writes: 1, crashes: 1, ticks: 3 },
      {
        ...ELECTING,
        prompt: allBut('fence', 'fence answer', 'append'),
        areCrashesSeen: true,
        isDiskPrompt: true,
      },
    ),
  },
  {
    name: 'three that elect twice, in larger steps',
    bounds: three({ writes: 1, crashes: 2, ticks: 5 }, { ...LARGE_STEPS, ...ELECTING }),
  },
  {
    name: 'three that elect, are removed and hand over, in larger steps',
    bounds: three(
      { writes: 1, crashes: 1, ticks: 2, orders: 2 },
      { ...LARGE_STEPS, ...ELECTING, orders: ['leave', 'remove', 'set failover', 'promote'] },
    ),
  },
  {
    name: 'a pair that gives up data while it writes, and comes together again',
    bounds: pair(
      { writes: 1, crashes: 1, ticks: 1, orders: 3 },
      { prompt: SMALL_TALK, orders: ['accept loss', 'add', 'remove'] },
    ),
  },
  {
    name: 'a pair that is made from a snapshot while it writes',
    bounds: pair(
      { writes: 1, crashes: 1, ticks: 1, trims: 1, orders: 1 },
      { members: 1, prompt: NO_SNAPSHOTS, orders: ['add'] },
    ),
  },
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
    name: 'three whose disks take their time, in larger steps',
    bounds: three(
      { writes: 1, crashes: 2, orders: 1 },
      {
        ...LARGE_STEPS,
        prompt: allBut('append'),
        isDiskPrompt: false,
        isCrashWhole: true,
        areLinksPrompt: true,
        timing: NO_LEASE,
        orders: ['promote'],
        only: { crashes: [0, 1], orders: [2] },
      },
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

const MUCH: Budget = {
  writes: 8,
  crashes: 5,
  ticks: 40,
  drops: 6,
  duplicates: 4,
  overtakings: 6,
  breaks: 6,
  trims: 2,
  orders: 10,
};

/** Too much to try everything: walks at random. */
export const WIDE: readonly Case[] = [
  {
    name: 'a pair, message by message',
    bounds: pair(MUCH, { orders: OPERATORS, termsMax: 12, inFlightMax: 6 }),
  },
  {
    name: 'a pair with a slow disk',
    bounds: pair(MUCH, { orders: OPERATORS, termsMax: 12, inFlightMax: 6, isDiskSlow: true }),
  },
  {
    name: 'a pair that gives up data',
    bounds: pair(MUCH, { orders: [...OPERATORS, 'accept loss'], termsMax: 12, inFlightMax: 6 }),
  },
  {
    name: 'three, message by message',
    bounds: three(MUCH, { prompt: NO_MESSAGES, orders: OPERATORS, termsMax: 12, inFlightMax: 6 }),
  },
  {
    name: 'three with leases, where what is certain to come comes at once',
    bounds: three(MUCH, {
      ...LARGE_STEPS,
      isClockShared: true,
      ticksMs: [500, TICK_MS],
      timing: { ...TIMING, leaseMs: 3000 },
      orders: OPERATORS,
      termsMax: 12,
    }),
  },
  {
    name: 'a pair to which a third one is added',
    bounds: three(MUCH, { members: 2, orders: OPERATORS, termsMax: 12, inFlightMax: 6 }),
  },
];
