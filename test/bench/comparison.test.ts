import { expect } from 'chai';
import { inTurn, runCase } from '../../bench/comparison.js';
import type { Case, Figure, Sample } from '../../bench/comparison.js';
import { tableOf } from '../../bench/comparison-table.js';
import type { Peer } from '../../bench/peers.js';

function peerCalled(name: Peer['name']): Peer {
  const none = (): Promise<never> => Promise.reject(new Error('is not started here'));
  return {
    name,
    version: '1',
    settings: () => '',
    start: none,
    startToFill: none,
    startAgain: none,
    writeSnapshot: none,
  };
}

const PEERS = [peerCalled('Understudy'), peerCalled('Redis')];

function figureOf(more: Partial<Figure> = {}): Figure {
  const metrics = [{ name: 'time', unit: 'ms', digits: 1 }];
  return { name: 'figure', title: 'a figure', notes: [], metrics, cases: [], ...more };
}

/** A case that notes what is done with it. */
function notingCase(done: string[], measure: (peer: Peer, round: number) => Promise<Sample>): Case {
  return {
    name: 'case',
    prepare: (peer) => {
      done.push(`prepare ${peer.name}`);
      return Promise.resolve({
        measure: (round) => {
          done.push(`measure ${peer.name}`);
          return measure(peer, round);
        },
        close: () => {
          done.push(`close ${peer.name}`);
          return Promise.resolve();
        },
      });
    },
  };
}

function run(figure: Figure, each: Case, rounds: number): ReturnType<typeof runCase> {
  return runCase(figure, each, { peers: PEERS, rounds, directory: () => '', progress: () => undefined });
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
    const waiting = notingCase(done, async (peer) => {
      if (peer.name === 'Redis') tellBoth();
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
  const result = (samples: Record<string, Sample[]>): string[] =>
    tableOf({ ...figureOf(), rounds: 1, results: [{ name: 'case', samples }] }).map((line) =>
      line.trim().replace(/\s+/g, ' '),
    );

  it('ShowsTheMedianTheRangeAndTheRatioOfTheRounds', () => {
    const times = (...all: number[]): Sample[] => all.map((time) => ({ time }));
    const lines = result({ Understudy: times(1, 2, 1200), Redis: times(2, 2, 600) });
    expect(lines.at(-2)).to.equal('case Understudy Redis Understudy / Redis');
    expect(lines.at(-1)).to.equal('time, ms 2.0 (1.0..1,200.0) 2.0 (2.0..600.0) 1.00 (0.50..2.00)');
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
});
