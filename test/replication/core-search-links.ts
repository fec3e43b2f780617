import type { NodeId } from '../../src/engine.js';
import { NAMES, atOf } from './core-search-world.js';
import type { LinkWorld, NodeWorld, Sent } from './core-search-world.js';

/** The links of a world: who wants one, and what becomes of what is on its way. */

/** Which nodes want a link and have none. */
export function wantedLinks(nodes: readonly NodeWorld[], links: readonly LinkWorld[]): [number, number][] {
  const wanted: [number, number][] = [];
  for (const one of nodes) {
    for (const other of nodes.slice(one.at + 1)) {
      if (one.state === undefined || other.state === undefined) continue;
      if (links.some(({ ends }) => ends[0] === one.at && ends[1] === other.at)) continue;
      const isWanted = one.reached.includes(NAMES[other.at]!) || other.reached.includes(NAMES[one.at]!);
      if (isWanted) wanted.push([one.at, other.at]);
    }
  }
  return wanted;
}

/** Whom a node wants a link to, who does not run, and of whom it does not know. */
export function missing({ state, reached }: NodeWorld, nodes: readonly NodeWorld[]): readonly NodeId[] {
  if (state === undefined) return [];
  const { office, attempt } = state;
  return reached.filter((peer) => {
    if (nodes[atOf(peer)]?.state !== undefined) return false;
    const isNews = office.kind === 'primary' && office.progress.get(peer)?.isUnreachable === false;
    const isLinked = office.kind === 'primary' && office.progress.get(peer)?.link !== undefined;
    return (isNews && !isLinked) || attempt?.unreachable.has(peer) === false;
  });
}

/** Another queue in the place of the one that leads from a side of a link. */
export function withQueue(
  links: readonly LinkWorld[],
  { id }: LinkWorld,
  side: number,
  change: (queue: readonly Sent[]) => readonly Sent[],
): LinkWorld[] {
  return links.map((each) => {
    if (each.id !== id) return each;
    const [one, other] = each.queues;
    return { ...each, queues: side === 0 ? [change(one), other] : [one, change(other)] };
  });
}

/** A node is gone: nothing reaches it any more, and what it sent may still arrive. */
export function withoutEnd(links: readonly LinkWorld[], at: number): LinkWorld[] {
  return links.flatMap((link): LinkWorld[] => {
    const side = link.ends.indexOf(at);
    if (side < 0) return [link];
    if (link.isUp[1 - side] !== true) return [];
    const [one, other] = link.queues;
    return side === 0
      ? [{ ...link, isUp: [false, link.isUp[1]], queues: [one, []] }]
      : [{ ...link, isUp: [link.isUp[0], false], queues: [[], other] }];
  });
}
