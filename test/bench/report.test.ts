import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CaseResult, Sample } from '../../bench/comparison.js';
import type { Goal } from '../../bench/goals.js';
import { chartOf } from '../../bench/report/chart.js';
import { markdownOf, tableOf } from '../../bench/report/markdown.js';
import { pageWith } from '../../bench/report/page.js';
import type { Report } from '../../bench/report/report.js';
import { runMetrics, sampleOf } from '../../bench/throughput/metrics.js';
import { repositoryRoot } from '../repository-root.js';

const GOAL: Goal = {
  work: 'SET <synced>',
  metric: 'SET requests',
  against: 'Redis',
  better: 'more',
  bound: 1.1,
  aim: 1.4,
};
const STALL: Goal = {
  work: 'a stall',
  metric: 'SET p99',
  unit: 'ms',
  better: 'less',
  bound: 10,
  aim: 4,
};

function run(requestsPerSecond: number, more = {}): Sample {
  const latencies = { p50Ms: 0.5, p99Ms: 1.25, p999Ms: 20 };
  return sampleOf('SET', { requestsPerSecond, serversUs: [8], clientProcessors: 0.5, ...latencies, ...more });
}

function reportOf(
  samples: Record<string, Sample[]>,
  goals = [GOAL, STALL],
  more: Partial<Report> = {},
): Report {
  const settings = Object.fromEntries(Object.keys(samples).map((who) => [who, `start ${who}`]));
  const result: CaseResult = { name: 'pipeline 1', settings, samples, goals };
  const metrics = runMetrics('SET');
  const figure = {
    name: 'synced',
    title: 'SET, synced; with redis-benchmark',
    notes: [],
    metrics,
    rounds: 3,
  };
  return {
    date: '2026-01-02',
    isQuick: false,
    rounds: 3,
    machine: {
      processors: '2 x CPU',
      memoryGib: 8,
      kernel: 'Linux',
      directory: '/data',
      fileSystem: 'ext4',
      node: 'v20',
    },
    versions: { Understudy: '1.0.0', 'redis-server': '7.0.15' },
    missing: [],
    failures: [],
    wasBusy: false,
    results: [{ ...figure, results: [result] }],
    ...more,
  };
}

const FASTER = { Understudy: [run(150), run(160), run(180)], Redis: [run(100), run(100), run(100)] };

describe('A run as Markdown', () => {
  const linesOf = (report: Report): string[] =>
    markdownOf(report)
      .split('\n')
      .map((line) => line.replace(/ +/g, ' '));

  it('TellsWhatWasWantedAndReached', () => {
    const lines = linesOf(reportOf(FASTER));
    expect(lines).to.include('| SET <synced> | 1.60 (1.50..1.80) of Redis | at least 1.1 | 1.4 | the aim |');
    expect(lines).to.include('| a stall | 1.25 ms | at most 10 ms | 4 ms | the aim |');
    const slower = linesOf(reportOf({ Understudy: [run(100)], Redis: [run(100)] }));
    expect(slower).to.include('| SET <synced> | 1.00 of Redis | at least 1.1 | 1.4 | **no** |');
    const enough = linesOf(reportOf({ Understudy: [run(120)], Redis: [run(100)] }));
    expect(enough).to.include('| SET <synced> | 1.20 of Redis | at least 1.1 | 1.4 | yes |');
    expect(linesOf(reportOf({ Understudy: [run(120)] }))).to.include(
      '| SET <synced> | - | at least 1.1 | 1.4 | - |',
    );
  });

  it('HasTheLatenciesAndTheProcessorTimeBesideEachThroughput', () => {
    const lines = linesOf(
      reportOf({ ...FASTER, Redis: [run(100, { p999Ms: undefined, serversUs: [8, 4] })] }),
    );
    expect(lines).to.include(
      '| SET, synced, pipeline 1: SET | Understudy | 160 (150..180) | 8.00 | - | 0.50 | 1.25 | 20.0 |',
    );
    expect(lines).to.include(
      '| SET, synced, pipeline 1: SET | Redis | 100 | 12.0 | 8.00 | 0.50 | 1.25 | - |',
    );
  });

  it('TellsWhereAndHowItWasMeasured', () => {
    const text = markdownOf(
      reportOf(FASTER, [], { wasBusy: true, isQuick: true, failures: ['trio: no etcd'] }),
    );
    expect(text).to.contain('2026-01-02, 2 x CPU, 8.0 GiB, Linux, data on ext4, Node v20.');
    expect(text).to.contain('Understudy 1.0.0, redis-server 7.0.15.');
    expect(text)
      .to.contain('Medians of 3 rounds')
      .and.contain('quick run')
      .and.contain('Others were at work');
    expect(text).to.contain('Not measured: trio: no etcd.');
    expect(markdownOf(reportOf(FASTER, [], { rounds: 1 })))
      .to.contain('One round')
      .and.not.contain('Medians');
    expect(text).to.contain('| synced | Understudy | `start Understudy` |');
  });

  it('IsAlignedAsTheFormatterWantsItAndEscapesWhatWouldEndACell', () => {
    expect(tableOf(['a', 'bcd'], [['x|y', 'z']])).to.equal('| a    | bcd |\n| ---- | --- |\n| x\\|y | z   |');
    expect(tableOf(['a'], [])).to.equal('');
  });
});

describe('The page of the figures', () => {
  const page = 'text\n\n<!-- figures: begin -->\n\nthe last ones\n\n<!-- figures: end -->\n\nmore\n';

  it('KeepsItsTextAndHasTheNewFiguresInThePlaceOfTheLastOnes', () => {
    const after = 'text\n\n<!-- figures: begin -->\n\nnew\n\n<!-- figures: end -->\n\nmore\n';
    expect(pageWith('new\n', page)).to.equal(after);
    expect(pageWith('new\n', after)).to.equal(after);
  });

  it('IsNothingButTheFiguresWhereItHasNoPlaceForThem', () => {
    expect(pageWith('new\n', undefined)).to.equal('new\n');
    expect(pageWith('new\n', 'text\n')).to.equal('new\n');
    expect(pageWith('new\n', page.replace('begin', 'other'))).to.equal('new\n');
  });

  it('IsThatOfTheDocumentation', () => {
    const documented = readFileSync(path.join(repositoryRoot, 'docs', 'performance.md'), 'utf8');
    expect(pageWith('new\n', documented)).to.contain('# Performance').and.contain('\n\nnew\n\n');
  });
});

describe('The chart of a run', () => {
  function attributes(svg: string, pattern: RegExp): number[] {
    return (pattern.exec(svg) ?? []).slice(1).map(Number);
  }

  it('DrawsABarFromThePeerToTheMedianAndALineFromTheLeastToTheMost', () => {
    const svg = chartOf(reportOf(FASTER))!;
    const [peer] = attributes(svg, /<text x="([\d.]+)"[^>]*>the peer</) as [number];
    const [double] = attributes(svg, /<text x="([\d.]+)"[^>]*>2 x</) as [number];
    const [left, width] = attributes(svg, /<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="12"/) as [
      number,
      number,
    ];
    expect(left).to.be.closeTo(peer, 0.1);
    expect(width).to.be.closeTo(Math.log2(1.6) * (double - peer), 0.2);
    const whisker = /<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="\2"/;
    const [least, , most] = attributes(svg, whisker) as [number, number, number];
    expect(least).to.be.closeTo(peer + Math.log2(1.5) * (double - peer), 0.2);
    expect(most).to.be.closeTo(peer + Math.log2(1.8) * (double - peer), 0.2);
  });

  it('DrawsABarToTheOtherSideWhereThePeerIsAhead', () => {
    const svg = chartOf(reportOf({ Understudy: [run(50)], Redis: [run(100)] }))!;
    const [peer] = attributes(svg, /<text x="([\d.]+)"[^>]*>the peer</) as [number];
    const [left, width] = attributes(svg, /<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="12"/) as [
      number,
      number,
    ];
    expect(left + width).to.be.closeTo(peer, 0.2);
    expect(left).to.be.below(peer);
  });

  it('EscapesWhatItWritesAndLeavesNoTagOpen', () => {
    const svg = chartOf(reportOf(FASTER))!;
    expect(svg).to.contain('>SET &lt;synced&gt;<');
    const opened = [...svg.matchAll(/<([a-z]+)(?:\s[^>]*[^/])?>/g)].map(([, tag]) => tag).sort();
    const closed = [...svg.matchAll(/<\/([a-z]+)>/g)].map(([, tag]) => tag).sort();
    expect(opened).to.deep.equal(closed);
    expect(svg).to.not.contain('NaN').and.not.contain('undefined').and.not.contain('Infinity');
  });

  it('IsNotDrawnWhereNothingWasCompared', () => {
    expect(chartOf(reportOf(FASTER, [STALL]))).to.equal(undefined);
    expect(chartOf(reportOf({ Understudy: [run(1)] }))).to.equal(undefined);
  });
});
