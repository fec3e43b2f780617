import { expect } from 'chai';
import { outcomeOf } from '../../bench/goals.js';
import type { Goal } from '../../bench/goals.js';

const FASTER: Goal = {
  work: 'SET',
  metric: 'rate',
  against: 'Redis',
  better: 'more',
  bound: 1.1,
  aim: 1.4,
};
const STALL: Goal = { work: 'a stall', metric: 'stall', unit: 'ms', better: 'less', bound: 10, aim: 4 };

function reached(goal: Goal, own: number, other = 1): string | undefined {
  return outcomeOf(goal, { Understudy: [{ [goal.metric]: own }], Redis: [{ [goal.metric]: other }] })
    ?.reached;
}

describe('A goal of a bench', () => {
  it('IsReachedByTheMedianOfTheRatiosOfTheRounds', () => {
    const samples = {
      Understudy: [{ rate: 10 }, { rate: 14 }, { rate: 30 }],
      Redis: [{ rate: 10 }, { rate: 7 }, { rate: 10 }],
    };
    expect(outcomeOf(FASTER, samples)).to.deep.equal({
      goal: FASTER,
      spread: { median: 2, least: 1, most: 3 },
      reached: 'aim',
    });
  });

  it('IsReachedAtItsLimitsAndNotBelow', () => {
    expect([1.4, 1.39, 1.1, 1.09].map((own) => reached(FASTER, own))).to.deep.equal([
      'aim',
      'bound',
      'bound',
      'neither',
    ]);
  });

  it('IsReachedFromTheOtherSideWhereLessIsBetterAndByTheValueItselfWhereNobodyIsBeside', () => {
    expect([4, 4.1, 10, 10.1].map((own) => reached(STALL, own, 1000))).to.deep.equal([
      'aim',
      'bound',
      'bound',
      'neither',
    ]);
  });

  it('HasNoOutcomeWithoutTheOtherSide', () => {
    expect(outcomeOf(FASTER, { Understudy: [{ rate: 3 }] })).to.equal(undefined);
    expect(outcomeOf(FASTER, { Understudy: [{}], Redis: [{ rate: 1 }] })).to.equal(undefined);
    expect(outcomeOf(FASTER, {})).to.equal(undefined);
  });
});
