import type { NodeId } from '../engine.js';
import type { Peer } from '../log/control.js';
import { isAutomatic } from './pace.js';
import { showPeers } from './refusals.js';
import type { OpenLink, PrimaryOffice, ReplicaState, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { configurationInForce, nodesOf, tell } from './turn.js';

/** When a node acts by itself: where the members make their own primary. */

/** What a node may become by itself: a member that takes part, and has all of its content. */
export function mayStand(state: ReplicaState): boolean {
  if (state.configurations === undefined || state.leftOutAt !== undefined || state.isReplacing) return false;
  return isAutomatic(state) && nodesOf(configurationInForce(state).members).includes(state.self);
}

/** A backup that has heard no primary for as long as its patience goes. */
export function wantsElection(state: ReplicaState, nowMs: number): boolean {
  const { office, patienceMs, askAtMs } = state;
  if (office.kind === 'primary' || nowMs < askAtMs || nowMs - office.heardMs < patienceMs) return false;
  return mayStand(state);
}

/**
 * Whether this node would agree now that the asker becomes primary: it hears none, and has not agreed to another node just now
 * (pre-vote: section 9.6 of the Raft thesis). The asker itself is nobody to wait for, unless it runs elsewhere too.
 */
export function isWilling(step: Step, link: OpenLink): boolean {
  const { state, nowMs } = step;
  const { office, attempt, timing, votedMs } = state;
  const { electionMinMs } = timing.automatic;
  if (isDrowsy(step)) return false;
  if (office.kind === 'primary' || (attempt !== undefined && attempt.phase !== 'survey')) return false;
  if (state.vote !== link.node && nowMs - votedMs < electionMinMs) return false;
  const { primary, heardMs } = office;
  const isAsker = primary?.node === link.node && primary.address === link.address;
  return primary === undefined || isAsker || nowMs - heardMs >= electionMinMs;
}

/**
 * What a node slept through proves nothing about the others: before it does anything by itself, or helps another one, it hears what has
 * arrived meanwhile.
 */
export function noteTick(step: Step): void {
  const { state, nowMs } = step;
  if (wasPaused(step)) {
    state.awakeFromMs = nowMs;
    if (isAutomatic(state)) state.askAtMs = Math.max(state.askAtMs, nowMs + drowsyMs(state));
  }
  state.tickedMs = nowMs;
}

function wasPaused({ state, nowMs }: Step): boolean {
  return nowMs - state.tickedMs > state.timing.automatic.electionMinMs / 2;
}

function isDrowsy(step: Step): boolean {
  const { state, nowMs } = step;
  return wasPaused(step) || nowMs - state.awakeFromMs < drowsyMs(state);
}

/** So long after a pause what arrived meanwhile may not be heard yet. */
function drowsyMs({ timing }: ReplicaState): number {
  return 2 * timing.automatic.heartbeatMs;
}

/**
 * A primary that hears no majority gives up its office (check-quorum: section 6.2 of the Raft thesis): the others may have made another
 * one, and its clients look for that one. Of two members none can be made without it: there it keeps what it can still do.
 */
export function checkQuorum(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  if (!isAutomatic(state) || state.configurations === undefined) return;
  const { committed, open } = state.configurations;
  const missed = [committed, ...open].find(({ members }) => !isQuorumHeard(step, office, nodesOf(members)));
  if (missed === undefined) return;
  const silent = missed.members.filter((peer) => !isHeard(step, office, peer));
  tell(step, 'warn', { silent: showPeers(silent) }, 'no majority is heard: this node gives up its office');
  stepDown(step, true);
}

function isQuorumHeard(step: Step, office: PrimaryOffice, members: readonly NodeId[]): boolean {
  if (members.length <= 2 && members.includes(step.state.self)) return true;
  const heard = members.filter((node) => isHeard(step, office, { node }));
  return heard.length > members.length / 2;
}

function isHeard({ state, nowMs }: Step, office: PrimaryOffice, { node }: Pick<Peer, 'node'>): boolean {
  if (node === state.self) return true;
  const heardMs = office.progress.get(node)?.heardMs;
  if (heardMs === undefined) return false;
  return nowMs - Math.max(heardMs, state.awakeFromMs) <= state.timing.automatic.electionMaxMs;
}
