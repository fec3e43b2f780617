import { endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { termCount } from '../../src/log/term.js';
import { holdsLease } from '../../src/replication/standing.js';
import type { ReplicaState } from '../../src/replication/state.js';
import { Violation } from '../sim/violation.js';
import { NAMES, NOW_MS, frameName, isWrite, logOf } from './core-search-world.js';
import type { Bounds, Ghost, NodeWorld, World } from './core-search-world.js';

/** What must hold in every world. Once an operator accepted that data is lost, only what does not depend on data. */

export function checkStepped(
  ghost: Ghost,
  node: NodeWorld,
  state: ReplicaState,
  before: { readonly term: number; readonly commit: number },
): Ghost {
  const name = NAMES[node.at]!;
  if (state.term < before.term) throw new Violation(`the term of ${name} went back`);
  if (state.commit < before.commit && !ghost.isLossy) throw new Violation(`the commit of ${name} went back`);
  if (!ghost.isLossy) checkAgreement(name, state);
  if (state.office.kind !== 'primary') return ghost;
  const life = `${name}, life ${String(node.crashes + 1)}`;
  const holder = ghost.holders.get(state.term);
  if (holder === life) return ghost;
  if (holder !== undefined) {
    throw new Violation(`term ${show(state.term)} is held by ${life}, and was by ${holder}`);
  }
  return { ...ghost, holders: new Map([...ghost.holders, [state.term, life]]) };
}

/** In this world nobody lies: whoever is refused a link, or stops for what somebody said, has found a loss that nobody accepted. */
function checkAgreement(name: string, { divergence, refused }: ReplicaState): void {
  const [told] = refused.keys();
  if (told !== undefined) throw new Violation(`${name} refuses a link: ${told}`);
  if (divergence !== undefined) throw new Violation(`${name} diverged, and nobody accepted a loss`);
}

/** No position holds two different entries. */
export function checkAppended(nodes: readonly NodeWorld[], node: NodeWorld, frame: Frame): void {
  for (const other of nodes) {
    if (other.at === node.at) continue;
    const same = logOf(other).find(
      (each) => each.firstIndex === frame.firstIndex && each.term === frame.term && each !== frame,
    );
    if (same === undefined) continue;
    const where = `${show(frame.term)}:${String(frame.firstIndex)}`;
    throw new Violation(`${NAMES[node.at]!} has other bytes at entry ${where} than ${NAMES[other.at]!}`);
  }
}

export function checkTruncated(ghost: Ghost, node: NodeWorld, cut: readonly Frame[]): void {
  const lost = ghost.isLossy
    ? undefined
    : cut.find((frame) => ghost.committed[frame.firstIndex] === frameName(frame));
  if (lost === undefined) return;
  throw new Violation(`${NAMES[node.at]!} truncates entry ${showEntry(lost)}, which is committed`);
}

export function noteCommitted(ghost: Ghost, node: NodeWorld, commit: number): Ghost {
  let committed: (string | undefined)[] | undefined;
  for (const frame of logOf(node)) {
    const index = lastIndexOf(frame);
    if (index > commit) break;
    const known = (committed ?? ghost.committed)[index];
    const name = frameName(frame);
    if (known === name) continue;
    if (known !== undefined && !ghost.isLossy) {
      throw new Violation(
        `${NAMES[node.at]!} has entry ${showEntry(frame)} committed, and it was another one`,
      );
    }
    committed ??= [...ghost.committed];
    committed[index] = name;
  }
  return committed === undefined ? ghost : { ...ghost, committed };
}

/** Looks at a whole world, and answers what clients have seen in it. */
export function checkWorld(world: World, bounds: Bounds): Ghost {
  const { ghost } = world;
  if (ghost.isLossy) return ghost;
  const mayRead = bounds.nodes < 3 || bounds.isClockShared;
  const readable: { readonly node: NodeWorld; readonly applied: number }[] = [];
  let { acknowledged } = ghost;
  for (const node of world.nodes) {
    const { state } = node;
    if (state?.office.kind !== 'primary' || !state.office.isServing) continue;
    checkServing(ghost, node, state);
    const isRead = mayRead && holdsLease(state, state.office, NOW_MS);
    const applied = appliedTo(node, state);
    if (isRead) readable.push({ node, applied });
    acknowledged = Math.max(acknowledged, lastSeen(node, state, applied, isRead));
  }
  // Whoever reads now reads after that was answered.
  const misses = readable.find(({ applied }) => applied < acknowledged);
  if (misses === undefined) return acknowledged === ghost.acknowledged ? ghost : { ...ghost, acknowledged };
  const what = `entry ${String(acknowledged)}, which was acknowledged`;
  throw new Violation(`a read on ${NAMES[misses.node.at]!} misses ${what}`);
}

function checkServing(ghost: Ghost, node: NodeWorld, state: ReplicaState): void {
  const log = logOf(node);
  const first = log[0]?.firstIndex ?? node.disk.base.index + 1;
  for (const [index, name] of ghost.committed.entries()) {
    if (name === undefined || index < first || Number(name.split('.')[0]) > state.term) continue;
    const own = log[index - first];
    if (own !== undefined && frameName(own) === name) continue;
    const where = `${show(Number(name.split('.')[0]))}:${String(index)}`;
    throw new Violation(`${NAMES[node.at]!} serves in term ${show(state.term)} without entry ${where}`);
  }
}

/** What is applied is committed, and in the node's own log. */
function appliedTo(node: NodeWorld, state: ReplicaState): number {
  const last = node.disk.frames.at(-1);
  return Math.min(state.commit, last === undefined ? node.disk.base.index : endOf(last).index);
}

/** The last write that a client of this primary was answered for, or may have read. */
function lastSeen(node: NodeWorld, state: ReplicaState, applied: number, isRead: boolean): number {
  const seen = node.disk.frames.findLast(
    (frame) => lastIndexOf(frame) <= applied && (isRead || frame.term === state.term) && isWrite(frame),
  );
  return seen === undefined ? 0 : lastIndexOf(seen);
}

function showEntry(frame: Frame): string {
  return `${show(frame.term)}:${String(frame.firstIndex)}`;
}

function show(term: number): string {
  return String(termCount(term as Parameters<typeof termCount>[0]));
}
