import type { Index, NodeId, Position, Term } from '../engine.js';
import { newest } from './membership.js';
import type { Configurations } from './membership.js';
import { comparePositions } from '../log/term.js';
import type { OpenLink, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { emptyBackupOffice, takeTerm, tell } from './turn.js';

/** Records that by the configuration at this position, which a primary of this term committed, this node takes part no more. */
export function leaveOut(step: Step, link: OpenLink, term: Term, at: Position): void {
  const { state, nowMs } = step;
  const primary = { node: link.node, address: link.address };
  if (state.leftOutAt !== undefined && term === state.term && comparePositions(state.leftOutAt, at) >= 0)
    return;
  if (state.office.kind === 'primary') stepDown(step, false);
  state.leftOutAt = { term: at.term, index: at.index };
  state.isConfirmed = false;
  state.wantsPlace = false;
  state.office = { ...emptyBackupOffice(state, nowMs), primary };
  takeTerm(step, term, link.node, 'backup');
  tell(
    step,
    'warn',
    { primary: link.address },
    'another node is the primary, and this one takes part no more: add it again with add-backup',
  );
}

/**
 * Whether a node that was left out takes part again: its own log durably holds a newer configuration that names it. Not
 * before: with a log that ends in the membership that it was left out of, it would count where nobody counts it.
 */
export function isNamedAgain(
  configurations: Configurations,
  leftOutAt: Position | undefined,
  self: NodeId,
  durable: Index,
): boolean {
  if (leftOutAt === undefined) return false;
  const { position, members, learners } = newest(configurations);
  const isNamed = [...members, ...learners].some(({ node }) => node === self);
  return isNamed && position.index <= durable && comparePositions(position, leftOutAt) > 0;
}
