import { expect } from 'chai';
import { parseBenchmarkCsv } from '../../bench/redis-benchmark.js';

const HEAD =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';
const SET = '"SET","98814.23","0.273","0.080","0.263","0.415","0.655","2.151"';

describe('The table of redis-benchmark', () => {
  it('IsReadByTheNamesOfItsColumns', () => {
    expect(parseBenchmarkCsv(`${HEAD}\n${SET}\n`)).to.deep.equal([
      { test: 'SET', requestsPerSecond: 98814.23, p50Ms: 0.263, p99Ms: 0.655, longestMs: 2.151 },
    ]);
    const [names, cells] = [HEAD, SET].map((line) => line.split(',').reverse().join(','));
    expect(() => parseBenchmarkCsv(`${names!}\n${cells!}\n`)).to.throw('no table');
  });

  it('HasAColumnThatALaterVersionPutsInBetween', () => {
    const put = (line: string, cell: string): string => line.replace(',', `,${cell},`);
    const [line] = parseBenchmarkCsv(`${put(HEAD, '"new"')}\n${put(SET, '"1"')}\n`);
    expect(line?.requestsPerSecond).to.equal(98814.23);
  });

  it('IsFoundBehindWarnings', () => {
    const csv = `WARNING: Could not fetch server CONFIG\r\n${HEAD}\r\n${SET}\r\n`;
    expect(parseBenchmarkCsv(csv)).to.have.length(1);
  });

  it('IsMissedWhereThereIsNone', () => {
    expect(() => parseBenchmarkCsv('')).to.throw('no table');
    expect(() => parseBenchmarkCsv(`${HEAD.replace('rps', 'rate')}\n${SET}\n`)).to.throw('no rps');
    expect(() => parseBenchmarkCsv(`${HEAD}\n"SET","fast"\n`)).to.throw('no rps');
  });
});
