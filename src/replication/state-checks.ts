import type { NodeId } from '../engine.js';
import { isSameEnd } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';

/** Whether nodes that have the same log have the same state: what each says of its own at one position is compared. */

/** What a node's state was at a position. The checksum means nothing but to be compared. */
export interface StateReport {
  readonly end: LogEnd;
  readonly checksum: string;
}

/** A node whose state is another one. */
export interface StateDifference {
  readonly end: LogEnd;
  readonly checksum: string;
  /** What it ought to be, or, where nobody can know, what the primary's is. */
  readonly right: string;
  /** More than half of the members have the other state. Otherwise this one may as well be the right one. */
  readonly isCertain: boolean;
}

/** So many positions are remembered of each node. */
export const REPORTS_MAX = 8;
/** Whoever differs is judged without those who have not reported by then: their snapshots take longer, or never come. */
export const JUDGED_AFTER_MS = 60_000;

/** What a primary knows of the states of the others. */
export interface StateChecks {
  /** By node, its reports, oldest first. */
  readonly reports: Map<NodeId, StateReport[]>;
  /** Positions at which states differ, and nobody knows yet whose is wrong. */
  undecided: { readonly end: LogEnd; readonly sinceMs: number }[];
  /** Those whose state differed when it was last compared. */
  readonly differing: Map<NodeId, StateDifference>;
  remindedMs: number;
}

export function emptyStateChecks(): StateChecks {
  return { reports: new Map(), undecided: [], differing: new Map(), remindedMs: -Infinity };
}

/** The reports with one more, and without the oldest where there are too many. */
export function withReport(reports: readonly StateReport[], report: StateReport): StateReport[] {
  const others = reports.filter(({ end }) => !isSameEnd(end, report.end));
  return [...others, report].slice(-REPORTS_MAX);
}

/** What was reported at a position. The same position of another log is another one. */
export function reportAt(reports: readonly StateReport[], at: LogEnd): StateReport | undefined {
  return reports.find(({ end }) => isSameEnd(end, at));
}

/** What is known at one position. */
export interface ReportedStates {
  readonly primary: NodeId;
  /** By node, the primary and learners included, as far as they have reported. */
  readonly checksums: ReadonlyMap<NodeId, string>;
  readonly members: readonly NodeId[];
  /** Members that may report yet. */
  readonly awaited: readonly NodeId[];
}

export type StateVerdict =
  | { readonly kind: 'equal' }
  /** They differ, and who reports yet may tell whose is wrong. */
  | { readonly kind: 'undecided' }
  | {
      readonly kind: 'different';
      readonly right: string;
      readonly wrong: readonly NodeId[];
      readonly isCertain: boolean;
    };

/**
 * Whose state is wrong. What more than half of the members have is right, and the primary has no say of its own. Where no state
 * can be that of so many any more, nobody knows: then the primary's goes on, since only one may.
 */
export function judgeStates({ primary, checksums, members, awaited }: ReportedStates): StateVerdict {
  const distinct = [...new Set(checksums.values())];
  if (distinct.length <= 1) return { kind: 'equal' };
  const those = (nodes: readonly NodeId[], checksum: string): number =>
    nodes.filter((node) => checksums.get(node) === checksum).length;
  const otherThan = (right: string): NodeId[] =>
    [...checksums].filter(([, checksum]) => checksum !== right).map(([node]) => node);
  const major = distinct.find((checksum) => 2 * those(members, checksum) > members.length);
  if (major !== undefined)
    return { kind: 'different', right: major, wrong: otherThan(major), isCertain: true };
  const missing = members.filter((node) => awaited.includes(node) && !checksums.has(node)).length;
  const canBecomeMajor = distinct.some((checksum) => {
    return 2 * (those(members, checksum) + missing) > members.length;
  });
  const right = checksums.get(primary);
  if ((missing > 0 && canBecomeMajor) || right === undefined) return { kind: 'undecided' };
  return { kind: 'different', right, wrong: otherThan(right), isCertain: false };
}
