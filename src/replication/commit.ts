import type { Index, NodeId } from '../engine.js';
import { areMet } from './quorum.js';
import type { Requirement } from './quorum.js';

/** An entry that the primary appended in its own term and that is not committed. */
export interface OpenEntry {
  readonly index: Index;
  /**
   * What it needs. A write: a majority (or all) of the membership in force at its position. A change of
   * membership: a majority of the old and of the new one. The opening of a term: what the promotion decided.
   */
  readonly needs: readonly Requirement[];
}

/**
 * How far a primary may commit.
 *
 * Only entries of its own term decide; all before them commit with the first, the opening of the term (section 5.4.2 of
 * the Raft paper shows what goes wrong otherwise). And each needs what it needed when it was appended: a write
 * is not made safe by a later entry that shrinks the membership.
 *
 * @param open - the entries of the primary's term behind the last committed one, in order.
 * @param holders - the nodes that are known to hold the log durably up to an index.
 * @returns the last index that is committed, or undefined when nothing new is.
 */
export function committable(
  open: readonly OpenEntry[],
  holders: (index: Index) => ReadonlySet<NodeId>,
): Index | undefined {
  let committed: Index | undefined;
  for (const entry of open) {
    if (!areMet(entry.needs, holders(entry.index))) break;
    committed = entry.index;
  }
  return committed;
}
