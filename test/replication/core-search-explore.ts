import type { Message } from '../../src/replication/message.js';
import { keyOf } from './core-search-key.js';
import { successors } from './core-search-moves.js';
import { Turn } from './core-search-turn.js';
import { NAMES, newDisk, peerOf } from './core-search-world.js';
import type { Bounds, Budget, NodeWorld, World } from './core-search-world.js';
import type { CommandId } from '../../src/replication/state.js';

export interface Found {
  readonly states: number;
  readonly transitions: number;
  /** How many steps lead to the farthest world. */
  readonly depth: number;
  /** Whether everything within the bounds was seen. */
  readonly isComplete: boolean;
  readonly violation: string | undefined;
  /** The steps that lead there: there is no shorter way. */
  readonly trace: readonly string[];
}

/** Breadth first over everything that can happen within the bounds, up to a number of worlds. */
export function explore(bounds: Bounds, statesMax: number, initial = established(bounds)): Found {
  const seen = new Set([keyOf(initial, bounds)]);
  const names: string[] = [''];
  const parents: number[] = [-1];
  let transitions = 0;
  const found = (isComplete: boolean, violation?: string, at = 0, last = ''): Found => {
    const depth = traceTo(names, parents, names.length - 1).length;
    const trace = violation === undefined ? [] : [...traceTo(names, parents, at), last];
    return { states: seen.size, transitions, depth, isComplete, violation, trace };
  };
  let layer: World[] = [initial];
  let first = 0;
  while (layer.length > 0) {
    const next: World[] = [];
    for (const [offset, world] of layer.entries()) {
      for (const { name, world: reached, violation } of successors(world, bounds)) {
        transitions++;
        if (violation !== undefined) return found(false, violation, first + offset, name);
        const key = keyOf(reached!, bounds);
        if (seen.has(key)) continue;
        seen.add(key);
        names.push(name);
        parents.push(first + offset);
        next.push(reached!);
        if (seen.size >= statesMax) return found(false);
      }
    }
    first += layer.length;
    layer = next;
  }
  return found(true);
}

/** The world that these steps lead to. */
export function played(bounds: Bounds, steps: readonly string[]): World {
  let world = established(bounds);
  for (const step of steps) {
    const next = [...successors(world, bounds)].find(({ name }) => name === step);
    if (next?.world === undefined) throw new Error(`not possible: ${step}`);
    world = next.world;
  }
  return world;
}

function traceTo(names: readonly string[], parents: readonly number[], at: number): string[] {
  const trace: string[] = [];
  for (let next = at; next > 0; next = parents[next]!) trace.push(names[next]!);
  return trace.reverse();
}

const NOTHING: Budget = {
  writes: 0,
  crashes: 0,
  ticks: 0,
  drops: 0,
  duplicates: 0,
  overtakings: 0,
  breaks: 0,
  orders: 0,
};
const EVERYTHING: ReadonlySet<Message['kind']> = new Set([
  'heartbeat',
  'heartbeat answer',
  'probe',
  'probe answer',
  'append',
  'append answer',
  'mismatch',
  'snapshot part',
  'snapshot answer',
  'left out',
  'left out answer',
]);

/** A is the primary, and all the others are its members. */
export function established(bounds: Bounds): World {
  const calm: Bounds = {
    ...bounds,
    rules: {},
    inFlightMax: 100,
    prompt: EVERYTHING,
    isDiskPrompt: true,
    isDiskSlow: false,
    areLinksPrompt: false,
    areCrashesSeen: false,
  };
  const nodes = NAMES.slice(0, bounds.nodes).map((_, at) => newNode(at));
  const ghost = { committed: [], acknowledged: 0, isLossy: false, holders: new Map<number, string>() };
  const turn = new Turn({ nodes, links: [], ghost, budget: NOTHING }, calm);
  turn.start(0);
  turn.run();
  for (let at = 1; at < (bounds.members ?? bounds.nodes); at++) {
    turn.start(at);
    turn.run();
    const change = { kind: 'addBackup', peer: peerOf(at) } as const;
    turn.input(0, { kind: 'command', command: 1 as CommandId, change });
    turn.run();
    turn.connect(0, at);
    turn.run();
  }
  for (let at = bounds.members ?? bounds.nodes; at < bounds.nodes; at++) {
    turn.start(at);
    turn.run();
  }
  // Everybody has heard the primary of late.
  turn.input(0, { kind: 'confirm reads' });
  turn.run();
  return withRules({ ...turn.world, budget: bounds.budget }, bounds);
}

function newNode(at: number): NodeWorld {
  return {
    at,
    state: undefined,
    disk: newDisk(at),
    unwritten: [],
    waiting: [],
    reached: [],
    order: undefined,
    crashes: 0,
    told: 0,
  };
}

/** From here on by these rules, right or wrong. */
function withRules(world: World, { rules }: Bounds): World {
  if (rules === undefined) return world;
  const nodes = world.nodes.map((node) => ({
    ...node,
    state: node.state && { ...node.state, rules: { ...node.state.rules, ...rules } },
  }));
  return { ...world, nodes };
}
