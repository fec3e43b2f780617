import type { SurveyAnswer } from './message.js';
import type { Attempt, Finding, ReplicaState, Step } from './state.js';
import { needsLeases } from './voting.js';

/** What the answers to an attempt tell. */

/**
 * Somebody who hears another primary, which this node may not reach. To take a term would force that one out, and win nothing: its
 * followers do not agree while they hear it. One with this node's own identity at another address is another one, too: one of the two
 * runs on a copy of the other's data.
 */
export function followerOfAnother(state: ReplicaState, attempt: Attempt): SurveyAnswer | undefined {
  const own = state.address();
  return [...attempt.surveyed.values()].find(({ hearsPrimary, primary, primaryAddress, term }) => {
    const isSelf = primary === state.self && (primaryAddress === own || own.endsWith(':0'));
    return hearsPrimary && !isSelf && term >= state.term;
  });
}

/** How long this node must not agree to any change, itself the candidate or not. */
export function ownLeaseMs({ state, nowMs }: Step, attempt: Attempt): number {
  const holder = state.leaseHolder;
  const isFree =
    attempt.handOverFrom !== undefined ||
    state.office.kind === 'primary' ||
    (holder !== undefined && attempt.down.has(holder)) ||
    !needsLeases(state);
  return isFree ? 0 : Math.max(0, state.leaseUntilMs - nowMs);
}

export function findings(attempt: Attempt): Finding[] {
  return [...attempt.peers.values()].map((peer) => ({ peer, answer: attempt.surveyed.get(peer.node) }));
}
