/** The delays between attempts. Both in milliseconds. */
export interface BackoffLimits {
  /** The most that the first delay can be. */
  readonly delayMinMs: number;
  /** No delay is longer. */
  readonly delayMaxMs: number;
  /** What the limit is multiplied with from attempt to attempt; above 1, and 2 when not given. */
  readonly growth?: number;
}

const GROWTH = 2;

/**
 * Exponential backoff with full jitter: each delay is drawn evenly between nothing and a limit that grows. So
 * clients that lost the same server at the same moment do not come back at the same moment.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  /** At least 0 and below 1. */
  readonly #random: () => number;
  #limitMs: number;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
    this.#limitMs = limits.delayMinMs;
  }

  nextMs(): number {
    const limitMs = this.#limitMs;
    const { delayMaxMs, growth = GROWTH } = this.#limits;
    this.#limitMs = Math.min(delayMaxMs, limitMs * growth);
    return this.#random() * limitMs;
  }

  /** An attempt succeeded: the next delay is a short one again. */
  reset(): void {
    this.#limitMs = this.#limits.delayMinMs;
  }
}
