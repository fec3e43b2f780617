import { termCount } from '../../src/log/term.js';
import type { Change, CommandId } from '../../src/replication/state.js';
import { configurationInForce, nodesOf } from '../../src/replication/turn.js';
import type { Random } from '../random.js';
import { Violation } from '../sim/violation.js';
import { checkWorld } from './core-search-checks.js';
import { missing, wantedLinks } from './core-search-links.js';
import { Turn, Untruthful } from './core-search-turn.js';
import { NAMES, peerOf, writeFrame } from './core-search-world.js';
import type { Bounds, Budget, LinkWorld, NodeWorld, OrderName, World } from './core-search-world.js';

/** What can happen next in a world. */

const COMMAND = 1 as CommandId;

/** Something that may happen: its name, and how it happens. */
interface Move {
  readonly name: string;
  readonly spends?: keyof Budget;
  play(turn: Turn): void;
}

export interface Successor {
  readonly name: string;
  /** Undefined where something that must hold does not. */
  readonly world: World | undefined;
  readonly violation: string | undefined;
}

/** Every world that may come next. */
export function* successors(world: World, bounds: Bounds): Generator<Successor> {
  for (const move of moves(world, bounds)) {
    const played = play(world, bounds, move, undefined);
    if (played === undefined) continue;
    yield played.successor;
    if (bounds.isDiskSlow || bounds.isCrashWhole === true || played.halts <= 0) continue;
    const left = world.budget.crashes - (move.spends === 'crashes' ? 1 : 0);
    if (left <= 0) continue;
    for (let halt = 0; halt < played.halts; halt++) {
      const halted = play(world, bounds, move, halt);
      if (halted !== undefined) yield halted.successor;
    }
  }
}

/** One of the worlds that may come next; undefined when what was picked is not possible after all. */
export function pickSuccessor(world: World, bounds: Bounds, random: Random): Successor | undefined {
  const possible = [...moves(world, bounds)];
  if (possible.length === 0) return undefined;
  const move = random.pick(possible);
  const played = play(world, bounds, move, undefined);
  const left = world.budget.crashes - (move.spends === 'crashes' ? 1 : 0);
  if (played === undefined || played.halts <= 0 || left <= 0 || random.next() > 0.1) return played?.successor;
  return play(world, bounds, move, random.below(played.halts))?.successor;
}

function play(
  world: World,
  bounds: Bounds,
  move: Move,
  haltAt: number | undefined,
): { successor: Successor; halts: number } | undefined {
  const turn = new Turn(world, bounds, haltAt);
  const name = haltAt === undefined ? move.name : `${move.name}, and crashes at moment ${String(haltAt)}`;
  try {
    if (move.spends !== undefined) turn.spend(move.spends);
    move.play(turn);
    turn.run();
    const next = turn.world;
    const seen = { ...next, ghost: checkWorld(next, bounds) };
    if (termsOf(seen) > bounds.termsMax) return undefined;
    return { successor: { name, world: seen, violation: undefined }, halts: turn.haltsWithin };
  } catch (error) {
    if (error instanceof Untruthful) return undefined;
    if (!(error instanceof Violation)) throw error;
    return { successor: { name, world: undefined, violation: error.message }, halts: 0 };
  }
}

function termsOf({ nodes }: World): number {
  return Math.max(...nodes.map(({ state, disk }) => termCount(state?.term ?? disk.term)));
}

function* moves(world: World, bounds: Bounds): Generator<Move> {
  for (const link of world.links) yield* linkMoves(world, bounds, link);
  for (const node of world.nodes) {
    if (node.state === undefined) yield* starts(world, node);
    else yield* nodeMoves(world, bounds, node);
  }
  yield* newLinks(world);
  if (bounds.nodes > 2) yield* cuts(world, bounds);
}

/** All the links of a node break at once. */
function* cuts(world: World, bounds: Bounds): Generator<Move> {
  const { nodes, links } = world;
  for (const { at } of nodes) {
    if (!isOpen(world, bounds, 'breaks', at)) continue;
    const broken = links.filter(({ ends }) => ends.includes(at));
    if (broken.length < 2) continue;
    const play = (turn: Turn): void => {
      for (const link of broken) turn.breakLink(link);
    };
    yield { name: `${NAMES[at]!} is cut off`, spends: 'breaks', play };
  }
}

function* linkMoves(world: World, bounds: Bounds, link: LinkWorld): Generator<Move> {
  const { budget } = world;
  const [one, other] = link.ends.map((at) => String(NAMES[at])) as [string, string];
  for (const side of [0, 1]) {
    const [from, to] = side === 0 ? [one, other] : [other, one];
    const queue = link.queues[side]!;
    const [first, second] = queue;
    if (first === undefined || link.isUp[1 - side] !== true) continue;
    const name = `${from} to ${to}: ${first.message.kind}`;
    yield {
      name,
      play: (turn) => {
        turn.deliver(link, side);
      },
    };
    if (budget.drops > 0)
      yield {
        name: `${name} is lost`,
        spends: 'drops',
        play: (turn) => {
          turn.drop(link, side);
        },
      };
    if (budget.duplicates > 0) {
      const play = (turn: Turn): void => {
        turn.deliver(link, side, 0, true);
      };
      yield { name: `${name}, and once more`, spends: 'duplicates', play };
    }
    if (budget.overtakings > 0 && second !== undefined) {
      const play = (turn: Turn): void => {
        turn.deliver(link, side, 1);
      };
      yield { name: `${from} to ${to}: ${second.message.kind} overtakes`, spends: 'overtakings', play };
    }
  }
  const play = (turn: Turn): void => {
    turn.breakLink(link);
  };
  const isDying = link.isUp.includes(false);
  const isWanted = link.ends.some((at, side) =>
    world.nodes[at]!.reached.includes(NAMES[link.ends[1 - side]!]!),
  );
  if (isDying) yield { name: `the link of ${one} and ${other} is gone`, play };
  else if (!isWanted) yield { name: `the link of ${one} and ${other} is closed`, play };
  else if (budget.breaks > 0 && bounds.only?.breaks === undefined)
    yield { name: `the link of ${one} and ${other} breaks`, spends: 'breaks', play };
}

function* starts(world: World, node: NodeWorld): Generator<Move> {
  const { at } = node;
  const isVouchedFor = world.nodes.some(
    ({ order, state }) =>
      order !== undefined && (order.stopped.includes(at) || state?.attempt?.down.has(NAMES[at]!) === true),
  );
  if (!isVouchedFor)
    yield {
      name: `${NAMES[at]!} starts`,
      play: (turn) => {
        turn.start(at);
      },
    };
}

function* nodeMoves(world: World, bounds: Bounds, node: NodeWorld): Generator<Move> {
  const { at, unwritten, waiting, state } = node;
  const name = NAMES[at]!;
  if (state === undefined) return;
  const may = (kind: keyof Budget): boolean => isOpen(world, bounds, kind, at);
  if (unwritten.length > 0)
    yield {
      name: `${name} writes its log`,
      play: (turn) => {
        turn.write(at);
      },
    };
  if (waiting.length > 0)
    yield {
      name: `${name} saves`,
      play: (turn) => {
        turn.finish(at);
      },
    };
  if (may('crashes')) {
    for (let kept = 0; kept <= unwritten.length; kept++) {
      const what = kept === 0 ? '' : `, ${String(kept)} more on its disk`;
      yield {
        name: `${name} crashes${what}`,
        spends: 'crashes',
        play: (turn) => {
          turn.crash(at, kept);
        },
      };
    }
  }
  const canTrim = node.disk.frames.some(({ firstIndex }) => firstIndex <= state.commit);
  if (may('trims') && canTrim) {
    yield {
      name: `${name} trims its log`,
      spends: 'trims',
      play: (turn) => {
        turn.trim(at);
      },
    };
  }
  if (may('ticks')) yield* ticks(world, bounds, node);
  const { office } = state;
  if (may('writes') && office.kind === 'primary' && office.isServing && office.handOver === undefined) {
    const frame = writeFrame(state.term, state.last, `${name}${String(node.crashes)}`);
    const play = (turn: Turn): void => {
      turn.input(at, { kind: 'propose', frame });
    };
    yield { name: `a client writes to ${name}`, spends: 'writes', play };
  }
  for (const peer of missing(node, world.nodes)) {
    const play = (turn: Turn): void => {
      turn.input(at, { kind: 'unreachable', node: peer });
    };
    yield { name: `${name} does not reach ${peer}`, play };
  }
  if (may('orders') && node.order === undefined && state.configurations !== undefined) {
    yield* orders(world, bounds, node);
  }
}

function isOpen({ budget }: World, { only }: Bounds, kind: keyof Budget, at: number): boolean {
  return budget[kind] > 0 && only?.[kind]?.includes(at) !== false;
}

function* ticks(world: World, bounds: Bounds, { at }: NodeWorld): Generator<Move> {
  const { ticksMs, isClockShared, failover } = bounds;
  for (const passedMs of ticksMs) {
    const others = isClockShared ? [...world.nodes.keys()].filter((other) => other !== at) : [];
    const play = (turn: Turn): void => {
      if (failover === 'auto') {
        passWatched(turn, [at, ...others], passedMs, bounds);
        return;
      }
      for (const other of [at, ...others]) turn.pass(other, passedMs);
      turn.input(at, { kind: 'tick' });
    };
    yield { name: `${NAMES[at]!} ticks after ${String(passedMs)} ms`, spends: 'ticks', play };
  }
}

/** Time passes in parts so small that nobody thinks that it was paused; the first of these looks at the clock first. */
function passWatched(turn: Turn, watching: readonly number[], passedMs: number, { timing }: Bounds): void {
  const parts = Math.ceil(passedMs / (timing.automatic.electionMinMs / 2));
  for (let part = 0; part < parts; part++) {
    for (const at of watching) turn.pass(at, passedMs / parts);
    for (const at of watching) {
      turn.input(at, { kind: 'tick' });
      turn.run();
    }
  }
}

function* orders(world: World, bounds: Bounds, node: NodeWorld): Generator<Move> {
  const { at, state } = node;
  if (state === undefined) return;
  const stopped = world.nodes.filter((other) => other.state === undefined).map((other) => other.at);
  const isPrimary = state.office.kind === 'primary' && state.office.isServing;
  const named = (wanted: OrderName): boolean => bounds.orders.includes(wanted);
  const give = (name: string, change: Change, isOthersDown: boolean, said: readonly number[] = []): Move => ({
    name: `${NAMES[at]!}: ${name}`,
    spends: 'orders',
    play: (turn) => {
      turn.order(at, { stopped: said, isOthersDown });
      turn.input(at, { kind: 'command', command: COMMAND, change });
    },
  });
  const promote = (othersAreDown: boolean, acceptDataLoss: boolean): Change => ({
    kind: 'promote',
    othersAreDown,
    acceptDataLoss,
  });
  if (named('promote') && !isPrimary) yield give('promote', promote(false, false), false);
  if (stopped.length > 0) {
    if (named('others are down')) yield give('promote others-are-down', promote(true, false), true, stopped);
    if (named('accept loss')) yield give('promote accept-data-loss', promote(true, true), true, stopped);
  }
  if (!isPrimary) return;
  if (named('leave')) yield leave(at);
  const { members, learners, failover } = configurationInForce(state);
  if (named('set failover')) {
    const other = failover === 'auto' ? 'manual' : 'auto';
    yield give(`set failover ${other}`, { kind: 'setFailover', failover: other }, false);
  }
  const known = nodesOf([...members, ...learners]);
  for (const other of world.nodes) {
    if (other.at === at) continue;
    const peer = peerOf(other.at);
    if (!known.includes(peer.node)) {
      if (named('add') && other.state !== undefined)
        yield give(`add ${peer.node}`, { kind: 'addBackup', peer }, false);
      continue;
    }
    const { address } = peer;
    if (named('remove'))
      yield give(`remove ${peer.node}`, { kind: 'removeBackup', address, backupIsDown: false }, false);
    if (named('backup is down') && other.state === undefined) {
      const change = { kind: 'removeBackup', address, backupIsDown: true } as const;
      yield give(`remove ${peer.node}, which is down`, change, true, [other.at]);
    }
  }
}

/** A primary is to stop, and lets another one take over first. */
function leave(at: number): Move {
  const play = (turn: Turn): void => {
    turn.order(at, { stopped: [], isOthersDown: false });
    turn.input(at, { kind: 'leave', command: COMMAND });
  };
  return { name: `${NAMES[at]!} is to stop`, spends: 'orders', play };
}

function* newLinks(world: World): Generator<Move> {
  for (const [one, other] of wantedLinks(world.nodes, world.links)) {
    const name = `${NAMES[one]!} and ${NAMES[other]!} are linked`;
    yield {
      name,
      play: (turn) => {
        turn.connect(one, other);
      },
    };
  }
}
