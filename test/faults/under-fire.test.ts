import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { clusters } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';
import { namespaceFabric } from './namespaces.js';
import { Fire } from './under-fire.js';
import type { FireFigures } from './under-fire.js';

/** For a long run by hand: promotions that are to be made in all. */
const PROMOTIONS = process.env.KV_FIRE_PROMOTIONS;
const WRITES_A_PROMOTION = 10_000;
const USUAL_MS = 9_000;
const ROUND_MS_MAX = 60_000;
/** Small segments, so that many begin and end. */
const OPTIONS = ['--log-segment-bytes', '1048576'];

interface Course {
  readonly size: 2 | 3;
  readonly name: string;
  /** Of the promotions of a long run. */
  readonly share: number;
  readonly fabric: () => Fabric;
}

/** Networks of our own are for long runs; where the machine does not let us make any, it is the proxy as well. */
const COURSES: readonly Course[] = [
  { size: 2, name: 'OfAPairLosesNothingAndReadsAreLinearizable', share: 0.2, fabric: proxyFabric },
  { size: 3, name: 'OfThreeNodesLosesNothingAndReadsAreLinearizable', share: 0.4, fabric: proxyFabric },
  ...(PROMOTIONS === undefined
    ? []
    : [
        {
          size: 3,
          name: 'OfThreeNodesInNetworksOfTheirOwnLosesNothingAndReadsAreLinearizable',
          share: 0.4,
          fabric: () => namespaceFabric() ?? proxyFabric(),
        } as const,
      ]),
];

describe('A cluster under fire', () => {
  const nodes = clusters();
  const all: (FireFigures & { seconds: number })[] = [];
  let fire: Fire | undefined;
  let fabric: Fabric | undefined;

  afterEach(async () => {
    fire?.stop();
    await fabric?.close();
  });

  after(() => {
    if (PROMOTIONS === undefined) return;
    const total: Record<string, number> = {};
    for (const [name, value] of all.flatMap((each) => Object.entries(each) as [string, number][])) {
      const before = total[name] ?? 0;
      total[name] = name.startsWith('slowest') ? Math.max(before, value) : before + value;
    }
    process.stdout.write(`${JSON.stringify(total)}\n`);
  });

  for (const { size, name, share, fabric: make } of COURSES) {
    it(name, async function () {
      const promotions = PROMOTIONS === undefined ? undefined : Math.ceil(Number(PROMOTIONS) * share);
      this.timeout(120_000 + (promotions ?? 2) * ROUND_MS_MAX);
      const seed = testSeed();
      fabric = make();
      const startMs = performance.now();
      await withSeed(seed, async (random) => {
        fire = new Fire(await nodes.of(size, OPTIONS, fabric), fabric!, random);
        const isEnough = (): boolean => {
          const { figures, acknowledged } = fire!;
          if (promotions === undefined)
            return performance.now() - startMs > USUAL_MS && figures.promotions > 0;
          return figures.promotions >= promotions && acknowledged >= promotions * WRITES_A_PROMOTION;
        };
        try {
          while (!isEnough()) {
            await fire.round();
            await fire.handOver();
          }
          await fire.end();
        } catch (error) {
          process.stderr.write(`${fire.events.slice(-60).join('\n')}\n`);
          throw error;
        }
      });
      const { figures } = fire!;
      if (promotions !== undefined) {
        const seconds = Math.round((performance.now() - startMs) / 1000);
        all.push({ ...figures, seconds });
        process.stdout.write(`      KV_SEED=${String(seed)} ${fabric.kind} ${JSON.stringify(figures)}\n`);
      }
      expect(figures.acknowledged).to.be.above(500);
      expect(figures.readsChecked).to.be.above(200);
      expect(figures.followerReadsChecked).to.be.above(100);
      expect(figures.lost).to.equal(0);
    });
  }
});
