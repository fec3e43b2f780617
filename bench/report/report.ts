import type { FigureResult } from '../comparison.js';
import type { Machine } from '../machine.js';

/** Everything that a run has to tell. */
export interface Report {
  /** Of the day on which it was measured, as ISO 8601 has it. */
  readonly date: string;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
  /** Cases that could not be measured, and why. */
  readonly failures: readonly string[];
  /** Others were at work on the machine when it began. */
  readonly wasBusy: boolean;
  readonly results: readonly FigureResult[];
}

/** How everybody who took part in a figure was started, each way once. */
export function settingsOf({ results }: FigureResult): [who: string, how: string][] {
  const all = results.flatMap(({ settings }) => Object.entries(settings));
  return [...new Map(all.map((each) => [each.join(' '), each])).values()];
}

/** Where and with what it was measured, as sentences. */
export function circumstancesOf(report: Report): string[] {
  const { date, isQuick, rounds, machine, versions, failures, wasBusy } = report;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date}, ${machine.processors}, ${machine.memoryGib.toFixed(1)} GiB, ${machine.kernel}, data on ${machine.fileSystem}, Node ${machine.node}.`,
    `${programs.join(', ')}.`,
    rounds === 1
      ? 'One round, so nothing is known of how far figures lie apart.'
      : `Medians of ${String(rounds)} rounds, with the least and the most; ratios are those of the same round.`,
    ...failures.map((failure) => `Not measured: ${failure}.`),
    ...(isQuick ? ['This was a quick run: less data, shorter rounds.'] : []),
    ...(wasBusy ? ['Others were at work on this machine when it began: the figures are worth little.'] : []),
  ];
}
