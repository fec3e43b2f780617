import type { NodeId, Refusal } from '../engine.js';
import type { SurveyAnswer } from './message.js';
import { electionTimeoutMs, isAutomatic, paceOf } from './pace.js';
import type { PromotionAnswer, PromotionDecision, PromotionTerms } from './promotion.js';
import type { Attempt, Finding, Purpose, ReplicaState, Step } from './state.js';
import { reach } from './turn.js';
import { needsLeases, ownAnswer } from './voting.js';

/** An attempt to become primary: what it is for, what the answers to it tell, and how it ends in vain. */

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

/** Whether nobody waits for it but the members: a majority of them is enough to go on. */
export function isElection(state: ReplicaState, purpose: Purpose): boolean {
  return purpose.kind === 'elect' || (purpose.kind === 'own place' && isAutomatic(state));
}

/** Whether an operator waits for what comes of it. */
export function isCommanded(purpose: Purpose): boolean {
  return purpose.kind === 'promote' || purpose.kind === 'remove';
}

export function termsOf(purpose: Purpose): PromotionTerms {
  if (purpose.kind === 'promote') return purpose;
  return { othersAreDown: purpose.kind === 'remove', acceptDataLoss: false };
}

/** A node that serves as primary, of no earlier term than this node's own. */
export function primaryAmong(state: ReplicaState, attempt: Attempt): NodeId | undefined {
  return [...attempt.surveyed].find(
    ([, answer]) => answer.role === 'serving' && answer.term >= state.term,
  )?.[0];
}

/**
 * Whether the primary that hands over, if there is one, has given up its office. The others agree to its successor whatever they granted
 * it, so before that it may still read under their leases.
 */
export function isLetGo({ handOverFrom, fenced }: Attempt): boolean {
  return handOverFrom === undefined || fenced.get(handOverFrom)?.isGranted === true;
}

/**
 * How long an answer is waited for. Where leases are long, a primary that is about to let go of its office is given longer: only its disk
 * may keep it, and the next try would have to wait for the leases.
 */
export function answerMsOf(state: ReplicaState, attempt: Attempt): number {
  const { timing } = state;
  if (isElection(state, attempt.purpose)) return timing.automatic.answerMs;
  return attempt.phase === 'fence' && !isLetGo(attempt) ? timing.handOverMs : timing.answerMs;
}

/** What those who agreed to the term decide. */
export function decideOnFence(state: ReplicaState, attempt: Attempt): PromotionDecision {
  return state.rules.decidePromotion(state.self, votes(state, attempt), termsOf(attempt.purpose));
}

export function votes(state: ReplicaState, attempt: Attempt): PromotionAnswer[] {
  const granted = [...attempt.fenced.values()].filter(({ isGranted }) => isGranted);
  return [ownAnswer(state), ...granted.map(({ answer }) => answer)];
}

/** A multiple of how long those wait who agreed, until they try themselves. */
const FETCHED_IN_VAIN = 3;

/**
 * How long a node that asked for votes in vain leaves the next try to others. One that got them, and could not get what its log lacks,
 * gets them again whenever it asks: it waits until those who have it have tried.
 */
function leaveToOthersMs({ state, random }: Step, { phase }: Attempt): number {
  const { timing } = state;
  const onceMs = electionTimeoutMs(timing, random);
  return phase === 'fetch' ? FETCHED_IN_VAIN * timing.automatic.electionMaxMs + onceMs : onceMs;
}

/** Gives up the attempt, and tells whoever asked for it. */
export function failAttempt(step: Step, refused: Refusal): void {
  const { state, nowMs } = step;
  const { attempt } = state;
  if (attempt === undefined) return;
  state.attempt = undefined;
  const { purpose } = attempt;
  const { heartbeatMs } = paceOf(state);
  switch (purpose.kind) {
    case 'look':
      state.askAtMs = nowMs + state.timing.silentMs * (1 + step.random);
      break;
    case 'own place':
    case 'elect':
      // Who only looked around may look again soon.
      state.askAtMs =
        nowMs +
        (isElection(state, purpose) && attempt.phase !== 'survey'
          ? leaveToOthersMs(step, attempt)
          : heartbeatMs * (1 + step.random));
      break;
    default:
      step.effects.push({ kind: 'answer', command: purpose.command, outcome: refused });
  }
  if (state.office.kind === 'backup' && !state.wantsPlace) reach(step, []);
}
