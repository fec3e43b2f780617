import type { NodeId } from '../engine.js';

/** How many of some members have to agree. */
export type Share =
  /** More than half: any two majorities have a node in common. */
  | 'majority'
  /** At least half. Enough only where it is known that the other half cannot be deciding otherwise. */
  | 'half'
  | 'all';

/** A share of some members. */
export interface Requirement {
  readonly share: Share;
  readonly members: readonly NodeId[];
}

/** Whether those who agree are enough. */
export function isMet(requirement: Requirement, agreeing: ReadonlySet<NodeId>): boolean {
  const { share, members } = requirement;
  const count = members.reduce((sum, member) => sum + (agreeing.has(member) ? 1 : 0), 0);
  switch (share) {
    case 'majority':
      return 2 * count > members.length;
    case 'half':
      return 2 * count >= members.length;
    case 'all':
      return count === members.length;
  }
}

export function areMet(requirements: readonly Requirement[], agreeing: ReadonlySet<NodeId>): boolean {
  return requirements.every((requirement) => isMet(requirement, agreeing));
}
