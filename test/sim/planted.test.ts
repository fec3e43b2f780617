import { expect } from 'chai';
import { PLANTED, findPlanted } from './planted.js';
import { startRealNode } from './real-node.js';

const SEEDS_MAX = 2000;

describe('The simulator finds a planted bug:', () => {
  for (const planted of PLANTED) {
    it(planted.name, async () => {
      const { failure, seeds } = await findPlanted(planted, startRealNode, planted.from, SEEDS_MAX);
      expect(failure?.violation, `nothing was found in ${String(seeds)} seeds`).to.be.a('string');
      process.stdout.write(`      ${String(seeds)} seeds: ${String(failure?.violation?.split('\n')[0])}\n`);
    }).timeout(3_600_000);
  }
});
