import { EMPTY_LOG, lastIndexOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import type { DurableState, Effect } from '../../src/replication/state.js';
import type { Disk } from './core-search-world.js';

/** What effects leave on disk. */

/** What is durable before anything behind it is done. */
export type Barrier = Extract<Effect, { kind: 'persist' | 'adopt' | 'truncate' | 'replace' }>;

const BARRIERS: ReadonlySet<Effect['kind']> = new Set(['persist', 'adopt', 'truncate', 'replace']);

export function isBarrier(effect: Effect): effect is Barrier {
  return BARRIERS.has(effect.kind);
}

export function withFrames(disk: Disk, frames: readonly Frame[]): Disk {
  return changed(disk, { frames: [...disk.frames, ...frames] });
}

/** The entries of the log behind an index. */
export function cutBehind(disk: Disk, last: number): readonly Frame[] {
  return disk.frames.filter((frame) => lastIndexOf(frame) > last);
}

export function afterBarrier(disk: Disk, barrier: Barrier): Disk {
  switch (barrier.kind) {
    case 'persist':
      return changed(disk, saved(barrier.state));
    case 'adopt':
      return { ...saved(barrier.state), cluster: barrier.cluster, base: EMPTY_LOG, frames: [] };
    case 'truncate':
      return changed(disk, {
        frames: disk.frames.filter((frame) => lastIndexOf(frame) <= barrier.end.index),
      });
    case 'replace':
      return changed(disk, { ...saved(barrier.state), base: barrier.end, frames: [] });
  }
}

function changed(disk: Disk, change: Partial<Disk>): Disk {
  return { ...disk, ...change, key: undefined };
}

function saved(state: DurableState): Omit<Disk, 'cluster' | 'base' | 'frames' | 'key'> {
  const { role, term, vote, configuration, leftOutAt, lastPrimary, commit, divergence } = state;
  return { role, term, vote, configuration, leftOutAt, lastPrimary, commit, divergence };
}
