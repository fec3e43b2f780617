import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { FULL, QUICK } from './sizes.js';
import type { Sizes } from './sizes.js';

export const USAGE = `npm run bench -- [--quick] [--only NAME]… [--case TEXT] [--rounds 5] [--churn] [--minutes 15] [--rate 5000]
  [--directory DIR] [--json FILE] [--markdown FILE] [--chart [FILE]]`;

export interface Settings {
  readonly isQuick: boolean;
  readonly sizes: Sizes;
  readonly rounds: number;
  /** Names of figures; none: all but those that take very long. */
  readonly only: readonly string[];
  readonly isWithChurn: boolean;
  readonly caseName: string;
  readonly directory: string;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly chart: string | undefined;
}

const ROUNDS = 5;
const QUICK_ROUNDS = 3;
const CHART = 'docs/bench.svg';

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true },
  case: { type: 'string', default: '' },
  rounds: { type: 'string' },
  churn: { type: 'boolean', default: false },
  minutes: { type: 'string' },
  rate: { type: 'string' },
  directory: { type: 'string', default: tmpdir() },
  json: { type: 'string' },
  markdown: { type: 'string' },
  chart: { type: 'string' },
} as const;

/** @throws Error with the usage for what cannot be meant. */
export function readSettings(words: readonly string[]): Settings {
  const { values } = parseArgs({ args: withChartName(words), options: OPTIONS });
  const base = values.quick ? QUICK : FULL;
  const churn = {
    ...base.churn,
    minutes: Number(values.minutes ?? base.churn.minutes),
    operationsPerSecond: Number(values.rate ?? base.churn.operationsPerSecond),
  };
  const rounds = Number(values.rounds ?? (values.quick ? QUICK_ROUNDS : ROUNDS));
  if (!(Number.isInteger(rounds) && rounds > 0 && churn.minutes > 0 && churn.operationsPerSecond > 0)) {
    throw new Error(`usage: ${USAGE}`);
  }
  return {
    isQuick: values.quick,
    sizes: { ...base, churn },
    rounds,
    only: values.only ?? [],
    isWithChurn: values.churn,
    caseName: values.case,
    directory: values.directory,
    json: values.json,
    markdown: values.markdown,
    chart: values.chart,
  };
}

/** `--chart` alone means the chart of the README, which parseArgs has no word for. */
function withChartName(words: readonly string[]): string[] {
  return words.flatMap((word, at) => {
    const isAlone = word === '--chart' && (words[at + 1]?.startsWith('--') ?? true);
    return isAlone ? [word, CHART] : [word];
  });
}
