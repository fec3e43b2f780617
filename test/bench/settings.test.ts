import { expect } from 'chai';
import { allFigures, chosenFigures } from '../../bench/figures.js';
import type { Figure } from '../../bench/comparison.js';
import { UNDERSTUDY } from '../../bench/peers.js';
import type { Program } from '../../bench/peers.js';
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

  describe('ThatThereAre', () => {
    const programs: Program[] = ['redis-server', 'redis-benchmark', 'memcached', 'etcd'];
    const peers = [UNDERSTUDY, { ...UNDERSTUDY, name: 'Redis' as const }];
    const figuresWith = (versions: Program[]): Figure[] =>
      allFigures(
        readSettings([]).sizes,
        {
          versions: new Map(versions.map((program) => [program, '1'])),
          peers: versions.includes('redis-server') ? peers : [UNDERSTUDY],
          missing: [],
        },
        () => undefined,
      );

    it('HaveGoalsThatTheyMeasureAgainstSomebodyWhoIsThere', () => {
      for (const { name, metrics, cases } of figuresWith(programs)) {
        for (const { goals = [], contenders } of cases) {
          for (const { work, metric, against } of goals) {
            expect(
              metrics.map((each) => each.name),
              `${name}: ${work}`,
            ).to.include(metric);
            if (against === undefined) continue;
            expect(
              contenders.map((each) => each.name),
              `${name}: ${work}`,
            ).to.include(against);
            // It stands beside its bar in the chart.
            expect(work.length, work).to.be.at.most(60);
          }
        }
      }
    });

    it('HaveNamesOfTheirOwn', () => {
      const names = figuresWith(programs).map(({ name }) => name);
      expect(new Set(names).size).to.equal(names.length);
    });

    it('AreMeasuredOfThisProjectAloneWhereNothingElseIsInstalled', () => {
      const figures = figuresWith([]);
      expect(figures.map(({ name }) => name)).to.include.members(['mixed', 'pair', 'trio', 'memory']);
      const contenders = figures.flatMap(({ cases }) => cases).flatMap((each) => each.contenders);
      expect(new Set(contenders.map(({ name }) => name))).to.deep.equal(new Set(['Understudy']));
    });
  });
});
