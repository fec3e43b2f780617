import { expect } from 'chai';
import { inTurn, runCase } from '../../bench/comparison.js';
import type { Case, Contender, Figure, Sample } from '../../bench/comparison.js';
import { tableOf } from '../../bench/report/text-table.js';
import type { Goal } from '../../bench/goals.js';

function figureOf(more: Partial<Figure> = {}): Figure {
  const metrics = [{ name: 'time', unit: 'ms', digits: 1 }];
  return { name: 'figure', title: 'a figure', notes: [], metrics, cases: [], ...more };
}

/** A case that notes what is done with it. */
function notingCase(done: string[], measure: (name: string, round: number) => Promise<Sample>): Case {
  const contender = (name: string): Contender => ({
    name,
    settings: `how ${name} is started`,
    prepare: () => {
      done.push(`prepare ${name}`);
      return Promise.resolve({
        measure: (round) => {
          done.push(`measure ${name}`);
          return measure(name, round);
        },
        close: () => {
          done.push(`close ${name}`);
          return Promise.resolve();
        },
      });
    },
  });
  return { name: 'case', contenders: [contender('Understudy'), contender('Redis')] };
}

function run(figure: Figure, each: Case, rounds: number): ReturnType<typeof runCase> {
  return runCase(figure, each, { rounds, directory: () => '', progress: () => undefined });
}

describe('A comparison', () => {
  it('BeginsEachRoundWithAnotherServer', async () => {
    const done: string[] = [];
    const { samples } = await run(
      figureOf(),
      notingCase(done, (_, round) => Promise.resolve({ time: round })),
      3,
    );
    expect(done.filter((each) => each.startsWith('measure')).map((each) => each.slice(8))).to.deep.equal([
      'Understudy',
      'Redis',
      'Redis',
      'Understudy',
      'Understudy',
      'Redis',
    ]);
    const inOrder = [{ time: 0 }, { time: 1 }, { time: 2 }];
    expect(samples).to.deep.equal({ Understudy: inOrder, Redis: inOrder });
  });

  it('EndsEveryServerWhenOneFails', async () => {
    const done: string[] = [];
    const failing = notingCase(done, () => Promise.reject(new Error('no figure')));
    const failure = await run(figureOf(), failing, 1).catch((error: unknown) => String(error));
    expect(failure).to.equal('Error: no figure');
    expect(done.slice(-2)).to.deep.equal(['close Understudy', 'close Redis']);
  });

  it('MeasuresAllAtOnceWhereThatIsAsked', async () => {
    const done: string[] = [];
    let tellBoth: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (tellBoth = resolve));
    const waiting = notingCase(done, async (name) => {
      if (name === 'Redis') tellBoth();
      await both;
      return { time: 1 };
    });
    const { samples } = await run(figureOf({ isAtOnce: true }), waiting, 5);
    expect(samples).to.deep.equal({ Understudy: [{ time: 1 }], Redis: [{ time: 1 }] });
  });

  it('TurnsAnEmptyListToo', () => {
    expect(inTurn([], 3)).to.deep.equal([]);
    expect(inTurn(['a', 'b', 'c'], 4)).to.deep.equal(['b', 'c', 'a']);
  });
});

describe('The table of a comparison', () => {
  const result = (samples: Record<string, Sample[]>, goals: Goal[] = [], figure = figureOf()): string[] =>
    tableOf({ ...figure, rounds: 1, results: [{ name: 'case', settings: {}, samples, goals }] }).map((line) =>
      line.trim().replace(/\s+/g, ' '),
    );

  it('ShowsTheMedianTheRangeAndTheRatioOfTheRounds', () => {
    const times = (...all: number[]): Sample[] => all.map((time) => ({ time }));
    const lines = result({ Understudy: times(1, 2, 1200), Redis: times(2, 2, 600) });
    expect(lines.at(-2)).to.equal('case Understudy Redis Understudy / Redis');
    expect(lines.at(-1)).to.equal('time, ms 2.0 (1.0..1,200.0) 2.0 (2.0..600.0) 1.00 (0.50..2.00)');
  });

  it('ShowsHowEverybodyWasStartedEachWayOnce', () => {
    const settings = { Understudy: 'kv server', Redis: 'redis-server' };
    const each = { name: 'case', settings, samples: {}, goals: [] };
    const other = { ...each, settings: { Understudy: 'kv server --fsync off' } };
    const lines = tableOf({ ...figureOf({ notes: ['a note'] }), rounds: 1, results: [each, each, other] });
    expect(lines.slice(0, 5)).to.deep.equal([
      'figure: a figure',
      '  a note',
      '  Understudy: kv server',
      '  Redis: redis-server',
      '  Understudy: kv server --fsync off',
    ]);
  });

  it('ShowsOneRoundWithoutARange', () => {
    expect(result({ Understudy: [{ time: 3 }], Redis: [{ time: 2 }] }).at(-1)).to.equal(
      'time, ms 3.0 2.0 1.50',
    );
  });

  it('ShowsWhereNothingWasMeasured', () => {
    expect(result({ Understudy: [{ time: 3 }], Redis: [{}] }).at(-1)).to.equal('time, ms 3.0 - -');
    expect(result({ Understudy: [{}], Redis: [{}] }).at(-1)).to.equal(
      'case Understudy Redis Understudy / Redis',
    );
  });

  it('ShowsOneServerAloneWithoutRatios', () => {
    expect(result({ Understudy: [{ time: 3 }] }).slice(-2)).to.deep.equal([
      'case Understudy',
      'time, ms 3.0',
    ]);
  });

  it('SaysWhatWasToBeReachedAndWhetherItIs', () => {
    const goal: Goal = {
      work: 'a start',
      metric: 'time',
      against: 'Redis',
      better: 'less',
      bound: 2,
      aim: 1,
    };
    const samples = { Understudy: [{ time: 3 }, { time: 6 }], Redis: [{ time: 2 }, { time: 4 }] };
    expect(result(samples, [goal]).at(-1)).to.equal(
      'goal: a start: 1.50 of Redis, is enough; at most 2, aim 1',
    );
    expect(result({ Understudy: [{ time: 3 }] }, [goal]).at(-1)).to.equal(
      'goal: a start: not measured; at most 2, aim 1',
    );
    const own: Goal = { work: 'a start', metric: 'time', unit: 'ms', better: 'less', bound: 2, aim: 1 };
    expect(result(samples, [own]).at(-1)).to.equal(
      'goal: a start: 4.50 (3.00..6.00) ms, IS NOT ENOUGH; at most 2 ms, aim 1 ms',
    );
  });

  it('SaysWhoseFigureIsInDoubt', () => {
    const doubt = { from: 4, because: 'that is a lot' };
    const figure = figureOf({ metrics: [{ name: 'time', unit: 'ms', digits: 1, doubt }] });
    const said = (own: number, other: number): string | undefined =>
      result({ Understudy: [{ time: own }], Redis: [{ time: other }] }, [], figure).at(-1);
    expect(said(3.9, 4)).to.equal('time, of Redis: that is a lot');
    expect(said(5, 4)).to.equal('time, of Understudy and Redis: that is a lot');
    expect(said(1, 1)).to.equal('time, ms 1.0 1.0 1.00');
  });
});
