import { refusal } from '../engine.js';
import type { ClusterId, FsyncPolicy, Index, NodeId, Position, Role, Term } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import type { TermSpan } from '../log/history.js';
import {
  beginAttempt,
  judge,
  onFenceAnswer,
  onHandOverAnswer,
  onSurveyAnswer,
  onTakeOver,
  signOfLife,
  yieldTo,
} from './asking.js';
import { failAttempt } from './attempt.js';
import { contradictionIn, refuseLink } from './contradictions.js';
import { noteTick, wantsElection } from './electing.js';
import { isNamedAgain } from './leaving-out.js';
import { abandonLeave, onLeave } from './leaving-office.js';
import { onFetch, onSupplied, takeSupply } from './fetching.js';
import {
  acknowledge,
  onAppend,
  onHeartbeat,
  onLeftOut,
  onProbe,
  onReceived,
  onReplaced,
  onSnapshotPart,
} from './following.js';
import { advance, beginRound, mark, onAnswer, onHandOver, propose, tickPrimary } from './leading.js';
import type { Configurations } from './membership.js';
import type { Message, Supply } from './message.js';
import { open } from './opening.js';
import { onCommand } from './operator.js';
import { forgottenLeaseMs, paceOf } from './pace.js';
import { ask, askAgain } from './questions.js';
import { RULES } from './rules.js';
import type { ReplicationRules } from './rules.js';
import { DEFAULT_TIMING, DEFAULT_WINDOWS } from './timing.js';
import type { Effect, Input, LinkId, OpenLink, PrimaryOffice, ReplicaState, Step } from './state.js';
import type { Timing, Windows } from './timing.js';
import { onOwnState, onStateDiffers } from './state-checking.js';
import { connect, disconnect, noteUnreachable, onFed, onFedSnapshot } from './streaming.js';
import { tellCommit } from './telling-commit.js';
import { emptyBackupOffice, linkTo, tell } from './turn.js';
import { answerSurvey, onFence } from './voting.js';

/** What a node knows of itself when it starts. */
export interface Beginning {
  readonly self: NodeId;
  readonly cluster: ClusterId | undefined;
  readonly fsync: FsyncPolicy;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly leftOutAt: Position | undefined;
  readonly lastPrimary: NodeId | undefined;
  readonly configurations: Configurations | undefined;
  readonly last: LogEnd;
  readonly spans: readonly TermSpan[];
  readonly commit: Index;
  /** As {@link DurableState}. */
  readonly divergence?: string | undefined;
  /** As {@link DurableState}. */
  readonly lossAccepted?: boolean | undefined;
  readonly nowMs: number;
  readonly rules?: ReplicationRules;
  readonly timing?: Timing;
  readonly windows?: Windows;
  address(): string;
}

export function begin(beginning: Beginning): ReplicaState {
  const rules = beginning.rules ?? RULES;
  const timing = beginning.timing ?? DEFAULT_TIMING;
  const windows = beginning.windows ?? DEFAULT_WINDOWS;
  const { nowMs, role, last, spans, ...rest } = beginning;
  const { configurations, self } = beginning;
  const isBack =
    configurations !== undefined && isNamedAgain(configurations, beginning.leftOutAt, self, last.index);
  const leftOutAt = isBack ? undefined : beginning.leftOutAt;
  const { divergence } = beginning;
  const wantsPlace = role === 'primary' && leftOutAt === undefined && divergence === undefined;
  // A primary granted nobody a lease in its own term. A backup may have, and forgotten it.
  const leaseUntilMs =
    role === 'backup' && rules.waitsAtStart ? nowMs + forgottenLeaseMs(configurations, timing) : -Infinity;
  const state: ReplicaState = {
    ...rest,
    leftOutAt,
    rules,
    timing,
    windows,
    role,
    last,
    spans: [...spans],
    ends: [last],
    durable: last.index,
    isConfirmed: false,
    office: emptyBackupOffice(beginning, nowMs),
    attempt: undefined,
    attempts: 0,
    wantsPlace,
    askAtMs: nowMs,
    leaseUntilMs,
    leaseHolder: undefined,
    patienceMs: timing.automatic.electionMaxMs,
    votedMs: nowMs,
    tickedMs: nowMs,
    awakeFromMs: -Infinity,
    trustedFromMs: -Infinity,
    links: new Map(),
    reached: [],
    arrival: undefined,
    isReplacing: false,
    stateReports: [],
    divergence,
    lossAccepted: beginning.lossAccepted === true || spans.some(({ isLossy }) => isLossy),
    contradicted: undefined,
    refused: new Map(),
  };
  return state;
}

/**
 * One step of the node: everything that it decides, it decides here. Nothing is done; the effects say what is to be
 * done, in their order, and one that says `persist` is done, durably, before those behind it.
 *
 * @param random - fresh for each step, at least 0 and below 1.
 */
export function step(state: ReplicaState, input: Input, nowMs: number, random: number): Effect[] {
  const turn: Step = { state, nowMs, random, effects: [] };
  const isAsked = input.kind === 'command' || input.kind === 'leave';
  if (state.divergence === undefined || isAsked) dispatch(turn, input);
  // Whoever halts in the middle of something leaves nobody waiting for it.
  if (state.divergence !== undefined) {
    failAttempt(turn, refusal('DIVERGED', state.divergence));
    abandonLeave(turn);
  }
  return turn.effects;
}

function dispatch(turn: Step, input: Input): void {
  const { state } = turn;
  const { office } = state;
  switch (input.kind) {
    case 'tick':
      tick(turn);
      break;
    case 'link up':
      onLinkUp(turn, input.link);
      break;
    case 'link down':
      onLinkDown(turn, input.link);
      break;
    case 'unreachable':
      onUnreachable(turn, input.node);
      break;
    case 'message': {
      const link = state.links.get(input.link);
      if (link !== undefined) onMessage(turn, link, input.message, input.applied);
      break;
    }
    case 'propose':
      if (office.kind !== 'primary') throw new Error('only a primary proposes');
      propose(turn, office, input.frame);
      break;
    case 'durable':
      onDurable(turn, input.index);
      break;
    case 'fed':
    case 'fed snapshot':
    case 'confirm reads':
    case 'reminded':
    case 'mark':
      if (office.kind === 'primary') toPrimary(turn, office, input);
      break;
    case 'supplied':
      onSupplied(turn, input);
      break;
    case 'received':
      onReceived(turn, input.end, input.offset, input.isWhole);
      break;
    case 'replaced':
      onReplaced(turn, input.end);
      break;
    case 'command':
      onCommand(turn, input.command, input.change);
      break;
    case 'leave':
      onLeave(turn, input.command);
      break;
    case 'state summed':
      onOwnState(turn, input.report);
      break;
    case 'clocks parted':
      state.trustedFromMs = input.atMs;
  }
}

/** What concerns a primary alone. It may come too late. */
function toPrimary(
  turn: Step,
  office: PrimaryOffice,
  input: Extract<Input, { kind: 'fed' | 'fed snapshot' | 'confirm reads' | 'reminded' | 'mark' }>,
): void {
  switch (input.kind) {
    case 'fed':
      onFed(turn, office, input);
      break;
    case 'fed snapshot':
      onFedSnapshot(turn, office, input);
      break;
    case 'confirm reads':
      beginRound(turn, office);
      break;
    case 'reminded':
      tellCommit(turn, office);
      break;
    case 'mark':
      mark(turn, office);
  }
}

function onDurable(turn: Step, index: Index): void {
  const { state } = turn;
  const { office } = state;
  if (index > state.durable) state.durable = Math.min(index, state.last.index) as Index;
  if (office.kind === 'primary') advance(turn, office);
  else acknowledge(turn);
}

function tick(turn: Step): void {
  const { state, nowMs } = turn;
  noteTick(turn);
  const { office, attempt, timing } = state;
  if (office.kind === 'primary') {
    tickPrimary(turn, office);
    if (state.divergence !== undefined) return;
  } else if (
    state.leftOutAt === undefined &&
    office.primary !== undefined &&
    !office.isSilent &&
    nowMs - office.heardMs > timing.silentMs
  ) {
    office.isSilent = true;
    tell(turn, 'warn', { primary: office.primary.address }, 'the primary is silent');
  }
  if (attempt !== undefined) {
    if (nowMs - attempt.askedMs >= paceOf(state).resendMs) askAgain(turn, attempt);
    judge(turn, attempt);
  } else if (state.wantsPlace && nowMs >= state.askAtMs && state.configurations !== undefined) {
    beginAttempt(turn, { kind: 'own place' });
  } else if (wantsElection(state, nowMs)) {
    stand(turn);
  } else if (isLonely(state, nowMs) && nowMs >= state.askAtMs) {
    beginAttempt(turn, { kind: 'look' });
  }
}

function stand(turn: Step): void {
  const { office } = turn.state;
  if (office.kind === 'backup' && !office.hasAsked) {
    office.hasAsked = true;
    tell(turn, 'info', {}, 'no primary is heard: this node asks the others whether it should be the next');
  }
  beginAttempt(turn, { kind: 'elect', isAsked: false });
}

/** A backup that has heard no primary for a while. It may have been left out while it could not be told. */
function isLonely({ office, configurations, leftOutAt, timing }: ReplicaState, nowMs: number): boolean {
  if (office.kind === 'primary' || leftOutAt !== undefined || configurations === undefined) return false;
  return nowMs - office.heardMs > timing.silentMs;
}

function onUnreachable(turn: Step, node: NodeId): void {
  const { office, attempt } = turn.state;
  if (office.kind === 'primary') noteUnreachable(office, node);
  // Over the link that it opened itself it can be asked as well.
  if (attempt === undefined || linkTo(turn.state, node) !== undefined) return;
  attempt.unreachable.add(node);
  judge(turn, attempt);
}

function onLinkUp(turn: Step, link: OpenLink): void {
  const { state } = turn;
  const { office, attempt } = state;
  state.links.set(link.id, link);
  if (attempt?.down.has(link.node) === true) {
    signOfLife(turn, link);
    return;
  }
  if (attempt !== undefined) ask(turn, attempt, link);
  if (office.kind !== 'primary') return;
  const progress = office.progress.get(link.node);
  if (progress?.link === undefined && progress !== undefined) connect(turn, progress);
}

function onLinkDown(turn: Step, id: LinkId): void {
  const { state } = turn;
  const link = state.links.get(id);
  state.links.delete(id);
  const { office } = state;
  if (office.kind === 'backup') {
    if (office.link === id) office.link = undefined;
    return;
  }
  const progress = link && office.progress.get(link.node);
  if (progress?.link === id) disconnect(turn, progress);
}

function onMessage(turn: Step, link: OpenLink, message: Message, applied: Index | undefined): void {
  const { state } = turn;
  if (state.attempt?.down.has(link.node) === true) {
    signOfLife(turn, link);
    return;
  }
  const contradiction = contradictionIn(turn, link, message);
  if (contradiction !== undefined) {
    refuseLink(turn, link, contradiction);
    return;
  }
  switch (message.kind) {
    case 'heartbeat':
      onHeartbeat(turn, link, message, applied);
      break;
    case 'probe':
      onProbe(turn, link, message);
      break;
    case 'append':
      onAppend(turn, link, message, applied);
      break;
    case 'snapshot part':
      onSnapshotPart(turn, link, message);
      break;
    case 'left out':
      onLeftOut(turn, link, message);
      break;
    case 'survey':
      answerSurvey(turn, link, message.attempt);
      break;
    case 'survey answer':
      onSurveyAnswer(turn, link, message);
      break;
    case 'fence':
      onFence(turn, link, message, yieldTo);
      break;
    case 'fence answer':
      onFenceAnswer(turn, link, message);
      break;
    case 'fetch':
      onFetch(turn, link, message);
      break;
    case 'supply':
      onSupply(turn, link, message);
      break;
    case 'take over':
      onTakeOver(turn, link, message);
      break;
    case 'state differs':
      onStateDiffers(turn, link, message);
      break;
    case 'hand over answer':
      onHandOverAnswer(turn, link, message);
      break;
    default:
      if (state.office.kind === 'primary') onMessageToPrimary(turn, state.office, link, message);
  }
}

function onMessageToPrimary(turn: Step, office: PrimaryOffice, link: OpenLink, message: Message): void {
  if (message.kind === 'hand over') onHandOver(turn, office, link, message);
  else onAnswer(turn, office, link, message);
}

function onSupply(turn: Step, link: OpenLink, message: Supply): void {
  const { attempt } = turn.state;
  if (attempt === undefined) return;
  const isDone = takeSupply(turn, attempt, link, message);
  if (isDone === undefined) {
    const what = `${link.address} has a longer log, and this node is too far behind to fetch it: promote ${link.address}`;
    failAttempt(turn, refusal('LAGGING', what));
  } else if (isDone) open(turn, attempt);
}
