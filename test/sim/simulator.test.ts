import { expect } from 'chai';
import { startRealNode } from './real-node.js';
import type { Campaign } from './seeds.js';
import { chosenPlan, describeCampaign, describeFailure, runSeeds, seedRange } from './seeds.js';
import { forkWorkers, runShared } from './shared-run.js';
import { simulate } from './simulate.js';

const OPTIONS = { startNode: startRealNode, plan: chosenPlan() };
const SEEDS = 300;

describe('The simulator', () => {
  it('FindsNothingWrongInAnyOfItsSchedules', async () => {
    const { KV_SIM_WORKERS, KV_SIM_PROGRESS } = process.env;
    const range = seedRange(SEEDS);
    const isShared = KV_SIM_WORKERS !== undefined || KV_SIM_PROGRESS !== undefined;
    const campaign = await (isShared
      ? runShared(range, {
          workers: forkWorkers(Number(KV_SIM_WORKERS ?? 1)),
          progressFile: KV_SIM_PROGRESS,
          progressed: tellNowAndThen(),
        })
      : runSeeds(range, OPTIONS));
    process.stdout.write(`${describeCampaign(campaign)}\n`);
    if (campaign.failure !== undefined) expect.fail(describeFailure(campaign.failure));
  }).timeout(36_000_000);

  it('SameSeedSameTrace', async () => {
    for (const failover of ['manual', 'auto'] as const) {
      const options = { ...OPTIONS, plan: { failover } };
      const first = await simulate(7, options);
      const again = await simulate(7, options);
      const other = await simulate(8, options);
      expect(again).to.deep.equal(first);
      expect(other.trace).to.not.equal(first.trace);
    }
  });
});

/** One line each time that another thousand seeds are clean. */
function tellNowAndThen(): (campaign: Campaign, cleanUpTo: number) => void {
  let told = 0;
  return ({ seeds, simulatedHours }, cleanUpTo) => {
    if (seeds < told + 1000) return;
    told = seeds - (seeds % 1000);
    const amount = `${String(seeds)} seeds, ${simulatedHours.toFixed(2)} simulated hours`;
    process.stdout.write(`      all clean up to seed ${String(cleanUpTo)}: ${amount}\n`);
  };
}
