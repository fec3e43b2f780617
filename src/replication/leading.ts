import { refusal } from '../engine.js';
import type { Index, NodeId } from '../engine.js';
import { controlFrame } from '../log/control.js';
import type { Configuration, Peer } from '../log/control.js';
import { lastIndexOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import { showPosition } from '../log/term.js';
import { promoteLearners, settleChange } from './changing.js';
import { writeNeeds } from './commit.js';
import { setCommit } from './committing.js';
import { checkQuorum } from './electing.js';
import { tickLeave } from './leaving-office.js';
import type { HandOver, HeartbeatAnswer, Message } from './message.js';
import { isAutomatic, longestLeaseMs, paceOf, shortestLeaseMs } from './pace.js';
import type { PromotionGrant } from './promotion.js';
import { showPeers, unreachableMembers } from './refusals.js';
import { onStateChecksum, tickStateChecks } from './state-checking.js';
import { emptyStateChecks } from './state-checks.js';
import type { OpenLink, OpenPromotion, PrimaryOffice, Step } from './state.js';
import {
  feedAll,
  heard,
  noteEcho,
  renewProgress,
  onAppendAnswer,
  onMismatch,
  onProbeAnswer,
  onSnapshotAnswer,
  resend,
  sendHeartbeat,
} from './streaming.js';
import {
  answerDone,
  appendFrames,
  configurationInForce,
  nodesOf,
  knownPeers,
  othersIn,
  persist,
  send,
  tell,
} from './turn.js';
import { stepDown } from './stepping-down.js';
import { oweCommit, tellCommit } from './telling-commit.js';

/** The part of the primary. */

/** Takes office on a grant: opens the term with an entry of its own, and serves once that is committed. */
export function takeOffice(
  step: Step,
  grant: PromotionGrant,
  promotion: OpenPromotion | undefined,
  peers: ReadonlyMap<NodeId, Peer>,
): void {
  const { state, nowMs } = step;
  const before = configurationInForce(state);
  const changed = changedConfiguration(step, grant, peers);
  state.wantsPlace = false;
  state.attempt = undefined;
  state.role = 'primary';
  // An operator who accepts a loss may promote a node that was left out: from here on it counts.
  state.leftOutAt = undefined;
  const opening = (state.last.index + 1) as Index;
  const after = changed ?? before;
  const office: PrimaryOffice = {
    kind: 'primary',
    opening: state.rules.opensTermFirst ? opening : state.last.index,
    isServing: false,
    progress: new Map(),
    ranges: [],
    pending: undefined,
    leaving: new Map(),
    needs: [writeNeeds(after.acks, state.self, nodesOf(after.members))],
    round: 0,
    roundsMs: new Map(),
    heartbeatDueMs: nowMs,
    handOver: undefined,
    leave: undefined,
    promotion,
    checks: emptyStateChecks(),
  };
  state.office = office;
  persist(step);
  const lossAfter = grant.isLossy ? { term: state.last.term, index: state.last.index } : undefined;
  office.ranges.push({ last: office.opening, needs: grant.opening, isWhole: true });
  if (state.rules.opensTermFirst) {
    const entry = { kind: 'open', primary: state.self, configuration: changed, lossAfter } as const;
    appendFrames(step, [controlFrame(entry, state.term, state.last)]);
  }
  for (const peer of knownPeers(state)) {
    if (othersIn(state, after).some(({ node }) => node === peer.node)) continue;
    office.leaving.set(peer.node, { peer, command: undefined, deadlineMs: Infinity, toldMs: -Infinity });
  }
  renewProgress(step, office);
  advance(step, office);
}

/** The members that are left, and where this node is reached now. */
function changedConfiguration(
  step: Step,
  grant: PromotionGrant,
  peers: ReadonlyMap<NodeId, Peer>,
): Configuration | undefined {
  const { state } = step;
  const { members, learners, acks, failover } = configurationInForce(state);
  const own = { node: state.self, address: state.address() };
  const isMoved =
    !own.address.endsWith(':0') &&
    members.some(({ node, address }) => node === own.node && address !== own.address);
  if (grant.members === undefined && !isMoved) return undefined;
  const staying = grant.members ?? nodesOf(members);
  const known = new Map([
    ...peers,
    ...members.map((peer) => [peer.node, peer] as const),
    [own.node, own] as const,
  ]);
  return {
    members: staying.flatMap((node) => known.get(node) ?? []),
    learners: grant.members === undefined ? learners : learners.filter(({ node }) => !staying.includes(node)),
    acks,
    failover,
  };
}

/** Takes a frame of operations. The caller sealed it behind the last one, in this term. */
export function propose(step: Step, office: PrimaryOffice, frame: Frame): void {
  appendFrames(step, [frame]);
  pushRange(office, lastIndexOf(frame));
  feedAll(step, office);
}

/** Marks the log for a snapshot that all have of one position, once at a time. It is counted like a write, and nobody waits for it. */
export function mark(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  if (!office.isServing || office.handOver !== undefined) return;
  if (unreachableMembers(state, office, step.nowMs) !== undefined) return;
  appendFrames(step, [controlFrame({ kind: 'mark' }, state.term, state.last)]);
  pushRange(office, state.last.index);
  advance(step, office);
}

function pushRange(office: PrimaryOffice, last: Index): void {
  const range = office.ranges.at(-1);
  if (range !== undefined && !range.isWhole && range.needs === office.needs) {
    office.ranges[office.ranges.length - 1] = { last, needs: range.needs, isWhole: false };
  } else {
    office.ranges.push({ last, needs: office.needs, isWhole: false });
  }
}

/** Commits what enough members have, and does what follows from it. */
export function advance(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  const committed = state.rules.committable(office.ranges, (node) => {
    if (node === state.self) return state.durable;
    const progress = office.progress.get(node);
    return progress?.isCounted === true ? progress.match : (0 as Index);
  });
  if (committed !== undefined && committed > state.commit) {
    const before = state.configurations?.committed;
    setCommit(step, committed);
    if (state.configurations?.committed !== before) renewProgress(step, office);
    office.ranges = office.ranges.filter(({ last }) => last > committed);
    oweCommit(step, office);
  }
  if (!office.isServing && state.commit >= office.opening) serve(step, office);
  settleChange(step, office);
  promoteLearners(step, office);
  settleHandOver(step, office);
  feedAll(step, office);
}

function serve(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  office.isServing = true;
  state.isConfirmed = true;
  // The commit of the opening: who opened the term must be known also when the log no longer reaches back to it.
  persist(step);
  step.effects.push({ kind: 'office', isPrimary: true });
  const others = othersIn(state, configurationInForce(state));
  tell(step, 'info', { position: showPosition(state.last), backups: others.length }, 'serving as primary');
  for (const progress of office.progress.values()) sendHeartbeat(step, office, progress);
  if (office.promotion !== undefined) {
    const { command, outcome } = office.promotion;
    step.effects.push({ kind: 'answer', command, outcome });
    office.promotion = undefined;
  }
}

/** The messages that only a primary is sent. */
export function onAnswer(step: Step, office: PrimaryOffice, link: OpenLink, message: Message): void {
  const { state, nowMs } = step;
  if (message.term > state.term) {
    // A term that somebody took and may not hold any more: nothing can be committed under this one.
    tell(step, 'warn', { node: link.address }, 'a backup answers with a higher term');
    state.term = message.term;
    state.vote = undefined;
    stepDown(step, true);
    // Nobody else is known to be the primary: the sooner it is one again, the better.
    if (isAutomatic(state)) state.askAtMs = nowMs;
    persist(step);
    return;
  }
  if (message.kind === 'left out answer') {
    const leaving = office.leaving.get(link.node);
    office.leaving.delete(link.node);
    answerDone(step, leaving?.command);
    renewProgress(step, office);
    return;
  }
  const progress = office.progress.get(link.node);
  if (progress === undefined || message.term < state.term) return;
  heard(step, progress);
  switch (message.kind) {
    case 'heartbeat answer':
      renewLease(step, office, link, message);
      return;
    case 'probe answer':
      if (progress.link === link.id) onProbeAnswer(step, progress, message);
      break;
    case 'append answer':
      if (progress.link === link.id) onAppendAnswer(step, progress, message);
      break;
    case 'snapshot answer':
      if (progress.link === link.id) onSnapshotAnswer(step, progress, message);
      break;
    case 'state checksum':
      onStateChecksum(step, office, link.node, message);
      return;
    case 'mismatch':
      onMismatch(step, link, progress);
      break;
    default:
    // Not a primary's business: it came too late.
  }
  advance(step, office);
}

function renewLease(step: Step, office: PrimaryOffice, link: OpenLink, message: HeartbeatAnswer): void {
  const progress = office.progress.get(link.node);
  const sentMs = office.roundsMs.get(message.round);
  if (progress === undefined || sentMs === undefined || message.term !== step.state.term) return;
  const isOfThisLink = progress.link === link.id;
  const grantedMs = isOfThisLink
    ? message.leaseMs
    : Math.min(message.leaseMs, shortestLeaseMs(step.state.timing));
  if (sentMs > progress.leaseFromMs) {
    progress.leaseFromMs = sentMs;
    progress.leaseMs = grantedMs;
  } else if (sentMs === progress.leaseFromMs) {
    progress.leaseMs = Math.max(progress.leaseMs, grantedMs);
  }
  progress.answeredRound = Math.max(progress.answeredRound, message.round);
  if (isOfThisLink) noteEcho(progress, message.sentMs);
}

export function onHandOver(step: Step, office: PrimaryOffice, link: OpenLink, message: HandOver): void {
  const { state, nowMs } = step;
  const answer = {
    kind: 'hand over answer',
    term: state.term,
    attempt: message.attempt,
    isReady: false,
  } as const;
  const refuse = (reason: string): void => {
    send(step, link.id, { ...answer, reason });
  };
  if (!office.isServing) refuse('the primary does not serve yet: try again in a moment');
  else if (office.pending !== undefined)
    refuse('a change of the members is under way: try again in a moment');
  else if (!nodesOf(configurationInForce(state).members).includes(link.node))
    refuse('only a member can take over');
  else if (office.handOver !== undefined && office.handOver.to !== link.node)
    refuse('another hand-over is under way');
  else {
    const untilMs = nowMs + state.timing.handOverMs;
    office.handOver = { to: link.node, attempt: message.attempt, untilMs, isReady: false };
    tell(step, 'info', { to: link.address }, 'handing over: no more writes are taken until it is done');
    settleHandOver(step, office);
  }
}

/** The other node may take over once it has everything and nothing more can come. */
function settleHandOver(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  const { handOver } = office;
  if (handOver === undefined || handOver.isReady || state.commit < state.last.index) return;
  const progress = office.progress.get(handOver.to);
  if (progress?.link === undefined || progress.match < state.last.index) return;
  handOver.isReady = true;
  const { term } = state;
  send(step, progress.link, {
    kind: 'hand over answer',
    term,
    attempt: handOver.attempt,
    isReady: true,
    reason: undefined,
  });
}

export function tickPrimary(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  const { silentMs } = state.timing;
  const leaseMs = longestLeaseMs(state.timing);
  if (office.handOver !== undefined && nowMs > office.handOver.untilMs) {
    office.handOver = undefined;
    tell(step, 'warn', {}, 'the hand-over was not completed in time: this node stays the primary');
  }
  if (nowMs >= office.heartbeatDueMs) beginRound(step, office);
  for (const [round, sentMs] of office.roundsMs) if (nowMs - sentMs > leaseMs) office.roundsMs.delete(round);
  for (const progress of office.progress.values()) {
    resend(step, progress);
    if (progress.isSilent || nowMs - progress.heardMs < silentMs) continue;
    progress.isSilent = true;
    tell(
      step,
      'warn',
      { node: progress.peer.address, silentMs: Math.round(nowMs - progress.heardMs) },
      'a backup is silent',
    );
  }
  tellCommit(step, office);
  tellLeaving(step, office);
  tickStateChecks(step, office);
  if (state.divergence !== undefined) return;
  tickLeave(step, office);
  checkQuorum(step, office);
  if (state.office !== office) return;
  office.heartbeatDueMs = Math.min(office.heartbeatDueMs, nowMs + paceOf(state).heartbeatMs);
  if (office.promotion !== undefined && nowMs > office.promotion.deadlineMs) {
    const { command } = office.promotion;
    const position = showPosition({ term: state.term, index: office.opening });
    const silent = showPeers(
      [...office.progress.values()].filter(({ match }) => match < office.opening).map(({ peer }) => peer),
    );
    const message = `the first entry of the new term, ${position}, is not confirmed yet by ${silent}: this node goes on trying; look at status`;
    step.effects.push({ kind: 'answer', command, outcome: refusal('UNCONFIRMED', message) });
    office.promotion = undefined;
  }
  advance(step, office);
}

/** A heartbeat to everybody, whose answers renew the lease from now on. */
export function beginRound(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  office.round++;
  office.roundsMs.set(office.round, nowMs);
  office.heartbeatDueMs = nowMs + paceOf(state).heartbeatMs;
  for (const progress of office.progress.values()) sendHeartbeat(step, office, progress);
}

function tellLeaving(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  if (!office.isServing || state.configurations === undefined) return;
  // Who was added again meanwhile is told so by its log.
  for (const { node } of knownPeers(state)) {
    const command = office.leaving.get(node)?.command;
    office.leaving.delete(node);
    answerDone(step, command);
  }
  for (const leaving of office.leaving.values()) {
    if (leaving.command !== undefined && nowMs > leaving.deadlineMs) {
      const message = `${leaving.peer.address} is removed, and has not confirmed that it knows: until then it must not be promoted. If it is stopped, say --backup-is-down`;
      step.effects.push({
        kind: 'answer',
        command: leaving.command,
        outcome: refusal('UNCONFIRMED', message),
      });
      office.leaving.set(leaving.peer.node, { ...leaving, command: undefined });
    }
    const link = [...state.links.values()].find(({ node }) => node === leaving.peer.node);
    if (link === undefined || nowMs - leaving.toldMs < state.timing.resendMs) continue;
    leaving.toldMs = nowMs;
    const configuration = state.configurations.committed;
    send(step, link.id, { kind: 'left out', term: state.term, configuration });
  }
}
