/**
 * The only place that knows time. Everything else is handed a clock, so that tests can hold it still. A test
 * finds any other use of a timer or of the date.
 */

export interface Cancel {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds of a monotonic clock: only differences mean anything. */
  nowMs(): number;
  /**
   * Runs `work` once, after `delayMs`. Node.js cuts the fraction of a delay and goes by a clock of whole milliseconds, so it may be up to one
   * early: whoever has to be certain looks at the clock.
   */
  after(delayMs: number, work: () => void): Cancel;
  /** Runs `work` again and again, and does not keep the process alive by itself. */
  every(periodMs: number, work: () => void): Cancel;
  /** Runs `work` once the events that are ready now have been handled. */
  nextTurn(work: () => void): void;
}

/** What a node goes by: it does not trust a single clock with the leases under which it reads. */
export interface NodeClock extends Clock {
  /**
   * Milliseconds of the wall clock, which people and other programs set. It goes on while the machine is suspended, and the
   * monotonic one does not.
   */
  wallMs(): number;
}

export const systemClock: NodeClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, work) {
    const timer = setTimeout(work, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, work) {
    const timer = setInterval(work, periodMs).unref();
    return { cancel: () => clearInterval(timer) };
  },
  nextTurn(work) {
    setImmediate(work);
  },
};

const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Keeps the process alive for as long as some work takes, also while that only waits for what is done every so often. */
export async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, LONGEST_DELAY_MS);
  try {
    return await work;
  } finally {
    clearInterval(hold);
  }
}

/** Gives every event that is ready a turn, then goes on. */
export function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.nextTurn(resolve));
}
