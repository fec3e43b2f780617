import type { CaseResult, FigureResult, Metric } from '../comparison.js';
import { outcomeOf } from '../goals.js';
import type { Goal } from '../goals.js';
import { ratiosOf, spreadOf } from '../statistics.js';
import { settingsOf } from './report.js';
import { showAim, showBound, showMeasured } from './words.js';

const NAME_WIDTH = 38;
const CELL_WIDTH = 28;

/**
 * A figure as lines of text: for each metric the median and, where there were several rounds, the least and the most; behind
 * them what was to be reached, and whether it is.
 */
export function tableOf(figure: FigureResult): string[] {
  const lines = [
    `${figure.name}: ${figure.title}`,
    ...figure.notes.map((note) => `  ${note}`),
    ...settingsOf(figure).map(([who, how]) => `  ${who}: ${how}`),
  ];
  for (const result of figure.results) lines.push('', ...linesOf(result, figure.metrics));
  return lines;
}

function linesOf(result: CaseResult, metrics: readonly Metric[]): string[] {
  const [own, ...others] = Object.keys(result.samples);
  if (own === undefined) return [];
  const heads = [own, ...others, ...others.map((other) => `${own} / ${other}`)];
  const lines = [row(`  ${result.name}`, heads)];
  for (const metric of metrics) {
    const cells = [
      ...[own, ...others].map((peer) => cellOf(valuesOf(result, peer, metric), metric.digits)),
      ...others.map((peer) =>
        cellOf(ratiosOf(valuesOf(result, own, metric), valuesOf(result, peer, metric)), 2),
      ),
    ];
    // What was measured of nobody here is another case's metric.
    if (cells.some((cell) => cell !== NOTHING)) {
      lines.push(row(`    ${metric.name}${metric.unit === '' ? '' : `, ${metric.unit}`}`, cells));
    }
  }
  return [...lines, ...doubtsOf(result, metrics), ...result.goals.map((goal) => goalLine(goal, result))];
}

function doubtsOf(result: CaseResult, metrics: readonly Metric[]): string[] {
  return metrics.flatMap((metric) => {
    const { doubt } = metric;
    if (doubt === undefined) return [];
    const doubtful = Object.keys(result.samples).filter((peer) => {
      const known = valuesOf(result, peer, metric).filter((value) => value !== undefined);
      return (spreadOf(known)?.median ?? -Infinity) >= doubt.from;
    });
    return doubtful.length === 0
      ? []
      : [`    ${metric.name}, of ${doubtful.join(' and ')}: ${doubt.because}`];
  });
}

const REACHED = { aim: 'the aim is reached', bound: 'is enough', neither: 'IS NOT ENOUGH' } as const;

function goalLine(goal: Goal, result: CaseResult): string {
  const outcome = outcomeOf(goal, result.samples);
  const measured =
    outcome === undefined ? 'not measured' : `${showMeasured(outcome)}, ${REACHED[outcome.reached]}`;
  return `    goal: ${goal.work}: ${measured}; ${showBound(goal)}, aim ${showAim(goal)}`;
}

const NOTHING = '-';

function row(name: string, cells: readonly string[]): string {
  return `${name.padEnd(NAME_WIDTH)}${cells.map((cell) => `  ${cell.padStart(CELL_WIDTH)}`).join('')}`;
}

function valuesOf(result: CaseResult, peer: string, metric: Metric): (number | undefined)[] {
  return (result.samples[peer] ?? []).map((sample) => sample[metric.name]);
}

function cellOf(values: readonly (number | undefined)[], digits: number): string {
  const known = values.filter((value) => value !== undefined);
  const spread = spreadOf(known);
  if (spread === undefined) return NOTHING;
  const show = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const median = show(spread.median);
  return known.length === 1 ? median : `${median} (${show(spread.least)}..${show(spread.most)})`;
}
