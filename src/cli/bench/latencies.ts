import { createHistogram } from 'node:perf_hooks';
import type { RecordableHistogram } from 'node:perf_hooks';

/** How long operations of one kind took. */
export interface LatencySummary {
  readonly count: number;
  /** Of all of them, the share that took no longer; undefined when there were none. Exact to a thousandth, and the last one exactly. */
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly p999Ms: number | undefined;
  readonly maxMs: number | undefined;
}

const NS_PER_MS = 1_000_000;
const HISTOGRAM = { lowest: 1, highest: 86_400_000 * NS_PER_MS, figures: 3 };

/**
 * Counts latencies in Node's own HDR histogram: its buckets grow with the value, so that memory stays the same however long it
 * runs. What is recorded gathers in an interval of its own first, so that the newest can be looked at alone.
 */
export class Latencies {
  readonly #interval: RecordableHistogram = createHistogram(HISTOGRAM);
  readonly #total: RecordableHistogram = createHistogram(HISTOGRAM);
  /** The histogram knows the bucket of the longest only. */
  #maxMs = 0;

  record(latencyMs: number): void {
    this.#interval.record(Math.min(HISTOGRAM.highest, Math.max(1, Math.round(latencyMs * NS_PER_MS))));
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
  }

  /** Adds what was recorded since the last call to the total, and to `shown`. */
  endInterval(shown?: RecordableHistogram): void {
    this.#total.add(this.#interval);
    shown?.add(this.#interval);
    this.#interval.reset();
  }

  /** Of everything up to the end of the last interval. */
  summary(): LatencySummary {
    const total = this.#total;
    // A bucket's upper end may lie beyond the longest that is in it.
    const at = (percent: number): number | undefined => {
      const upperMs = percentileMs(total, percent);
      return upperMs === undefined ? undefined : Math.min(upperMs, this.#maxMs);
    };
    return {
      count: total.count,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: total.count === 0 ? undefined : this.#maxMs,
    };
  }
}

/** An empty histogram to gather intervals of several kinds in. */
export function gathering(): RecordableHistogram {
  return createHistogram(HISTOGRAM);
}

export function percentileMs(histogram: RecordableHistogram, percent: number): number | undefined {
  return histogram.count === 0 ? undefined : histogram.percentile(percent) / NS_PER_MS;
}
