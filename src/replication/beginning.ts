import type { Index, NodeId, Position } from '../engine.js';
import { configurationOf } from '../log/control.js';
import type { Configuration, PlacedConfiguration } from '../log/control.js';
import { lastIndexOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import type { Configurations } from './membership.js';

/** What a node that starts may take for committed, before it has heard from anybody. */

/**
 * Says of each frame of a log, in order, whether it is committed. What is known to be, is. And as long as a node has been the
 * only member, whatever is durable on it is committed.
 *
 * @param configuration - the last one known to be committed; undefined for a node that never shared its log.
 */
export function committedAtStart(known: {
  readonly self: NodeId;
  readonly configuration: Configuration | undefined;
  readonly leftOutAt: Position | undefined;
  readonly commit: Index;
}): (frame: Frame) => boolean {
  const { self, configuration, commit } = known;
  const isOnly = ({ members }: Configuration): boolean => members.every(({ node }) => node === self);
  let isAlone =
    known.leftOutAt === undefined &&
    (configuration === undefined || (isOnly(configuration) && configuration.members.length > 0));
  return (frame) => {
    const set = frame.count === 1 ? configurationOf(frame) : undefined;
    if (set !== undefined && !isOnly(set)) isAlone = false;
    return isAlone || lastIndexOf(frame) <= commit;
  };
}

/** The configurations that a log holds, when everything up to `commit` is committed. */
export function configurationsAtStart(
  committed: PlacedConfiguration,
  placed: readonly PlacedConfiguration[],
  commit: Position,
): Configurations {
  const later = placed.filter(({ position }) => position.index > committed.position.index);
  const newer = later.findLast(({ position }) => position.index <= commit.index);
  return {
    committed: newer ?? committed,
    open: later.filter(({ position }) => position.index > commit.index),
  };
}
