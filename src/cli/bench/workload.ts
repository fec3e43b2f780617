import type { BenchPlan } from './plan.js';
import { SeededRandom } from './random.js';

export type WorkloadPlan = Pick<
  BenchPlan,
  'keys' | 'readsPercent' | 'valueBytesMin' | 'valueBytesMax' | 'seed'
>;

/** Values are stretches of one pool of random bytes, which begin anywhere in this much of it. */
const OFFSETS = 64 * 1024;

/** The random bytes that all values are taken from. */
export function valuePool({ seed, valueBytesMax }: WorkloadPlan): Buffer {
  const pool = Buffer.allocUnsafeSlow(OFFSETS + valueBytesMax);
  new SeededRandom(seed).fill(pool);
  return pool;
}

/** What one client does, one operation after the other. The same seed gives the same operations. */
export class Workload {
  /** What the current operation is. */
  isRead = false;
  keyIndex = 0;
  valueOffset = 0;
  valueBytes = 0;
  readonly #plan: WorkloadPlan;
  readonly #random: SeededRandom;

  constructor(plan: WorkloadPlan, client: number) {
    this.#plan = plan;
    // Seeds that lie far apart: neighbours would share the streams of each other's clients.
    this.#random = new SeededRandom(Math.imul(plan.seed, 0x9e3779b1) ^ Math.imul(client + 1, 0x85ebca6b));
  }

  next(): void {
    const { keys, readsPercent, valueBytesMin, valueBytesMax } = this.#plan;
    this.isRead = this.#random.below(100) < readsPercent;
    this.keyIndex = this.#random.below(keys);
    if (this.isRead) return;
    this.valueOffset = this.#random.below(OFFSETS);
    this.valueBytes = valueBytesMin + this.#random.below(valueBytesMax - valueBytesMin + 1);
  }
}
