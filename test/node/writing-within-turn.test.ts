import { expect } from 'chai';
import type { Frame } from '../../src/log/frame.js';
import { LogWriter } from '../../src/node/log-writer.js';
import {
  AFTER_SLOW_WRITE_MS,
  CACHED_BYTES_MAX,
  SLOW_WRITE_MS,
  WITHIN_TURN_BYTES_MAX,
  mayWriteWithinTurn,
  notBeforeAfter,
  sizeOf,
} from '../../src/node/writing-within-turn.js';
import { HeldClock } from './engine-fixture.js';
import { chain } from './frames.js';
import { MemoryLog } from './memory-log.js';

const MOMENT = { bytes: 1000, entries: 20, isDurable: true, connections: 50, nowMs: 100, notBeforeMs: 0 };

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
    const notBeforeMs = notBeforeAfter(0, SLOW_WRITE_MS + 0.1, 100);
    expect(notBeforeMs).to.equal(100 + AFTER_SLOW_WRITE_MS);
    for (const isDurable of [true, false]) {
      const moment = { ...MOMENT, isDurable, notBeforeMs };
      expect(mayWriteWithinTurn({ ...moment, nowMs: notBeforeMs - 1 })).to.equal(false);
      expect(mayWriteWithinTurn({ ...moment, nowMs: notBeforeMs })).to.equal(true);
    }
    expect(notBeforeAfter(notBeforeMs, SLOW_WRITE_MS, notBeforeMs)).to.equal(notBeforeMs);
  });

  it('OnADiskThatIsAlwaysSlowKeepsOthersWaitingForNextToNothing', () => {
    const writeMs = 12;
    let [nowMs, notBeforeMs, blockedMs] = [0, 0, 0];
    while (nowMs < 60_000) {
      const isWithin = mayWriteWithinTurn({ ...MOMENT, nowMs, notBeforeMs });
      nowMs += writeMs;
      if (!isWithin) continue;
      blockedMs += writeMs;
      notBeforeMs = notBeforeAfter(notBeforeMs, writeMs, nowMs);
    }
    expect(blockedMs / nowMs).to.be.within(0.0001, 0.003);
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
    const times = [SLOW_WRITE_MS, SLOW_WRITE_MS + 1, 1, AFTER_SLOW_WRITE_MS, 1];
    expect(await write(1, 1, times)).to.deep.equal([true, true, false, false, true]);
  });
});
