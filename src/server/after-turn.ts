import type { Clock } from '../clock.js';
import { afterWork } from './after-work.js';

/**
 * Runs work once what is ready in this turn was handled, the writes included that are put into the log within it. However many ask, the
 * event loop is asked once a turn.
 */
export class AfterTurn {
  readonly #clock: Clock;
  #waiting: (() => void)[] = [];
  readonly #run = (): void => {
    const due = this.#waiting;
    this.#waiting = [];
    for (const work of due) afterWork(work);
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(work: () => void): void {
    if (this.#waiting.push(work) === 1) this.#clock.nextTurn(this.#run);
  }
}
