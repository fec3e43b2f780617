import type { NodeId } from '../engine.js';
import { isSameEnd } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';
import { showPosition } from '../log/term.js';
import type { StateChecksum, StateDiffers } from './message.js';
import { JUDGED_AFTER_MS, REPORTS_MAX, judgeStates, reportAt, withReport } from './state-checks.js';
import type { StateDifference, StateReport, StateVerdict } from './state-checks.js';
import type { OpenLink, PrimaryOffice, Step } from './state.js';
import { stepDown } from './stepping-down.js';
import { configurationInForce, hasEntry, knownPeers, linkTo, nodesOf, persist, send, tell } from './turn.js';

/** Equal position, equal state: a node whose state differs from that of the others is found, and stops serving. */

/** What a node says that knows that its own state is wrong. */
export const HALTED = 'this node answers nothing more';

/** What this node's own state was at a mark of the log. */
export function onOwnState(step: Step, report: StateReport): void {
  const { state } = step;
  state.stateReports = withReport(state.stateReports, report);
  const { office, term } = state;
  if (office.kind === 'primary') judge(step, office, report.end);
  else if (office.link !== undefined)
    send(step, office.link, { kind: 'state checksum', term, end: report.end, checksum: report.checksum });
}

/** A backup or a learner says what its state was. */
export function onStateChecksum(
  step: Step,
  office: PrimaryOffice,
  node: NodeId,
  { end, checksum }: StateChecksum,
): void {
  // Of a position that this log does not have nothing is known.
  if (!hasEntry(step.state, end)) return;
  const { reports } = office.checks;
  reports.set(node, withReport(reports.get(node) ?? [], { end, checksum }));
  judge(step, office, end);
}

/** The primary says that this node's state is another one than it should be at a position that this node reported. */
export function onStateDiffers(step: Step, link: OpenLink, message: StateDiffers): void {
  const { state } = step;
  const { office } = state;
  if (office.kind !== 'backup' || office.primary?.node !== link.node || message.term !== state.term) return;
  const own = reportAt(state.stateReports, message.end);
  // What it reported was replaced since, or this is not about what it reported.
  if (own === undefined || own.checksum === message.right) return;
  const what = `the state of this node at ${showPosition(message.end)} has the checksum ${own.checksum}, and ${
    message.isCertain ? 'most members have' : `the primary at ${link.address} has`
  } ${message.right} after the same log`;
  const why = message.isCertain
    ? `the data of this node is wrong; ${anew('it')}`
    : `nobody can know which of the two is wrong; keep the files of both and compare them, then ${anew('this one')}`;
  halt(step, `${what}: ${why}`, message.end);
}

/** Judges again where it was not known yet, and tells those again that may not have heard. */
export function tickStateChecks(step: Step, office: PrimaryOffice): void {
  const { state, nowMs } = step;
  const { checks, progress } = office;
  for (const { end } of checks.undecided) {
    if (state.divergence === undefined) judge(step, office, end);
  }
  for (const node of [...checks.differing.keys(), ...checks.reports.keys()]) {
    if (progress.has(node)) continue;
    checks.differing.delete(node);
    checks.reports.delete(node);
  }
  if (checks.differing.size === 0 || nowMs - checks.remindedMs < state.timing.heartbeatMs) return;
  checks.remindedMs = nowMs;
  for (const [node, difference] of checks.differing) tellDifference(step, node, difference);
}

function judge(step: Step, office: PrimaryOffice, end: LogEnd): void {
  const { state, nowMs } = step;
  const { checks } = office;
  const checksums = new Map<NodeId, string>();
  for (const [node, reports] of [[state.self, state.stateReports] as const, ...checks.reports]) {
    const report = reportAt(reports, end);
    if (report !== undefined) checksums.set(node, report.checksum);
  }
  const sinceMs = checks.undecided.find((each) => isSameEnd(each.end, end))?.sinceMs ?? nowMs;
  const members = nodesOf(configurationInForce(state).members);
  const isOver = nowMs - sinceMs >= JUDGED_AFTER_MS;
  const awaited = isOver ? [] : members.filter((node) => mayReport(step, office, node));
  const verdict = judgeStates({ primary: state.self, checksums, members, awaited });
  checks.undecided = checks.undecided.filter((each) => !isSameEnd(each.end, end));
  if (verdict.kind !== 'undecided') settle(step, office, end, checksums, verdict);
  else if (!isOver) checks.undecided = [...checks.undecided, { end, sinceMs }].slice(-REPORTS_MAX);
  else tell(step, 'error', { position: showPosition(end) }, UNDECIDED);
}

function mayReport(step: Step, office: PrimaryOffice, node: NodeId): boolean {
  if (node === step.state.self) return true;
  const progress = office.progress.get(node);
  return progress?.link !== undefined && !progress.isSilent && !office.checks.differing.has(node);
}

function settle(
  step: Step,
  office: PrimaryOffice,
  end: LogEnd,
  checksums: ReadonlyMap<NodeId, string>,
  verdict: Exclude<StateVerdict, { kind: 'undecided' }>,
): void {
  const { state } = step;
  const { differing, reports } = office.checks;
  const wrong = verdict.kind === 'different' ? verdict.wrong : [];
  for (const [node, checksum] of checksums) {
    const known = differing.get(node);
    if (!wrong.includes(node)) {
      if (known === undefined || known.end.index >= end.index) continue;
      differing.delete(node);
      const since = reports.get(node)?.filter((report) => report.end.index >= end.index);
      reports.set(node, since ?? []);
      tell(
        step,
        'info',
        { node: addressOf(step, node), index: end.index },
        'the state of a backup is the same again',
      );
    } else if (node !== state.self && known === undefined && verdict.kind === 'different') {
      const { right, isCertain } = verdict;
      const difference = { end, checksum, right, isCertain };
      differing.set(node, difference);
      office.checks.remindedMs = step.nowMs;
      const fields = { node: addressOf(step, node), position: showPosition(end), checksum, others: right };
      tell(step, 'error', fields, isCertain ? WRONG : UNKNOWN_WHICH);
      tellDifference(step, node, difference);
    }
  }
  if (verdict.kind !== 'different' || !wrong.includes(state.self)) return;
  const what = `the state of this node, the primary, at ${showPosition(end)} has the checksum ${checksums.get(state.self) ?? ''}, and most members have ${verdict.right} after the same log`;
  halt(
    step,
    `${what}: the data of this node is wrong; promote one of the others, then ${anew('this one')}`,
    end,
  );
}

const WRONG =
  'the state of a node differs from that of most members after the same log: its data is wrong, and it stops serving';
const UNDECIDED =
  'the states of two backups differ after the same log, and this node has none of that position to compare: use SNAPSHOT here';
const UNKNOWN_WHICH =
  'the state of a backup differs from that of the primary after the same log, and nobody can know which is wrong: the backup stops serving';

function tellDifference(step: Step, node: NodeId, { end, right, isCertain }: StateDifference): void {
  const { state } = step;
  const link = linkTo(state, node);
  if (link === undefined) return;
  send(step, link.id, { kind: 'state differs', term: state.term, end, right, isCertain });
}

/** Gives up the office, if it has one, and answers nothing more: also not after a restart, whose state would be the same. */
function halt(step: Step, divergence: string, end: LogEnd): void {
  const { state } = step;
  stepDown(step, false);
  state.divergence = divergence;
  persist(step);
  const { index } = end;
  tell(step, 'error', { index }, `${HALTED}: ${divergence}`);
}

/** What an operator should know of states that differ; undefined when none does. */
export function stateAlarm({ checks, progress }: PrimaryOffice): string | undefined {
  const alarms = [...checks.differing].map(([node, { end, isCertain }]) => {
    const address = progress.get(node)?.peer.address ?? node;
    return isCertain
      ? `the state of ${address} at ${showPosition(end)} differs from that of most members after the same log: its data is wrong, and it stopped serving; ${anew('it')}`
      : `the state of ${address} at ${showPosition(end)} differs from that of this node after the same log, and it stopped serving; nobody can know which of the two is wrong; keep the files of both and compare them, then ${anew(address)}`;
  });
  return alarms.length === 0 ? undefined : alarms.join('. Besides: ');
}

function anew(which: string): string {
  return `stop ${which}, use remove-backup --backup-is-down at the primary, and add it anew with an empty directory`;
}

function addressOf({ state }: Step, node: NodeId): string {
  return knownPeers(state).find((peer) => peer.node === node)?.address ?? state.address();
}
