import type { Index, NodeId } from '../../src/engine.js';
import { configurationOf } from '../../src/log/control.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import { endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { committedAtStart, configurationsAtStart } from '../../src/replication/beginning.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { DurableState, ReplicaState } from '../../src/replication/state.js';
import { nodeOf } from './begun.js';
import type { Seen } from './figure-3.js';

/** A machine of a small cluster: what its disk holds, and its process while it runs. */

export interface Disk {
  saved: Omit<DurableState, 'configuration' | 'divergence'> & {
    readonly configuration: PlacedConfiguration;
    readonly divergence: string | undefined;
  };
  base: LogEnd;
  frames: Frame[];
}

export interface Machine {
  readonly letter: string;
  readonly disk: Disk;
  state: ReplicaState | undefined;
  life: number;
  isPaused: boolean;
  /** What is appended waits until the cluster is told to flush it. */
  isSlow: boolean;
  unwritten: Frame[];
}

export function seenOf({ letter, life, state, disk, unwritten }: Machine): Seen {
  const common = { name: letter, life, base: disk.base, log: [...disk.frames, ...unwritten] };
  return { ...common, term: state?.term ?? 0, isPrimary: state?.office.kind === 'primary' };
}

/** As `src/node/beginning.ts` has it. */
export function begunFrom({ letter, disk }: Machine, nowMs: number, rules: ReplicationRules): ReplicaState {
  const { saved, base, frames } = disk;
  const { configuration, leftOutAt, divergence, vote, ...rest } = saved;
  const self = letter as NodeId;
  const isCommitted = committedAtStart({ self, configuration, leftOutAt, commit: saved.commit });
  const firstOpen = frames.findIndex((frame) => !isCommitted(frame));
  const replayed = [base, ...(firstOpen < 0 ? frames : frames.slice(0, firstOpen)).map(endOf)].at(-1)!;
  const set = frames.flatMap((frame) => configurationOf(frame) ?? []);
  const { committed, open } = configurationsAtStart(configuration, set, replayed);
  const state = nodeOf({
    ...rest,
    self: letter,
    leftOutAt,
    ...(vote === undefined ? {} : { vote }),
    configuration: committed,
    open,
    frames,
    base,
    commit: replayed.index,
    nowMs,
    rules,
  });
  state.divergence = divergence;
  if (configuration.members.length === 0) {
    state.cluster = undefined;
    state.configurations = undefined;
  }
  return state;
}

export function readBehind(
  { disk, unwritten }: Machine,
  after: Index,
  framesMax: number,
): readonly Frame[] | 'trimmed' {
  if (after < disk.base.index) return 'trimmed';
  return [...disk.frames, ...unwritten].filter((frame) => lastIndexOf(frame) > after).slice(0, framesMax);
}

/** Where its snapshot ends: with what is committed. */
export function snapshotEnd({ disk, state }: Machine): LogEnd {
  const last = disk.frames.findLast((frame) => lastIndexOf(frame) <= (state?.commit ?? 0));
  return last === undefined ? disk.base : endOf(last);
}
