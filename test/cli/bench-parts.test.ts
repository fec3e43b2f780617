import { expect } from 'chai';
import { Latencies, gathering, percentileMs } from '../../src/cli/bench/latencies.js';
import type { LatencySummary } from '../../src/cli/bench/latencies.js';
import type { Measurement } from '../../src/cli/bench/load.js';
import { paceOf } from '../../src/cli/bench/pace.js';
import { readBenchPlan } from '../../src/cli/bench/plan.js';
import type { BenchPlan } from '../../src/cli/bench/plan.js';
import { progressText, reportJson, reportLines } from '../../src/cli/bench/report.js';
import { RequestWriter } from '../../src/cli/bench/request-writer.js';
import { Workload, valuePool } from '../../src/cli/bench/workload.js';
import { readCommandLine } from '../../src/cli/command-line.js';
import { UsageError } from '../../src/cli/exit.js';
import { encodeRespRequest } from '../../src/protocol/resp-request.js';
import { seededRandom, testSeed, withSeed } from '../random.js';

function plan(line = ''): BenchPlan {
  const read = readCommandLine(['bench', ...line.split(' ').filter((word) => word !== '')]);
  if (read.kind !== 'run') throw new UsageError(JSON.stringify(read));
  return readBenchPlan(read.invocation, {});
}

function summaryOf(latenciesMs: readonly number[]): LatencySummary {
  const latencies = new Latencies();
  for (const latencyMs of latenciesMs) latencies.record(latencyMs);
  latencies.endInterval();
  return latencies.summary();
}

describe('Latencies', () => {
  it('OfAThousandKnownOnesHaveTheirPercentiles', () => {
    const { count, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = summaryOf(
      Array.from({ length: 1000 }, (_, at) => (at + 1) / 10),
    );
    expect(count).to.equal(1000);
    for (const [measured, exact] of [
      [p50Ms, 50],
      [p90Ms, 90],
      [p99Ms, 99],
      [p999Ms, 99.9],
    ] as const) {
      expect(measured).to.be.within(exact, exact * 1.001);
    }
    expect(maxMs).to.equal(100);
  });

  it('AreExactToAThousandthFromMicrosecondsToHours', () => {
    for (const latencyMs of [0.001, 0.05, 1.234_567, 999, 60_000, 3_600_000]) {
      const { p50Ms, maxMs } = summaryOf([latencyMs, latencyMs, latencyMs]);
      expect(p50Ms).to.be.within(latencyMs * 0.999, latencyMs);
      expect(maxMs).to.equal(latencyMs);
    }
  });

  it('OfRandomOnesAreThoseOfTheSortedList', async () => {
    const seed = testSeed();
    await withSeed(seed, (random) => {
      const all = Array.from({ length: 5000 }, () => Math.exp(random.next() * 12 - 4));
      const sorted = [...all].sort((one, other) => one - other);
      const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = summaryOf(all);
      for (const [measured, share] of [
        [p50Ms, 0.5],
        [p90Ms, 0.9],
        [p99Ms, 0.99],
        [p999Ms, 0.999],
      ] as const) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
        expect(measured, String(share)).to.be.within(exact * 0.998, exact * 1.002);
      }
      expect(maxMs).to.equal(sorted.at(-1));
    });
  });

  it('OfNothingAreUnknown', () => {
    expect(summaryOf([])).to.deep.equal({
      count: 0,
      p50Ms: undefined,
      p90Ms: undefined,
      p99Ms: undefined,
      p999Ms: undefined,
      maxMs: undefined,
    });
  });

  it('OfAnIntervalAreThoseSinceTheOneBefore', () => {
    const latencies = new Latencies();
    const last = (): [count: number, p50Ms: number | undefined] => {
      const interval = gathering();
      latencies.endInterval(interval);
      return [interval.count, percentileMs(interval, 50)];
    };
    for (let count = 0; count < 10; count++) latencies.record(1);
    expect(last()[0]).to.equal(10);
    latencies.record(100);
    const [count, p50Ms] = last();
    expect(count).to.equal(1);
    expect(p50Ms).to.be.within(99.9, 100.1);
    expect(last()).to.deep.equal([0, undefined]);
    expect(latencies.summary()).to.include({ count: 11, maxMs: 100 });
  });
});

describe('The options of kv bench', () => {
  it('HaveDefaults', () => {
    expect(plan()).to.deep.equal({
      address: { host: '127.0.0.1', port: 7001 },
      clients: 50,
      pipeline: 1,
      valueBytesMin: 64,
      valueBytesMax: 64,
      keys: 100_000,
      readsPercent: 50,
      durationMs: 10_000,
      operations: Infinity,
      ratePerSecond: undefined,
      prefix: 'bench:',
      seed: 1,
      timeoutMs: 5000,
      isCleaned: false,
    });
  });

  it('AreRead', () => {
    const line =
      '--address h:1 --clients 3 --pipeline 4 --value-bytes 0-1.5KiB --keys 5 --reads 0 --operations 6 --rate 7 ' +
      '--prefix p --seed 8 --timeout 9 --clean';
    expect(plan(line)).to.deep.equal({
      address: { host: 'h', port: 1 },
      clients: 3,
      pipeline: 4,
      valueBytesMin: 0,
      valueBytesMax: 1536,
      keys: 5,
      readsPercent: 0,
      durationMs: Infinity,
      operations: 6,
      ratePerSecond: 7,
      prefix: 'p',
      seed: 8,
      timeoutMs: 9000,
      isCleaned: true,
    });
    expect(plan('--operations 6 --seconds 0.5')).to.include({ operations: 6, durationMs: 500 });
    expect(plan('--clients 1 --value-bytes 64MiB')).to.include({ valueBytesMin: 67_108_864 });
  });

  it('OutOfTheirRangeAreRefused', () => {
    for (const line of [
      '--clients 0',
      '--clients 10001',
      '--pipeline 0',
      '--pipeline 10001',
      '--keys 0',
      '--keys 1000000001',
      '--reads 101',
      '--reads 0.5',
      '--seconds 0',
      '--seconds 86401',
      '--operations 0',
      '--rate 0',
      '--rate 10000001',
      '--seed -1',
      '--value-bytes 65MiB',
      '--value-bytes 2-1',
      '--value-bytes 1-2-3',
      '--value-bytes -',
      '--value-bytes x',
      `--prefix ${'p'.repeat(1025)}`,
      '--clients 17 --value-bytes 64MiB',
      '--address h:0',
    ]) {
      expect(() => plan(line), line).to.throw(UsageError);
    }
  });
});

describe('The workload of kv bench', () => {
  function operations(
    of: BenchPlan,
    client: number,
    count: number,
  ): (readonly [boolean, number, number, number])[] {
    const workload = new Workload(of, client);
    return Array.from({ length: count }, () => {
      workload.next();
      return [workload.isRead, workload.keyIndex, workload.valueOffset, workload.valueBytes] as const;
    });
  }

  it('IsTheSameForTheSameSeedAndAnotherForEachClient', () => {
    const one = operations(plan('--seed 5'), 0, 100);
    expect(operations(plan('--seed 5'), 0, 100)).to.deep.equal(one);
    expect(operations(plan('--seed 5'), 1, 100)).not.to.deep.equal(one);
    expect(operations(plan('--seed 6'), 0, 100)).not.to.deep.equal(one);
    expect(valuePool(plan('--seed 5')).equals(valuePool(plan('--seed 5')))).to.equal(true);
    expect(valuePool(plan('--seed 5')).equals(valuePool(plan('--seed 6')))).to.equal(false);
  });

  it('KeepsItsSharesAndRanges', () => {
    const of = plan('--reads 30 --keys 7 --value-bytes 10-13');
    const all = operations(of, 0, 10_000);
    const reads = all.filter(([isRead]) => isRead).length;
    expect(reads).to.be.within(2800, 3200);
    expect(new Set(all.map(([, key]) => key))).to.deep.equal(new Set([0, 1, 2, 3, 4, 5, 6]));
    const writes = all.filter(([isRead]) => !isRead);
    expect(new Set(writes.map(([, , , bytes]) => bytes))).to.deep.equal(new Set([10, 11, 12, 13]));
    const pool = valuePool(of);
    for (const [, , offset, bytes] of writes) expect(offset + bytes).to.be.at.most(pool.length);
    expect(operations(plan('--reads 0'), 0, 1000).every(([isRead]) => !isRead)).to.equal(true);
    expect(operations(plan('--reads 100'), 0, 1000).every(([isRead]) => isRead)).to.equal(true);
  });

  it('IsWrittenAsTheProtocolHasIt', async () => {
    await withSeed(testSeed(), (random) => {
      const pool = random.bytes(100_000);
      for (const prefix of ['bench:', 'ü', 'p'.repeat(1024)]) {
        const writer = new RequestWriter(prefix);
        for (let batch = 0; batch < 5; batch++) {
          const expected: Buffer[] = [];
          for (let count = random.below(20); count >= 0; count--) {
            const index = random.pick([0, 9, 10, 99, 100, 999_999_999, random.below(1e9)]);
            const key = Buffer.from(`${prefix}${String(index)}`);
            const bytes = random.pick([0, 9, 10, 64, random.below(50_000)]);
            if (random.below(2) === 0) {
              writer.get(index);
              expected.push(encodeRespRequest([Buffer.from('GET'), key]));
            } else {
              const offset = random.below(50_000);
              writer.put(index, pool, offset, bytes);
              expected.push(
                encodeRespRequest([Buffer.from('PUT'), key, pool.subarray(offset, offset + bytes)]),
              );
            }
          }
          expect(writer.peek().equals(Buffer.concat(expected))).to.equal(true);
          writer.taken(random.below(2) === 0);
        }
      }
    });
  });

  it('LeavesBytesAloneThatSomebodyStillHolds', () => {
    const writer = new RequestWriter('k');
    writer.get(1);
    const held = writer.peek();
    const before = Buffer.from(held);
    writer.taken(true);
    writer.get(2);
    expect(held.equals(before)).to.equal(true);
  });
});

describe('The pace of kv bench', () => {
  it('WithoutARateIsThatOfTheAnswersUpToTheNumberOfOperations', () => {
    const pace = paceOf({ clients: 2, operations: 3, ratePerSecond: undefined }, 0);
    expect([pace.next(0, 5), pace.next(1, 6), pace.isOver, pace.next(0, 7)]).to.deep.equal([5, 6, false, 7]);
    expect([pace.isOver, pace.next(0, 8), pace.missed(9)]).to.deep.equal([true, undefined, 0]);
    const endless = paceOf({ clients: 1, operations: Infinity, ratePerSecond: undefined }, 0);
    endless.end();
    expect([endless.isOver, endless.next(0, 1)]).to.deep.equal([true, undefined]);
  });

  it('WithARateCountsFromWhenEachWasDue', () => {
    const pace = paceOf({ clients: 2, operations: Infinity, ratePerSecond: 100 }, 1000);
    expect(pace.next(0, 999)).to.equal(undefined);
    expect([pace.next(0, 1000), pace.next(0, 1000), pace.next(1, 1009)]).to.deep.equal([
      1000,
      undefined,
      undefined,
    ]);
    expect(pace.next(1, 1010)).to.equal(1010);
    // Nothing could be begun for a while: what was due is begun late, and its wait counts.
    expect([pace.next(0, 1055), pace.next(0, 1055), pace.next(0, 1055)]).to.deep.equal([
      1020,
      1040,
      undefined,
    ]);
    expect(pace.missed(1055)).to.equal(2);
    pace.end();
    expect([pace.isOver, pace.next(1, 2000)]).to.deep.equal([true, undefined]);
  });

  it('WithARateEndsWithTheNumberOfOperations', () => {
    const pace = paceOf({ clients: 1, operations: 2, ratePerSecond: 1000 }, 0);
    expect([pace.next(0, 50), pace.next(0, 50), pace.next(0, 50)]).to.deep.equal([0, 1, undefined]);
    expect([pace.isOver, pace.missed(100)]).to.deep.equal([true, 0]);
  });
});

describe('The report of kv bench', () => {
  const random = seededRandom(1);
  const measured: Measurement = {
    ended: 'done',
    reason: undefined,
    elapsedMs: 2000,
    reads: summaryOf(Array.from({ length: 3000 }, () => 0.5 + random.next())),
    found: 1500,
    writes: summaryOf([]),
    errors: [{ code: 'BUSY', count: 1000, message: 'too much\u001b[2J waits' }],
    missed: 0,
  };

  it('TellsAPersonWhatWasMeasured', () => {
    const text = reportLines({ plan: plan('--value-bytes 1-1KiB'), measured, cleaned: undefined }).join('\n');
    expect(text)
      .to.include('127.0.0.1:7001: 50 clients, pipeline 1, 50 % reads, values of 1 B to 1.0 KiB, seed 1')
      .and.to.include('4,000 operations in 2.0 s, 2,000 a second')
      .and.to.match(/reads +3,000 +1,500 +\d+\.\d+ ms/)
      .and.to.match(/writes +0 +0 +- +- +- +- +-/)
      .and.to.include('reads that found a value: 50.0 %')
      .and.to.include('1,000 BUSY, the first: too much\\x1b[2J waits')
      .and.to.include('bench:0 to bench:99999 stay as they are');
    const lost: Measurement = {
      ...measured,
      ended: 'lost',
      reason: 'the server closed a connection',
      missed: 7,
    };
    expect(reportLines({ plan: plan('--clean'), measured: lost, cleaned: undefined }).join('\n'))
      .to.include('then it ended: the server closed a connection')
      .and.to.include('due, and not begun in time: 7')
      .and.to.include('were not deleted');
    expect(reportLines({ plan: plan('--clean'), measured, cleaned: 12 }).at(-1)).to.include('12 were there');
  });

  it('SaysOnOneLineHowItGoes', () => {
    const progress = { elapsedMs: 1500, perSecond: 12_345.6, p50Ms: 0.0841, p99Ms: 1234, errors: 2 };
    expect(progressText(progress)).to.equal('1.5 s  12,346 operations/s  p50 0.084 ms  p99 1.23 s  2 errors');
    expect(progressText({ ...progress, p50Ms: undefined, p99Ms: undefined })).to.include('p50 -  p99 -');
  });

  it('HasStableNamesInJson', () => {
    const json = JSON.parse(JSON.stringify(reportJson({ plan: plan(), measured, cleaned: undefined }))) as {
      reads: object;
      writes: object;
    };
    expect(Object.keys(json)).to.deep.equal([
      'address',
      'clients',
      'pipeline',
      'readsPercent',
      'valueBytesMin',
      'valueBytesMax',
      'keys',
      'prefix',
      'seed',
      'ratePerSecond',
      'ended',
      'reason',
      'elapsedMs',
      'operations',
      'operationsPerSecond',
      'reads',
      'writes',
      'errors',
      'missed',
      'cleaned',
    ]);
    const names = ['operations', 'operationsPerSecond', 'p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'maxMs'];
    expect(Object.keys(json.reads)).to.deep.equal([...names, 'found']);
    expect(Object.keys(json.writes)).to.deep.equal(names);
    expect(json).to.deep.include({ operations: 4000, operationsPerSecond: 2000, errors: { BUSY: 1000 } });
    expect(json.writes).to.include({ operations: 0, p50Ms: null, maxMs: null });
  });
});
