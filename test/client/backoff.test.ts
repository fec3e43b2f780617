import { expect } from 'chai';
import { Backoff } from '../../src/client/backoff.js';
import { testSeed, withSeed } from '../random.js';

const LIMITS = { delayMinMs: 50, delayMaxMs: 2000 };

describe('backoff', () => {
  it('DoublesUpToItsBoundAndBeginsAgainAfterAReset', () => {
    const backoff = new Backoff(LIMITS, () => 1);
    const delays = Array.from({ length: 9 }, () => backoff.nextMs());
    expect(delays).to.deep.equal([50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    for (let attempt = 0; attempt < 5000; attempt++) expect(backoff.nextMs()).to.equal(2000);
    backoff.reset();
    expect(backoff.nextMs()).to.equal(50);
  });

  it('LooksSlowlyAfterWhatIsGoneForLongAndQuicklyAfterWhatIsNot', () => {
    const backoff = new Backoff({ ...LIMITS, growth: 1.05 }, () => 0.5);
    let elapsedMs = 0;
    let attempts = 0;
    while (elapsedMs < 60_000) {
      const delayMs = backoff.nextMs();
      expect(delayMs * 2).to.be.below(52 + elapsedMs / 10);
      elapsedMs += delayMs;
      attempts++;
      if (elapsedMs < 1_000) expect(attempts).to.be.at.most(30);
    }
    expect(attempts).to.be.at.most(120);
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
