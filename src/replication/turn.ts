import type { Index, NodeId, Role, Term } from '../engine.js';
import { configurationOf, controlEntryOf } from '../log/control.js';
import type { Configuration, Peer, PlacedConfiguration } from '../log/control.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { addToSpans, cutSpans, termAt } from '../log/history.js';
import type { History } from '../log/history.js';
import { newest, withAppended, withoutBehind } from './membership.js';
import type { Message } from './message.js';
import type { BackupOffice, CommandId, DurableState, LinkId, OpenLink, ReplicaState, Step } from './state.js';

/** What every part of a step needs: looking at the state, changing the log, and saying what is to be done. */

export function historyOf(state: ReplicaState): History {
  return { spans: state.spans, last: { term: state.last.term, index: state.last.index } };
}

/** The configuration in force. A node without one takes no part yet, and none of this is asked of it. */
export function configurationInForce(state: ReplicaState): PlacedConfiguration {
  if (state.configurations === undefined) throw new Error('the node belongs to no cluster yet');
  return newest(state.configurations);
}

export function nodesOf(peers: readonly Peer[]): NodeId[] {
  return peers.map(({ node }) => node);
}

/** Everybody else whom a configuration names. */
export function othersIn(state: ReplicaState, { members, learners }: Configuration): Peer[] {
  return [...members, ...learners].filter(({ node }) => node !== state.self);
}

/** Everybody else whom this node knows of. */
export function knownPeers(state: ReplicaState): Peer[] {
  const peers = new Map<NodeId, Peer>();
  const { configurations } = state;
  if (configurations === undefined) return [];
  for (const configuration of [configurations.committed, ...configurations.open]) {
    for (const peer of othersIn(state, configuration)) peers.set(peer.node, peer);
  }
  return [...peers.values()];
}

export function durableState(state: ReplicaState): DurableState {
  const { role, term, vote, configurations, leftOutAt, lastPrimary, commit, divergence, lossAccepted } =
    state;
  if (configurations === undefined) throw new Error('the node belongs to no cluster yet');
  const configuration = configurations.committed;
  return { role, term, vote, configuration, leftOutAt, lastPrimary, commit, divergence, lossAccepted };
}

export function persist(step: Step): void {
  step.effects.push({ kind: 'persist', state: durableState(step.state) });
}

export function tell(step: Step, level: 'info' | 'warn' | 'error', fields: object, message: string): void {
  step.effects.push({ kind: 'event', level, fields, message });
}

/** A link to a node: the one that this node opened if there is one. */
export function linkTo(state: ReplicaState, node: NodeId): OpenLink | undefined {
  let found: OpenLink | undefined;
  for (const link of state.links.values()) {
    if (link.node === node && !found?.isOutgoing) found = link;
  }
  return found;
}

export function send(step: Step, link: LinkId, message: Message): void {
  const { state } = step;
  const node = state.links.get(link)?.node;
  if (node === undefined || state.attempt?.down.has(node) === true) return;
  step.effects.push({ kind: 'send', link, message });
}

/** Keeps links to these, and to nobody else. */
export function reach(step: Step, peers: readonly Peer[]): void {
  const { state } = step;
  const isSame =
    peers.length === state.reached.length &&
    peers.every(({ node, address }, at) => {
      const other = state.reached[at];
      return other?.node === node && other.address === address;
    });
  if (isSame) return;
  state.reached = peers;
  step.effects.push({ kind: 'reach', peers });
}

/** Takes frames behind the last one. */
export function appendFrames(step: Step, frames: readonly Frame[]): void {
  const { state } = step;
  if (frames.length === 0) return;
  const primaryBefore = state.lastPrimary;
  for (const frame of frames) {
    if (frame.firstIndex !== state.last.index + 1 || frame.previous !== state.last.checksum) {
      throw new Error(`a frame at ${String(frame.firstIndex)} does not follow ${String(state.last.index)}`);
    }
    state.last = endOf(frame);
    noteEnd(state.ends, state.last);
    addToSpans(state.spans, frame);
    if (frame.count > 1) continue;
    const entry = controlEntryOf(frame);
    if (entry?.kind === 'open') {
      state.lastPrimary = entry.primary;
      if (entry.lossAfter !== undefined) state.lossAccepted = true;
    }
    if (state.configurations !== undefined)
      state.configurations = withAppended(state.configurations, configurationOf(frame));
  }
  step.effects.push({ kind: 'append', frames });
  // Who opened the term must be known also once the log no longer reaches back to its opening.
  if (state.lastPrimary !== primaryBefore && state.configurations !== undefined) persist(step);
}

/** So many frames back it is held against what others say, and as many again before the older half is let go of. */
const ENDS_KEPT = 512;

function noteEnd(ends: LogEnd[], end: LogEnd): void {
  ends.push(end);
  if (ends.length >= 2 * ENDS_KEPT) ends.splice(0, ends.length - ENDS_KEPT);
}

/** Where a frame of this log ends at an index; undefined when none does, or it was too long ago. */
export function endAt(ends: readonly LogEnd[], index: Index): LogEnd | undefined {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle]?.index ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  const found = ends[low];
  return found?.index === index ? found : undefined;
}

/** Cuts what lies behind `end`. Only ever what is not committed. */
export function truncate(step: Step, end: LogEnd): void {
  const { state } = step;
  if (end.index < state.commit) throw new Error('what is committed is never cut');
  const lost = state.last.index - end.index;
  tell(
    step,
    'warn',
    { index: end.index, entries: lost },
    'entries that the primary does not have are cut off and kept aside',
  );
  state.last = end;
  state.ends = [...state.ends.filter(({ index }) => index < end.index), end];
  state.spans = cutSpans(state.spans, end.index);
  if (state.durable > end.index) state.durable = end.index;
  if (state.configurations !== undefined)
    state.configurations = withoutBehind(state.configurations, end.index);
  step.effects.push({ kind: 'truncate', end });
}

/** Whether this node's log has an entry, as far as it still knows. */
export function hasEntry(state: ReplicaState, { term, index }: { term: Term; index: Index }): boolean {
  return index === 0 || termAt(historyOf(state), index) === term;
}

export function emptyBackupOffice({ commit }: Pick<ReplicaState, 'commit'>, nowMs: number): BackupOffice {
  return {
    kind: 'backup',
    primary: undefined,
    isPrimaryServing: false,
    heardMs: nowMs,
    isSilent: false,
    hasAsked: false,
    matched: commit,
    verified: 0 as Index,
    link: undefined,
    primaryLast: 0 as Index,
    wantsSnapshot: false,
    freshness: [],
  };
}

/** What was asked for is done, and there is nothing more to tell. */
export function answerDone(step: Step, command: CommandId | undefined): void {
  if (command === undefined) return;
  const outcome = { found: [], leftOut: [], handedOverBy: undefined, knownUpTo: undefined };
  step.effects.push({ kind: 'answer', command, outcome });
}

/** Takes a higher term. Durable before anything that is sent behind it. */
export function takeTerm(step: Step, term: Term, vote: NodeId | undefined, role: Role): void {
  const { state } = step;
  state.term = term;
  state.vote = vote;
  state.role = role;
  persist(step);
}
