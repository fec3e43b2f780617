import { expect } from 'chai';
import type { ReplicaEngineParts } from '../../src/node/engine-parts.js';
import {
  GATHERED_FOR_DISK_MS_MAX,
  GATHERED_FOR_OTHERS_MS_MAX,
  GROWTH_MIN,
  Gathering,
  gatheredMsMax,
} from '../../src/node/gathering.js';
import { put, startEngine } from './engine-fixture.js';
import { Fixture } from './proposals-fixture.js';

const NOW_MS = 100;
const MS_MAX = 0.5;

/** For how many turns writes are waited for that bring so many bytes, each. */
function turnsOf(bytes: readonly number[], turnMs = 0): number {
  const gathering = new Gathering();
  let sum = 0;
  return bytes.findIndex((more, turn) => {
    sum += more;
    return !gathering.isWorthATurn(sum, NOW_MS + turn * turnMs, MS_MAX);
  });
}

describe('Writes that gather', () => {
  it('WaitForOneTurnMoreWhereItBringsNothing', () => {
    expect(turnsOf([100, 0])).to.equal(1);
  });

  it('WaitForAsLongAsATurnBringsAnEighthOfWhatIsThere', () => {
    const least = (100 * GROWTH_MIN) / (1 - GROWTH_MIN);
    expect(turnsOf([100, Math.ceil(least), 100, 0])).to.equal(3);
    expect(turnsOf([100, Math.floor(least), 100, 0])).to.equal(1);
  });

  it('WaitNoLongerThanTheyMayHoweverManyCome', () => {
    const growing = Array.from({ length: 100 }, (_, turn) => 2 ** turn);
    const turnMs = MS_MAX / 4;
    expect(turnsOf(growing, turnMs)).to.equal(4);
    expect(turnsOf(growing, MS_MAX + 1), 'however long a turn takes').to.equal(1);
  });

  it('BeginAnewBehindEachBatch', () => {
    const gathering = new Gathering();
    for (let batch = 0; batch < 3; batch++) {
      const nowMs = NOW_MS + batch * 1000;
      expect(gathering.isWorthATurn(100, nowMs, MS_MAX)).to.equal(true);
      expect(gathering.isWorthATurn(100, nowMs, MS_MAX)).to.equal(false);
    }
  });

  it('AreNotWaitedForWhereThereAreNone', () => {
    expect(new Gathering().isWorthATurn(0, NOW_MS, MS_MAX)).to.equal(false);
  });
});

describe('A batch of writes that gather', () => {
  it('HoldsTheWritesOfAFewTurnsWhereTheyWaitForADiskOrForOthers', async () => {
    for (const gatheredMsMax of [1, 0]) {
      const fixture = new Fixture();
      fixture.gatheredMsMax = gatheredMsMax;
      fixture.write('a');
      await fixture.turn();
      fixture.write('b');
      await fixture.turn();
      fixture.write('c');
      await fixture.turns();
      expect(fixture.proposed.map(({ count }) => count)).to.deep.equal(gatheredMsMax > 0 ? [3] : [1, 1, 1]);
    }
  });

  it('GathersNoLongerThanThatTakes', async () => {
    const fixture = new Fixture();
    fixture.gatheredMsMax = 1;
    fixture.write('a');
    await fixture.turn();
    fixture.write('b');
    fixture.clock.pass(1);
    await fixture.turn();
    expect(fixture.proposed.map(({ count }) => count)).to.deep.equal([2]);
    fixture.write('c');
    await fixture.turn();
    expect(fixture.proposed).to.have.length(1);
    await fixture.turn();
    expect(fixture.proposed.map(({ count }) => count)).to.deep.equal([2, 1]);
  });

  it('DoesNotWaitForMoreThanABatchHolds', async () => {
    const fixture = new Fixture();
    fixture.gatheredMsMax = 1;
    for (const name of ['a', 'b']) fixture.write(name, 200 * 1024);
    await fixture.turn();
    expect(fixture.proposed, 'the one that is full').to.have.length(1);
    await fixture.turns();
    expect(fixture.proposed).to.have.length(2);
  });
});

describe('For how long writes gather', () => {
  it('GoesByWhatTheyWaitFor', () => {
    for (const isDurable of [true, false]) {
      expect(gatheredMsMax(false, isDurable, 2), 'other members').to.equal(GATHERED_FOR_OTHERS_MS_MAX);
      expect(gatheredMsMax(false, isDurable, 1), 'of one client').to.equal(0);
      expect(gatheredMsMax(true, isDurable, 1), 'of one client').to.equal(0);
    }
    expect(gatheredMsMax(true, true, 2), 'the disk').to.equal(GATHERED_FOR_DISK_MS_MAX);
    expect(gatheredMsMax(true, false, 2), 'nothing').to.equal(0);
  });
});

describe('A node that is alone', () => {
  async function framesOf(parts: Partial<ReplicaEngineParts>): Promise<readonly number[]> {
    const { engine, log } = await startEngine(parts);
    const begun = log.frames.length;
    const written = [put(engine, 'a', 'v')];
    await new Promise((resolve) => setImmediate(resolve));
    written.push(put(engine, 'b', 'v'));
    await Promise.all(written);
    return log.frames.slice(begun).map(({ count }) => count);
  }

  it('GathersTheWritesOfSeveralClientsWhereTheyWaitForTheDisk', async () => {
    expect(await framesOf({ fsync: 'always', connections: () => 2 })).to.deep.equal([2]);
    expect(await framesOf({ fsync: 'always', connections: () => 1 })).to.deep.equal([1, 1]);
    expect(await framesOf({ fsync: 'everysec', connections: () => 2 })).to.deep.equal([1, 1]);
    expect(await framesOf({ fsync: 'off', connections: () => 2 })).to.deep.equal([1, 1]);
  });
});
