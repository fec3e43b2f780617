import type { Peer } from '../log/control.js';
import { isElection } from './attempt.js';
import { askForFrames } from './fetching.js';
import type { Attempt, OpenLink, Purpose, ReplicaState, Step } from './state.js';
import { knownPeers, linkTo, reach, send } from './turn.js';
import { positionOf } from './voting.js';

/** What a node that wants to become primary asks the others, by how far it has come. */

/** The primary that asks this node to take over may be a member no more. */
export function peersFor(state: ReplicaState, purpose: Purpose): Peer[] {
  const { office } = state;
  const isAsked = purpose.kind === 'elect' && purpose.isAsked;
  const primary = isAsked && office.kind === 'backup' ? office.primary : undefined;
  return primary === undefined ? knownPeers(state) : [...knownPeers(state), primary];
}

/** It begins anew, and everybody is to be asked. */
export function forgetAnswers({ state, nowMs }: Step, attempt: Attempt): void {
  attempt.phase = 'survey';
  attempt.own = positionOf(state.last);
  attempt.phaseMs = nowMs;
  attempt.surveyed = new Map();
  attempt.fenced = new Map();
  attempt.unreachable.clear();
}

export function reachPeers(step: Step, attempt: Attempt): void {
  const reached = [...attempt.peers.values()].filter(({ node }) => !attempt.down.has(node));
  // A primary goes on feeding its backups until it gives up its office.
  if (step.state.office.kind === 'backup') reach(step, reached);
}

/** Asks everybody who has not answered in this phase. */
export function askAgain(step: Step, attempt: Attempt): void {
  attempt.askedMs = step.nowMs;
  reachPeers(step, attempt);
  for (const node of attempt.peers.keys()) {
    const link = linkTo(step.state, node);
    if (link !== undefined) ask(step, attempt, link);
  }
}

export function ask(step: Step, attempt: Attempt, link: OpenLink): void {
  const { state } = step;
  const { number, phase } = attempt;
  if (phase === 'survey' && !attempt.surveyed.has(link.node)) {
    send(step, link.id, { kind: 'survey', term: state.term, attempt: number });
  } else if (phase === 'hand over' && attempt.handOverFrom === link.node) {
    send(step, link.id, { kind: 'hand over', term: state.term, attempt: number });
  } else if (phase === 'fence' && isAskedToAgree(state, attempt, link) && !attempt.fenced.has(link.node)) {
    const isHandOver = attempt.handOverFrom !== undefined;
    const down = [...attempt.down];
    send(step, link.id, { kind: 'fence', term: state.term, attempt: number, isHandOver, down });
  } else if (phase === 'fetch' && attempt.source?.node === link.node) {
    askForFrames(step, attempt, link);
  }
}

/** Where a majority is enough, nobody waits for those who have not answered before it asks for their votes. */
function isAskedToAgree(state: ReplicaState, attempt: Attempt, { node }: OpenLink): boolean {
  return attempt.surveyed.has(node) || (isElection(state, attempt.purpose) && attempt.peers.has(node));
}
