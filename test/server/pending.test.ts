import { expect } from 'chai';
import { Queue } from '../../src/server/pending.js';
import { testSeed, withSeed } from '../random.js';

describe('The queue of what waits', () => {
  it('IsFirstInFirstOutHoweverItGrowsAndShrinks', async () => {
    const queue = new Queue<number>();
    let expected: number[] = [];
    let next = 0;
    await withSeed(testSeed(), (random) => {
      for (let round = 0; round < 100; round++) {
        // Mostly what one client has under way, and at times more than is kept or moved.
        const most = round % 10 === 0 ? 5000 : 20;
        for (let count = Math.floor(random.next() * most); count > 0; count--) {
          queue.push(next);
          expected.push(next++);
        }
        for (let count = Math.floor(random.next() * most * 1.2); count > 0; count--) {
          expect(queue.first()).to.equal(expected[0]);
          expect(queue.shift()).to.equal(expected.shift());
        }
        expect(queue.length).to.equal(expected.length);
        if (round % 50 !== 49) continue;
        queue.clear();
        expected = [];
        expect(queue.first()).to.equal(undefined);
      }
    });
  });
});
