import { refusal } from '../engine.js';
import { beginAttempt } from './asking.js';
import { failAttempt, isCommanded } from './attempt.js';
import { change } from './changing.js';
import { notPrimary, waitsForPlace } from './refusals.js';
import type { Change, CommandId, Step } from './state.js';
import { answerDone, emptyBackupOffice } from './turn.js';

/** What an operator asks for. */

/** Answers at once what cannot be, and begins what can. */
export function onCommand(turn: Step, command: CommandId, wanted: Change): void {
  const { state } = turn;
  const { office } = state;
  const refuse = (outcome: ReturnType<typeof refusal>): void => {
    turn.effects.push({ kind: 'answer', command, outcome });
  };
  if (state.divergence !== undefined) refuse(refusal('DIVERGED', state.divergence));
  else if (state.configurations === undefined)
    refuse(refusal('NOT_MEMBER', 'this node was not added to a primary yet: use add-backup at its primary'));
  else if (state.attempt !== undefined && isCommanded(state.attempt.purpose))
    refuse(refusal('BUSY', 'another change is under way: try again in a moment'));
  else if (wanted.kind === 'promote') promote(turn, command, wanted);
  else if (office.kind !== 'primary') {
    const where = office.primary?.address;
    refuse(
      state.wantsPlace ? waitsForPlace(state) : notPrimary(where, 'changes of the members are made there'),
    );
  } else if (wanted.kind === 'removeBackup' && wanted.backupIsDown) {
    const peer = [...office.progress.values()]
      .map((progress) => progress.peer)
      .find(({ address }) => address === wanted.address);
    const isMember = state.configurations.committed.members.some(({ address }) => address === wanted.address);
    if (peer === undefined || !isMember) change(turn, office, command, wanted);
    else beginAttempt(turn, { kind: 'remove', command, peer });
  } else change(turn, office, command, wanted);
}

function promote(
  turn: Step,
  command: CommandId,
  wanted: { othersAreDown: boolean; acceptDataLoss: boolean },
): void {
  const { state } = turn;
  const { office } = state;
  if (office.kind === 'primary' && office.isServing && !wanted.othersAreDown) {
    answerDone(turn, command);
    return;
  }
  if (state.attempt !== undefined) failAttempt(turn, refusal('BUSY', 'an operator decides'));
  if (office.kind === 'backup') state.office = { ...emptyBackupOffice(state, turn.nowMs), ...office };
  beginAttempt(turn, {
    kind: 'promote',
    command,
    othersAreDown: wanted.othersAreDown,
    acceptDataLoss: wanted.acceptDataLoss,
  });
}
