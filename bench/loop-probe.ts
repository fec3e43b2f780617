import { PerformanceObserver, monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Is loaded into a server before its own code, and tells its parent, when it is asked, how long the event loop stood still
 * and how long the collector of garbage took for it.
 */

export type LoopOrder = 'begin' | 'report';

/** In milliseconds. */
export interface LoopReport {
  readonly longestTurnMs: number;
  readonly longestCollectionMs: number;
  /** All collections together. */
  readonly collectionsMs: number;
}

const RESOLUTION_MS = 1;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let collections: number[] = [];
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) collections.push(entry.duration);
});

process.on('message', (order: LoopOrder) => {
  if (order === 'begin') {
    delay.enable();
    delay.reset();
    observer.observe({ entryTypes: ['gc'] });
    collections = [];
    return;
  }
  delay.disable();
  observer.disconnect();
  const report: LoopReport = {
    longestTurnMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS),
    longestCollectionMs: Math.max(0, ...collections),
    collectionsMs: collections.reduce((sum, each) => sum + each, 0),
  };
  process.send?.(report);
});
// A channel that nobody uses keeps no server from ending.
process.channel?.unref();
