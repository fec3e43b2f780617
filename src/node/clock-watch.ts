import type { NodeClock } from '../clock.js';

/** So far the two clocks may come apart before neither is believed. */
export const CLOCKS_APART_MS = 50;

/**
 * Notices that the monotonic clock and the wall clock of this machine do not tell of the same time. Either somebody set the
 * wall clock, or the machine was suspended and the monotonic clock stood still while the leases of others ran out. Which of
 * the two it was cannot be told, so whatever was counted from before that moment counts no more.
 */
export class ClockWatch {
  readonly #clock: NodeClock;
  readonly #spanMs: number;
  #apartMs: number;
  #sinceMs: number;
  #trustedFromMs = -Infinity;

  /** @param spanMs - clocks that part more slowly than by the bound in this time do no harm: they are slewed, not set. */
  constructor(clock: NodeClock, spanMs: number) {
    this.#clock = clock;
    this.#spanMs = spanMs;
    this.#sinceMs = clock.nowMs();
    this.#apartMs = clock.wallMs() - this.#sinceMs;
  }

  /**
   * Only what was measured behind this moment of the monotonic clock may be believed. To be asked for again each time, right before it
   * is used.
   */
  trustedFromMs(): number {
    const nowMs = this.#clock.nowMs();
    const apartMs = this.#clock.wallMs() - nowMs;
    if (Math.abs(apartMs - this.#apartMs) > CLOCKS_APART_MS) this.#trustedFromMs = nowMs;
    else if (nowMs - this.#sinceMs <= this.#spanMs) return this.#trustedFromMs;
    this.#apartMs = apartMs;
    this.#sinceMs = nowMs;
    return this.#trustedFromMs;
  }
}
