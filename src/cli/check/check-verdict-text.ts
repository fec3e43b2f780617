import { showPosition } from '../../log/term.js';
import type { CheckReport, FileCheck, NodeCheck, Repair } from '../../storage/check-report.js';

/** What it comes to, and what to do: the first one is the verdict. */
export function verdictParagraphs(report: CheckReport): string[] {
  return report.kind === 'node' ? ofNode(report) : ofFile(report);
}

function ofFile({ dbPath, kind, verdict }: FileCheck): string[] {
  if (verdict.kind === 'refuses') {
    const isOther = kind === 'something else';
    return [
      isOther
        ? `A new server would not start from ${dbPath}.`
        : `${dbPath} is damaged: a new server would not start from it.`,
    ];
  }
  const holds = `a new server that is started from it would hold ${keys(verdict.keys)}.`;
  if (kind === 'snapshot') return [`${dbPath} is whole: ${holds}`];
  return [
    `${dbPath} can be read: ${holds}`,
    'Such a file has no checksum, so nothing tells whether all of it is there, and as it was written.',
  ];
}

function ofNode(report: NodeCheck): string[] {
  const { damage, verdict, log } = report;
  const data = `The data of ${report.dbPath}`;
  if (verdict.kind === 'refuses') {
    // What stands in the list of damage already need not be said again.
    const isListed = damage.some(({ message }) => verdict.reason.startsWith(message));
    const reason = isListed ? [] : [verdict.reason];
    return [`${data} is not whole, and a start would be refused.`, ...reason, wayOut(report)];
  }
  const { repairs, position } = verdict;
  const holds = `have ${keys(verdict.keys)}, at ${showPosition(position)}`;
  const does = listed([...repairs.map(repairText), holds]);
  const torn = log.torn === undefined ? [] : [TORN];
  if (damage.length === 0) return [`${data} is whole. A start would ${does}.`, ...torn];
  const isNeeded = repairs.some(({ kind }) => kind === 'snapshot made good');
  const meaning = isNeeded ? 'and a start would make it good' : 'but nothing that a start needs';
  return [
    `${data} is damaged, ${meaning}: it would ${does}.`,
    ...torn,
    'Copy it away before it is started, and look at the disk that it is on.',
  ];
}

/** What can be had without the files that are damaged. */
function wayOut({ state, snapshot, previous }: NodeCheck): string {
  const members = state?.configuration?.members.length ?? 0;
  if (members > 1) {
    return `This node is one of ${String(members)} members: remove it and add it with an empty directory, see "Replacing a node" in docs/operating.md.`;
  }
  const advice = 'Copy everything away first, and see "Damage" in docs/operating.md.';
  const whole = [snapshot, previous].find(({ state }) => state === 'whole');
  if (whole?.head === undefined)
    return `There is no whole snapshot: restore the data from a backup. ${advice}`;
  const holds = `${keys(whole.entries)}, at ${showPosition(whole.head.end)}`;
  return `${whole.file} by itself is whole: a new server that is started from a copy of it would hold ${holds}. ${advice}`;
}

function keys(count: number): string {
  return count === 1 ? '1 key' : `${String(count)} keys`;
}

/**
 * After an unclean stop, that is: after a clean one such bytes are damage. It says no more than what one copy can tell, see
 * docs/guarantees.md.
 */
const TORN =
  'The torn end is a write that did not complete before the crash, and so was not synced: with --fsync always nothing that was acknowledged is in it. (Had those very bytes been damaged on the disk since, it would look the same.)';

function repairText(repair: Repair): string {
  switch (repair.kind) {
    case 'snapshot made good':
      return repair.from === undefined
        ? 'restore the JSON file from the log alone, keep the damaged one aside'
        : 'restore the JSON file from the one before and the log, keep the damaged one aside';
    case 'torn end cut':
      return 'cut off the torn end and keep it aside';
    case 'replacement finished':
      return 'finish the replacement of everything by the snapshot from the primary';
  }
}

function listed(parts: readonly string[]): string {
  const last = parts.at(-1) ?? '';
  const rest = parts.slice(0, -1);
  return rest.length === 0 ? last : `${rest.join(', ')}, and ${last}`;
}
