import type { Guarantees, Status } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import { adviceOf, memberStatuses, primaryAddress, serviceOf } from '../replication/standing.js';
import type { Assembly } from './assembly.js';
import type { ReplicaEngineParts } from './replica-engine.js';

/** Everything that STATUS tells. */
export function statusOf(parts: ReplicaEngineParts, assembly: Assembly, guarantees: Guarantees): Status {
  const { store, snapshots, clock } = parts;
  const { replica, applying, proposals } = assembly;
  const { state } = replica;
  const nowMs = clock.nowMs();
  const { office } = state;
  const end = parts.log() === undefined ? EMPTY_LOG : state.last;
  const isFollowing = office.kind === 'backup' && office.primary !== undefined;
  return {
    role: office.kind,
    service: serviceOf(state),
    advice: adviceOf(state, nowMs),
    primary: primaryAddress(state) ?? assembly.hint,
    primarySilentMs: isFollowing ? nowMs - office.heardMs : undefined,
    node: state.self,
    cluster: state.cluster,
    term: state.term,
    position: { term: end.term, index: end.index },
    commit: applying.committed,
    applied: applying.end.index,
    keys: store.count,
    dataBytes: store.dataBytes,
    snapshot: snapshots.current,
    waitingBytes: proposals.waitingBytes,
    guarantees,
    members: memberStatuses(state, nowMs, (behind) => assembly.bytesBehind(behind)),
  };
}
