import { expect } from 'chai';
import { play } from './scene.js';
import type { Scene } from './scene.js';

/** A few election timeouts. */
const ELECTED_MS_MAX = 8000;

async function writeMuch(scene: Scene): Promise<void> {
  const [a] = scene.machines;
  for (let at = 0; at < 40; at++) await scene.put(a, `key${String(at % 3)}`, 'x'.repeat(500));
}

describe('Elections', () => {
  it('NodeThatIsTooFarBehindLeavesTheOfficeToThoseWhoHaveEverything', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      await play(3, { failover: 'auto', snapshotLogBytes: 4096, seed }, async (scene) => {
        const [a, b, c] = scene.machines;
        await scene.join(3);
        scene.crash(c);
        await writeMuch(scene);
        // The second takes office with the vote of the third, and is gone before it can feed it: two were the primary last.
        scene.crash(a);
        await scene.start(c);
        await scene.until('the second takes office', () => b.isInOffice, ELECTED_MS_MAX);
        scene.crash(b);
        for (const [one, other] of [
          [a, b],
          [b, c],
          [c, a],
        ] as const)
          scene.cut(one, other);
        await scene.start(a);
        await scene.start(b);
        await scene.pause(2000);
        scene.mend();
        const isServed = (): boolean => [a, b, c].some((each) => scene.isServing(each));
        await scene.until('one of them serves', isServed, ELECTED_MS_MAX);
        expect(scene.isServing(c)).to.equal(false);
      });
    }
  });
});
