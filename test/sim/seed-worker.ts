import { startRealNode } from './real-node.js';
import { chosenPlan, runSeeds } from './seeds.js';
import type { SeedRange } from './seeds.js';

/** A process that runs the seeds it is told to, and says what came of them, until its parent lets go of it. */
process.on('message', (range: SeedRange) => {
  void runSeeds(range, { startNode: startRealNode, plan: chosenPlan() }).then((campaign) =>
    process.send?.(campaign),
  );
});
