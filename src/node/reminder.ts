import type { Cancel, Clock } from '../clock.js';

/** Tells the core `reminded` when it asked for that: one timer, however often it is asked for. */
export class Reminder {
  readonly #clock: Clock;
  readonly #remind: () => void;
  #timer: Cancel | undefined;

  constructor(clock: Clock, remind: () => void) {
    this.#clock = clock;
    this.#remind = remind;
  }

  ask(afterMs: number): void {
    this.#timer ??= this.#clock.after(afterMs, () => {
      this.#timer = undefined;
      this.#remind();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
