import type { Guarantees, Service, Status } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import { memberStatuses } from '../replication/member-status.js';
import { adviceOf, primaryAddress, serviceOf, shownAsOfMs } from '../replication/standing.js';
import type { Assembly } from './assembly.js';
import type { ReplicaEngineParts } from './engine-parts.js';

/** How a node stands, in short. */
export type Standing = Pick<Status, 'role' | 'service' | 'term' | 'position' | 'commit' | 'applied'>;

/** What costs nothing to tell. */
export function standingOf(parts: ReplicaEngineParts, assembly: Assembly): Standing {
  const { applying } = assembly;
  const { state } = assembly.replica;
  const { term, index } = parts.log() === undefined ? EMPTY_LOG : state.last;
  return {
    role: assembly.isSolePrimary ? 'primary' : state.office.kind,
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
  // Nobody says anything to a node that was left out.
  const isFollowing =
    office.kind === 'backup' && office.primary !== undefined && state.leftOutAt === undefined;
  const standing = standingOf(parts, assembly);
  const isJoining = standing.service === 'unadopted' && parts.joining !== undefined;
  const members = memberStatuses(state, nowMs, (behind) => assembly.bytesBehind(behind));
  return {
    ...standing,
    advice: adviceWith(assembly, isJoining ? parts.joining.progress : adviceOf(state, nowMs)),
    primary: primaryAddress(state) ?? assembly.hint,
    primarySilentMs: isFollowing ? nowMs - office.heardMs : undefined,
    behindMs: behindMs(assembly, nowMs),
    node: state.self,
    cluster: state.cluster,
    keys: store.count,
    dataBytes: store.dataBytes,
    dataBytesMax: parts.dataBytesMax,
    sessions: store.sessions.count,
    snapshot: snapshots.current,
    waitingBytes: proposals.waitingBytes,
    guarantees,
    members: members.map((member) =>
      member.node === state.self ? { ...member, role: standing.role } : member,
    ),
  };
}

/** How old what this node shows may be; undefined where that is not known, or nothing is shown. */
export function behindMs({ replica, applying }: Assembly, nowMs: number): number | undefined {
  const asOfMs = shownAsOfMs(replica.state, applying.end.index);
  return asOfMs === undefined ? undefined : Math.max(0, nowMs - asOfMs);
}

/** What is to be done about the disk comes first: the rest may follow from it. */
function adviceWith(assembly: Assembly, advice: string | undefined): string | undefined {
  const { room, snapshotter, replica } = assembly;
  const aboutDisk = room.isFull
    ? fullDiskAdvice(serviceOf(replica.state))
    : snapshotter.lacksRoom
      ? 'the disk had no room for the JSON file: make room on it; the log keeps everything, and the file is written once there is room'
      : undefined;
  if (aboutDisk === undefined) return advice;
  // Who is alone waits for nobody else.
  return advice === undefined || assembly.isSolePrimary ? aboutDisk : `${aboutDisk}. Besides: ${advice}`;
}

function fullDiskAdvice(service: Service): string {
  const what =
    service === 'following'
      ? 'what the primary sends waits until there is room'
      : 'writes are refused until there is room';
  return `the disk is full: make room on it; ${what}, and go on then without a restart`;
}
