import { expect } from 'chai';
import { batchesOf, eachOf } from './batches.js';

describe('The order of the test files', () => {
  it('MixesThoseThatWaitWithThoseThatComputeOfWhichTheLongOnesComeFirst', () => {
    const files = ['log/a', 'sim/b', 'sim/c', 'cli/shell/d', 'faults/e', 'faults/f'];
    expect(batchesOf(files)).to.deep.equal([
      ['faults/e'],
      ['sim/b'],
      ['sim/c'],
      ['faults/f'],
      ['cli/shell/d'],
      ['log/a'],
    ]);
  });

  it('HasAProcessRunFilesOfOneFolderAndNotTooMany', () => {
    const files = ['log', 'protocol'].flatMap((folder) =>
      Array.from({ length: 7 }, (_, at) => `${folder}/${String(at)}`),
    );
    const batches = batchesOf(files);
    expect(batches.flat()).to.have.members(files);
    expect(batches.map((batch) => batch.length)).to.deep.equal([6, 1, 6, 1]);
    for (const batch of batches) {
      expect(new Set(batch.map((file) => file.split('/')[0])).size, batch.join()).to.equal(1);
    }
  });
});

describe('Work on each of several items', () => {
  it('IsUnderWayForSoManyAtATimeAndBeginsInTheirOrder', async () => {
    const begun: number[] = [];
    let [now, most] = [0, 0];
    await eachOf([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      begun.push(item);
      most = Math.max(most, ++now);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      now--;
    });
    expect(begun).to.deep.equal([1, 2, 3, 4, 5, 6, 7]);
    expect(most).to.equal(3);
  });
});
