import { expect } from 'chai';
import { Backoff } from '../../src/client/backoff.js';
import { testSeed, withSeed } from '../random.js';

const LIMITS = { delayMinMs: 50, delayMaxMs: 2000, growth: 2 };

describe('backoff', () => {
  it('GrowsUpToItsBoundAndBeginsAgainAfterAReset', () => {
    const backoff = new Backoff(LIMITS, () => 1);
    const delays = Array.from({ length: 9 }, () => backoff.nextMs());
    expect(delays).to.deep.equal([50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    for (let attempt = 0; attempt < 5000; attempt++) expect(backoff.nextMs()).to.equal(2000);
    backoff.reset();
    expect(backoff.nextMs()).to.equal(50);
  });

  it('DrawsEachDelayFromTheWholeRange', async () => {
    await withSeed(testSeed(), (random) => {
      const backoff = new Backoff(LIMITS, () => random.next());
      for (let attempt = 0; attempt < 10; attempt++) backoff.nextMs();
      const delays = Array.from({ length: 2000 }, () => backoff.nextMs());
      expect(Math.max(...delays)).to.be.within(1900, 2000);
      expect(Math.min(...delays)).to.be.within(0, 100);
    });
  });
});
