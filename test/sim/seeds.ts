import { simulate } from './simulate.js';
import type { Result, SimulateOptions } from './simulate.js';

const HOUR_MS = 3_600_000;

export interface Campaign {
  readonly seeds: number;
  readonly simulatedHours: number;
  readonly events: number;
  /** The first run in which something went wrong. */
  readonly failure: Result | undefined;
  readonly counts: ReadonlyMap<string, number>;
}

/** Which seeds to run: `KV_SIM_SEEDS` of them, from `KV_SIM_FROM` on, so that a long run can be shared out and gone on with. */
export function seedRange(count: number): { readonly from: number; readonly count: number } {
  const { KV_SIM_SEEDS, KV_SIM_FROM } = process.env;
  return { from: Number(KV_SIM_FROM ?? 1), count: Number(KV_SIM_SEEDS ?? count) };
}

/** Runs seeds one after the other, until one of them fails, or whatever is looked for is found. */
export async function runSeeds(
  from: number,
  count: number,
  options: SimulateOptions,
  isFailure: (result: Result) => boolean = ({ violation }) => violation !== undefined,
): Promise<Campaign> {
  const counts = new Map<string, number>();
  let simulatedMs = 0;
  let events = 0;
  let failure: Result | undefined;
  let seeds = 0;
  while (seeds < count && failure === undefined) {
    const result = await simulate(from + seeds, options);
    seeds++;
    simulatedMs += result.simulatedMs;
    events += result.events;
    for (const [name, more] of Object.entries(result.counts)) {
      counts.set(name, (counts.get(name) ?? 0) + more);
    }
    if (isFailure(result)) failure = result;
  }
  return { seeds, simulatedHours: simulatedMs / HOUR_MS, events, failure, counts };
}

/** What to print of a run that failed: how to repeat it, what was wrong, and what came before. */
export function describeFailure(result: Result, linesMax = 60): string {
  return [
    `seed ${String(result.seed)}: ${String(result.violation)}`,
    `repeat it with KV_SIM_FROM=${String(result.seed)} KV_SIM_SEEDS=1`,
    `plan: ${JSON.stringify(result.plan)}`,
    ...result.recent.slice(-linesMax),
  ].join('\n');
}

export function describeCampaign(campaign: Campaign): string {
  const { seeds, simulatedHours, events, counts } = campaign;
  const names = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const list = names.map(([name, count]) => `  ${name}: ${String(count)}`).join('\n');
  return `${String(seeds)} seeds, ${simulatedHours.toFixed(2)} simulated hours, ${String(events)} events\n${list}`;
}
