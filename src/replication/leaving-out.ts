import type { Term } from '../engine.js';
import type { OpenLink, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { emptyBackupOffice, takeTerm, tell } from './turn.js';

/** Records that a primary of this term does not count this node any more. */
export function leaveOut(step: Step, link: OpenLink, term: Term): void {
  const { state, nowMs } = step;
  const primary = { node: link.node, address: link.address };
  if (state.isLeftOut && term === state.term) return;
  if (state.office.kind === 'primary') stepDown(step, false);
  state.isLeftOut = true;
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
