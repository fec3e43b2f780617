import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import { controlFrame } from '../log/control.js';
import type { Configuration, Peer } from '../log/control.js';
import { showPosition } from '../log/term.js';
import { writeNeeds } from './commit.js';
import { leaveAsRemoved } from './leaving-office.js';
import { isAutomatic } from './pace.js';
import type { Requirement } from './quorum.js';
import { isReachable, showPeers, unreachableMembers } from './refusals.js';
import { idleFailover } from './standing.js';
import type { Change, CommandId, PendingChange, PrimaryOffice, Step } from './state.js';
import { feedAll, renewProgress } from './streaming.js';
import { answerDone, appendFrames, configurationInForce, nodesOf, tell } from './turn.js';

/** Changes of who takes part: one at a time, each an entry of the log. */

/** Why the two are not had together. */
export const ACKS_0_WITH_AUTO =
  'with --acks 0 only the primary is sure to have what was acknowledged, so no other member may take over by itself; use --acks majority with --failover auto';

type ConfigurationChange = Exclude<Change, { kind: 'promote' }>;

/** Begins a change that an operator asks for; answers at once when it cannot be. */
export function change(
  step: Step,
  office: PrimaryOffice,
  command: CommandId,
  wanted: ConfigurationChange,
): void {
  const refused = objection(step, office, wanted);
  if (refused !== undefined) {
    step.effects.push({ kind: 'answer', command, outcome: refused });
    return;
  }
  const before = configurationInForce(step.state);
  const { members, learners } = before;
  switch (wanted.kind) {
    case 'addBackup':
      appendChange(step, office, { ...before, learners: [...learners, wanted.peer] }, command, 'add learner');
      break;
    case 'removeBackup': {
      const others = (peers: readonly Peer[]): Peer[] =>
        peers.filter(({ address }) => address !== wanted.address);
      const removed = [...members, ...learners].find(({ address }) => address === wanted.address);
      appendChange(
        step,
        office,
        { ...before, members: others(members), learners: others(learners) },
        command,
        'remove',
        removed,
      );
      break;
    }
    case 'setAcks':
      appendChange(step, office, { ...before, acks: wanted.acks }, command, 'acks');
      break;
    case 'setFailover':
      appendChange(step, office, { ...before, failover: wanted.failover }, command, 'failover');
  }
}

function isLeaving({ handOver, leave }: PrimaryOffice): boolean {
  return handOver !== undefined || leave !== undefined;
}

function objection(step: Step, office: PrimaryOffice, wanted: ConfigurationChange): Refusal | undefined {
  const { state, nowMs } = step;
  const { members, learners, acks, failover } = configurationInForce(state);
  if (!office.isServing && state.rules.changesOnlyServing)
    return refusal('NO_QUORUM', 'the primary does not serve yet: try again in a moment');
  if (wanted.kind === 'addBackup') {
    const { node, address } = wanted.peer;
    if (node === state.self)
      return refusal('ALREADY_MEMBER', `${address} is this node itself: give the address of another one`);
    const known = [...members, ...learners].find((peer) => peer.node === node || peer.address === address);
    if (known !== undefined) {
      const what = nodesOf(members).includes(known.node)
        ? 'a member'
        : 'a learner, which is still catching up';
      return refusal('ALREADY_MEMBER', `${known.address} is ${what} already: see status`);
    }
  }
  if (wanted.kind === 'removeBackup') {
    const refused = removalObjection(step, office, wanted.address);
    if (refused !== undefined) return refused;
  }
  const isSet =
    (wanted.kind === 'setAcks' && wanted.acks === acks) ||
    (wanted.kind === 'setFailover' && wanted.failover === failover);
  if (isSet && office.pending === undefined) return refusal('ALREADY_MEMBER', 'it is set so already');
  const wouldBe = { acks, failover, ...wanted };
  if (wouldBe.acks === '0' && wouldBe.failover === 'auto')
    return refusal('SYNTAX', `nothing was changed: ${ACKS_0_WITH_AUTO}`);
  if (office.pending !== undefined || state.configurations?.open.length !== 0)
    return refusal('BUSY', 'another change of the members is under way: try again in a moment');
  if (isLeaving(office)) return refusal('BUSY', 'a hand-over is under way: try again in a moment');
  return unreachableMembers(state, office, nowMs);
}

function removalObjection(
  { state, nowMs }: Step,
  office: PrimaryOffice,
  removed: string,
): Refusal | undefined {
  const { members, learners } = configurationInForce(state);
  const others = members.filter(({ node }) => node !== state.self);
  if (removed !== state.address()) {
    if ([...members, ...learners].some(({ address }) => address === removed)) return undefined;
    const known = showPeers([...others, ...learners]);
    return refusal('NOT_MEMBER', `${removed} is not among the backups: there is ${known}`);
  }
  if (!isAutomatic(state))
    return refusal(
      'NOT_MEMBER',
      `${removed} is the primary itself: promote another member first, then remove this one there`,
    );
  const reachable = others.filter(({ node }) => {
    const progress = office.progress.get(node);
    return progress?.isCounted === true && isReachable(progress, nowMs);
  });
  if (reachable.length > others.length / 2) return undefined;
  return refusal(
    'NO_QUORUM',
    `not applied: without ${removed} too few of ${showPeers(others)} are reachable to go on; start them again, or add others first`,
  );
}

/** Appends the entry. It needs a majority, and what `--acks` asks, under the old and the new configuration. */
export function appendChange(
  step: Step,
  office: PrimaryOffice,
  next: Configuration,
  command: CommandId | undefined,
  kind: PendingChange['kind'],
  removed?: Peer,
): void {
  const { state, nowMs } = step;
  const before = configurationInForce(state);
  const own = { node: state.self, address: state.address() };
  const members = next.members.map((peer) => (peer.node === own.node ? own : peer));
  const needs = [before, next].flatMap((configuration): Requirement[] => {
    const nodes = nodesOf(configuration.members);
    return [{ share: 'majority', members: nodes }, writeNeeds(configuration.acks, state.self, nodes)];
  });
  const { learners, acks, failover } = next;
  const configuration = { members, learners, acks, failover };
  appendFrames(step, [controlFrame({ kind: 'configure', configuration }, state.term, state.last)]);
  office.ranges.push({ last: state.last.index, needs, isWhole: false });
  office.needs = [writeNeeds(next.acks, state.self, nodesOf(members))];
  const deadlineMs = nowMs + state.timing.commandMs;
  office.pending = { command, index: state.last.index, kind, removed, deadlineMs };
  renewProgress(step, office);
  feedAll(step, office);
}

/** What follows once the entry of a change is committed, or is not in time. */
export function settleChange(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  const { pending } = office;
  if (pending === undefined) return;
  if (state.commit < pending.index) {
    if (pending.command === undefined || nowMs <= pending.deadlineMs) return;
    const message = `the change at ${showPosition({ term: state.term, index: pending.index })} is not confirmed in time and may still take effect: look at status`;
    step.effects.push({ kind: 'answer', command: pending.command, outcome: refusal('UNCONFIRMED', message) });
    office.pending = { ...pending, command: undefined };
    return;
  }
  office.pending = undefined;
  const { members, learners, acks, failover } = configurationInForce(state);
  const facts = { members: showPeers(members), learners: showPeers(learners), acks, failover };
  tell(step, 'info', facts, 'the configuration changed');
  // Who is added gets a moment to become a member.
  const idle = pending.kind === 'add learner' ? undefined : idleFailover(state);
  if (idle !== undefined) tell(step, 'warn', {}, idle);
  if (pending.removed?.node === state.self) {
    answerDone(step, pending.command);
    leaveAsRemoved(step, office, pending.removed);
  } else if (pending.removed !== undefined) {
    const { removed: peer, command, deadlineMs } = pending;
    office.leaving.set(peer.node, { peer, command, deadlineMs, toldMs: -Infinity });
    renewProgress(step, office);
  } else answerDone(step, pending.command);
}

/** A learner that has been sent everything becomes a member. */
export function promoteLearners(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  if (!office.isServing || office.pending !== undefined || isLeaving(office)) return;
  if (state.configurations?.open.length !== 0) return;
  const before = configurationInForce(state);
  const { members, learners } = before;
  const ready = learners.find(({ node }) => {
    const progress = office.progress.get(node);
    // What is on its way to it is bounded by the window.
    const added = state.configurations?.committed.position.index ?? 0;
    // And it knows durably that it was added: until then a node that was left out counts nowhere.
    const knows = progress !== undefined && progress.match >= added;
    return knows && progress.state === 'streaming' && progress.isCounted && progress.next > state.commit;
  });
  if (ready === undefined) return;
  const others = learners.filter(({ node }) => node !== ready.node);
  appendChange(
    step,
    office,
    { ...before, members: [...members, ready], learners: others },
    undefined,
    'add member',
  );
}
