import { expect } from 'chai';
import type { Index, WriteObserver } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { ApplyLoop } from '../../src/node/apply-loop.js';
import { FrameCache } from '../../src/node/frame-cache.js';
import { makeTable } from '../store/make-table.js';
import { Store } from '../../src/store/store.js';
import { HeldClock } from './engine-fixture.js';
import { chain, frameAfter } from './frames.js';
import { MemoryLog } from './memory-log.js';

interface Options {
  readonly start?: LogEnd;
  readonly observersOf?: (frame: Frame) => readonly (WriteObserver | undefined)[];
}

function startLoop({ start = EMPTY_LOG, observersOf = () => [] }: Options = {}) {
  const log = new MemoryLog(start);
  const store = new Store(makeTable());
  const cache = new FrameCache(start.index);
  const applied: number[] = [];
  const failures: unknown[] = [];
  const parts = {
    store,
    cache,
    clock: new HeldClock(),
    log: () => log,
    snapshotIsBehind: () => false,
    snapshotCaughtUp: () => Promise.resolve(),
    observersOf,
    applied: (frame: Frame) => void applied.push(endOf(frame).index),
    failed: (error: unknown) => void failures.push(error),
  };
  return { loop: new ApplyLoop(parts, start), log, store, cache, applied, failures };
}

function at(index: number): Index {
  return index as Index;
}

/** As if the frames were in the log and in memory. */
function keep(cache: FrameCache, frames: readonly Frame[]): void {
  for (const frame of frames) cache.add(frame);
  cache.written(endOf(frames.at(-1)!).index);
}

describe('Applying', () => {
  it('GoesAsFarAsIsCommittedFrameByFrame', async () => {
    const { loop, cache, store, applied } = startLoop();
    const frames = chain(5);
    keep(cache, frames);
    loop.commit(at(3));
    await loop.idle();
    expect(applied).to.deep.equal([1, 2, 3]);
    expect(loop.end).to.deep.equal(endOf(frames[2]!));
    expect(store.count).to.equal(3);
    loop.commit(at(2));
    loop.commit(at(5));
    await loop.idle();
    expect(applied).to.deep.equal([1, 2, 3, 4, 5]);
    expect(loop.committed).to.equal(5);
  });

  it('GoesNoFurtherThanTheLog', async () => {
    const { loop, cache, applied, failures } = startLoop();
    const frames = chain(5);
    for (const frame of frames) cache.add(frame);
    loop.commit(at(5));
    await loop.idle();
    expect(applied, 'nothing is written yet').to.deep.equal([]);
    expect(loop.reach).to.equal(0);
    for (const written of [2, 5]) {
      cache.written(at(written));
      loop.goOn();
      await loop.idle();
      expect(applied.at(-1)).to.equal(written);
      expect(loop.reach).to.equal(written);
    }
    expect(failures).to.deep.equal([]);
  });

  it('NeverAppliesHalfOfAFrame', async () => {
    const { loop, log, cache, store, applied, failures } = startLoop();
    await log.append([frameAfter(EMPTY_LOG, { count: 3 })]);
    cache.written(at(3));
    const cached = startLoop();
    keep(cached.cache, [frameAfter(EMPTY_LOG, { count: 3 })]);
    for (const each of [{ loop, store, applied, failures }, cached]) {
      each.loop.commit(at(2));
      let turns = 0;
      while (turns++ < 5) await new Promise((resolve) => setImmediate(resolve));
      expect(each.applied).to.deep.equal([]);
      expect(each.store.count).to.equal(0);
      each.loop.commit(at(3));
      await each.loop.idle();
      expect(each.applied).to.deep.equal([3]);
      expect(each.failures).to.deep.equal([]);
    }
  });

  it('GoesOnBehindAFrameWithWhatIsCommittedWhileThatIsApplied', async () => {
    const told: number[] = [];
    const observer: WriteObserver = {
      written: () => {
        told.push(loop.end.index);
        loop.commit(at(told.length + 1));
      },
    };
    const { loop, cache, store, applied, failures } = startLoop({ observersOf: () => [observer] });
    keep(cache, chain(3));
    loop.commit(at(1));
    await loop.idle();
    expect(told, 'each with the frame before it behind it').to.deep.equal([0, 1, 2]);
    expect(applied).to.deep.equal([1, 2, 3]);
    expect(store.count).to.equal(3);
    expect(failures).to.deep.equal([]);
  });

  it('ReadsFromTheLogWhatIsNotInMemoryAnyMore', async () => {
    const { loop, cache, log, store, applied } = startLoop();
    const frames = chain(6);
    await log.append(frames);
    keep(cache, frames.slice(4));
    loop.commit(at(6));
    await loop.idle();
    expect(applied).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(store.count).to.equal(6);
    expect(log.reads[0]).to.equal(0);
  });

  it('FailsWhenTheLogDoesNotHaveWhatIsCommitted', async () => {
    const behind = endOf(chain(3)[2]!);
    const trimmed = startLoop({ start: EMPTY_LOG });
    await trimmed.log.append(chain(3));
    await trimmed.log.removeUpTo(at(2));
    const short = startLoop({ start: behind });
    for (const { loop, cache, failures, store } of [trimmed, short]) {
      cache.written(at(5));
      loop.commit(at(4));
      await loop.idle();
      expect(failures).to.have.length(1);
      loop.commit(at(5));
      await loop.idle();
      expect(failures).to.have.length(1);
      expect(store.count).to.equal(0);
    }
  });

  it('IsHeldBetweenTwoFramesAndGoesOnFromTheContentThatWasPutThere', async () => {
    const { loop, cache, applied } = startLoop();
    const frames = chain(10);
    keep(cache, frames);
    loop.commit(at(4));
    await loop.hold();
    const { index } = loop.end;
    expect(applied.at(-1) ?? 0).to.equal(index);
    loop.commit(at(5));
    await loop.idle();
    expect(loop.end.index, 'nothing while it is held').to.equal(index);
    applied.length = 0;
    loop.resume(endOf(frames[6]!));
    expect(loop.committed).to.equal(7);
    loop.commit(at(9));
    await loop.idle();
    expect(applied).to.deep.equal([8, 9]);
  });

  it('TellsWhoeverWaitsForAnEntryBetweenItAndTheNext', async () => {
    const seen: [count: number, isBetween: boolean][] = [];
    const observer: WriteObserver = {
      written: (_, count) => {
        seen.push([count, loop.isBetweenEntries]);
      },
    };
    const { loop, cache } = startLoop({ observersOf: () => [observer, undefined, observer] });
    keep(cache, [frameAfter(EMPTY_LOG, { count: 3 })]);
    loop.commit(at(3));
    await loop.idle();
    expect(seen).to.deep.equal([
      [1, true],
      [1, true],
    ]);
    expect(loop.isBetweenEntries).to.equal(false);
  });
});
