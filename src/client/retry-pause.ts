import type { Cancel, Clock } from '../clock.js';
import { Backoff } from './backoff.js';
import type { BackoffLimits } from './backoff.js';
import type { KvError } from './errors.js';

/**
 * The moment that calls wait which were refused for now, since a node that says that it serves may refuse all the same. It
 * is one for all of them, and longer from time to time until something works.
 */
export class RetryPause {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #over: () => void;
  #timer: Cancel | undefined;
  #refusal: KvError | undefined;

  /** @param over - sends what waits. */
  constructor(clock: Clock, limits: BackoffLimits, random: () => number, over: () => void) {
    this.#clock = clock;
    this.#backoff = new Backoff(limits, random);
    this.#over = over;
  }

  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** What servers said last, while that is why calls wait. That another node is the primary says nothing about this cluster. */
  get refusal(): KvError | undefined {
    return this.#refusal;
  }

  begin(refusal: KvError | undefined): void {
    this.#refusal = refusal?.code === 'NOT_PRIMARY' ? undefined : refusal;
    this.#timer ??= this.#clock.after(this.#backoff.nextMs(), () => {
      this.#timer = undefined;
      this.#over();
    });
  }

  /** Something worked. */
  reset(): void {
    this.#backoff.reset();
    this.#refusal = undefined;
  }

  /** Who refused is out of reach. */
  forgetRefusal(): void {
    this.#refusal = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
