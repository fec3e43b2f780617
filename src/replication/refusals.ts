import { refusal } from '../engine.js';
import type { NodeId, Refusal } from '../engine.js';
import { showPosition } from '../log/term.js';
import type { Peer } from '../log/control.js';
import type { PromotionRefusal } from './promotion.js';
import { isMet } from './quorum.js';
import { stateAlarm } from './state-checking.js';
import type { PrimaryOffice, Progress, ReplicaState } from './state.js';
import { configurationInForce, knownPeers, nodesOf } from './turn.js';

/** Why something is not done, and what to do about it: the words that operators read. */

/** A link that broke is given this long to come back before its node counts as not reachable. */
const RECONNECT_MS = 1000;

export function notPrimary(address: string | undefined, why: string): Refusal {
  return refusal(
    'NOT_PRIMARY',
    address === undefined ? `unknown: ${why}` : `${address} is the primary: ${why}`,
  );
}

export function primaryServes(address: string): Refusal {
  return refusal('NOT_PRIMARY', `${address} is the primary and serves: nothing was changed here`);
}

export function isReachable(progress: Progress, nowMs: number): boolean {
  if (progress.isSilent || progress.isUnreachable) return false;
  return progress.link !== undefined || nowMs - progress.heardMs < RECONNECT_MS;
}

/** What an operator should know of backups that lost what they had acknowledged; undefined when none did. */
export function forgetfulMembers({ progress }: PrimaryOffice): string | undefined {
  const forgetful = [...progress.values()].filter(({ hasForgotten }) => hasForgotten);
  if (forgetful.length === 0) return undefined;
  const which = showPeers(forgetful.map(({ peer }) => peer));
  return `${which} came back with less than it had acknowledged and is not counted: stop it, use remove-backup --backup-is-down here, and add it anew with an empty directory`;
}

/** Why a write would not be safe now; undefined when enough members are reachable. */
export function unreachableMembers(
  state: ReplicaState,
  office: PrimaryOffice,
  nowMs: number,
): Refusal | undefined {
  if (office.progress.size === 0) return undefined;
  const reachable = new Set<NodeId>([state.self]);
  for (const progress of office.progress.values()) {
    const { node } = progress.peer;
    const isThere = isReachable(progress, nowMs) && !office.checks.differing.has(node);
    if (progress.isCounted && isThere) reachable.add(node);
  }
  if (office.needs.every((need) => isMet(need, reachable))) return undefined;
  const { members } = configurationInForce(state);
  const silent = members.filter(({ node }) => !reachable.has(node));
  const present = members.length - silent.length;
  const uncounted = stateAlarm(office) ?? forgetfulMembers(office);
  if (uncounted !== undefined)
    return refusal('NO_QUORUM', `not applied, too few members are counted: ${uncounted}`);
  const what = `not applied, too few members are reachable: ${showPeers(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer`;
  return refusal('NO_QUORUM', `${what}. ${wayWithout(silent.length, present)}`);
}

/** What an operator can do about members that do not answer. */
function wayWithout(silent: number, present: number): string {
  const start = `Start ${silent === 1 ? 'it' : 'them'} again`;
  if (present < silent) {
    return `${start}; if that cannot be, promote --others-are-down --accept-data-loss here may lose acknowledged writes`;
  }
  const way = silent === 1 ? 'remove-backup --backup-is-down' : 'promote --others-are-down here';
  return `${start}, or, if ${silent === 1 ? 'it is' : 'they are'} stopped for good, ${way}`;
}

export function showPeers(peers: readonly Peer[]): string {
  return peers.length === 0 ? 'nobody' : peers.map(({ address }) => address).join(', ');
}

/** Whom a node waits for that wants to be primary. */
export function waitsForPlace(state: ReplicaState): Refusal {
  const missing = knownPeers(state).filter(
    ({ node }) => ![...state.links.values()].some((link) => link.node === node),
  );
  const whom = missing.length > 0 ? missing : knownPeers(state);
  const what = 'this node was the primary and waits until enough members agree that it still is';
  const force = state.isConfirmed
    ? 'promote --others-are-down here'
    : 'promote --others-are-down --accept-data-loss here, which may lose acknowledged writes';
  return refusal(
    'NO_QUORUM',
    `${what}; it waits for ${showPeers(whom)}: start what is down, or, if it is lost for good, ${force}`,
  );
}

export function promotionRefused(
  state: ReplicaState,
  reason: PromotionRefusal,
  peers: ReadonlyMap<NodeId, Peer>,
): Refusal {
  const show = (nodes: readonly NodeId[]): string =>
    nodes
      .map((node) => (node === state.self ? state.address() : (peers.get(node)?.address ?? node)))
      .join(', ');
  switch (reason.why) {
    case 'too few answers': {
      const { membership, share } = reason;
      const needed = { majority: 'more than half', half: 'at least half', all: 'all' }[share];
      const way =
        share === 'half'
          ? 'start more of them, or accept that acknowledged writes may be lost with --accept-data-loss'
          : 'start more of them, or, if the others are stopped and stay so, say --others-are-down';
      return refusal(
        'NO_QUORUM',
        `too few members answer: ${needed} of ${show(membership.members)} must (membership of ${showPosition(membership.position)}); ${way}`,
      );
    }
    case 'unconfirmed':
      return refusal(
        'NO_QUORUM',
        `${show([reason.node])} has not heard from a serving primary since it started, so it cannot know what was decided without it: start the other members, or accept that acknowledged writes may be lost with --accept-data-loss`,
      );
    case 'primary missing':
      return refusal(
        'NO_QUORUM',
        `with --acks 0 only the last primary${reason.node === undefined ? '' : `, ${show([reason.node])},`} knows every acknowledged write, and it does not answer: start it, or accept that acknowledged writes may be lost with --accept-data-loss`,
      );
    case 'not a member':
      return refusal(
        'NOT_MEMBER',
        'this node is no member: promote one of the members, or add this one with add-backup',
      );
  }
}

/** Members as nodes, to compare with. */
export function memberNodes(state: ReplicaState): NodeId[] {
  return nodesOf(configurationInForce(state).members);
}
