import { expect } from 'chai';
import { percentileOf, ratiosOf, spreadOf } from '../../bench/statistics.js';

describe('The statistics of a bench', () => {
  it('TheMedianOfAnOddNumberIsTheMiddleOne', () => {
    expect(spreadOf([9, 1, 5])).to.deep.equal({ median: 5, least: 1, most: 9 });
  });

  it('TheMedianOfAnEvenNumberLiesBetweenTheMiddleTwo', () => {
    expect(spreadOf([8, 1, 2, 4])).to.deep.equal({ median: 3, least: 1, most: 8 });
  });

  it('OneValueIsItsOwnMedianAndNoneHasNoSpread', () => {
    expect(spreadOf([7])).to.deep.equal({ median: 7, least: 7, most: 7 });
    expect(spreadOf([])).to.equal(undefined);
  });

  it('ValuesAreComparedAsNumbersAndLeftInTheirOrder', () => {
    const values = [100, 20, 3];
    expect(spreadOf(values)?.median).to.equal(20);
    expect(values).to.deep.equal([100, 20, 3]);
  });

  it('RatiosAreThoseOfTheSameRound', () => {
    expect(ratiosOf([10, 30], [5, 10])).to.deep.equal([2, 3]);
  });

  it('ARoundWithoutTheOtherSideHasNoRatio', () => {
    expect(ratiosOf([10, 30, undefined, 4], [undefined, 10, 5, 0])).to.deep.equal([3]);
    expect(ratiosOf([10], [])).to.deep.equal([]);
  });

  it('APercentileIsOneOfTheValuesAndTheSecondLargestOfAHundredIsTheNinetyNinth', () => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect([0, 0.5, 0.99, 1].map((share) => percentileOf(values, share))).to.deep.equal([1, 50, 99, 100]);
    expect(percentileOf([7], 0.99)).to.equal(7);
  });
});
