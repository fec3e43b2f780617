import type { Plan } from './plan.js';
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

export const NO_SEEDS: Campaign = {
  seeds: 0,
  simulatedHours: 0,
  events: 0,
  failure: undefined,
  counts: new Map(),
};

/** Seeds that follow each other. */
export interface SeedRange {
  readonly from: number;
  readonly count: number;
}

/** Which seeds to run: `KV_SIM_SEEDS` of them, from `KV_SIM_FROM` on. */
export function seedRange(count: number): SeedRange {
  const { KV_SIM_SEEDS, KV_SIM_FROM } = process.env;
  return { from: Number(KV_SIM_FROM ?? 1), count: Number(KV_SIM_SEEDS ?? count) };
}

/** Who makes another primary: `KV_SIM_FAILOVER`, which is `auto`, `manual`, or `both` so that each seed decides. */
export function chosenPlan(): Partial<Plan> {
  const chosen = process.env.KV_SIM_FAILOVER ?? 'both';
  if (chosen === 'auto' || chosen === 'manual') return { failover: chosen };
  if (chosen !== 'both') throw new Error(`KV_SIM_FAILOVER is auto, manual or both, and not ${chosen}`);
  return {};
}

/** Runs seeds one after the other, until one of them fails, or whatever is looked for is found. */
export async function runSeeds(
  { from, count }: SeedRange,
  options: SimulateOptions,
  isFailure: (result: Result) => boolean = ({ violation }) => violation !== undefined,
): Promise<Campaign> {
  let campaign = NO_SEEDS;
  while (campaign.seeds < count && campaign.failure === undefined) {
    const result = await simulate(from + campaign.seeds, options);
    const { simulatedMs, events, counts } = result;
    campaign = together(campaign, {
      seeds: 1,
      simulatedHours: simulatedMs / HOUR_MS,
      events,
      failure: isFailure(result) ? result : undefined,
      counts: new Map(Object.entries(counts)),
    });
  }
  return campaign;
}

/** What two campaigns come to, one behind the other. */
export function together(first: Campaign, second: Campaign): Campaign {
  const counts = new Map(first.counts);
  for (const [name, more] of second.counts) counts.set(name, (counts.get(name) ?? 0) + more);
  return {
    seeds: first.seeds + second.seeds,
    simulatedHours: first.simulatedHours + second.simulatedHours,
    events: first.events + second.events,
    failure: first.failure ?? second.failure,
    counts,
  };
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
