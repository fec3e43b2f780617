import { refusal } from '../engine.js';
import type { Index, Refusal, Service } from '../engine.js';
import { isAutomatic, leaseToAskMs } from './pace.js';
import { forgetfulMembers, notPrimary, showPeers, unreachableMembers, waitsForPlace } from './refusals.js';
import { stateAlarm } from './state-checking.js';
import type { BackupOffice, PrimaryOffice, ReplicaState } from './state.js';
import { configurationInForce, knownPeers, nodesOf } from './turn.js';

const WITHOUT_PRIMARY =
  'no primary is heard, and the members make another one as soon as more than half of them hear each other: start what is down';

/** How a node stands, for whoever asks: what it may answer, and what an operator should know. */

export function serviceOf(state: ReplicaState): Service {
  if (state.divergence !== undefined) return 'diverged';
  if (state.configurations === undefined) return 'unadopted';
  if (state.office.kind === 'primary') return state.office.isServing ? 'serving' : 'waiting';
  if (state.leftOutAt !== undefined) return 'left-out';
  return state.wantsPlace ? 'waiting' : 'following';
}

/** Where the primary is, as far as this node knows. */
export function primaryAddress(state: ReplicaState): string | undefined {
  const { office } = state;
  if (office.kind === 'primary') return state.address();
  if (office.primary !== undefined) return office.primary.address;
  // Not heard yet: the one whose term the log ends in is the best guess.
  return knownPeers(state).find(({ node }) => node === state.lastPrimary)?.address;
}

/** Why a write cannot be taken; undefined when it can. */
export function writeObjection(
  state: ReplicaState,
  nowMs: number,
  hint: string | undefined,
): Refusal | undefined {
  const { office } = state;
  switch (serviceOf(state)) {
    case 'serving':
      return office.kind === 'primary' ? unreachableMembers(state, office, nowMs) : undefined;
    case 'following':
      return isWithoutPrimary(state, nowMs)
        ? notPrimary(undefined, WITHOUT_PRIMARY)
        : notPrimary(primaryAddress(state), 'this node is a backup, writes are made there');
    case 'left-out':
      return notPrimary(primaryAddress(state), 'this node takes part no more, add it again with add-backup');
    case 'unadopted':
      return notPrimary(hint, 'this backup was not added yet, use add-backup there');
    case 'waiting':
      return waiting(state);
    case 'diverged':
      return refusal('DIVERGED', state.divergence ?? '');
  }
}

/** Why nothing is read here; undefined when something is, as far as the role decides it. */
export function readObjection(state: ReplicaState, hint: string | undefined): Refusal | undefined {
  switch (serviceOf(state)) {
    case 'serving':
    case 'following':
      return undefined;
    case 'left-out':
      return notPrimary(
        primaryAddress(state),
        'this node takes part no more and may be far behind, add it again with add-backup',
      );
    case 'unadopted':
      return notPrimary(hint, 'this backup was not added yet and holds nothing, use add-backup there');
    case 'waiting':
      return waiting(state);
    case 'diverged':
      return refusal('DIVERGED', state.divergence ?? '');
  }
}

function waiting(state: ReplicaState): Refusal {
  const { office } = state;
  if (office.kind !== 'primary') return waitsForPlace(state);
  const silent = [...office.progress.values()]
    .filter(({ match }) => match < office.opening)
    .map(({ peer }) => peer);
  return refusal(
    'NO_QUORUM',
    `this node is to be the primary and waits until ${showPeers(silent)} ${silent.length === 1 ? 'has' : 'have'} its first entry: start them, or, if they are stopped for good, promote --others-are-down here`,
  );
}

/**
 * Whether the primary may answer a read in this moment: as many others answered a heartbeat lately as leave no majority
 * without this node. Their leases are counted from when the heartbeat was sent, and as shorter than they hold them.
 *
 * @param trustedFromMs - a heartbeat that was not sent after this moment counts no more. The state may not have been told of it yet.
 */
export function holdsLease(
  state: ReplicaState,
  office: PrimaryOffice,
  nowMs: number,
  trustedFromMs = state.trustedFromMs,
): boolean {
  const { configurations, rules } = state;
  if (!office.isServing || configurations === undefined) return false;
  return [configurations.committed, ...configurations.open].every(({ members }) => {
    // One that was removed, and waits for its successor, is none of them.
    const own = nodesOf(members).includes(state.self) ? 1 : 0;
    const needed = Math.ceil(members.length / 2) - own;
    if (needed === 0) return true;
    const leased = members.filter(({ node }) => {
      const progress = office.progress.get(node);
      if (progress === undefined || progress.leaseFromMs <= trustedFromMs) return false;
      // Less than was granted where the voter would remember less after a restart.
      const grantedMs = Math.min(progress.leaseMs, leaseToAskMs(state, progress.match));
      return nowMs < progress.leaseFromMs + rules.countedLeaseMs(grantedMs);
    });
    return leased.length >= needed;
  });
}

/** Whether it is all of its cluster, so that nobody else can have taken its place and no lease is needed. */
export function isWholeCluster({ configurations, self }: ReplicaState): boolean {
  if (configurations === undefined || configurations.open.length > 0) return false;
  const { members } = configurations.committed;
  return members.length === 1 && members[0]?.node === self;
}

/**
 * By this node's clock: everything that was acknowledged before this moment is within the entries up to `applied`. Undefined while no
 * primary that was sure of its place has told so, and while a snapshot takes the place of what is shown: that may be another history.
 */
export function shownAsOfMs({ office, isReplacing }: ReplicaState, applied: Index): number | undefined {
  if (office.kind === 'primary' || isReplacing) return undefined;
  return office.freshness.findLast(({ commit }) => commit <= applied)?.asOfMs;
}

export function adviceOf(state: ReplicaState, nowMs: number): string | undefined {
  const { office } = state;
  switch (serviceOf(state)) {
    case 'serving':
      return office.kind === 'primary' ? primaryAdvice(state, office, nowMs) : undefined;
    case 'waiting':
      return waiting(state).message;
    case 'unadopted':
      return 'this backup was not added yet: use add-backup at its primary';
    case 'left-out':
      return 'this node takes part no more: use add-backup at the primary to bring it back';
    case 'diverged':
      return state.divergence;
    case 'following':
      if (isWithoutPrimary(state, nowMs)) return WITHOUT_PRIMARY;
      if (office.kind === 'backup' && (office.isSilent || isUnheard(office, nowMs, state.timing.silentMs)))
        return isAutomatic(state)
          ? WITHOUT_PRIMARY
          : 'the primary is not heard: if it is stopped, promote one of the backups';
      return state.contradicted === undefined ? undefined : atOdds(state.contradicted.detail);
  }
}

function primaryAdvice(state: ReplicaState, office: PrimaryOffice, nowMs: number): string | undefined {
  const tooFew = unreachableMembers(state, office, nowMs)?.message;
  if (tooFew !== undefined) return tooFew;
  const advice = [stateAlarm(office), forgetfulMembers(office), idleFailover(state)].filter(
    (each) => each !== undefined,
  );
  return advice.length === 0 ? undefined : advice.join('. Besides: ');
}

/** Why automatic failover does not help as it is. */
export function idleFailover(state: ReplicaState): string | undefined {
  const { failover, members, acks } = configurationInForce(state);
  if (failover === 'manual') return undefined;
  if (acks === 'all')
    return 'automatic failover cannot help with --acks all, since nothing is decided without every member: use --acks majority';
  if (members.length > 2) return undefined;
  return members.length === 1
    ? 'automatic failover needs three members and there is one: start two more nodes with --join'
    : 'automatic failover cannot help with two members, since one of them alone is no majority: start a third node with --join';
}

function atOdds(detail: string): string {
  return `${detail}: its links are closed and nothing was changed; find out which of the two was restored from an old copy or has a failing disk, and add that one anew`;
}

/** Longer than it takes the members to make another primary, where enough of them are there. */
function isWithoutPrimary(state: ReplicaState, nowMs: number): boolean {
  const { office, timing } = state;
  if (office.kind === 'primary' || !isAutomatic(state)) return false;
  return nowMs - office.heardMs > timing.automatic.electionMaxMs;
}

/** Nobody feeds this backup, and has not for a while. */
function isUnheard({ link, heardMs }: BackupOffice, nowMs: number, silentMs: number): boolean {
  return link === undefined && nowMs - heardMs > silentMs;
}
