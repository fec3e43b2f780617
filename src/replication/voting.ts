import type { NodeId, Position } from '../engine.js';
import { isWilling } from './electing.js';
import { knownMemberships } from './membership.js';
import type { Fence } from './message.js';
import { electionTimeoutMs, isAutomatic } from './pace.js';
import type { PromotionAnswer } from './promotion.js';
import type { OpenLink, ReplicaState, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { emptyBackupOffice, knownPeers, linkTo, send, takeTerm } from './turn.js';

/** What a node answers to others that want to become primary. */

/** Nothing that is said to be stopped is sent anything from here on: it must not be confirmed by what is still under way. */
export function closeLinksTo(step: Step, nodes: ReadonlySet<NodeId>): void {
  for (const link of step.state.links.values()) {
    if (nodes.has(link.node)) step.effects.push({ kind: 'close link', link: link.id });
  }
}

/** Whether any primary of these members reads under leases. With one backup, nobody can be elected without it. */
export function needsLeases(state: ReplicaState): boolean {
  const { configurations } = state;
  if (configurations === undefined) return false;
  return [configurations.committed, ...configurations.open].some(({ members }) => members.length > 2);
}

export function positionOf({ term, index }: Position): Position {
  return { term, index };
}

/** What this node answers to whoever wants to become primary, itself included. */
export function ownAnswer(state: ReplicaState): PromotionAnswer {
  const { configurations } = state;
  if (configurations === undefined) throw new Error('the node belongs to no cluster yet');
  return {
    node: state.self,
    last: positionOf(state.last),
    memberships: knownMemberships(configurations),
    lastPrimary: state.lastPrimary,
    isLeftOut: state.leftOutAt !== undefined,
    isConfirmed: state.isConfirmed,
  };
}

/**
 * As a voter: agrees to a new term, and follows no earlier one from then on.
 *
 * @param yieldTo - gives up this node's own attempt, if it has one.
 */
export function onFence(
  step: Step,
  link: OpenLink,
  message: Fence,
  yieldTo: (step: Step, link: OpenLink) => void,
): void {
  const { state, nowMs } = step;
  if (state.configurations === undefined || state.divergence !== undefined) return;
  const answer = {
    kind: 'fence answer',
    attempt: message.attempt,
    answer: ownAnswer(state),
    alive: aliveAmong(step, message.down),
    waitMs: 0,
  } as const;
  const isAgain = message.term === state.term && state.vote === link.node;
  const objection = isAgain ? undefined : objectionTo(step, link, message);
  if (objection !== undefined || answer.alive.length > 0) {
    const waitMs = objection?.waitMs ?? 0;
    send(step, link.id, { ...answer, term: state.term, isGranted: false, reason: objection?.reason, waitMs });
    return;
  }
  if (!isAgain) {
    yieldTo(step, link);
    if (state.office.kind === 'primary') stepDown(step, true);
    else state.office = emptyBackupOffice(state, nowMs);
    if (state.wantsPlace) state.askAtMs = nowMs + patienceWithOther(state);
    state.votedMs = nowMs;
    state.patienceMs = electionTimeoutMs(state.timing, step.random);
    takeTerm(step, message.term, link.node, state.leftOutAt === undefined ? state.role : 'backup');
    closeLinksTo(step, new Set(message.down));
  }
  send(step, link.id, { ...answer, term: message.term, isGranted: true, reason: undefined });
}

/** How long it leaves the one alone to which it gave way. */
function patienceWithOther(state: ReplicaState): number {
  return isAutomatic(state) ? state.timing.automatic.electionMaxMs : state.timing.handOverMs;
}

function objectionTo(
  { state, nowMs }: Step,
  link: OpenLink,
  message: Fence,
): { reason: string | undefined; waitMs: number } | undefined {
  const { office } = state;
  // It may have learned of the term before, over another link than this question's, and still has a vote in it then.
  const isTaken = message.term === state.term && state.vote !== undefined;
  if (isTaken || message.term < state.term) return { reason: undefined, waitMs: 0 };
  if (office.kind === 'primary' && office.isServing) {
    const isAgreed = message.isHandOver && office.handOver?.to === link.node && office.handOver.isReady;
    return isAgreed ? undefined : { reason: `${state.address()} is the primary and serves`, waitMs: 0 };
  }
  const holder = state.leaseHolder;
  // Whoever holds it and moved is down for as long as that takes. A copy of its data is not.
  const isElsewhere =
    office.kind === 'backup' && office.primary?.node === link.node && office.primary.address !== link.address;
  const isFree =
    message.isHandOver ||
    (holder === link.node && !isElsewhere) ||
    (holder !== undefined && message.down.includes(holder)) ||
    !needsLeases(state) ||
    nowMs >= state.leaseUntilMs;
  return isFree ? undefined : { reason: undefined, waitMs: state.leaseUntilMs - nowMs };
}

/** Which of the nodes that are said to be stopped this node hears. */
export function aliveAmong({ state, nowMs }: Step, down: readonly NodeId[]): NodeId[] {
  const { office } = state;
  return down.filter((node) => {
    if (linkTo(state, node) === undefined) return false;
    const heardMs =
      office.kind === 'primary'
        ? office.progress.get(node)?.heardMs
        : office.primary?.node === node
          ? office.heardMs
          : undefined;
    return heardMs !== undefined && nowMs - heardMs < state.timing.answerMs;
  });
}

export function answerSurvey(step: Step, link: OpenLink, attempt: number): void {
  const { state, nowMs } = step;
  const { office, configurations } = state;
  if (configurations === undefined || state.divergence !== undefined) return;
  const isServing = office.kind === 'primary' && office.isServing;
  const takesPart = [configurations.committed, ...configurations.open].some(({ members, learners }) =>
    [...members, ...learners].some(({ node }) => node === link.node),
  );
  const role =
    office.kind === 'backup'
      ? state.attempt === undefined
        ? 'backup'
        : 'asking'
      : isServing
        ? 'serving'
        : 'opening';
  const primary = office.kind === 'primary' ? { node: state.self, address: state.address() } : office.primary;
  const hearsPrimary =
    office.kind === 'backup' &&
    office.primary !== undefined &&
    nowMs - office.heardMs < state.timing.silentMs;
  send(step, link.id, {
    kind: 'survey answer',
    term: state.term,
    attempt,
    role,
    answer: ownAnswer(state),
    primary: primary?.node,
    primaryAddress: primary?.address,
    hearsPrimary,
    wantsPlace: state.wantsPlace,
    isWilling: isWilling(step, link),
    excludedBy: isServing && !takesPart ? configurations.committed : undefined,
    peers: [...knownPeers(state), { node: state.self, address: state.address() }],
  });
}
