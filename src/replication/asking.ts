import { refusal } from '../engine.js';
import type { NodeId, Refusal, Term } from '../engine.js';
import type { Peer } from '../log/control.js';
import { termAfter } from '../log/term.js';
import {
  answerMsOf,
  decideOnFence,
  failAttempt,
  followerOfAnother,
  isCommanded,
  isElection,
  isLetGo,
  ownLeaseMs,
  primaryAmong,
  termsOf,
  votes,
} from './attempt.js';
import { mayStand } from './electing.js';
import { leaveOut } from './leaving-out.js';
import type { FenceAnswer, HandOverAnswer, SurveyAnswer, TakeOver } from './message.js';
import { open } from './opening.js';
import { ask, askAgain, forgetAnswers, peersFor, reachPeers } from './questions.js';
import { notPrimary, promotionRefused, showPeers } from './refusals.js';
import type { Attempt, OpenLink, Purpose, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { emptyBackupOffice, takeTerm } from './turn.js';
import { aliveAmong, closeLinksTo, ownAnswer, positionOf } from './voting.js';

/**
 * How a node becomes primary: it asks everybody how they are, lets a living primary hand over, takes a term that fences all
 * earlier ones, decides on the answers, takes over the longest log among them, and opens the term.
 *
 * A restart of the primary goes through the same door; who asks is the only difference.
 */

const TRIES_MAX = 3;

export function beginAttempt(step: Step, purpose: Purpose): void {
  const { state, nowMs } = step;
  if (purpose.kind === 'remove' && aliveAmong(step, [purpose.peer.node]).length > 0) {
    const outcome = stillAlive([purpose.peer], state.address());
    step.effects.push({ kind: 'answer', command: purpose.command, outcome });
    return;
  }
  const attempt: Attempt = {
    number: ++state.attempts,
    purpose,
    own: positionOf(state.last),
    phase: 'survey',
    startedMs: nowMs,
    phaseMs: nowMs,
    askedMs: nowMs,
    peers: new Map(peersFor(state, purpose).map((peer) => [peer.node, peer])),
    unreachable: new Set(),
    surveyed: new Map(),
    fenced: new Map(),
    down: new Set(purpose.kind === 'remove' ? [purpose.peer.node] : []),
    handOverFrom: undefined,
    term: undefined,
    grant: undefined,
    source: undefined,
    tries: 0,
  };
  state.attempt = attempt;
  closeLinksTo(step, attempt.down);
  survey(step, attempt);
}

function survey(step: Step, attempt: Attempt): void {
  forgetAnswers(step, attempt);
  askAgain(step, attempt);
  judge(step, attempt);
}

export function onSurveyAnswer(step: Step, link: OpenLink, message: SurveyAnswer): void {
  const { attempt } = step.state;
  if (attempt?.phase !== 'survey' || message.attempt !== attempt.number) return;
  if (message.excludedBy !== undefined && message.term >= step.state.term && message.role === 'serving') {
    failAttempt(
      step,
      refusal(
        'NOT_MEMBER',
        `${link.address} is the primary, and this node is no member any more: add it again with add-backup`,
      ),
    );
    leaveOut(step, link, message.term, message.excludedBy.position);
    return;
  }
  attempt.surveyed.set(link.node, message);
  let isNew = false;
  for (const peer of message.peers) {
    if (peer.node === step.state.self || attempt.peers.has(peer.node)) continue;
    attempt.peers.set(peer.node, peer);
    isNew = true;
  }
  if (isNew) askAgain(step, attempt);
  judge(step, attempt);
}

/** Goes on when enough is known, or waited for. */
export function judge(step: Step, attempt: Attempt): void {
  const { state, nowMs } = step;
  const { purpose } = attempt;
  const isEager = isElection(state, purpose);
  const isLate = nowMs - attempt.phaseMs >= answerMsOf(state, attempt);
  if (
    nowMs - attempt.startedMs > state.timing.commandMs &&
    (attempt.phase === 'survey' || attempt.phase === 'fence')
  ) {
    failAttempt(
      step,
      refusal(
        'NO_QUORUM',
        'the members did not agree in time, perhaps because a primary is being made already: look at status and try again',
      ),
    );
    return;
  }
  if (attempt.phase === 'survey') {
    const isSettled = [...attempt.peers.keys()].every(
      (node) => attempt.surveyed.has(node) || attempt.unreachable.has(node) || attempt.down.has(node),
    );
    if (isEager) judgeElection(step, attempt, isSettled || isLate);
    else if (isSettled || isLate) judgeSurvey(step, attempt);
  } else if (attempt.phase === 'fence') {
    const isSettled = [...attempt.surveyed.keys()].every((node) => attempt.fenced.has(node));
    const isDecided = isEager && isLetGo(attempt) && decideOnFence(state, attempt).kind === 'granted';
    if (isSettled || isLate || isDecided) judgeFence(step, attempt);
  } else if (nowMs - attempt.phaseMs > state.timing.handOverMs) {
    const what =
      attempt.phase === 'hand over'
        ? refusal(
            'UNREACHABLE',
            'the primary did not hand over in time and stays the primary: look at its status and try again',
          )
        : refusal(
            'LAGGING',
            'a longer log than this node has could not be fetched in time: promote the node that has it, or try again',
          );
    failAttempt(step, what);
  }
}

function judgeSurvey(step: Step, attempt: Attempt): void {
  const { state, nowMs } = step;
  const { purpose } = attempt;
  if (purpose.kind === 'look') {
    lookedAround(step, attempt);
    return;
  }
  const primary = primaryAmong(state, attempt);
  if (primary !== undefined && attempt.handOverFrom === undefined) {
    if (purpose.kind === 'own place')
      failAttempt(step, notPrimary(attempt.peers.get(primary)?.address, 'it serves'));
    else askToHandOver(step, attempt, primary);
    return;
  }
  const follower = purpose.kind === 'own place' ? followerOfAnother(state, attempt) : undefined;
  if (follower !== undefined) {
    failAttempt(step, notPrimary(follower.primaryAddress, 'others hear it'));
    return;
  }
  const silent = [...attempt.peers.keys()].filter((node) => !attempt.surveyed.has(node));
  if (purpose.kind === 'remove' && silent.some((node) => node !== purpose.peer.node)) {
    const others = silent.flatMap((node) =>
      node === purpose.peer.node ? [] : (attempt.peers.get(node) ?? []),
    );
    failAttempt(
      step,
      refusal('NO_QUORUM', `${showPeers(others)} did not answer: with --backup-is-down all the others must`),
    );
    return;
  }
  const answers = [...attempt.surveyed.values()].map(({ answer }) => answer);
  const decision = state.rules.decidePromotion(state.self, [ownAnswer(state), ...answers], termsOf(purpose));
  if (decision.kind === 'refused') {
    failAttempt(step, promotionRefused(state, decision.reason, attempt.peers));
    return;
  }
  if (termsOf(purpose).othersAreDown) {
    for (const node of silent) attempt.down.add(node);
    closeLinksTo(step, attempt.down);
    reachPeers(step, attempt);
  }
  if (ownLeaseMs(step, attempt) === 0) fence(step, attempt);
  // Until the lease has passed things may change: whoever was becoming primary may be one by now.
  else if (nowMs - attempt.phaseMs >= state.timing.answerMs) survey(step, attempt);
}

/**
 * Where the members make their own primary: as soon as a majority would agree. This is asked first, and changes nothing (pre-vote: section
 * 9.6 of the Raft thesis), so that a node which hears nobody does not force out a primary that the others hear.
 *
 * @param isLast - nobody else will answer, or not in time.
 */
function judgeElection(step: Step, attempt: Attempt, isLast: boolean): void {
  const { state, nowMs } = step;
  const isAsked = attempt.purpose.kind === 'elect' && attempt.purpose.isAsked;
  const primary = primaryAmong(state, attempt);
  if (primary !== undefined && !isAsked) {
    lookedAround(step, attempt);
    return;
  }
  // Whom the primary itself asks needs its answer, too; and the others hear that primary.
  const mayGoOn = !isAsked || primary !== undefined;
  const agreeing = [...attempt.surveyed.values()].filter(({ isWilling }) => isWilling || isAsked);
  const answers = [ownAnswer(state), ...agreeing.map(({ answer }) => answer)];
  const decision = state.rules.decidePromotion(state.self, answers, termsOf(attempt.purpose));
  if ((decision.kind === 'refused' || !mayGoOn) && state.rules.asksFirst) {
    const why =
      decision.kind === 'refused'
        ? promotionRefused(state, decision.reason, attempt.peers)
        : notPrimary(undefined, 'it did not answer');
    if (isLast) failAttempt(step, why);
  } else if (primary !== undefined) askToHandOver(step, attempt, primary);
  else if (ownLeaseMs(step, attempt) === 0) fence(step, attempt);
  else if (nowMs - attempt.phaseMs >= state.timing.automatic.answerMs) survey(step, attempt);
}

function askToHandOver(step: Step, attempt: Attempt, primary: NodeId): void {
  attempt.phase = 'hand over';
  attempt.phaseMs = step.nowMs;
  attempt.handOverFrom = primary;
  askAgain(step, attempt);
}

/** What a backup that hears no primary learns: where one serves. It waits there to be found. */
function lookedAround(step: Step, attempt: Attempt): void {
  const { state } = step;
  const found = primaryAmong(state, attempt);
  const peer = found && attempt.peers.get(found);
  if (peer !== undefined && state.office.kind === 'backup') state.office.primary ??= peer;
  failAttempt(step, notPrimary(peer?.address, 'it was looked for'));
}

/** Takes a term of its own, and asks the others to follow no primary of an earlier one. */
function fence(step: Step, attempt: Attempt): void {
  const { state, nowMs } = step;
  const own = ownAnswer(state);
  const terms = [...attempt.surveyed.values()].map(({ term }) => term);
  const highest = Math.max(state.term, state.last.term, ...terms) as Term;
  const wasPrimary = state.role === 'primary';
  if (state.office.kind === 'primary') stepDown(step, true);
  else state.office = emptyBackupOffice(state, nowMs);
  state.isConfirmed = own.isConfirmed;
  const term =
    state.rules.takesNewTerm || !wasPrimary || highest === 0 ? termAfter(highest, step.random) : highest;
  takeTerm(step, term, state.self, state.role);
  attempt.term = term;
  attempt.phase = 'fence';
  attempt.phaseMs = nowMs;
  attempt.fenced = new Map();
  askAgain(step, attempt);
  judge(step, attempt);
}

export function onFenceAnswer(step: Step, link: OpenLink, message: FenceAnswer): void {
  const { state, nowMs } = step;
  const { attempt } = state;
  if (attempt?.phase !== 'fence' || message.attempt !== attempt.number) return;
  // A vote holds for one term. Since one that comes late was given, its sender may have followed another primary.
  if (message.isGranted && message.term !== attempt.term) return;
  if (message.alive.length > 0) {
    const alive = message.alive.flatMap((node) => attempt.peers.get(node) ?? []);
    failAttempt(step, stillAlive(alive, link.address));
    return;
  }
  if (!message.isGranted && message.waitMs > 0) {
    // It agrees once the lease that it granted has passed; until then this attempt waits.
    attempt.phaseMs = Math.max(attempt.phaseMs, nowMs + message.waitMs - answerMsOf(state, attempt) / 2);
    return;
  }
  if (!message.isGranted && message.term > state.term) {
    tryAgain(
      step,
      attempt,
      refusal('NO_QUORUM', `${link.address} follows a later term: try again in a moment`),
    );
    return;
  }
  attempt.fenced.set(link.node, message);
  judge(step, attempt);
}

function stillAlive(alive: readonly Peer[], seenBy: string): Refusal {
  return refusal(
    'NO_QUORUM',
    `${showPeers(alive)} was said to be down, and ${seenBy} hears from it: stop it first, or do not say that it is down`,
  );
}

/** The primary wants this node to take over: it asks for the office as an operator's promotion would. */
export function onTakeOver(step: Step, link: OpenLink, { term }: TakeOver): void {
  const { state } = step;
  const { office, attempt } = state;
  if (office.kind === 'primary' || term !== state.term || office.primary?.node !== link.node) return;
  if (!mayStand(state) || (attempt !== undefined && isCommanded(attempt.purpose))) return;
  if (attempt !== undefined) failAttempt(step, notPrimary(link.address, 'it hands over'));
  beginAttempt(step, { kind: 'elect', isAsked: true });
  const begun = state.attempt;
  if (begun === undefined || begun.peers.has(link.node)) return;
  // One that was removed is none of those that this node knows, and has to be asked to hand over all the same.
  begun.peers.set(link.node, { node: link.node, address: link.address });
  ask(step, begun, link);
}

/** A node that was said to be stopped is not. */
export function signOfLife(step: Step, link: OpenLink): void {
  failAttempt(step, stillAlive([{ node: link.node, address: link.address }], step.state.address()));
}

function tryAgain(step: Step, attempt: Attempt, refused: Refusal): void {
  if (isCommanded(attempt.purpose) && ++attempt.tries < TRIES_MAX) survey(step, attempt);
  else failAttempt(step, refused);
}

function judgeFence(step: Step, attempt: Attempt): void {
  const { state, nowMs } = step;
  if (!isLetGo(attempt)) {
    // Nobody waives a lease for the next try.
    attempt.handOverFrom = undefined;
    tryAgain(
      step,
      attempt,
      refusal(
        'UNREACHABLE',
        'the primary did not let go of its office in time: look at its status and try again',
      ),
    );
    return;
  }
  const answers = votes(state, attempt);
  const decision = decideOnFence(state, attempt);
  if (decision.kind === 'refused') {
    const refusing = [...attempt.fenced.values()].filter(({ isGranted }) => !isGranted);
    const reason = promotionRefused(state, decision.reason, attempt.peers);
    const said = refusing.find((answer) => answer.reason !== undefined)?.reason;
    const why = said === undefined ? reason : { ...reason, message: `${said}; ${reason.message}` };
    if (refusing.length > 0) tryLater(step, attempt, why);
    else failAttempt(step, why);
    return;
  }
  attempt.grant = decision;
  const longest = answers.find(({ node }) => node === decision.longest);
  if (longest === undefined || longest.node === state.self) {
    open(step, attempt);
    return;
  }
  attempt.phase = 'fetch';
  attempt.phaseMs = nowMs;
  attempt.source = { node: longest.node, last: longest.last };
  askAgain(step, attempt);
}

export function onHandOverAnswer(step: Step, link: OpenLink, message: HandOverAnswer): void {
  const { attempt } = step.state;
  if (
    attempt?.phase !== 'hand over' ||
    message.attempt !== attempt.number ||
    attempt.handOverFrom !== link.node
  )
    return;
  if (message.isReady) fence(step, attempt);
  else
    failAttempt(
      step,
      refusal(
        'BUSY',
        `${link.address} is the primary and did not hand over: ${message.reason ?? 'it gave no reason'}`,
      ),
    );
}

/** Gives way to another node, which asked for this one's vote and gets it. */
export function yieldTo(step: Step, link: OpenLink): void {
  const what = `${link.address} takes over: nothing was changed here, look at status and try again`;
  if (step.state.attempt !== undefined) tryLater(step, step.state.attempt, refusal('NO_QUORUM', what));
}

/**
 * Somebody else takes office, or just did. A promotion that an operator asked for goes on: everybody is asked anew, a little later, so that
 * whoever takes office serves by then and hands over, or has learned that there is a later term than its own.
 */
function tryLater(step: Step, attempt: Attempt, refused: Refusal): void {
  if (attempt.purpose.kind !== 'promote' || ++attempt.tries >= TRIES_MAX) {
    failAttempt(step, refused);
    return;
  }
  forgetAnswers(step, attempt);
  attempt.handOverFrom = undefined;
  attempt.askedMs = step.nowMs;
}
