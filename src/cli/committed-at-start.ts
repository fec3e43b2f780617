import type { Frame } from '../log/frame.js';
import { committedAtStart } from '../replication/beginning.js';
import type { NodeState } from '../storage/node-state.js';

/** What a node that starts with this state takes for committed, frame by frame. */
export function committedWith({
  node,
  configuration,
  leftOutAt,
  commit,
}: NodeState): (frame: Frame) => boolean {
  return committedAtStart({ self: node, configuration, leftOutAt, commit });
}
