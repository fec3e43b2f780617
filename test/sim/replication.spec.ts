import { expect } from 'chai';
import { PLANTED, findPlanted } from './planted.js';
import { describeCampaign, describeFailure, runSeeds, seedRange } from './seeds.js';
import { simulate } from './simulate.js';
import { startSimNode } from './start-sim-node.js';

const SEEDS = 500;
const SEEDS_OF_A_PLANTED_BUG_MAX = 2000;
const MS_A_SEED_MAX = 500;

describe('replication, simulated', () => {
  const { from, count } = seedRange(SEEDS);

  it(`KeepsItsPromisesInEverySchedule (from seed ${String(from)})`, async function () {
    this.timeout(60_000 + count * MS_A_SEED_MAX);
    const campaign = await runSeeds(from, count, { startNode: startSimNode });
    if (campaign.failure !== undefined) expect.fail(describeFailure(campaign.failure));
    process.stdout.write(`${describeCampaign(campaign)}\n`);
  });

  it('SameSeedSameTrace', async () => {
    const first = await simulate(from, { startNode: startSimNode });
    const again = await simulate(from, { startNode: startSimNode });
    expect(again).to.deep.equal(first);
  });

  for (const planted of PLANTED) {
    it(`FindsAPlantedBug: ${planted.name}`, async function () {
      this.timeout(SEEDS_OF_A_PLANTED_BUG_MAX * MS_A_SEED_MAX);
      const { failure, seeds } = await findPlanted(planted, startSimNode, SEEDS_OF_A_PLANTED_BUG_MAX);
      expect(failure?.violation, `nothing found in ${String(seeds)} seeds`).to.be.a('string');
      process.stdout.write(`${planted.name}: found by ${String(seeds)} seeds\n`);
    });
  }
});
