import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from './cluster.js';
import type { ClusterNode, NodeStatus } from './cluster.js';

/** For each start of a node whose cluster makes its own primary. */
export const AUTOMATIC = ['--failover', 'auto'];
/** A node that stands still answers nothing. */
const ANSWER_MS_MAX = 500;
const POLL_MS = 20;
/** Elections take a second or two; the rest is for a machine that does other things too. */
const ELECTION_MS_MAX = 15_000;

/** A node that serves as the primary, and in which term. */
export interface Office {
  readonly node: ClusterNode;
  readonly term: number;
}

/** Undefined where it does not answer soon. */
export function statusSoon(node: ClusterNode): Promise<NodeStatus | undefined> {
  if (!node.isUp) return Promise.resolve(undefined);
  return Promise.race([node.status().catch(() => undefined), pause(ANSWER_MS_MAX, undefined)]);
}

/** Of those that say that they serve as the primary, the one of the highest term. One that is cut off may not know better. */
export async function officeAmong(nodes: readonly ClusterNode[]): Promise<Office | undefined> {
  const statuses = await Promise.all(nodes.map(statusSoon));
  const offices = statuses.flatMap((status, at): Office[] => {
    const facts = status?.facts;
    if (facts?.get('role') !== 'primary' || facts.get('service') !== 'serving') return [];
    return [{ node: nodes[at]!, term: Number(facts.get('term')) }];
  });
  return offices.sort((a, b) => b.term - a.term)[0];
}

export async function untilOffice(
  nodes: readonly ClusterNode[],
  what = 'a primary',
  isIt: (office: Office) => boolean = () => true,
  deadlineMs = ELECTION_MS_MAX,
): Promise<Office> {
  const found = await eventually(
    what,
    async () => {
      const office = await officeAmong(nodes);
      return { office, at: office && { node: office.node.name, term: office.term } };
    },
    ({ office }) => office !== undefined && isIt(office),
    deadlineMs,
  );
  return found.office!;
}

/** Waits until another node than this one serves, in a later term. */
export function untilSuccessor(
  nodes: readonly ClusterNode[],
  before: Office,
  deadlineMs?: number,
): Promise<Office> {
  return untilOffice(
    nodes.filter((node) => node !== before.node),
    `a primary after ${before.node.name}`,
    ({ term }) => term > before.term,
    deadlineMs,
  );
}

/** Waits until one of them serves that hears all of them as members, and everything that was decided is confirmed. */
export async function untilWhole(nodes: readonly ClusterNode[], deadlineMs = 30_000): Promise<Office> {
  const found = await eventually(
    'a primary that hears everybody',
    async () => {
      const office = await officeAmong(nodes);
      return { office, status: office && (await statusSoon(office.node)) };
    },
    ({ office, status }) => office !== undefined && status !== undefined && isWhole(status, nodes),
    deadlineMs,
  );
  return found.office!;
}

/** Whether this is what a primary says that hears all of these, with nothing left to be confirmed. */
export function isWhole({ facts, members }: NodeStatus, nodes: readonly ClusterNode[]): boolean {
  return (
    facts.get('role') === 'primary' &&
    facts.get('service') === 'serving' &&
    facts.get('position')?.split(':')[1] === facts.get('commit') &&
    nodes.every(({ advertised }) => members.get(advertised)?.get('state') === 'member')
  );
}

/** Looks again and again, for so long, and throws what `look` throws. */
export async function holdsFor(milliseconds: number, look: () => Promise<void>): Promise<void> {
  const endMs = performance.now() + milliseconds;
  while (performance.now() < endMs) {
    await look();
    await pause(POLL_MS);
  }
}
