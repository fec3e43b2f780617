import type { Index, Term } from '../engine.js';
import { endOf, isSameEnd, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { termCount } from '../log/term.js';
import { commonPrefix, termAt } from '../log/history.js';
import { failAttempt } from './attempt.js';
import { agree, refuseLink } from './contradictions.js';
import { setCommit } from './committing.js';
import type { Append, Heartbeat, LeftOut, Probe, SnapshotPart } from './message.js';
import { isNamedAgain, leaveOut } from './leaving-out.js';
import { electionTimeoutMs } from './pace.js';
import { primaryServes } from './refusals.js';
import type { BackupOffice, Freshness, OpenLink, ReplicaState, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import {
  appendFrames,
  configurationInForce,
  durableState,
  emptyBackupOffice,
  hasEntry,
  historyOf,
  nodesOf,
  persist,
  send,
  takeTerm,
  tell,
  truncate,
} from './turn.js';

/** The part of a backup: what it does with the messages of a primary. */

/**
 * Takes the sender for the primary of its term; undefined when it is not, or not any more. Whoever is refused is told the
 * higher term.
 */
function follow(step: Step, link: OpenLink, term: Term): BackupOffice | undefined {
  const { state, nowMs } = step;
  if (state.divergence !== undefined) return undefined;
  if (term < state.term) {
    answerHeartbeat(step, link, 0);
    return undefined;
  }
  if (state.cluster === undefined && !adopt(step, link)) return undefined;
  if (term > state.term) {
    failAttempt(step, primaryServes(link.address));
    if (state.office.kind === 'primary') stepDown(step, false);
    else state.office = emptyBackupOffice(state, nowMs);
    noteNewPrimary(step, link);
    takeTerm(step, term, link.node, 'backup');
  } else if (state.office.kind === 'primary') {
    throw new Error('two nodes hold one term');
  } else if (state.role === 'primary') {
    noteNewPrimary(step, link);
    state.role = 'backup';
    persist(step);
  }
  state.wantsPlace = false;
  const { office } = state;
  if (office.kind === 'primary') throw new Error('a backup holds an office');
  if (office.primary?.node !== link.node) {
    tell(step, 'info', { primary: link.address, term: termCount(term) }, 'following a primary');
  }
  office.primary = { node: link.node, address: link.address };
  office.link = link.id;
  office.heardMs = nowMs;
  office.hasAsked = false;
  state.patienceMs = electionTimeoutMs(state.timing, step.random);
  const wanted = state.attempt?.purpose;
  if (wanted?.kind === 'elect' && !wanted.isAsked) failAttempt(step, primaryServes(link.address));
  if (office.isSilent) {
    office.isSilent = false;
    tell(step, 'info', { primary: link.address }, 'the primary is heard again');
  }
  return office;
}

function noteNewPrimary(step: Step, link: OpenLink): void {
  if (!step.state.wantsPlace && step.state.role !== 'primary') return;
  tell(
    step,
    'warn',
    { primary: link.address },
    'another node is the primary now: this one becomes its backup',
  );
}

/** A new backup becomes a node of the cluster of the primary that added it. */
function adopt(step: Step, link: OpenLink): boolean {
  const { state } = step;
  if (link.cluster === undefined) return false;
  state.cluster = link.cluster;
  const position = { term: 0 as Term, index: 0 as Index };
  const nobody = { members: [], learners: [], acks: 'majority', failover: 'manual', position } as const;
  state.configurations = { committed: nobody, open: [] };
  step.effects.push({ kind: 'adopt', cluster: link.cluster, state: durableState(state) });
  tell(step, 'info', { primary: link.address, cluster: link.cluster }, 'added to a cluster by its primary');
  return true;
}

/** What a primary's word does that serves and counts this node. */
function confirm(step: Step, message: { isServing: boolean; isMember: boolean }): void {
  const { state } = step;
  if (message.isMember && message.isServing && state.leftOutAt === undefined) state.isConfirmed = true;
}

export function onHeartbeat(step: Step, link: OpenLink, message: Heartbeat, applied?: Index): void {
  const { state, nowMs } = step;
  const office = follow(step, link, message.term);
  if (office === undefined) return;
  confirm(step, message);
  office.isPrimaryServing = message.isServing;
  office.primaryLast = message.last.index;
  state.leaseUntilMs = Math.max(state.leaseUntilMs, nowMs + message.leaseMs);
  state.leaseHolder = link.node;
  followCommit(step, office, message.commit);
  noteFreshness(state, office, message, applied);
  answerHeartbeat(step, link, message.round, message.leaseMs);
}

function answerHeartbeat(step: Step, link: OpenLink, round: number, leaseMs = 0): void {
  const { state, nowMs } = step;
  send(step, link.id, { kind: 'heartbeat answer', term: state.term, round, sentMs: nowMs, leaseMs });
}

/**
 * Keeps the newest that is shown, and the oldest that is not: so there is always one to come, however fast commits do, and one
 * that holds until then, however far applying is behind them.
 */
function noteFreshness(
  state: ReplicaState,
  office: BackupOffice,
  { commit, echoMs }: Pick<Heartbeat, 'commit' | 'echoMs'>,
  applied: Index = state.commit,
): void {
  // What was applied of a content that is replaced may have been another history, and longer.
  const shown = Math.min(applied, state.commit);
  const known = echoMs === undefined ? office.freshness : [...office.freshness, { commit, asOfMs: echoMs }];
  const newest = known
    .filter((each) => each.commit <= shown)
    .reduce<Freshness | undefined>(
      (best, each) => (best === undefined || each.asOfMs > best.asOfMs ? each : best),
      undefined,
    );
  const waiting = known.find((each) => each.commit > shown);
  office.freshness = [newest, waiting].filter((each) => each !== undefined);
}

/** What is committed on the primary is committed here as far as it is known to be the same. */
function followCommit(step: Step, office: BackupOffice, commit: Index): void {
  const { commit: before, last, rules } = step.state;
  const safe = Math.min(commit, rules.commitsOnlyMatched ? office.matched : last.index) as Index;
  if (safe > before) setCommit(step, safe);
}

export function onProbe(step: Step, link: OpenLink, message: Probe): void {
  const { state } = step;
  const office = follow(step, link, message.term);
  if (office === undefined || state.isReplacing) return;
  const own = historyOf(state);
  // A primary's log only grows: a probe that shows it shorter than what it has sent was overtaken on the way. What it has
  // sent is what was verified, and what lies here of its term, whoever brought it.
  const sent = own.last.term === message.term ? own.last.index : office.verified;
  if (message.history.last.index < sent) return;
  const common = own.last.index === 0 ? own.last : commonPrefix(own, message.history);
  const { term } = state;
  const answer = { kind: 'probe answer', term, probe: message.probe } as const;
  if (common === undefined || common.index < state.commit) {
    office.wantsSnapshot = true;
    send(step, link.id, { ...answer, matched: 0 as Index, durable: 0 as Index, wantsSnapshot: true });
    return;
  }
  agree(state, link.node);
  office.wantsSnapshot = false;
  office.matched = common.index;
  office.verified = common.index;
  const durable = Math.min(state.durable, common.index) as Index;
  send(step, link.id, { ...answer, matched: common.index, durable, wantsSnapshot: false });
}

export function onAppend(step: Step, link: OpenLink, message: Append, applied?: Index): void {
  const { state } = step;
  const office = follow(step, link, message.term);
  if (office === undefined) return;
  confirm(step, message);
  office.isPrimaryServing = message.isServing;
  const { previous, frames } = message;
  if (!hasEntry(state, previous)) {
    send(step, link.id, { kind: 'mismatch', term: state.term });
    return;
  }
  const isNew = takeFrames(step, link, previous, frames);
  if (isNew === undefined) return;
  const last = frames.at(-1);
  const matched = last === undefined ? previous.index : lastIndexOf(last);
  if (matched > office.matched) office.matched = matched;
  if (matched > office.verified) office.verified = matched;
  if (office.primaryLast < matched) office.primaryLast = matched;
  followCommit(step, office, message.commit);
  noteFreshness(state, office, message, applied);
  if (!isNew) acknowledge(step);
}

/**
 * Appends what this log does not have yet, cutting off what it has otherwise. Undefined when that would cut what is
 * committed: the link is closed then.
 */
function takeFrames(
  step: Step,
  link: OpenLink,
  previous: LogEnd,
  frames: readonly Frame[],
): boolean | undefined {
  const { state } = step;
  let before = previous;
  for (const [at, frame] of frames.entries()) {
    const end = endOf(frame);
    const term = termAt(historyOf(state), end.index);
    // What lies before the snapshot that this log begins with is committed, and was sent before the snapshot was.
    const isBeforeLog = term === undefined && end.index <= state.commit;
    if (isBeforeLog || (end.index <= state.last.index && term === end.term)) {
      before = end;
      continue;
    }
    if (state.last.index > before.index) {
      if (before.index < state.commit) {
        refuseLink(step, link, {
          detail: `it has other entries than what is committed here behind ${String(before.index)}`,
          isAboutLog: true,
        });
        return undefined;
      }
      truncate(step, before);
    }
    appendFrames(step, frames.slice(at));
    return true;
  }
  return false;
}

/**
 * Tells the primary what is durable here and known, by its own messages, to be the same there. What this node has committed
 * is not enough: under a primary that was promoted with an accepted loss, something else may stand there.
 */
export function acknowledge(step: Step): void {
  const { state, nowMs } = step;
  const { office } = state;
  if (office.kind !== 'backup') return;
  // Also while the primary is not linked, which may itself need this node to be one again.
  takePartAgain(step);
  if (office.link === undefined) return;
  const durable = Math.min(state.durable, office.verified) as Index;
  const { term } = state;
  send(step, office.link, {
    kind: 'append answer',
    term,
    matched: office.verified,
    durable,
    sentMs: nowMs,
  });
}

/** Counts again where a newer configuration names it. */
function takePartAgain(step: Step): void {
  const { state } = step;
  const { configurations, leftOutAt, self, durable } = state;
  if (configurations === undefined || !isNamedAgain(configurations, leftOutAt, self, durable)) return;
  state.leftOutAt = undefined;
  persist(step);
  tell(step, 'info', {}, 'this node takes part again');
}

export function onSnapshotPart(step: Step, link: OpenLink, message: SnapshotPart): void {
  const { state } = step;
  const office = follow(step, link, message.term);
  if (office === undefined) return;
  const { end, offset, configuration, lossAccepted, bytes, isLast } = message;
  // Being in this log is not enough: what this log has behind it may be what is to be replaced.
  if (isSameEnd(state.last, end) || (end.index <= office.verified && hasEntry(state, end))) {
    office.matched = Math.max(office.matched, end.index) as Index;
    answerSnapshot(step, link.id, end, offset, true);
    return;
  }
  if (state.arrival?.isBusy === true) return;
  // A link that broke costs no more than what was on it: the same file is gone on with.
  const isSame =
    state.arrival !== undefined && isSameEnd(state.arrival.end, end) && state.arrival.from === link.node;
  if (state.arrival === undefined || !isSame) {
    const arrival = { end, configuration, lossAccepted, from: link.node, link: link.id };
    state.arrival = { ...arrival, offset: 0, isBusy: false };
  }
  const { arrival } = state;
  arrival.link = link.id;
  if (offset !== arrival.offset) {
    answerSnapshot(step, link.id, end, arrival.offset, false);
    return;
  }
  arrival.isBusy = true;
  step.effects.push({ kind: 'receive', end, offset, bytes, isLast });
}

/** A part was written; `isWhole` once all of them were and the whole was checked. */
export function onReceived(step: Step, end: LogEnd, offset: number, isWhole: boolean): void {
  const { state } = step;
  const { arrival } = state;
  if (arrival === undefined || !isSameEnd(arrival.end, end)) return;
  arrival.isBusy = isWhole;
  arrival.offset = offset;
  if (!isWhole) {
    answerSnapshot(step, arrival.link, end, offset, false);
    return;
  }
  // From here on the old content is gone, whatever comes. Nothing counts as durable before the new one is.
  state.last = end;
  state.ends = [end];
  state.spans = end.index === 0 ? [] : [{ term: end.term, firstIndex: end.index, isLossy: false }];
  // Of an earlier term nobody here knows who opened it; of this one it is whom this node follows.
  const { office } = state;
  state.lastPrimary = office.kind === 'backup' && end.term === state.term ? office.primary?.node : undefined;
  state.isReplacing = true;
  state.durable = 0 as Index;
  state.commit = end.index;
  state.configurations = { committed: arrival.configuration, open: [] };
  state.lossAccepted = arrival.lossAccepted;
  if (state.office.kind === 'backup') state.office.matched = end.index;
  step.effects.push({ kind: 'replace', end, state: durableState(state) });
}

export function onReplaced(step: Step, end: LogEnd): void {
  const { state } = step;
  if (state.durable < end.index) state.durable = end.index;
  const { arrival } = state;
  state.arrival = undefined;
  state.isReplacing = false;
  state.stateReports = [];
  tell(step, 'info', { index: end.index }, 'the content was replaced by a snapshot of the primary');
  if (arrival !== undefined) answerSnapshot(step, arrival.link, end, arrival.offset, true);
}

function answerSnapshot(
  step: Step,
  link: OpenLink['id'],
  end: LogEnd,
  offset: number,
  isInstalled: boolean,
): void {
  send(step, link, { kind: 'snapshot answer', term: step.state.term, end, offset, isInstalled });
}

/** This node was removed. It keeps what it has, and counts nowhere until it is added again. */
export function onLeftOut(step: Step, link: OpenLink, message: LeftOut): void {
  const { state } = step;
  if (state.cluster === undefined || state.divergence !== undefined) return;
  if (message.term < state.term) {
    answerHeartbeat(step, link, 0);
    return;
  }
  const { members, learners } = message.configuration;
  if (nodesOf([...members, ...learners]).includes(state.self)) return;
  const known = configurationInForce(state).position;
  const isOlder =
    message.configuration.position.term < known.term ||
    (message.configuration.position.term === known.term &&
      message.configuration.position.index < known.index);
  // A word from before it was added again.
  if (isOlder && nodesOf(configurationInForce(state).members).includes(state.self)) return;
  leaveOut(step, link, message.term, message.configuration.position);
  send(step, link.id, { kind: 'left out answer', term: state.term });
}
