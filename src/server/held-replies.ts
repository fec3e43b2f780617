import type { Clock } from '../clock.js';

/** For how long replies wait for the answer to a write that stands behind them, to leave with it. */
export const HELD_MS_MAX = 1;

/**
 * Replies in front of a write that is under way. Sent by themselves they wake their client for a part of what it asked for together, and
 * cost the server a second write: with nine reads and a synced write in ten, sixteen together, 1.84 µs each in place of 1.63. However many
 * wait, there is one timer.
 */
export class HeldReplies {
  readonly #clock: Clock;
  #waiting = new Set<() => void>();
  readonly #run = (): void => {
    const due = this.#waiting;
    this.#waiting = new Set();
    for (const send of due) send();
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls it once, after {@link HELD_MS_MAX} at the latest. It may have been done by then. */
  add(send: () => void): void {
    if (this.#waiting.size === 0) this.#clock.after(HELD_MS_MAX, this.#run);
    this.#waiting.add(send);
  }
}
