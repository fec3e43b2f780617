import { expect } from 'chai';
import { chosenFigures } from '../../bench/figures.js';
import type { Figure } from '../../bench/comparison.js';
import { readSettings } from '../../bench/settings.js';

describe('The command line of a bench', () => {
  it('MeasuresFiveRoundsAndThreeWhereItIsQuick', () => {
    expect(readSettings([]).rounds).to.equal(5);
    expect(readSettings(['--quick']).rounds).to.equal(3);
    expect(readSettings(['--quick', '--rounds', '1']).rounds).to.equal(1);
    expect(readSettings(['--quick']).sizes.runMs).to.be.below(readSettings([]).sizes.runMs);
  });

  it('WritesAChartOnlyWhereThatIsAskedAndThenWhereTheDocsLookForIt', () => {
    expect(readSettings([]).chart).to.equal(undefined);
    expect(readSettings(['--chart']).chart).to.equal('docs/bench.svg');
    expect(readSettings(['--chart', '--quick']).chart).to.equal('docs/bench.svg');
    expect(readSettings(['--chart', 'mine.svg', '--quick']).chart).to.equal('mine.svg');
  });

  it('RefusesWhatCannotBeMeant', () => {
    for (const words of [
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--rounds', 'many'],
      ['--minutes', '0'],
      ['--rate', 'x'],
    ]) {
      expect(() => readSettings(words), words.join(' ')).to.throw('usage:');
    }
    expect(() => readSettings(['--speed'])).to.throw('--speed');
  });
});

describe('The figures of a bench', () => {
  const figure = (name: string, isOnRequest = false): Figure => ({
    name,
    title: '',
    notes: [],
    metrics: [],
    cases: [],
    isOnRequest,
  });
  const all = [figure('synced'), figure('memory'), figure('snapshot-large', true), figure('churn', true)];
  const chosen = (only: string[], isWithChurn = false): string[] =>
    chosenFigures(all, { only, isWithChurn }).map(({ name }) => name);

  it('AreAllThatDoNotTakeVeryLong', () => {
    expect(chosen([])).to.deep.equal(['synced', 'memory']);
    expect(chosen([], true)).to.deep.equal(['synced', 'memory', 'churn']);
  });

  it('AreThoseThatAreNamed', () => {
    expect(chosen(['churn'])).to.deep.equal(['churn']);
    expect(chosen(['snapshot-large', 'memory'])).to.deep.equal(['memory', 'snapshot-large']);
  });

  it('AreToldWhereANameIsNoneOfThem', () => {
    expect(() => chosen(['speed'])).to.throw('no figure speed, but synced, memory, snapshot-large, churn');
  });
});
