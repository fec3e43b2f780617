import { expect } from 'chai';
import { parseBenchmarkReport } from '../../bench/redis-benchmark.js';

/** What version 7.0.15 writes, most lines of the distributions left out. */
const REPORT = ` SET: rps=0.0 (overall: -nan) avg_msec=-nan (overall: -nan)\r      \r SET: rps=28776.9 (overall: 28776.9) avg_msec=1.160 (overall: 1.160)\r      \r====== SET ======
  20000 requests completed in 0.71 seconds
  50 parallel clients
  64 bytes payload
  keep alive: 1
  host configuration "save":${' '}
  host configuration "appendonly": no
  multi-thread: no

Latency by percentile distribution:
0.000% <= 0.175 milliseconds (cumulative count 1)
50.000% <= 0.575 milliseconds (cumulative count 10371)
99.805% <= 6.351 milliseconds (cumulative count 19961)
99.902% <= 8.751 milliseconds (cumulative count 19981)
100.000% <= 8.839 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
0.000% <= 0.103 milliseconds (cumulative count 0)
100.000% <= 9.103 milliseconds (cumulative count 20000)

Summary:
  throughput summary: 28169.02 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        1.140     0.168     0.575     4.623     5.143     8.839

`;

describe('The report of redis-benchmark', () => {
  it('IsReadWithThePercentilesThatItsTablesHave', () => {
    expect(parseBenchmarkReport(REPORT)).to.deep.equal({
      test: 'SET',
      requestsPerSecond: 28169.02,
      p50Ms: 0.575,
      p99Ms: 5.143,
      p999Ms: 8.751,
      longestMs: 8.839,
    });
  });

  it('HasAPercentileThatIsNeverTooShort', () => {
    const without = REPORT.replace(/^99\.902%.*\n/m, '');
    expect(parseBenchmarkReport(without).p999Ms).to.equal(8.839);
    expect(parseBenchmarkReport(without.replace(/^100\.000%.*$/gm, '')).p999Ms).to.equal(undefined);
  });

  it('TellsNoPercentileOfTheSharesForOneOfTheLatencies', () => {
    const without = REPORT.replace(/Latency by percentile[\s\S]*?\n\n/, '');
    expect(parseBenchmarkReport(without).p999Ms).to.equal(undefined);
  });

  it('HasAColumnThatALaterVersionPutsInBetween', () => {
    const later = REPORT.replace('p50       p95', 'p50   p90   p95').replace('4.623', '2.000 4.623');
    expect(parseBenchmarkReport(later)).to.include({ p50Ms: 0.575, p99Ms: 5.143, longestMs: 8.839 });
  });

  it('IsFoundBehindWarnings', () => {
    const report = parseBenchmarkReport(`WARNING: Could not fetch server CONFIG\n${REPORT}`);
    expect(report.requestsPerSecond).to.equal(28169.02);
  });

  it('IsMissedWhereThereIsNone', () => {
    expect(() => parseBenchmarkReport('')).to.throw('no report');
    expect(() => parseBenchmarkReport(REPORT.replace('throughput summary', 'rate'))).to.throw(
      'no throughput',
    );
    expect(() => parseBenchmarkReport(REPORT.replace('p99 ', 'p98 '))).to.throw('no p99');
    expect(() => parseBenchmarkReport(REPORT.replace(' 0.575     4', ' fast      4'))).to.throw('no p50');
  });
});
