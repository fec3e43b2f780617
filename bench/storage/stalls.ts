import type { Metric, Sample } from '../comparison.js';
import type { BenchServer } from '../server-process.js';

/** What a server tells of its own event loop, where it has one that is watched. */
export const STALL_METRICS: readonly Metric[] = [
  { name: 'longest turn of the event loop', unit: 'ms', digits: 1 },
  { name: 'longest garbage collection', unit: 'ms', digits: 1 },
  { name: 'garbage collections', unit: 'ms', digits: 0 },
];

/** Does the work, and answers nothing for a server that does not watch itself. */
export async function stallsDuring(server: BenchServer, work: () => Promise<unknown>): Promise<Sample> {
  if (server.stallsDuring === undefined) {
    await work();
    return {};
  }
  const stalls = await server.stallsDuring(work);
  return {
    'longest turn of the event loop': stalls.longestTurnMs,
    'longest garbage collection': stalls.longestCollectionMs,
    'garbage collections': stalls.collectionsMs,
  };
}
