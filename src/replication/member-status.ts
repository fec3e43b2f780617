import type { Index, MemberStatus, Position, Term } from '../engine.js';
import type { Peer } from '../log/control.js';
import { termAt } from '../log/history.js';
import type { BackupOffice, PrimaryOffice, Progress, ReplicaState } from './state.js';
import { configurationInForce, historyOf, nodesOf } from './turn.js';

/** What a node can tell of the others: the primary of everybody, a backup of its primary alone. */
type Known = Pick<MemberStatus, 'state' | 'acked' | 'lag' | 'lagBytes' | 'silentMs'>;

const UNKNOWN = { acked: undefined, lag: undefined, lagBytes: undefined, silentMs: undefined } as const;

/**
 * The members and learners, as this node sees them.
 *
 * @param bytesBehind - how many bytes of the log lie behind an entry, as far as that is known.
 */
export function memberStatuses(
  state: ReplicaState,
  nowMs: number,
  bytesBehind: (index: Index) => number | undefined,
): MemberStatus[] {
  if (state.configurations === undefined) return [];
  const { members, learners } = configurationInForce(state);
  // Who is about to be a member counts as one only once that is committed: what follows it would be refused before.
  const committed = nodesOf(state.configurations.committed.members);
  const statusOf = (peer: Peer, standing: 'member' | 'learner'): MemberStatus => {
    const { office } = state;
    const isSelf = peer.node === state.self;
    const isPrimary = office.kind === 'primary' ? isSelf : office.primary?.node === peer.node;
    const known = isSelf
      ? ofItself(state, standing)
      : office.kind === 'primary'
        ? ofBackup(state, office, peer, standing, nowMs, bytesBehind)
        : ofAnother(office, isPrimary && state.leftOutAt === undefined, standing, nowMs);
    const address = isSelf ? state.address() : peer.address;
    return { node: peer.node, address, role: isPrimary ? 'primary' : 'backup', ...known };
  };
  // Its own log may not have what left it out.
  const isNamed = ({ node }: Peer): boolean => state.leftOutAt === undefined || node !== state.self;
  return [
    ...members.map((peer) => statusOf(peer, committed.includes(peer.node) ? 'member' : 'learner')),
    ...learners.map((peer) => statusOf(peer, 'learner')),
  ].filter(isNamed);
}

function ofItself(state: ReplicaState, standing: 'member' | 'learner'): Known {
  const { office, last, durable } = state;
  const reached = office.kind === 'primary' ? last.index : office.primaryLast;
  return {
    ...UNKNOWN,
    state: standing,
    acked: positionAt(state, durable),
    lag: Math.max(0, reached - durable),
  };
}

function ofBackup(
  state: ReplicaState,
  office: PrimaryOffice,
  peer: Peer,
  standing: 'member' | 'learner',
  nowMs: number,
  bytesBehind: (index: Index) => number | undefined,
): Known {
  const progress = office.progress.get(peer.node);
  if (progress === undefined) return { ...UNKNOWN, state: 'silent' };
  const { match } = progress;
  return {
    state: stateOf(office, progress, standing),
    acked: match === 0 ? undefined : positionAt(state, match),
    lag: state.last.index - match,
    lagBytes: match === state.last.index ? 0 : bytesBehind(match),
    silentMs: progress.wasHeard ? nowMs - progress.heardMs : undefined,
  };
}

function stateOf(office: PrimaryOffice, progress: Progress, standing: 'member' | 'learner'): Known['state'] {
  // It answers nothing any more, and that is why.
  if (office.checks.differing.has(progress.peer.node)) return 'differs';
  if (progress.isSilent || progress.link === undefined) return 'silent';
  return progress.hasForgotten ? 'forgetful' : standing;
}

/** A backup hears its primary and nobody else, and one that was left out hears nobody. */
function ofAnother(
  office: BackupOffice,
  isPrimary: boolean,
  standing: 'member' | 'learner',
  nowMs: number,
): Known {
  if (!isPrimary) return { ...UNKNOWN, state: standing };
  const isSilent = office.isSilent || office.link === undefined;
  return { ...UNKNOWN, state: isSilent ? 'silent' : standing, silentMs: nowMs - office.heardMs };
}

function positionAt(state: ReplicaState, index: Index): Position | undefined {
  const term = index === 0 ? (0 as Term) : termAt(historyOf(state), index);
  return term === undefined ? undefined : { term, index };
}
