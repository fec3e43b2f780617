/** Buckets grow by a hundredth, from a microsecond to some minutes. */
const GROWTH = Math.log(1.01);
const BUCKETS = 2048;

/** Latencies as counts, which processes can send to each other and add up. Exact to a hundredth, and never told too short. */
export class LatencyCounts {
  readonly #counts = new Uint32Array(BUCKETS);

  record(latencyMs: number, times: number): void {
    const at = Math.ceil(Math.log(Math.max(latencyMs * 1000, 1)) / GROWTH);
    const bucket = Math.min(at, BUCKETS - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
  }

  forget(): void {
    this.#counts.fill(0);
  }

  /** Pairs of a bucket and its count, for a message. */
  pairs(): [bucket: number, count: number][] {
    return [...this.#counts]
      .map((count, bucket): [number, number] => [bucket, count])
      .filter(([, count]) => count > 0);
  }

  add(pairs: readonly (readonly [bucket: number, count: number])[]): void {
    for (const [bucket, count] of pairs) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
  }

  /** What this share took at most; 0 where nothing was recorded. */
  percentileMs(share: number): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    const rank = Math.ceil(share * total);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return Math.exp(bucket * GROWTH) / 1000;
    }
    return 0;
  }
}
