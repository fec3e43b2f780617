import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { AUTOMATIC, untilWhole } from './automatic.js';
import { clusters } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';
import { namespaceFabric } from './namespaces.js';
import { KINDS } from './succession.js';
import type { Kind } from './succession.js';
import { Successions } from './successions.js';

/** For a long run by hand: primaries that are lost in all. */
const FAILOVERS = process.env.KV_FAILOVERS;
const SUCCESSION_MS_MAX = 60_000;
/** Small segments, so that many begin and end. */
const OPTIONS = [...AUTOMATIC, '--log-segment-bytes', '1048576'];

/** Half of the primaries of a long run are lost in each; where the machine lets nobody make networks, both are the proxy. */
const COURSES = [
  { name: 'LosesNothingAndDoesNothingTwiceWhateverBecomesOfItsPrimaries', make: proxyFabric },
  ...(FAILOVERS === undefined
    ? []
    : [
        {
          name: 'LosesNothingAndDoesNothingTwiceInNetworksOfItsOwn',
          make: (): Fabric => namespaceFabric() ?? proxyFabric(),
        },
      ]),
];

describe('A cluster that nobody looks after', () => {
  const nodes = clusters();
  let successions: Successions | undefined;
  let fabric: Fabric | undefined;

  afterEach(async () => {
    successions?.stop();
    await fabric?.close();
    successions = fabric = undefined;
  });

  for (const { name, make } of COURSES) {
    it(name, async function () {
      const failovers = FAILOVERS === undefined ? KINDS.length : Math.ceil(Number(FAILOVERS) / 2);
      this.timeout(60_000 + failovers * SUCCESSION_MS_MAX);
      const seed = testSeed();
      fabric = make();
      const startMs = performance.now();
      await withSeed(seed, async (random) => {
        const cluster = await nodes.of(3, OPTIONS, fabric);
        successions = new Successions(cluster, await untilWhole(cluster), fabric!, random);
        try {
          for (const kind of kindsInAnyOrder(failovers, random)) await successions.succeed(kind);
          await successions.end();
        } catch (error) {
          process.stderr.write(`${successions.events.slice(-60).join('\n')}\n`);
          throw error;
        }
      });
      const { figures } = successions!;
      if (FAILOVERS !== undefined) {
        const seconds = Math.round((performance.now() - startMs) / 1000);
        const told = JSON.stringify({ fabric: fabric.kind, seconds, ...figures });
        process.stdout.write(`      KV_SEED=${String(seed)} ${told}\n`);
        expect(figures.telling, 'of many writes some are sent again where it shows').to.be.above(0);
      }
      expect(figures.failovers).to.equal(failovers);
      expect(figures.failed, successions!.events.join('\n')).to.equal(0);
      expect(figures.acknowledged).to.be.above(500);
      expect(figures.readsChecked).to.be.above(200);
    });
  }
});

/** As many of each as of any other. */
function kindsInAnyOrder(count: number, random: Random): Kind[] {
  const kinds: Kind[] = [];
  while (kinds.length < count) {
    const left = [...KINDS];
    while (left.length > 0) kinds.push(...left.splice(random.below(left.length), 1));
  }
  return kinds.slice(0, count);
}
