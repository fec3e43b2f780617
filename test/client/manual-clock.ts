import type { Cancel, Clock } from '../../src/clock.js';

/** A clock that stands still until a test moves it. Turns of the event loop are real. */
export class ManualClock implements Clock {
  /** Every wait that was asked for, in order. */
  readonly waits: number[] = [];
  #nowMs = 0;
  #alarms: { readonly atMs: number; readonly work: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): Cancel {
    this.waits.push(delayMs);
    const alarm = { atMs: this.#nowMs + delayMs, work };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((one) => one !== alarm);
      },
    };
  }

  /** Once: whoever uses it here cancels it then. */
  every(periodMs: number, work: () => void): Cancel {
    return this.after(periodMs, work);
  }

  nextTurn(work: () => void): void {
    setImmediate(work);
  }

  /** Moves on, and does what has become due. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = this.#alarms.filter(({ atMs }) => atMs <= this.#nowMs).sort((a, b) => a.atMs - b.atMs);
    this.#alarms = this.#alarms.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { work } of due) work();
  }
}
