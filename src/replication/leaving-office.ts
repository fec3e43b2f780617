import { refusal } from '../engine.js';
import type { Peer } from '../log/control.js';
import { isAutomatic } from './pace.js';
import { isReachable } from './refusals.js';
import type { CommandId, PrimaryOffice, Progress, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { answerDone, configurationInForce, nodesOf, persist, send, tell } from './turn.js';

/**
 * How a primary lets another member take over by itself: because it is to stop, or was removed (section 3.10 of the Raft thesis). It asks
 * the one that has most to begin the same hand-over that an operator's promotion begins.
 */

/** So long one of them is waited for before another one is asked. */
const ASK_ANOTHER_MS = 1000;

/** This node is to stop. Answered once it is no primary any more, or nobody can take over. */
export function onLeave(step: Step, command: CommandId): void {
  const { state } = step;
  const { office } = state;
  const isHalted = state.divergence !== undefined;
  if (
    isHalted ||
    office.kind !== 'primary' ||
    !office.isServing ||
    !isAutomatic(state) ||
    office.leave !== undefined
  ) {
    answerDone(step, command);
  } else if (successorOf(step, office) === undefined) {
    tell(step, 'warn', {}, 'no member can take over: this node stops as the primary');
    answerDone(step, command);
  } else leaveOffice(step, office, command);
}

export function leaveOffice(step: Step, office: PrimaryOffice, command: CommandId | undefined): void {
  const untilMs = step.nowMs + step.state.timing.handOverMs;
  office.leave = { command, untilMs, askedMs: -Infinity, asked: new Set() };
  tickLeave(step, office);
}

/** Whoever halts while it lets another one take over leaves nobody waiting for that. */
export function abandonLeave(step: Step): void {
  const { office } = step.state;
  if (office.kind !== 'primary' || office.leave === undefined) return;
  const { command } = office.leave;
  office.leave = undefined;
  answerDone(step, command);
}

/** Asks another one where the last one did not take over in time, until it has taken too long. */
export function tickLeave(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  const { leave } = office;
  if (leave === undefined || office.handOver !== undefined || nowMs - leave.askedMs < ASK_ANOTHER_MS) return;
  if (nowMs > leave.untilMs) {
    giveUp(step, office);
    return;
  }
  const next = successorOf(step, office);
  if (next?.link === undefined) return;
  leave.askedMs = nowMs;
  leave.asked.add(next.peer.node);
  tell(step, 'info', { to: next.peer.address }, 'asks a member to take over');
  send(step, next.link, { kind: 'take over', term: state.term });
}

function giveUp(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  const command = office.leave?.command;
  office.leave = undefined;
  if (state.leftOutAt !== undefined) {
    tell(
      step,
      'warn',
      {},
      'no member took over in time: this node takes part no more, and the others make a primary',
    );
    stepDown(step, false);
    state.role = 'backup';
    persist(step);
  }
  if (command === undefined) return;
  const outcome = refusal('UNREACHABLE', 'no member took over in time: this node was still the primary');
  step.effects.push({ kind: 'answer', command, outcome });
}

/** The member that has most, and of those the one that was not asked before. */
function successorOf({ state, nowMs }: Step, office: PrimaryOffice): Progress | undefined {
  const members = nodesOf(configurationInForce(state).members);
  const asked = office.leave?.asked;
  const rank = ({ peer, match }: Progress): number => (asked?.has(peer.node) === true ? -1 : match);
  return [...office.progress.values()]
    .filter(({ peer }) => members.includes(peer.node) && !office.checks.differing.has(peer.node))
    .filter((each) => each.link !== undefined && each.isCounted && each.state === 'streaming')
    .filter((each) => isReachable(each, nowMs))
    .sort((a, b) => rank(b) - rank(a))[0];
}

/** The entry that removes this node itself is committed: from here on it counts nowhere, and only waits for its successor. */
export function leaveAsRemoved(step: Step, office: PrimaryOffice, removed: Peer): void {
  const { state } = step;
  const { term, index } = configurationInForce(state).position;
  state.leftOutAt = { term, index };
  state.isConfirmed = false;
  persist(step);
  tell(step, 'warn', { removed: removed.address }, 'this node was removed and lets another member take over');
  leaveOffice(step, office, undefined);
}
