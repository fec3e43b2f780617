import type { AcksPolicy, Index, NodeId, Position } from '../engine.js';
import type { PlacedConfiguration } from '../log/control.js';
import { comparePositions } from '../log/term.js';

/**
 * Memberships, and which of them bind a decision.
 *
 * The members are the nodes that are counted when it is asked whether something is safe. They are set by entries of the
 * log. The newest such entry of a log is in force from the moment it is appended, so there may be a while
 * in which nobody knows whether it, or the one before it, will be the one that lasts. Whoever decides then
 * must satisfy both: a decision under one of them alone could be contradicted by a decision under the other.
 */
export interface Membership {
  /** Of the entry that set it. */
  readonly position: Position;
  readonly members: readonly NodeId[];
  readonly acks: AcksPolicy;
}

/** What one node's log says about memberships. */
export interface KnownMemberships {
  /** The last one that this node knows to be committed. */
  readonly committed: Membership;
  /** Those behind it in its log, oldest first. */
  readonly open: readonly Membership[];
}

/**
 * The memberships that bind whoever has these answers, oldest first: the last one that any answer knows to be
 * committed, and every one behind it that any answer knows. What lies before a committed one binds nobody any more, on
 * whatever log it stands.
 */
export function bindingMemberships(answers: readonly KnownMemberships[]): Membership[] {
  const committed = answers
    .map((answer) => answer.committed)
    .sort(byPosition)
    .at(-1);
  if (committed === undefined) return [];
  const binding = [committed];
  for (const membership of answers.flatMap((answer) => answer.open).sort(byPosition)) {
    const last = binding.at(-1);
    if (last !== undefined && byPosition(membership, last) > 0) binding.push(membership);
  }
  return binding;
}

function byPosition(a: Membership, b: Membership): number {
  return comparePositions(a.position, b.position);
}

/** The configurations that one log holds: the last one known to be committed, and those behind it, oldest first. */
export interface Configurations {
  readonly committed: PlacedConfiguration;
  readonly open: readonly PlacedConfiguration[];
}

/** The configuration in force: the newest one, committed or not. */
export function newest(configurations: Configurations): PlacedConfiguration {
  return configurations.open.at(-1) ?? configurations.committed;
}

export function withAppended(
  configurations: Configurations,
  added: PlacedConfiguration | undefined,
): Configurations {
  if (added === undefined) return configurations;
  // What came with a snapshot may be newer than the entries that follow it.
  if (comparePositions(added.position, configurations.committed.position) <= 0) return configurations;
  return { ...configurations, open: [...configurations.open, added] };
}

/** What is left when the log is cut behind `last`. */
export function withoutBehind(configurations: Configurations, last: Index): Configurations {
  return { ...configurations, open: configurations.open.filter(({ position }) => position.index <= last) };
}

/** What there is once everything up to `commit` is committed. */
export function withCommitted(configurations: Configurations, commit: Index): Configurations {
  const committed = configurations.open.findLast(({ position }) => position.index <= commit);
  if (committed === undefined) return configurations;
  const open = configurations.open.filter(({ position }) => position.index > commit);
  return { committed, open };
}

export function knownMemberships(configurations: Configurations): KnownMemberships {
  return {
    committed: membershipOf(configurations.committed),
    open: configurations.open.map(membershipOf),
  };
}

function membershipOf({ position, members, acks }: PlacedConfiguration): Membership {
  return { position, members: members.map(({ node }) => node), acks };
}
