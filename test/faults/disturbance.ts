import type { Random } from '../random.js';
import type { ClusterNode } from './cluster.js';
import type { Fabric } from './fabric.js';

/** Something that is broken for a while. */
export interface Disturbance {
  readonly name: string;
  /** The node that stands still or is dead meanwhile. */
  readonly down?: ClusterNode;
  begin(): Promise<void>;
  /** Undoes it. What was done to the ways between nodes is healed for all of them together. */
  end(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** What is counted of a run. */
export interface Disturbed {
  kills: number;
  pauses: number;
  cuts: number;
  impairments: number;
  resets: number;
}

export function kill(node: ClusterNode, counts: Disturbed): Disturbance {
  return {
    name: `kill ${node.name}`,
    down: node,
    async begin() {
      counts.kills++;
      await node.kill();
    },
    async end() {
      node.launch();
      await nothing();
    },
  };
}

export function stand(node: ClusterNode, counts: Disturbed): Disturbance {
  return {
    name: `pause ${node.name}`,
    down: node,
    begin() {
      counts.pauses++;
      node.process.signal('SIGSTOP');
      return nothing();
    },
    end() {
      node.process.signal('SIGCONT');
      return nothing();
    },
  };
}

/** Some ways between a node and some of the others carry nothing. */
function cutWays(
  name: string,
  ways: readonly (readonly [ClusterNode, ClusterNode])[],
  fabric: Fabric,
  random: Random,
  counts: Disturbed,
): Disturbance {
  const flow = random.pick(['held', 'swallowed'] as const);
  return {
    name: `${name} (${flow}) ${ways.map(([from, to]) => `${from.name}>${to.name}`).join(' ')}`,
    async begin() {
      counts.cuts++;
      for (const [from, to] of ways) await fabric.cutOneWay(from.name, to.name, flow);
    },
    end: nothing,
  };
}

type Way = readonly [from: ClusterNode, to: ClusterNode];

function waysOf(nodes: readonly ClusterNode[]): Way[] {
  return nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to): Way => [from, to]));
}

/** Anything that this fabric can do, to nodes that nothing else is done to, and to the primary as often as not. */
export function anyDisturbance(
  nodes: readonly ClusterNode[],
  primary: ClusterNode,
  busy: ReadonlySet<ClusterNode>,
  fabric: Fabric,
  random: Random,
  counts: Disturbed,
): Disturbance {
  const free = nodes.filter((node) => !busy.has(node));
  const ways = waysOf(nodes);
  const one = random.below(2) === 0 ? primary : random.pick(nodes);
  const way = random.pick(ways);
  const anyFree = (): ClusterNode => (busy.has(one) ? random.pick(free) : one);
  const choices: (() => Disturbance)[] = [
    () => cutWays('cut one way', [way], fabric, random, counts),
    () => cutWays('cut both ways', [way, [way[1], way[0]]], fabric, random, counts),
    () =>
      cutWays(
        'cut off',
        ways.filter((each) => each.includes(one)),
        fabric,
        random,
        counts,
      ),
    () =>
      cutWays(
        'hears nobody',
        ways.filter(([, to]) => to === one),
        fabric,
        random,
        counts,
      ),
    () =>
      cutWays(
        'is not heard',
        ways.filter(([from]) => from === one),
        fabric,
        random,
        counts,
      ),
  ];
  // Never all of them at once: somebody has to be asked.
  if (free.length > 1) {
    choices.push(
      () => kill(anyFree(), counts),
      () => stand(anyFree(), counts),
    );
    choices.push(
      () => kill(anyFree(), counts),
      () => stand(anyFree(), counts),
    );
  }
  if (fabric.impair !== undefined && fabric.reset !== undefined) {
    const { impair, reset } = fabric;
    choices.push(
      () => ({
        name: 'slow and in pieces',
        begin() {
          counts.impairments++;
          for (const [from, to] of ways) {
            const delayMs = random.below(3) === 0 ? random.below(200) : random.below(5);
            const pieceBytesMax = random.pick([1 + random.below(20), 100 + random.below(2000), Infinity]);
            impair(from.name, to.name, { delayMs, pieceBytesMax });
          }
          return nothing();
        },
        end: nothing,
      }),
      () => ({
        name: 'resets',
        begin() {
          counts.resets++;
          for (const [from, to] of ways) if (random.below(2) === 0) reset(from.name, to.name);
          return nothing();
        },
        end: nothing,
      }),
    );
  }
  return random.pick(choices)();
}
