import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { startProcess } from './leftovers.js';
import type { BenchServer } from './server-process.js';

/** What redis-benchmark tells about one test. */
export interface BenchmarkLine {
  readonly test: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

export interface BenchmarkRun {
  readonly test: 'get' | 'set';
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
  readonly keys: number;
  readonly valueBytes: number;
}

const COLUMNS = {
  requestsPerSecond: 'rps',
  p50Ms: 'p50_latency_ms',
  p99Ms: 'p99_latency_ms',
  longestMs: 'max_latency_ms',
} as const;

/** Reads what `redis-benchmark --csv` writes: a line of names, then a line for each test, every cell in double quotes. */
export function parseBenchmarkCsv(csv: string): BenchmarkLine[] {
  const rows = csv
    .split(/\r?\n/)
    .filter((line) => line.startsWith('"'))
    .map((line) => [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? ''));
  const [names, ...lines] = rows;
  if (names?.[0] !== 'test') throw new Error(`redis-benchmark wrote no table: ${csv.slice(0, 200)}`);
  return lines.map((cells) => {
    const number = (name: string): number => {
      const value = Number(cells[names.indexOf(name)] ?? NaN);
      if (!Number.isFinite(value)) throw new Error(`redis-benchmark wrote no ${name}: ${cells.join(' ')}`);
      return value;
    };
    return {
      test: cells[0] ?? '',
      requestsPerSecond: number(COLUMNS.requestsPerSecond),
      p50Ms: number(COLUMNS.p50Ms),
      p99Ms: number(COLUMNS.p99Ms),
      longestMs: number(COLUMNS.longestMs),
    };
  });
}

/** One run of one test against one server. */
export async function runRedisBenchmark(server: BenchServer, run: BenchmarkRun): Promise<BenchmarkLine> {
  const options = { h: server.host, p: server.port, t: run.test, c: run.clients, P: run.pipeline };
  const more = { r: run.keys, n: run.requests, d: run.valueBytes };
  const words = Object.entries({ ...options, ...more }).flatMap(([name, value]) => [
    `-${name}`,
    String(value),
  ]);
  const child = startProcess('redis-benchmark', [...words, '--csv'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const csv = child.stdout === null ? '' : await text(child.stdout);
  await ended;
  const [line] = parseBenchmarkCsv(csv);
  if (line === undefined) throw new Error(`redis-benchmark measured nothing: ${csv}`);
  return line;
}
