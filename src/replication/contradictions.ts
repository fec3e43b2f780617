import type { Index, NodeId, Position, Term } from '../engine.js';
import { endOf, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { commonPrefix } from '../log/history.js';
import type { History } from '../log/history.js';
import { termCount } from '../log/term.js';
import type { Heartbeat, Message, Probe, SnapshotPart } from './message.js';
import { longestLeaseMs } from './pace.js';
import type { OpenLink, ReplicaState, Step } from './state.js';
import { endAt, hasEntry, historyOf, tell } from './turn.js';

/**
 * What no node that works says, in whatever order its messages come: something that contradicts itself, the rules of terms, or what
 * this node holds. It is found before anything follows from the message. The link is closed, it is told once, and nothing is changed.
 */
export interface Contradiction {
  /** On one line, for people. The same defect has the same text, so that it is told once. */
  readonly detail: string;
  /** The sender claims to be the primary, and its log and this node's own cannot both be right. */
  readonly isAboutLog: boolean;
}

/** No cluster has had so many more changes of primary while a node was away: one a second takes twelve days. */
const TERMS_AHEAD_MAX = 2 ** 20;
/** A new backup knows no term. Half of all terms are left then. */
const FIRST_TERM_MAX = 2 ** 24;
/** The same is not told again before this has passed. */
const TOLD_AGAIN_MS = 3_600_000;
const TOLD_MAX = 256;

/** What is wrong with a message; undefined when nothing is. */
export function contradictionIn(step: Step, link: OpenLink, message: Message): Contradiction | undefined {
  const { state } = step;
  const itself =
    absurdTerm(state, message) ??
    absurdLease(state, message) ??
    inItself(message) ??
    ofTerm(state, link, message);
  if (itself !== undefined) return { detail: itself, isAboutLog: false };
  const answered = beyondOwnLog(state, message) ?? otherSupply(state, message);
  if (answered !== undefined) return { detail: answered, isAboutLog: false };
  const aboutLog = withOwnLog(state, message);
  return aboutLog === undefined ? undefined : { detail: aboutLog, isAboutLog: true };
}

function absurdTerm({ configurations, term }: ReplicaState, message: Message): string | undefined {
  const most = configurations === undefined ? FIRST_TERM_MAX : termCount(term) + TERMS_AHEAD_MAX;
  return termCount(message.term) > most ? 'it speaks of a term that there cannot be yet' : undefined;
}

/** It would keep this node from ever agreeing to another primary. */
function absurdLease({ timing }: ReplicaState, message: Message): string | undefined {
  const isTooLong = message.kind === 'heartbeat' && message.leaseMs > longestLeaseMs(timing);
  return isTooLong ? 'it asks for a lease that no primary needs' : undefined;
}

/** What the message says cannot all be true. */
function inItself(message: Message): string | undefined {
  const { term } = message;
  switch (message.kind) {
    case 'heartbeat': {
      const { last, commit } = message;
      if (last.index === 0) return 'it leads with an empty log';
      return commit > last.index || last.term > term ? 'its heartbeat contradicts itself' : undefined;
    }
    case 'probe':
      if (message.history.last.index === 0) return 'it leads with an empty log';
      return isHistory(message.history, term) ? undefined : 'its terms contradict one another';
    case 'fetch':
      return isHistory(message.history, term) ? undefined : 'its terms contradict one another';
    case 'append':
      return isChain(message.previous, message.frames, term)
        ? undefined
        : 'its frames do not follow one another';
    case 'supply': {
      const { previous, frames } = message;
      const isSound = previous === undefined ? frames.length === 0 : isChain(previous, frames, term);
      return isSound ? undefined : 'its frames do not follow one another';
    }
    case 'snapshot part': {
      const isSound = message.end.index > 0 && areOf(term, message.end, message.configuration.position);
      return isSound ? undefined : 'its snapshot is of no position';
    }
    case 'left out':
      return areOf(term, message.configuration.position) ? undefined : 'it speaks of members of a later term';
    case 'survey answer':
    case 'fence answer':
      return areOf(term, message.answer.last) ? undefined : 'its log ends in a later term than it knows of';
    case 'probe answer':
    case 'append answer':
      return message.durable > message.matched ? 'it has more on its disk than in its log' : undefined;
    default:
      return undefined;
  }
}

function areOf(term: Term, ...positions: readonly Position[]): boolean {
  return positions.every((position) => position.term <= term);
}

function isHistory({ spans, last }: History, term: Term): boolean {
  if (spans.length === 0) return last.index === 0 && last.term === 0;
  // What a node was begun with, by a JSON file of another program or an earlier node, is of term 0.
  let before = { term: -1 as Term, firstIndex: 0 };
  for (const span of spans) {
    if (span.term <= before.term || span.firstIndex <= before.firstIndex) return false;
    before = span;
  }
  return before.term === last.term && before.firstIndex <= last.index && last.term <= term;
}

function isChain(previous: LogEnd, frames: readonly Frame[], term: Term): boolean {
  let before = previous;
  for (const frame of frames) {
    const follows = frame.firstIndex === before.index + 1 && frame.previous === before.checksum;
    if (!follows || frame.term < before.term) return false;
    before = endOf(frame);
  }
  return before.term <= term;
}

/** A term has one primary. Whoever else speaks as the primary of this node's own term lies, or is a copy that does. */
function ofTerm({ term, vote }: ReplicaState, link: OpenLink, message: Message): string | undefined {
  if (!isOfPrimary(message) || message.term !== term) return undefined;
  return vote === undefined || vote === link.node ? undefined : 'it claims the term of another node';
}

function isOfPrimary({ kind }: Message): boolean {
  return ['heartbeat', 'probe', 'append', 'snapshot part', 'left out', 'state differs', 'take over'].includes(
    kind,
  );
}

/** Within a term the primary's log only grows, so no answer can know of more. */
function beyondOwnLog({ office, term, last }: ReplicaState, message: Message): string | undefined {
  if (office.kind !== 'primary' || message.term !== term) return undefined;
  switch (message.kind) {
    case 'probe answer':
    case 'append answer':
      return message.matched > last.index ? 'it acknowledges what was never sent' : undefined;
    case 'heartbeat answer':
      return message.round > office.round ? 'it answers a heartbeat that was never sent' : undefined;
    default:
      return undefined;
  }
}

/** What the sender says of its log, held against this node's own. What is past is refused elsewhere. */
function withOwnLog(state: ReplicaState, message: Message): string | undefined {
  if (message.term < state.term || state.configurations === undefined || state.isReplacing) return undefined;
  switch (message.kind) {
    case 'heartbeat':
      return otherBytes(state, message);
    case 'append':
      return otherBytesIn(state, message.previous, message.frames);
    case 'probe':
      return lacksCommitted(state, message);
    case 'snapshot part':
      return isBeforeCommitted(state, message);
    default:
      return undefined;
  }
}

const OTHER_BYTES = 'it has other bytes at a position that this node has, too';

function isOther(state: ReplicaState, end: LogEnd): boolean {
  const own = endAt(state.ends, end.index);
  return own?.term === end.term && own.checksum !== end.checksum;
}

function otherBytes(state: ReplicaState, { last }: Heartbeat): string | undefined {
  return isOther(state, last) ? OTHER_BYTES : undefined;
}

function otherSupply(state: ReplicaState, message: Message): string | undefined {
  if (message.kind !== 'supply' || message.previous === undefined) return undefined;
  return otherBytesIn(state, message.previous, message.frames);
}

function otherBytesIn(state: ReplicaState, previous: LogEnd, frames: readonly Frame[]): string | undefined {
  if (isOther(state, previous)) return OTHER_BYTES;
  const known = frames.filter((frame) => lastIndexOf(frame) <= state.last.index);
  return known.some((frame) => isOther(state, endOf(frame))) ? OTHER_BYTES : undefined;
}

/** What is committed here is in the log of every primary, unless an operator accepted its loss, which the log tells. */
function lacksCommitted(state: ReplicaState, { history, term }: Probe): string | undefined {
  const { commit, office } = state;
  const own = historyOf(state);
  if (commit === 0 || own.last.index === 0) return undefined;
  // An earlier probe of the same term, overtaken on its way: its log was shorter then.
  const sent = own.last.term === term ? own.last.index : office.kind === 'backup' ? office.verified : 0;
  if (term === state.term && history.last.index < sent) return undefined;
  const common = commonPrefix(own, history);
  // With nothing in common its log may just not reach back so far, and what was accepted to be lost before is not known any more. Or
  // this node's own log begins behind it.
  const isShort =
    common === undefined ? history.spans[0]?.firstIndex === 1 && !state.lossAccepted : common.index < commit;
  const from = common?.index ?? (0 as Index);
  if (!isShort || isReplacedAfter(history, from) || isReplacedAfter(own, from)) return undefined;
  return `it does not have what is committed here behind ${String(from)}`;
}

/** Whether an operator accepted that what lies behind `index` may be lost: on the primary's side, or on this one. */
function isReplacedAfter(history: History, index: Index): boolean {
  return history.spans.some((span) => span.isLossy && span.firstIndex > index);
}

function isBeforeCommitted(state: ReplicaState, { end }: SnapshotPart): string | undefined {
  const { office } = state;
  const isWanted = office.kind === 'backup' && office.wantsSnapshot;
  if (isWanted || end.index >= state.commit || hasEntry(state, end)) return undefined;
  return 'its snapshot is older than what is committed here';
}

/**
 * Closes the link. Where the logs of this node and of whoever claims to be its primary stay at odds, and no other primary is heard, one
 * of the two is wrong and it cannot be told which: this node stops serving then.
 */
export function refuseLink(step: Step, link: OpenLink, { detail, isAboutLog }: Contradiction): void {
  const { state } = step;
  step.effects.push({ kind: 'close link', link: link.id });
  if (isAboutLog) stayAtOdds(step, link, detail);
  if (state.divergence !== undefined || wasTold(step, `${link.node} ${detail}`)) return;
  const told = `a link is closed and nothing was changed: ${detail}`;
  tell(step, isAboutLog ? 'error' : 'warn', { node: link.node, address: link.address }, told);
}

function wasTold({ state, nowMs }: Step, what: string): boolean {
  const { refused } = state;
  const toldMs = refused.get(what);
  if (toldMs !== undefined && nowMs - toldMs < TOLD_AGAIN_MS) return true;
  refused.delete(what);
  refused.set(what, nowMs);
  const [oldest] = refused.keys();
  if (refused.size > TOLD_MAX && oldest !== undefined) refused.delete(oldest);
  return false;
}

function stayAtOdds(step: Step, link: OpenLink, detail: string): void {
  const { state, nowMs } = step;
  const { office, timing, contradicted } = state;
  if (office.kind === 'primary') return;
  const hearsOther =
    office.primary !== undefined &&
    office.primary.node !== link.node &&
    nowMs - office.heardMs < timing.silentMs;
  if (contradicted?.by !== link.node || hearsOther) {
    state.contradicted = { by: link.node, detail: atOdds(link, detail), sinceMs: nowMs };
  } else if (nowMs - contradicted.sinceMs >= timing.silentMs) {
    state.divergence = `${contradicted.detail}: one of the two was restored from an old copy, or its disk or memory failed; keep both, and add this one anew with an empty directory`;
    tell(
      step,
      'error',
      { primary: link.address },
      `diverged from the primary: ${detail}; this node answers nothing more`,
    );
  }
}

function atOdds(link: OpenLink, detail: string): string {
  return `${link.address} claims to be the primary, and ${detail}`;
}

/** What a primary says agrees with what this node holds. */
export function agree(state: ReplicaState, node: NodeId): void {
  if (state.contradicted?.by === node) state.contradicted = undefined;
}
