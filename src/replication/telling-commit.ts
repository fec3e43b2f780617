import type { PrimaryOffice, Step } from './state.js';
import { sendHeartbeat } from './streaming.js';

/** How backups learn how far the log is committed, beside what each append says. */

/**
 * The commit has moved. Who is fed is told so by the next append, which most often follows at once, or else by a heartbeat a little
 * later: one of its own for each commit costs both nodes as much again as the append.
 */
export function oweCommit(step: Step, office: PrimaryOffice): void {
  const { nowMs, state } = step;
  const { commitMs } = state.timing;
  for (const progress of office.progress.values()) {
    if (progress.state !== 'streaming') continue;
    if (commitMs === 0) sendHeartbeat(step, office, progress);
    else if (progress.commitOwedMs === undefined) {
      progress.commitOwedMs = nowMs;
      step.effects.push({ kind: 'remind', afterMs: commitMs });
    }
  }
}

/** A reminder may come earlier by less than this, by how clocks round: one for the rest would come at once, again and again. */
const EARLY_MS = 0.5;

/** Tells the commit to whom it has been owed for long enough. */
export function tellCommit(step: Step, office: PrimaryOffice): void {
  const { nowMs, state } = step;
  let nextMs = Infinity;
  for (const progress of office.progress.values()) {
    if (progress.commitOwedMs === undefined) continue;
    const dueMs = progress.commitOwedMs + state.timing.commitMs;
    if (dueMs - nowMs >= EARLY_MS) nextMs = Math.min(nextMs, dueMs);
    else if (progress.state === 'streaming' && progress.link !== undefined)
      sendHeartbeat(step, office, progress);
    else progress.commitOwedMs = undefined;
  }
  if (nextMs < Infinity) step.effects.push({ kind: 'remind', afterMs: nextMs - nowMs });
}
