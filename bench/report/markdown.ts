import type { CaseResult, FigureResult } from '../comparison.js';
import { outcomeOf } from '../goals.js';
import type { Goal } from '../goals.js';
import { spreadOf } from '../statistics.js';
import { metricName, testsOf } from '../throughput/metrics.js';
import type { RunMetric } from '../throughput/metrics.js';
import { circumstancesOf, settingsOf } from './report.js';
import type { Report } from './report.js';
import { showAim, showBound, showMeasured, showNumber, showSpread } from './words.js';

const NOTHING = '-';
const REACHED = { aim: 'the aim', bound: 'yes', neither: '**no**' } as const;

/** A run for docs/performance.md: what was to be reached, then throughput and latencies, then how everybody was started. */
export function markdownOf(report: Report): string {
  const sections = [
    circumstancesOf(report).join(' '),
    goalsTable(report.results),
    ...section('Throughput and latencies', throughputTable(report.results)),
    ...section('How they were started', settingsTable(report.results)),
  ];
  return `${sections.filter((each) => each !== '').join('\n\n')}\n`;
}

function section(title: string, table: string): string[] {
  return table === '' ? [] : [`### ${title}`, table];
}

function goalsTable(results: readonly FigureResult[]): string {
  const rows = results.flatMap((figure) =>
    figure.results.flatMap((result) => result.goals.map((goal) => goalRow(goal, result))),
  );
  return tableOf(['work', 'measured', 'wanted', 'aim', 'reached'], rows);
}

function goalRow(goal: Goal, result: CaseResult): string[] {
  const outcome = outcomeOf(goal, result.samples);
  const [measured, reached] =
    outcome === undefined ? [NOTHING, NOTHING] : [showMeasured(outcome), REACHED[outcome.reached]];
  return [goal.work, measured, showBound(goal), showAim(goal), reached];
}

const HEADS = ['1/s', 'CPU, µs each', 'of the primary', 'p50, ms', 'p99, ms', 'p99.9, ms'];
const COLUMNS: readonly RunMetric[] = ['rate', 'cpu', 'primary', 'p50', 'p99', 'p999'];

function throughputTable(results: readonly FigureResult[]): string {
  const rows = results.flatMap((figure) =>
    figure.results.flatMap((result) =>
      testsOf(figure.metrics).flatMap((test) => runRows(figure, result, test)),
    ),
  );
  return tableOf(['work', 'who', ...HEADS], rows);
}

function runRows(figure: FigureResult, result: CaseResult, test: string): string[][] {
  const work = `${workOf(figure)}, ${result.name}: ${test}`;
  return Object.entries(result.samples).flatMap(([who, samples]) => {
    const cells = COLUMNS.map((column) => {
      const name = metricName(test, column);
      const spread = spreadOf(samples.map((sample) => sample[name]).filter((value) => value !== undefined));
      if (spread === undefined) return NOTHING;
      return column === 'rate' ? showSpread(spread) : showNumber(spread.median);
    });
    // Not every case of a figure measures all of its tests.
    return cells[0] === NOTHING ? [] : [[work, who, ...cells]];
  });
}

/** The title without how it is measured, which stands behind a semicolon. */
function workOf({ title }: FigureResult): string {
  return title.split(';')[0] ?? title;
}

function settingsTable(results: readonly FigureResult[]): string {
  const rows = results.flatMap((figure) => {
    return settingsOf(figure).map(([who, how]) => [figure.name, who, `\`${how}\``]);
  });
  return tableOf(['figure', 'who', 'how'], rows);
}

/** As the formatter of this project leaves it alone. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const all = [heads, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = heads.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [first = [], ...others] = all;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...others.map(line)].join('\n');
}
