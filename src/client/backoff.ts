/** The delays between attempts. Both in milliseconds. */
export interface BackoffLimits {
  /** The most that the first delay can be; doubled with each attempt. */
  readonly delayMinMs: number;
  /** No delay is longer. */
  readonly delayMaxMs: number;
}

/** So many doublings reach any bound; more would only leave the numbers' range. */
const DOUBLINGS_MAX = 40;

/**
 * Exponential backoff with full jitter: each delay is drawn evenly between nothing and a limit that doubles. So
 * clients that lost the same server at the same moment do not come back at the same moment.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  /** At least 0 and below 1. */
  readonly #random: () => number;
  #attempts = 0;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  nextMs(): number {
    const { delayMinMs, delayMaxMs } = this.#limits;
    const limitMs = Math.min(delayMaxMs, delayMinMs * 2 ** this.#attempts);
    this.#attempts = Math.min(DOUBLINGS_MAX, this.#attempts + 1);
    return this.#random() * limitMs;
  }

  /** An attempt succeeded: the next delay is a short one again. */
  reset(): void {
    this.#attempts = 0;
  }
}
