import type { AcksPolicy, Index, NodeId } from '../engine.js';
import type { Requirement } from './quorum.js';

/** Entries that the primary appended in its own term, that are not committed, and that need the same. */
export interface OpenRange {
  /** The last of them. They begin behind the range before. */
  readonly last: Index;
  /**
   * What they need. A write: a majority (or all) of the membership in force at its position. A change of
   * membership: a majority of the old and of the new one. The opening of a term: what the promotion decided.
   */
  readonly needs: readonly Requirement[];
  /** They are committed all at once: the opening of a term commits everything before it. */
  readonly isWhole: boolean;
}

/**
 * How far a primary may commit.
 *
 * Only entries of its own term decide; all before them commit with the first, the opening of the term (section 5.4.2 of
 * the Raft paper shows what goes wrong otherwise). And each needs what it needed when it was appended: a write
 * is not made safe by a later entry that shrinks the membership.
 *
 * @param open - the entries of the primary's term behind the last committed one, in order.
 * @param durable - up to where a node is known to hold the log durably.
 * @returns the last index that enough nodes hold, which may be one that was committed before; undefined when not even the
 *   opening of the term is held.
 */
export function committable(open: readonly OpenRange[], durable: (node: NodeId) => Index): Index | undefined {
  let committed: Index | undefined;
  for (const range of open) {
    let held = Infinity;
    for (const need of range.needs) held = Math.min(held, heldBy(need, durable));
    if (range.isWhole && held < range.last) break;
    const reached = Math.min(range.last, held) as Index;
    if (committed !== undefined && reached <= committed) break;
    committed = reached;
    if (reached < range.last) break;
  }
  return committed;
}

/** The last index that enough nodes hold. */
function heldBy({ share, members }: Requirement, durable: (node: NodeId) => Index): number {
  const held = members.map(durable).sort(descending);
  const count = {
    majority: Math.floor(held.length / 2) + 1,
    half: Math.ceil(held.length / 2),
    all: held.length,
  }[share];
  return held[count - 1] ?? 0;
}

function descending(a: number, b: number): number {
  return b - a;
}

/** What a write needs under a membership. */
export function writeNeeds(acks: AcksPolicy, primary: NodeId, members: readonly NodeId[]): Requirement {
  if (acks === '0') return { share: 'all', members: [primary] };
  return { share: acks, members };
}
