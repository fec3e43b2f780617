import { refusal } from '../engine.js';
import { showPosition } from '../log/term.js';
import { paceOf } from './pace.js';
import type { Step } from './state.js';
import { answerDone, emptyBackupOffice, reach, tell } from './turn.js';

/**
 * Gives up the office. What was proposed and is not committed may still take effect under the next primary.
 *
 * @param wantsPlace - nobody else is known to have taken the office: ask for it again.
 */
export function stepDown(step: Step, wantsPlace: boolean): void {
  const { state, nowMs } = step;
  const { office } = state;
  if (office.kind !== 'primary') return;
  const unconfirmed = refusal(
    'UNCONFIRMED',
    `this node is no longer the primary; the change at ${showPosition(state.last)} may still take effect: ask the new primary with status`,
  );
  for (const command of [office.pending?.command, office.promotion?.command]) {
    if (command !== undefined) step.effects.push({ kind: 'answer', command, outcome: unconfirmed });
  }
  answerDone(step, office.leave?.command);
  for (const { command } of office.leaving.values()) {
    if (command !== undefined) step.effects.push({ kind: 'answer', command, outcome: unconfirmed });
  }
  for (const progress of office.progress.values()) {
    if (progress.snapshot !== undefined)
      step.effects.push({ kind: 'stop snapshot', peer: progress.peer.node });
  }
  state.office = emptyBackupOffice(state, nowMs);
  state.wantsPlace = wantsPlace && state.leftOutAt === undefined;
  state.askAtMs = nowMs + paceOf(state).heartbeatMs;
  step.effects.push({ kind: 'office', isPrimary: false });
  reach(step, []);
  if (office.isServing) tell(step, 'warn', { index: state.last.index }, 'no longer the primary');
}
