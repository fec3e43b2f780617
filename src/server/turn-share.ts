import type { Clock } from '../clock.js';

/**
 * What one client is given of one turn of the event loop, so that the others have theirs.
 *
 * The share is whole again in the next turn. Small work is counted over several turns: to be told of each of them would
 * cost more than it.
 */
export class TurnShare {
  readonly #clock: Clock;
  readonly #workMax: number;
  readonly #goOn: () => void;
  #work = 0;
  #isTurnAwaited = false;

  /** @param goOn - called in the next turn after one whose share was spent. */
  constructor(clock: Clock, workMax: number, goOn: () => void) {
    this.#clock = clock;
    this.#workMax = workMax;
    this.#goOn = goOn;
  }

  /** Whether nothing more is to be begun in this turn. */
  get isSpent(): boolean {
    return this.#work >= this.#workMax;
  }

  /** Counts what was done. */
  spend(work: number): void {
    this.#work += work;
    if (this.#work >= this.#workMax / SMALL_SHARE) this.#awaitTurn();
  }

  /** Leaves the rest of this turn to others. */
  rest(): void {
    this.#work = this.#workMax;
    this.#awaitTurn();
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    this.#clock.nextTurn(() => {
      const wasSpent = this.isSpent;
      this.#isTurnAwaited = false;
      this.#work = 0;
      if (wasSpent) this.#goOn();
    });
  }
}

/** Up to this part of a share nobody asks in which turn it was. */
const SMALL_SHARE = 8;
