import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { startProcess } from './leftovers.js';
import { endedChildrenMs } from './process-files.js';
import type { Endpoint } from './server-process.js';

/** What redis-benchmark tells about one test. */
export interface BenchmarkReport {
  readonly test: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Undefined of a version that prints no distribution. */
  readonly p999Ms: number | undefined;
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

const PERCENTILES = 'Latency by percentile distribution:';
const SHARES = 'Cumulative distribution of latencies:';
const P999_PERCENT = 99.9;

/**
 * Reads what redis-benchmark writes without `--csv`, which has no percentile beyond the 99th. Progress is written over
 * itself, with carriage returns.
 */
export function parseBenchmarkReport(output: string): BenchmarkReport {
  const lines = output.split(/[\r\n]+/).map((line) => line.trim());
  const test = lines.map((line) => /====== (.+) ======/.exec(line)?.[1]).find((name) => name !== undefined);
  if (test === undefined) throw new Error(`redis-benchmark wrote no report: ${output.slice(0, 200)}`);
  const number = (name: string, value: string | undefined): number => {
    const read = Number(value ?? NaN);
    if (!Number.isFinite(read)) throw new Error(`redis-benchmark wrote no ${name} of ${test}`);
    return read;
  };
  const rate = lines.map((line) => /^throughput summary: ([\d.]+) /.exec(line)?.[1]).find(Boolean);
  const head = lines.findIndex((line) => line.startsWith('latency summary'));
  const [names, cells] = [lines[head + 1], lines[head + 2]].map((line) => line?.split(/\s+/) ?? []);
  const latencyMs = (name: string): number => number(name, cells?.[names?.indexOf(name) ?? -1]);
  return {
    test,
    requestsPerSecond: number('throughput', rate),
    p50Ms: latencyMs('p50'),
    p99Ms: latencyMs('p99'),
    p999Ms: p999MsOf(lines),
    longestMs: latencyMs('max'),
  };
}

/** Of the first line at 99.9 percent or more, so that it is never told too short. */
function p999MsOf(lines: readonly string[]): number | undefined {
  const from = lines.indexOf(PERCENTILES);
  if (from < 0) return undefined;
  const to = lines.indexOf(SHARES);
  for (const line of lines.slice(from, to < 0 ? undefined : to)) {
    const [, percent, latencyMs] = /^([\d.]+)% <= ([\d.]+) milliseconds/.exec(line) ?? [];
    if (Number(percent) >= P999_PERCENT) return Number(latencyMs);
  }
  return undefined;
}

/** One run of one test against one server, and the processor time of the client for it. */
export async function runRedisBenchmark(
  server: Endpoint,
  run: BenchmarkRun,
): Promise<BenchmarkReport & { readonly clientMs: number }> {
  const options = { h: server.host, p: server.port, t: run.test, c: run.clients, P: run.pipeline };
  const more = { r: run.keys, n: run.requests, d: run.valueBytes };
  const words = Object.entries({ ...options, ...more }).flatMap(([name, value]) => [
    `-${name}`,
    String(value),
  ]);
  const beforeMs = endedChildrenMs();
  const child = startProcess('redis-benchmark', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const output = child.stdout === null ? '' : await text(child.stdout);
  await ended;
  return { ...parseBenchmarkReport(output), clientMs: endedChildrenMs() - beforeMs };
}
