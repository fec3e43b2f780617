import type { Metric, Sample } from '../comparison.js';

/** What one run of a load measured, wherever the load came from. */
export interface RunFigures {
  readonly requestsPerSecond: number;
  /** Processor time of each server for one request, the primary first. */
  readonly serversUs: readonly number[];
  /** Processors that the client kept busy; of the busiest, where there were several. */
  readonly clientProcessors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number | undefined;
}

/** A client of one thread that keeps a processor this busy is what limits the throughput. */
const BUSY_CLIENT = 0.95;

const NAMES = {
  rate: 'requests',
  cpu: 'CPU of the server',
  primary: 'CPU of the primary',
  client: 'CPU of the client',
  p50: 'p50',
  p99: 'p99',
  p999: 'p99.9',
} as const;

export type RunMetric = keyof typeof NAMES;

/** @param test - such as `SET`: one case may measure several. */
export function metricName(test: string, metric: RunMetric): string {
  return `${test} ${NAMES[metric]}`;
}

/** The tests that a table of these metrics tells of. */
export function testsOf(metrics: readonly Metric[]): string[] {
  const end = ` ${NAMES.rate}`;
  return metrics.filter(({ name }) => name.endsWith(end)).map(({ name }) => name.slice(0, -end.length));
}

export function runMetrics(test: string, { isReplicated = false } = {}): Metric[] {
  const named = (metric: RunMetric, unit: string, digits: number): Metric => ({
    name: metricName(test, metric),
    unit,
    digits,
  });
  return [
    named('rate', '1/s', 0),
    named('cpu', 'µs each', 2),
    ...(isReplicated ? [named('primary', 'µs each', 2)] : []),
    named('p50', 'ms', 3),
    named('p99', 'ms', 3),
    named('p999', 'ms', 3),
    {
      ...named('client', 'processors', 2),
      doubt: {
        from: BUSY_CLIENT,
        because: 'the client is the limit here: look at the CPU of the server, not at the throughput',
      },
    },
  ];
}

export function sampleOf(test: string, figures: RunFigures): Sample {
  const { requestsPerSecond, serversUs, clientProcessors, p50Ms, p99Ms, p999Ms } = figures;
  const [primaryUs = 0] = serversUs;
  return {
    [metricName(test, 'rate')]: requestsPerSecond,
    [metricName(test, 'cpu')]: serversUs.reduce((sum, each) => sum + each, 0),
    ...(serversUs.length > 1 ? { [metricName(test, 'primary')]: primaryUs } : {}),
    [metricName(test, 'p50')]: p50Ms,
    [metricName(test, 'p99')]: p99Ms,
    ...(p999Ms === undefined ? {} : { [metricName(test, 'p999')]: p999Ms }),
    [metricName(test, 'client')]: clientProcessors,
  };
}
