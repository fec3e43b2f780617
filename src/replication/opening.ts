import { refusal } from '../engine.js';
import { showPosition } from '../log/term.js';
import { failAttempt, findings } from './attempt.js';
import { takeOffice } from './leading.js';
import { showPeers } from './refusals.js';
import type { Attempt, Step } from './state.js';
import { configurationInForce, knownPeers, nodesOf, tell } from './turn.js';
import { positionOf } from './voting.js';

/** The log is as long as the longest: takes office. */
export function open(step: Step, attempt: Attempt): void {
  const { state } = step;
  const { grant, purpose } = attempt;
  if (grant === undefined) throw new Error('a term is opened that nobody granted');
  const members = grant.members ?? nodesOf(configurationInForce(state).members);
  if (!members.includes(state.self)) {
    // The log that was fetched is of another line than this node's own: an operator accepted a loss there, and left it out.
    failAttempt(
      step,
      refusal('NOT_MEMBER', 'by the longest log this node is no member: add it with add-backup'),
    );
    return;
  }
  const { peers } = attempt;
  const leftOut =
    grant.members === undefined
      ? []
      : knownPeers(state).filter(({ node }) => grant.members?.includes(node) !== true);
  const promotion =
    purpose.kind !== 'promote' && purpose.kind !== 'remove'
      ? undefined
      : {
          command: purpose.command,
          deadlineMs: attempt.startedMs + state.timing.commandMs + state.timing.handOverMs,
          outcome: {
            own: attempt.own,
            found: findings(attempt),
            leftOut,
            handedOverBy: attempt.handOverFrom === undefined ? undefined : peers.get(attempt.handOverFrom),
            knownUpTo: grant.isLossy ? positionOf(state.last) : undefined,
          },
        };
  if (leftOut.length > 0) tell(step, 'warn', { leftOut: showPeers(leftOut) }, 'members are left out');
  if (grant.isLossy)
    tell(
      step,
      'error',
      { knownUpTo: showPosition(state.last) },
      'promoted although acknowledged writes may be lost',
    );
  takeOffice(step, grant, promotion, peers);
}
