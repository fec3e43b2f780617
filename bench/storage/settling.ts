import { pause } from '../first-answer.js';
import { memoryOf } from '../process-files.js';

const STEP_MS = 100;
/** What changes by less than this share stands still. */
const STILL_SHARE = 0.005;
const WAIT_MS_MAX = 60_000;

/** The resident memory of a process once it has stood still for a while, or after a minute in which it did not. */
export async function settledResidentBytes(processId: number, stillMs: number): Promise<number> {
  const untilMs = performance.now() + WAIT_MS_MAX;
  let [least, most, sinceMs] = [Infinity, 0, performance.now()];
  for (;;) {
    const { residentBytes } = memoryOf(processId);
    const nowMs = performance.now();
    least = Math.min(least, residentBytes);
    most = Math.max(most, residentBytes);
    if (most - least > most * STILL_SHARE) [least, most, sinceMs] = [residentBytes, residentBytes, nowMs];
    if (nowMs - sinceMs >= stillMs || nowMs >= untilMs) return residentBytes;
    await pause(STEP_MS);
  }
}
