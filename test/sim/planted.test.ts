import { expect } from 'chai';
import { PLANTED, findPlanted } from './planted.js';
import { startRealNode } from './real-node.js';

/** What changes the course of schedules may move what finds a defect: search again from 1 with `KV_SIM_FROM=1 KV_SIM_SEEDS=2000`. */
const SEEDS_MAX = 250;

describe('The simulator finds a planted bug:', () => {
  for (const planted of PLANTED) {
    it(planted.name, async () => {
      const { KV_SIM_FROM, KV_SIM_SEEDS } = process.env;
      const from = Number(KV_SIM_FROM ?? planted.from);
      const { failure, seeds } = await findPlanted(
        planted,
        startRealNode,
        from,
        Number(KV_SIM_SEEDS ?? SEEDS_MAX),
      );
      const reason = failure?.violation?.split('\n')[0];
      if (KV_SIM_FROM !== undefined)
        process.stdout.write(`      seed ${String(failure?.seed)}: ${String(reason)}\n`);
      expect(failure?.violation, `nothing was found in ${String(seeds)} seeds from ${String(from)}`).to.match(
        planted.finds,
      );
    }).timeout(3_600_000);
  }
});
