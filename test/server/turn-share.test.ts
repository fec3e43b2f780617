import { expect } from 'chai';
import type { Clock } from '../../src/clock.js';
import { TurnShare } from '../../src/server/turn-share.js';

/** Turns that come when the test says so. */
function turns(): { clock: Clock; waiting: () => number; next: () => void } {
  let queued: (() => void)[] = [];
  const none = { cancel: () => undefined };
  const clock: Clock = {
    nowMs: () => 0,
    after: () => none,
    every: () => none,
    nextTurn: (work) => void queued.push(work),
  };
  const next = (): void => {
    const works = queued;
    queued = [];
    for (const work of works) work();
  };
  return { clock, waiting: () => queued.length, next };
}

describe('The share of a turn', () => {
  it('IsSpentAtItsBoundAndWholeAgainInTheNextTurn', () => {
    const { clock, next } = turns();
    let wentOn = 0;
    const share = new TurnShare(clock, 100, () => wentOn++);
    share.spend(99);
    expect(share.isSpent).to.equal(false);
    share.spend(1);
    expect(share.isSpent).to.equal(true);
    expect(wentOn).to.equal(0);
    next();
    expect(share.isSpent).to.equal(false);
    expect(wentOn).to.equal(1);
  });

  it('IsAskedForAgainOnceHoweverOftenItWasSpent', () => {
    const { clock, waiting, next } = turns();
    let wentOn = 0;
    const share = new TurnShare(clock, 100, () => wentOn++);
    share.rest();
    share.spend(1000);
    share.rest();
    expect(waiting()).to.equal(1);
    next();
    expect([wentOn, waiting()]).to.deep.equal([1, 0]);
  });

  it('CostsNoTurnWhileLittleIsDoneAndIsNotSpentBySmallWorkOfManyTurns', () => {
    const { clock, waiting, next } = turns();
    let wentOn = 0;
    const share = new TurnShare(clock, 100, () => wentOn++);
    share.spend(10);
    expect(waiting()).to.equal(0);
    for (let round = 0; round < 100; round++) {
      share.spend(10);
      expect(share.isSpent).to.equal(false);
      next();
    }
    expect(wentOn).to.equal(0);
  });
});
