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

function ofNode({ dbPath, damage, verdict, log }: NodeCheck): string[] {
  if (verdict.kind === 'refuses') {
    return [`${dbPath} is damaged, and a start would be refused.`, verdict.reason];
  }
  const { repairs, position } = verdict;
  const holds = `have ${keys(verdict.keys)}, at ${showPosition(position)}`;
  const does = [...repairs.map(repairText), holds];
  const start = `A start would ${listed(does)}.`;
  const torn = log.torn === undefined ? [] : [TORN];
  if (damage.length === 0) return [`${dbPath} is whole. ${start}`, ...torn];
  const isNeeded = repairs.some(({ kind }) => kind === 'snapshot made good');
  const loses = isNeeded ? 'and a start would make it good' : 'but nothing that a start needs';
  return [
    `${dbPath} is damaged, ${loses}. ${start}`,
    ...torn,
    'Copy it away before it is started, and look at the disk that it is on.',
  ];
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
        ? 'make the JSON file good from the log alone, keep what is there of it aside'
        : 'make the JSON file good from the one before and the log, keep what is there of it aside';
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
