import { expect } from 'chai';
import { startRealNode } from './real-node.js';
import { describeCampaign, describeFailure, runSeeds, seedRange } from './seeds.js';
import { simulate } from './simulate.js';

const OPTIONS = { startNode: startRealNode };
const SEEDS = 500;

describe('The simulator', () => {
  it('FindsNothingWrongInAnyOfItsSchedules', async () => {
    const { from, count } = seedRange(SEEDS);
    const campaign = await runSeeds(from, count, OPTIONS);
    process.stdout.write(`${describeCampaign(campaign)}\n`);
    if (campaign.failure !== undefined) expect.fail(describeFailure(campaign.failure));
  }).timeout(36_000_000);

  it('SameSeedSameTrace', async () => {
    const first = await simulate(7, OPTIONS);
    const again = await simulate(7, OPTIONS);
    const other = await simulate(8, OPTIONS);
    expect(again).to.deep.equal(first);
    expect(other.trace).to.not.equal(first.trace);
  });
});
