import type { PlacedConfiguration } from '../log/control.js';
import { EMPTY_LOG } from '../log/frame.js';
import { configurationsAtStart } from '../replication/beginning.js';
import { begin } from '../replication/core.js';
import type { Configurations } from '../replication/membership.js';
import type { ReplicaState } from '../replication/state.js';
import type { ReplicaEngineParts } from './engine-parts.js';

/** The core's state, from what the files hold. */
export function beginning(parts: ReplicaEngineParts): ReplicaState {
  const { state: saved, history, replayedTo, clock, rules, timing, windows } = parts;
  const last = parts.log()?.end ?? EMPTY_LOG;
  const placed = history.controls.flatMap(({ position, entry }): PlacedConfiguration[] =>
    entry.configuration === undefined ? [] : [{ ...entry.configuration, position }],
  );
  const opened = history.controls.findLast(({ entry }) => entry.kind === 'open')?.entry;
  const lastPrimary = opened?.kind === 'open' ? opened.primary : saved.lastPrimary;
  let configurations: Configurations | undefined;
  if (saved.cluster !== undefined) {
    const position = { term: replayedTo.term, index: saved.originIndex };
    const alone = {
      members: [{ node: saved.node, address: parts.address() }],
      learners: [],
      acks: parts.acks ?? 'majority',
      failover: parts.failover ?? 'manual',
      position,
    } as const;
    configurations = configurationsAtStart(saved.configuration ?? alone, placed, replayedTo);
  }
  return begin({
    self: saved.node,
    cluster: saved.cluster,
    fsync: parts.fsync,
    role: saved.role,
    term: Math.max(saved.term, last.term) as ReplicaState['term'],
    vote: saved.vote,
    leftOutAt: saved.leftOutAt,
    lastPrimary,
    configurations,
    last,
    spans: history.spans,
    commit: replayedTo.index,
    divergence: saved.divergence,
    lossAccepted: saved.lossAccepted,
    nowMs: clock.nowMs(),
    address: () => parts.address(),
    ...(rules === undefined ? {} : { rules }),
    ...(timing === undefined ? {} : { timing }),
    ...(windows === undefined ? {} : { windows }),
  });
}
