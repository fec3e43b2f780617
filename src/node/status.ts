import type { Guarantees, Status } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import { memberStatuses } from '../replication/member-status.js';
import { adviceOf, primaryAddress, serviceOf } from '../replication/standing.js';
import type { Assembly } from './assembly.js';
import type { ReplicaEngineParts } from './engine-parts.js';

/** How a node stands, in short. */
export type Standing = Pick<Status, 'role' | 'service' | 'term' | 'position' | 'commit' | 'applied'>;

/** What costs nothing to tell. */
export function standingOf(parts: ReplicaEngineParts, { replica, applying }: Assembly): Standing {
  const { state } = replica;
  const { term, index } = parts.log() === undefined ? EMPTY_LOG : state.last;
  return {
    role: state.office.kind,
    service: serviceOf(state),
    term: state.term,
    position: { term, index },
    commit: applying.committed,
    applied: applying.end.index,
  };
}

/** Everything that STATUS tells. */
export function statusOf(parts: ReplicaEngineParts, assembly: Assembly, guarantees: Guarantees): Status {
  const { store, snapshots, clock } = parts;
  const { replica, proposals } = assembly;
  const { state } = replica;
  const nowMs = clock.nowMs();
  const { office } = state;
  const isFollowing = office.kind === 'backup' && office.primary !== undefined;
  return {
    ...standingOf(parts, assembly),
    advice: adviceOf(state, nowMs),
    primary: primaryAddress(state) ?? assembly.hint,
    primarySilentMs: isFollowing ? nowMs - office.heardMs : undefined,
    node: state.self,
    cluster: state.cluster,
    keys: store.count,
    dataBytes: store.dataBytes,
    dataBytesMax: parts.dataBytesMax,
    snapshot: snapshots.current,
    waitingBytes: proposals.waitingBytes,
    guarantees,
    members: memberStatuses(state, nowMs, (behind) => assembly.bytesBehind(behind)),
  };
}
