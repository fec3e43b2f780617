import type { Index, NodeId } from '../engine.js';
import { committable } from './commit.js';
import type { OpenRange } from './commit.js';
import { decidePromotion } from './promotion.js';
import type { PromotionAnswer, PromotionDecision, PromotionTerms } from './promotion.js';

/**
 * The rules on which everything rests, named so that the simulator can put a wrong one in a place and must find it.
 */
export interface ReplicationRules {
  committable(open: readonly OpenRange[], durable: (node: NodeId) => Index): Index | undefined;
  decidePromotion(
    candidate: NodeId,
    answers: readonly PromotionAnswer[],
    terms: PromotionTerms,
  ): PromotionDecision;
  /** A new primary serves only once an entry of its own term has committed. */
  readonly opensTermFirst: boolean;
  /** A node that restarts, or takes office, does so under a term of its own. */
  readonly takesNewTerm: boolean;
  /** A backup takes for committed only what it knows to be the same as in the primary's log. */
  readonly commitsOnlyMatched: boolean;
  /** A node that starts grants no fence for the length of a lease. */
  readonly waitsAtStart: boolean;
  /** Whoever wants to be elected finds out first whether the others would agree, and takes no term before. */
  readonly asksFirst: boolean;
  /** Who takes part is changed only by a primary whose first entry has committed. */
  readonly changesOnlyServing: boolean;
  /** How long a primary counts on a lease that was granted, from when it asked for it. */
  countedLeaseMs(grantedMs: number): number;
}

/** The clocks of two nodes do not go at quite the same pace. */
const COUNTED_SHARE = 0.9;

export const RULES: ReplicationRules = {
  committable,
  decidePromotion,
  opensTermFirst: true,
  takesNewTerm: true,
  commitsOnlyMatched: true,
  waitsAtStart: true,
  asksFirst: true,
  changesOnlyServing: true,
  countedLeaseMs: (grantedMs) => COUNTED_SHARE * grantedMs,
};
