import { showAddress } from '../../client/address.js';
import { plainText } from '../output.js';
import { showBytes } from '../quantity.js';
import type { LatencySummary } from './latencies.js';
import type { Measurement, Progress } from './load.js';
import type { BenchPlan } from './plan.js';

/** A measurement, and what became of the keys. */
export interface BenchReport {
  readonly plan: BenchPlan;
  readonly measured: Measurement;
  /** Keys that were deleted at the end; undefined when that was not asked for, or failed. */
  readonly cleaned: number | undefined;
}

/** One line for a terminal. */
export function progressText({ elapsedMs, perSecond, p50Ms, p99Ms, errors }: Progress): string {
  const latencies = `p50 ${showMs(p50Ms)}  p99 ${showMs(p99Ms)}`;
  return `${seconds(elapsedMs)}  ${whole(perSecond)} operations/s  ${latencies}  ${whole(errors)} errors`;
}

/** For a person. */
export function reportLines({ plan, measured, cleaned }: BenchReport): string[] {
  const { reads, writes, found, errors, missed, elapsedMs } = measured;
  const rows = [
    ['', 'operations', 'per second', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    summaryRow('reads', reads, elapsedMs),
    summaryRow('writes', writes, elapsedMs),
  ];
  const foundPercent = reads.count === 0 ? '-' : `${((100 * found) / reads.count).toFixed(1)} %`;
  const missedLine = missed === 0 ? [] : [`due, and not begun in time: ${whole(missed)}`];
  return [
    planLine(plan),
    endLine(measured),
    '',
    ...table(rows),
    '',
    `reads that found a value: ${foundPercent}`,
    ...missedLine,
    ...(errors.length === 0 ? ['errors: none'] : ['errors:']),
    ...errors.map(
      ({ code, count, message }) => `  ${whole(count)} ${code}, the first: ${plainText(message)}`,
    ),
    keysLine(plan, cleaned),
  ];
}

function planLine(plan: BenchPlan): string {
  const { clients, pipeline, valueBytesMin, valueBytesMax, readsPercent, ratePerSecond, seed } = plan;
  const least = valueBytesMin === valueBytesMax ? '' : `${showBytes(valueBytesMin)} to `;
  const rate = ratePerSecond === undefined ? '' : `, ${whole(ratePerSecond)} operations a second`;
  return (
    `${showAddress(plan.address)}: ${whole(clients)} clients, pipeline ${whole(pipeline)}, ` +
    `${String(readsPercent)} % reads, values of ${least}${showBytes(valueBytesMax)}, seed ${String(seed)}${rate}`
  );
}

function endLine({ ended, reason, elapsedMs, reads, writes, errors }: Measurement): string {
  const refused = errors.reduce((sum, { count }) => sum + count, 0);
  const all = reads.count + writes.count + refused;
  const measured = `${whole(all)} operations in ${seconds(elapsedMs)}, ${whole(perSecond(all, elapsedMs))} a second`;
  switch (ended) {
    case 'done':
      return measured;
    case 'interrupted':
      return `${measured}; interrupted`;
    case 'lost':
      return `${measured}; then it ended: ${plainText(reason ?? 'the server is gone')}`;
  }
}

function keysLine({ prefix, keys, isCleaned }: BenchPlan, cleaned: number | undefined): string {
  const names = `${plainText(prefix)}0 to ${plainText(prefix)}${String(keys - 1)}`;
  if (cleaned !== undefined) return `of the keys ${names}, ${whole(cleaned)} were there and are deleted`;
  if (isCleaned) return `the keys ${names} were not deleted, or not all of them`;
  return `the keys ${names} stay as they are; --clean deletes them`;
}

function summaryRow(name: string, summary: LatencySummary, elapsedMs: number): string[] {
  const { count, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = summary;
  const latencies = [p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map(showMs);
  return [name, whole(count), whole(perSecond(count, elapsedMs)), ...latencies];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
}

/** One object. Names stay; a later version may have more. */
export function reportJson({ plan, measured, cleaned }: BenchReport): object {
  const { ended, reason, elapsedMs, reads, writes, found, errors, missed } = measured;
  const refused = errors.reduce((sum, { count }) => sum + count, 0);
  const operations = reads.count + writes.count + refused;
  return {
    address: showAddress(plan.address),
    clients: plan.clients,
    pipeline: plan.pipeline,
    readsPercent: plan.readsPercent,
    valueBytesMin: plan.valueBytesMin,
    valueBytesMax: plan.valueBytesMax,
    keys: plan.keys,
    prefix: plan.prefix,
    seed: plan.seed,
    ratePerSecond: plan.ratePerSecond ?? null,
    ended,
    reason: reason ?? null,
    elapsedMs: rounded(elapsedMs),
    operations,
    operationsPerSecond: rounded(perSecond(operations, elapsedMs)),
    reads: { ...latenciesJson(reads, elapsedMs), found },
    writes: latenciesJson(writes, elapsedMs),
    errors: Object.fromEntries(errors.map(({ code, count }) => [code, count])),
    missed,
    cleaned: cleaned ?? null,
  };
}

function latenciesJson(
  { count, ...latencies }: LatencySummary,
  elapsedMs: number,
): Record<string, number | null> {
  const named = Object.entries(latencies).map(([name, value]) => [
    name,
    value === undefined ? null : rounded(value),
  ]);
  return {
    operations: count,
    operationsPerSecond: rounded(perSecond(count, elapsedMs)),
    ...(Object.fromEntries(named) as Record<string, number | null>),
  };
}

function perSecond(count: number, elapsedMs: number): number {
  return elapsedMs === 0 ? 0 : (1000 * count) / elapsedMs;
}

/** To the thousandth: a microsecond of a millisecond. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** Three digits that mean something: `0.084 ms`, `12.3 ms`, `1.25 s`. */
function showMs(durationMs: number | undefined): string {
  if (durationMs === undefined) return '-';
  if (durationMs >= 1000) return `${(durationMs / 1000).toFixed(2)} s`;
  return `${durationMs.toFixed(durationMs < 1 ? 3 : durationMs < 100 ? 2 : 1)} ms`;
}
