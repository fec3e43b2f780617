import type { Clock } from '../clock.js';

/**
 * The same clock, whose waits do not keep the process alive. For what a client does in the background: whoever waits for a
 * call is kept waiting by the call's own deadline.
 */
export function unheldClock(clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    after(delayMs, work) {
      const timer = clock.every(delayMs, () => {
        timer.cancel();
        work();
      });
      return timer;
    },
    every: (periodMs, work) => clock.every(periodMs, work),
    nextTurn: (work) => {
      clock.nextTurn(work);
    },
  };
}
