import { expect } from 'chai';
import { sizeOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { LogWriter } from '../../src/node/log-writer.js';
import {
  CACHED_BYTES_MAX,
  CREDIT_MS,
  FEW_LOST_SHARE_MAX,
  NO_SLOW_WRITES,
  QUICK_WRITE_MS,
  SLOW_DISK_SHARE_MIN,
  SLOW_SHARE_MAX,
  SLOW_WRITE_MS,
  WITHIN_TURN_BYTES_MAX,
  afterWrite,
  mayWriteWithinTurn,
} from '../../src/node/writing-within-turn.js';
import type { WriteMoment } from '../../src/node/writing-within-turn.js';
import { HeldClock } from './engine-fixture.js';
import { chain } from './frames.js';
import { MemoryLog } from './memory-log.js';

/** Of a disk that was not quick: few are not written within the turn. */
const SLOW_WRITES = { ...NO_SLOW_WRITES, fewNotBeforeMs: Infinity };
const MOMENT = {
  bytes: 1000,
  entries: 20,
  isDurable: true,
  connections: 50,
  nowMs: 100,
  slowWrites: SLOW_WRITES,
};
const CLIENTS = MOMENT.connections;
const FEW = { ...MOMENT, entries: 3 };
/** Of a backup. */
const NO_CLIENTS = { ...MOMENT, connections: 0 };

/** Which part of an hour others wait for slow writes, of a disk that takes so long for each write that is tried within the turn. */
function lostTo(
  tookMs: (count: number) => number,
  { entries, connections }: Pick<WriteMoment, 'entries' | 'connections'> = MOMENT,
): number {
  const isFew = entries < MOMENT.entries;
  const lostFromMs = isFew ? QUICK_WRITE_MS : SLOW_WRITE_MS;
  let [nowMs, lostMs, count, slowWrites] = [0, 0, 0, NO_SLOW_WRITES];
  while (nowMs < 3_600_000) {
    if (!mayWriteWithinTurn({ ...MOMENT, entries, connections, nowMs, slowWrites })) {
      nowMs = Math.max(slowWrites.notBeforeMs, isFew ? slowWrites.fewNotBeforeMs : 0);
      continue;
    }
    const took = tookMs(count++);
    nowMs += 1 + took;
    if (took > lostFromMs) lostMs += took;
    slowWrites = afterWrite(slowWrites, took, nowMs, connections);
  }
  return lostMs / nowMs;
}

describe('A group of frames', () => {
  it('IsWrittenWithinTheTurnWhenItIsOfManyOfTheClients', () => {
    expect(mayWriteWithinTurn(MOMENT)).to.equal(true);
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 19 })).to.equal(false);
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 1, connections: 1 })).to.equal(true);
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 1, connections: 2 })).to.equal(true);
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 1, connections: 3 })).to.equal(false);
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 1000 })).to.equal(true);
    // A backup has no clients.
    expect(mayWriteWithinTurn({ ...MOMENT, entries: 1, connections: 0 })).to.equal(true);
  });

  it('IsWrittenWithinTheTurnWhenItIsOfSomeOfTheClientsAndTheDiskIsQuick', () => {
    const few = { ...FEW, slowWrites: NO_SLOW_WRITES };
    expect(mayWriteWithinTurn(few)).to.equal(true);
    expect(mayWriteWithinTurn({ ...few, entries: 2 })).to.equal(false);
    const quick = afterWrite(NO_SLOW_WRITES, QUICK_WRITE_MS, 100, CLIENTS);
    expect(mayWriteWithinTurn({ ...few, slowWrites: quick })).to.equal(true);
    const tookMs = QUICK_WRITE_MS + 0.1;
    const slowWrites = afterWrite(NO_SLOW_WRITES, tookMs, 100, CLIENTS);
    const { fewNotBeforeMs } = slowWrites;
    expect(fewNotBeforeMs).to.equal(100 + tookMs / FEW_LOST_SHARE_MAX);
    expect(mayWriteWithinTurn({ ...few, slowWrites, nowMs: fewNotBeforeMs - 0.1 })).to.equal(false);
    expect(mayWriteWithinTurn({ ...few, slowWrites, nowMs: fewNotBeforeMs })).to.equal(true);
    expect(mayWriteWithinTurn({ ...MOMENT, slowWrites }), 'of many clients').to.equal(true);
  });

  it('OfFewAtADiskThatIsNotQuickKeepsOthersWaitingForATwentiethOfTheTimeAtMost', () => {
    for (const slowMs of [QUICK_WRITE_MS + 0.1, 1, SLOW_WRITE_MS]) {
      expect(lostTo(() => slowMs, FEW)).to.be.within(0.01, 0.05);
      expect(lostTo((count) => (count % 2 === 0 ? 0.1 : slowMs), FEW)).to.be.within(0.01, 0.06);
    }
  });

  it('IsWrittenBesideTheOthersFromSoManyBytesOn', () => {
    expect(mayWriteWithinTurn({ ...MOMENT, bytes: WITHIN_TURN_BYTES_MAX - 1 })).to.equal(true);
    expect(mayWriteWithinTurn({ ...MOMENT, bytes: WITHIN_TURN_BYTES_MAX })).to.equal(false);
  });

  it('IsWrittenWithinTheTurnWhereThatWaitsForNoDiskWhosesoeverItIs', () => {
    const moment = { ...MOMENT, isDurable: false, entries: 1, connections: Infinity };
    expect(mayWriteWithinTurn({ ...moment, bytes: WITHIN_TURN_BYTES_MAX })).to.equal(true);
    expect(mayWriteWithinTurn({ ...moment, bytes: CACHED_BYTES_MAX - 1 })).to.equal(true);
    expect(mayWriteWithinTurn({ ...moment, bytes: CACHED_BYTES_MAX })).to.equal(false);
  });

  it('IsWrittenBesideTheOthersForAWhileAfterASlowWrite', () => {
    const tookMs = SLOW_WRITE_MS + 0.1;
    const first = afterWrite(NO_SLOW_WRITES, tookMs, 100, CLIENTS);
    const { notBeforeMs } = first;
    const fewNotBeforeMs = 100 + tookMs / FEW_LOST_SHARE_MAX;
    expect(first).to.deep.equal({ notBeforeMs: tookMs / SLOW_SHARE_MAX, inARow: 1, fewNotBeforeMs });
    for (const isDurable of [true, false]) {
      const moment = { ...MOMENT, isDurable, slowWrites: first };
      expect(mayWriteWithinTurn({ ...moment, nowMs: notBeforeMs - 1 })).to.equal(false);
      expect(mayWriteWithinTurn({ ...moment, nowMs: notBeforeMs })).to.equal(true);
    }
    const fast = afterWrite(first, SLOW_WRITE_MS, notBeforeMs, CLIENTS);
    expect(fast).to.include({ notBeforeMs, inARow: 0 });
    expect(afterWrite(fast, QUICK_WRITE_MS, notBeforeMs, CLIENTS)).to.equal(fast);
  });

  it('IsWrittenBesideTheOthersForTwiceAsLongAfterEachSlowWriteRightBehindAnother', () => {
    const tookMs = SLOW_WRITE_MS + 0.1;
    let slowWrites = afterWrite(NO_SLOW_WRITES, tookMs, 0, CLIENTS);
    const spans = Array.from({ length: 9 }, () => {
      const before = slowWrites.notBeforeMs;
      slowWrites = afterWrite(slowWrites, tookMs, before, CLIENTS);
      return (slowWrites.notBeforeMs - before) / tookMs;
    });
    const least = SLOW_DISK_SHARE_MIN ** -1;
    const expected = [200, 400, 800, 1600, 3200, 6400, least, least, least];
    for (const [at, span] of spans.entries()) expect(span).to.be.closeTo(expected[at]!, 0.001);
    const quick = afterWrite(slowWrites, QUICK_WRITE_MS, 0, CLIENTS);
    expect(quick, 'a quick one between them').to.include({ inARow: 0 });
  });

  it('IsWrittenWithinTheTurnAfterASlowWriteThatCameAfterALongTimeWithoutOne', () => {
    const tookMs = (CREDIT_MS * SLOW_SHARE_MAX) / 4;
    let slowWrites = NO_SLOW_WRITES;
    const nowMs = 100_000;
    for (let count = 1; count <= 5; count++) {
      slowWrites = afterWrite(slowWrites, tookMs, nowMs, CLIENTS);
      expect(nowMs >= slowWrites.notBeforeMs).to.equal(count <= 4);
      slowWrites = afterWrite(slowWrites, SLOW_WRITE_MS, nowMs, CLIENTS);
    }
  });

  it('OnADiskThatIsAlwaysSlowKeepsOthersWaitingForNextToNothing', () => {
    for (const slowMs of [SLOW_WRITE_MS + 0.1, 12, 500]) {
      expect(lostTo(() => slowMs)).to.be.within(0.0001, 0.003);
    }
  });

  it('OnADiskThatStallsNowAndThenKeepsOthersWaitingForAHundredthOfTheTimeAtMost', () => {
    for (const slowMs of [SLOW_WRITE_MS + 0.1, 12, 500]) {
      expect(lostTo((count) => (count % 2 === 0 ? 0.1 : slowMs))).to.be.within(0.001, 0.011);
      expect(lostTo((count) => (count % 100 === 0 ? slowMs : 0.1))).to.be.within(0.001, 0.011);
    }
  });

  it('OfANodeWithoutClientsKeepsOtherNodesWaitingForATenthOfTheTimeAtMostHoweverSlowTheDiskIs', () => {
    for (const slowMs of [SLOW_WRITE_MS + 0.1, 12, 500]) {
      expect(lostTo(() => slowMs, NO_CLIENTS)).to.be.within(0.08, 0.1);
      expect(lostTo((count) => (count % 2 === 0 ? 0.1 : slowMs), NO_CLIENTS)).to.be.within(0.05, 0.1);
    }
  });

  it('IsAsLargeAsItsFrames', () => {
    const frames = chain(3);
    const bytes = frames.reduce((sum, { start, end }) => sum + end - start, 0);
    const entries = frames.reduce((sum, { count }) => sum + count, 0);
    expect(sizeOf(frames)).to.deep.equal({ bytes, entries });
    expect(sizeOf([])).to.deep.equal({ bytes: 0, entries: 0 });
  });
});

describe('The writer of the log, of a group that may be written within the turn', () => {
  /** A log that takes its time, and notes how it was asked. */
  class SlowLog extends MemoryLog {
    /** Of each append, whether it was done within the turn. */
    readonly asked: boolean[] = [];
    tookMs = 0;
    /** What would have to be waited for is not done within the turn. */
    waits = false;
    readonly #clock: HeldClock;

    constructor(clock: HeldClock) {
      super();
      this.#clock = clock;
    }

    override async append(frames: readonly Frame[]): Promise<void> {
      this.asked.push(false);
      this.#clock.pass(this.tookMs);
      await super.append(frames);
    }

    override appendNow(frames: readonly Frame[]): boolean {
      if (this.waits) return false;
      this.asked.push(true);
      this.#clock.pass(this.tookMs);
      return super.appendNow(frames);
    }
  }

  async function write(
    frames: number,
    connections?: number,
    tookMs: readonly number[] = [0],
    { isDurable = true, waits = false } = {},
  ): Promise<unknown> {
    const clock = new HeldClock();
    const log = new SlowLog(clock);
    log.waits = waits;
    const writer = new LogWriter({
      log: () => log,
      clock,
      isDurable,
      ...(connections === undefined ? {} : { connections: () => connections }),
      written: () => undefined,
      writing: () => undefined,
      idle: () => undefined,
      failed: (error) => {
        throw error;
      },
      room: { lacks: () => undefined, found: () => undefined },
    });
    const all = chain(frames * tookMs.length);
    for (const [at, ms] of tookMs.entries()) {
      log.tookMs = ms;
      writer.append(all.slice(at * frames, (at + 1) * frames));
      await writer.idle();
    }
    return log.asked;
  }

  it('SaysSoWhereItIsOfManyOfTheClients', async () => {
    expect(await write(1, 2)).to.deep.equal([true]);
    expect(await write(1, 1000)).to.deep.equal([false]);
  });

  it('SaysSoWhereTheDiskIsNotWaitedFor', async () => {
    expect(await write(1, 1000, [0], { isDurable: false })).to.deep.equal([true]);
    expect(await write(1, undefined, [0], { isDurable: false })).to.deep.equal([true]);
  });

  it('WritesBesideTheOthersWhatTheLogCannotWriteAtOnce', async () => {
    expect(await write(1, 2, [0, 0], { waits: true })).to.deep.equal([false, false]);
  });

  it('NeverSaysSoWhereNobodyKnowsHowManyClientsThereAre', async () => {
    expect(await write(1)).to.deep.equal([false]);
  });

  it('SaysSoNoMoreForAWhileAfterASlowOne', async () => {
    const times = [SLOW_WRITE_MS, SLOW_WRITE_MS + 1, 1, (SLOW_WRITE_MS + 1) / SLOW_SHARE_MAX, 1];
    expect(await write(1, 1, times)).to.deep.equal([true, true, false, false, true]);
  });
});
