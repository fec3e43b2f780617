import { expect } from 'chai';
import { systemFiles } from '../../src/storage/files.js';
import { segmentsOf } from './images.js';
import { imageOf, inScratch } from './scratch.js';
import { TestNode, withNode } from './test-node.js';

const MIB = 1024 * 1024;

describe('A large log', () => {
  it('OfThreeHundredSegmentsIsReadBackAfterACrash', async () => {
    await inScratch(async (directory) => {
      const options = { files: systemFiles, dbPath: `${directory}/kv-store.json`, segmentBytes: 4096 };
      const node = await TestNode.start({ ...options, fsync: 'off' });
      for (let count = 0; count < 600; count++) {
        expect(await node.put(`key-${String(count)}`, 'v'.repeat(1700))).to.equal(undefined);
      }
      const { content } = node;
      await node.abandon();
      expect(segmentsOf(await imageOf(directory)).length).to.be.at.least(300);
      await withNode(options, async (again) => {
        expect(again.content).to.deep.equal(content);
        await again.snapshot();
        await again.put('more', '');
        await again.snapshot();
        expect(segmentsOf(await imageOf(directory)).length).to.be.lessThan(3);
      });
      await withNode(options, (again) => expect(again.content.size).to.equal(601));
    });
  });

  it('HoldsAValueOfTheGreatestLengthAmongSmallOnes', async function () {
    // Several times its size goes through a disk that others use as well.
    this.timeout(120_000);
    await inScratch(async (directory) => {
      const options = { files: systemFiles, dbPath: `${directory}/kv-store.json`, segmentBytes: 4096 };
      const large = Buffer.alloc(64 * MIB, 'large value ');
      const check = (node: TestNode): void => {
        expect(node.content.get('large') === large.toString('latin1')).to.equal(true);
      };
      await withNode(options, async (node) => {
        expect(await node.put('before', '1')).to.equal(undefined);
        expect(await node.put('large', large)).to.equal(undefined);
        expect(await node.put('after', '2')).to.equal(undefined);
      });
      const node = await TestNode.start(options);
      check(node);
      await node.stop();
      const again = await TestNode.start(options);
      check(again);
      expect(again.content.size).to.equal(3);
      await again.abandon();
    });
  });
});
