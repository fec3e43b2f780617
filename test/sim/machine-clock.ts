import type { Cancel, NodeClock } from '../../src/clock.js';
import type { Process, Scheduler } from './scheduler.js';

export interface ClockTemper {
  /** Where its monotonic clock began. */
  readonly baseMs: number;
  /** How fast that goes: 1 is exact. */
  readonly rate: number;
  /** How far its wall clock is ahead of the scheduler's. */
  readonly wallOffsetMs: number;
}

/**
 * The two clocks of one machine. The monotonic one has a rate of its own and stands still while the machine is suspended. The wall
 * clock goes on all the while, and is set.
 */
export class MachineClock {
  readonly rate: number;
  readonly #scheduler: Scheduler;
  readonly #baseMs: number;
  #wallOffsetMs: number;
  #suspendedMs = 0;
  #suspendedAtMs: number | undefined;

  constructor(scheduler: Scheduler, { baseMs, rate, wallOffsetMs }: ClockTemper) {
    this.#scheduler = scheduler;
    this.#baseMs = baseMs;
    this.rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  nowMs(): number {
    const awakeMs = (this.#suspendedAtMs ?? this.#scheduler.nowMs) - this.#suspendedMs;
    return this.#baseMs + awakeMs * this.rate;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#scheduler.nowMs;
  }

  /** How much of the scheduler's time the monotonic clock has missed. */
  get suspendedMs(): number {
    return this.#suspendedMs;
  }

  get isSuspended(): boolean {
    return this.#suspendedAtMs !== undefined;
  }

  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  suspend(): void {
    this.#suspendedAtMs ??= this.#scheduler.nowMs;
  }

  wake(): void {
    if (this.#suspendedAtMs === undefined) return;
    this.#suspendedMs += this.#scheduler.nowMs - this.#suspendedAtMs;
    this.#suspendedAtMs = undefined;
  }
}

/** The clocks of a machine as one process has them: its timers go by the monotonic one. */
export function processClock(process: Process, clock: MachineClock): NodeClock {
  /** A timer that was set before the machine was suspended is not due when the scheduler says so. */
  const post = (label: string, delayMs: number, work: () => void): Cancel => {
    const suspendedMs = clock.suspendedMs;
    const dueMs = clock.nowMs() + delayMs;
    let cancelLater: Cancel | undefined;
    const first = process.post(delayMs / clock.rate, label, () => {
      if (clock.suspendedMs === suspendedMs) work();
      else cancelLater = post(label, Math.max(0, dueMs - clock.nowMs()), work);
    });
    return { cancel: () => (cancelLater ?? first).cancel() };
  };
  return {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, work) => post('timer', delayMs, work),
    every(periodMs, work) {
      let next: Cancel;
      let isCancelled = false;
      const fire = (): void => {
        work();
        // The work may be what cancels it.
        if (!isCancelled) next = post('period', periodMs, fire);
      };
      next = post('period', periodMs, fire);
      return {
        cancel: () => {
          isCancelled = true;
          next.cancel();
        },
      };
    },
    nextTurn: (work) => void process.post(0, 'turn', work),
  };
}
