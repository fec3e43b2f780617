import type { FigureResult } from '../comparison.js';
import { outcomeOf } from '../goals.js';
import type { Outcome } from '../goals.js';
import { circumstancesOf } from './report.js';
import type { Report } from './report.js';
import { showMeasured } from './words.js';

/**
 * The ratios of a run as an SVG for the README. One vertical line is the peer; a bar goes to the median, in steps of doubling, so that
 * twice and half are equally long, and a thin line from the least to the most. Colours are between light and dark, so that both backgrounds do.
 */

const INK = '#747c87';
const COLOURS = { aim: '#2f9e57', bound: '#3b82c4', neither: '#d0622b' } as const;
const MEANINGS = { aim: 'the aim is reached', bound: 'enough', neither: 'not enough' } as const;

const WIDTH = 970;
const LABEL_WIDTH = 410;
const VALUE_WIDTH = 190;
const PLOT_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 12;
const GROUP_HEIGHT = 56;
const HEAD_HEIGHT = 48;
const LINE_HEIGHT = 16;
const FOOT_HEIGHT = 20;

interface Group {
  readonly title: string;
  readonly outcomes: readonly Outcome[];
}

/** Undefined where nothing was compared. */
export function chartOf(report: Report): string | undefined {
  const outcomes = ratiosOf(report.results);
  if (outcomes.length === 0) return undefined;
  const groups = [
    { title: 'More is better: throughput', outcomes: outcomes.filter(({ goal }) => goal.better === 'more') },
    {
      title: 'Less is better: processor time, waits, memory, starts',
      outcomes: outcomes.filter(({ goal }) => goal.better === 'less'),
    },
  ].filter((group) => group.outcomes.length > 0);
  const scale = scaleOf(outcomes);
  const parts: string[] = [];
  let top = HEAD_HEIGHT;
  for (const group of groups) {
    parts.push(...groupParts(group, top, scale));
    top += GROUP_HEIGHT + group.outcomes.length * ROW_HEIGHT;
  }
  const foot = circumstancesOf(report);
  foot.forEach((line, at) => parts.push(text(0, top + FOOT_HEIGHT + at * LINE_HEIGHT, line, 'small')));
  const height = top + FOOT_HEIGHT + foot.length * LINE_HEIGHT;
  return `${[...headParts(height), ...parts, '</svg>'].join('\n')}\n`;
}

function ratiosOf(results: readonly FigureResult[]): Outcome[] {
  return results
    .flatMap((figure) => figure.results)
    .flatMap(({ goals, samples }) => goals.map((goal) => outcomeOf(goal, samples)))
    .filter((outcome) => outcome !== undefined)
    .filter(({ goal, spread }) => goal.against !== undefined && spread.least > 0);
}

interface Scale {
  /** Exponents of two. */
  readonly from: number;
  readonly to: number;
  x(ratio: number): number;
}

function scaleOf(outcomes: readonly Outcome[]): Scale {
  const all = outcomes.flatMap(({ goal, spread }) => [spread.least, spread.most, goal.bound, goal.aim]);
  const from = Math.min(-1, Math.floor(Math.log2(Math.min(...all))));
  const to = Math.max(1, Math.ceil(Math.log2(Math.max(...all))));
  const x = (ratio: number): number => LABEL_WIDTH + ((Math.log2(ratio) - from) / (to - from)) * PLOT_WIDTH;
  return { from, to, x };
}

function headParts(height: number): string[] {
  const style = [
    `text { font: 13px system-ui, sans-serif; fill: ${INK}; }`,
    '.title { font-size: 15px; font-weight: 600; }',
    '.small { font-size: 11px; }',
  ].join(' ');
  const title = 'Understudy beside its peers';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${String(WIDTH)}" height="${String(height)}" viewBox="0 0 ${String(WIDTH)} ${String(height)}" role="img">`,
    `<title>${title}</title>`,
    `<style>${style}</style>`,
    text(0, 18, title, 'title'),
    ...legendParts(),
  ];
}

function legendParts(): string[] {
  const keys = Object.entries(COLOURS) as [keyof typeof COLOURS, string][];
  const step = 150;
  return [
    ...keys.flatMap(([reached, colour], at) => [
      `<rect x="${String(at * step)}" y="30" width="10" height="10" fill="${colour}" fill-opacity="0.6"/>`,
      text(at * step + 16, 40, MEANINGS[reached], 'small'),
    ]),
    text(
      keys.length * step,
      40,
      'upright line: what is wanted; thin line: from the least to the most of all rounds',
      'small',
    ),
  ];
}

function groupParts({ title, outcomes }: Group, top: number, scale: Scale): string[] {
  const first = top + GROUP_HEIGHT;
  const bottom = first + outcomes.length * ROW_HEIGHT;
  const parts = [text(0, top + 24, title, 'title')];
  for (let exponent = scale.from; exponent <= scale.to; exponent++) {
    const x = round(scale.x(2 ** exponent));
    const opacity = exponent === 0 ? '1' : '0.3';
    parts.push(
      `<line x1="${x}" y1="${String(first - 6)}" x2="${x}" y2="${String(bottom)}" stroke="${INK}" stroke-opacity="${opacity}"/>`,
      `<text x="${x}" y="${String(first - 12)}" text-anchor="middle" class="small">${exponent === 0 ? 'the peer' : `${String(2 ** exponent)} x`}</text>`,
    );
  }
  outcomes.forEach((outcome, at) => parts.push(...rowParts(outcome, first + at * ROW_HEIGHT, scale)));
  return parts;
}

function rowParts(outcome: Outcome, top: number, scale: Scale): string[] {
  const { goal, spread, reached } = outcome;
  const [peer, median] = [scale.x(1), scale.x(spread.median)];
  const middle = top + ROW_HEIGHT / 2;
  const [left, width] = [Math.min(peer, median), Math.max(1, Math.abs(median - peer))];
  const [least, most, wanted] = [spread.least, spread.most, goal.bound].map((ratio) => round(scale.x(ratio)));
  const [barTop, barEnd] = [middle - BAR_HEIGHT / 2, middle + BAR_HEIGHT / 2];
  return [
    text(0, middle + 4, goal.work),
    `<rect x="${round(left)}" y="${String(barTop)}" width="${round(width)}" height="${String(BAR_HEIGHT)}" fill="${COLOURS[reached]}" fill-opacity="0.6"/>`,
    `<line x1="${least ?? ''}" y1="${String(middle)}" x2="${most ?? ''}" y2="${String(middle)}" stroke="${INK}" stroke-width="2"/>`,
    `<line x1="${wanted ?? ''}" y1="${String(barTop - 3)}" x2="${wanted ?? ''}" y2="${String(barEnd + 3)}" stroke="${INK}" stroke-width="2"/>`,
    text(WIDTH - VALUE_WIDTH + 12, middle + 4, showMeasured(outcome)),
  ];
}

function round(value: number): string {
  return value.toFixed(1);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function text(x: number, y: number, content: string, kind?: string): string {
  const escaped = content.replace(/[&<>"]/g, (each) => ENTITIES[each] ?? each);
  const name = kind === undefined ? '' : ` class="${kind}"`;
  return `<text x="${String(x)}" y="${String(y)}"${name}>${escaped}</text>`;
}
