import { expect } from 'chai';
import fc from 'fast-check';
import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, FRAME_ROOM_BYTES, endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { FrameCache } from '../../src/node/frame-cache.js';
import { chain, frameAfter } from './frames.js';

const MIB = 1024 * 1024;
const NONE = 0 as Index;

function at(index: number): Index {
  return index as Index;
}

/** Which of the frames are there. */
function present(cache: FrameCache, frames: readonly Frame[]): number[] {
  return frames
    .filter((frame) => cache.next(at(frame.firstIndex - 1)) === frame)
    .map(({ firstIndex }) => firstIndex);
}

function filled(frames: readonly Frame[], writtenIndex = NONE): FrameCache {
  const cache = new FrameCache(NONE);
  for (const frame of frames) cache.add(frame);
  cache.written(writtenIndex);
  return cache;
}

/** With so many the buffer of a frame is more than half full. */
const FILLING_BYTES = 5000;

function isSmall(frame: Frame): boolean {
  return 2 * (frame.end - frame.start + FRAME_ROOM_BYTES) < frame.bytes.length;
}

/** The same frame, in memory of its own that it fills. */
function expectCopy(copy: Frame, frame: Frame): void {
  expect(copy).not.to.equal(frame);
  expect(copy.bytes.length).to.be.at.most(2 * (frame.end - frame.start));
  expect(copy.bytes.subarray(copy.start, copy.end)).to.deep.equal(
    frame.bytes.subarray(frame.start, frame.end),
  );
  expect({ ...copy, bytes: 0, start: 0, end: 0 }).to.deep.equal({ ...frame, bytes: 0, start: 0, end: 0 });
}

describe('The frames in memory', () => {
  it('AreTheNewestSixteenMebibytesOfWhatIsWritten', () => {
    const frames = chain(40, MIB);
    const cache = filled(frames, at(40));
    const kept = present(cache, frames);
    // Sixteen frames of a mebibyte and a head each are just more than the bound.
    expect(kept).to.deep.equal(Array.from({ length: 15 }, (_, offset) => 26 + offset));
  });

  it('NeverLackWhatIsNotWritten', () => {
    const frames = chain(40, MIB);
    const cache = filled(frames, at(3));
    expect(present(cache, frames)).to.deep.equal(Array.from({ length: 37 }, (_, offset) => 4 + offset));
    cache.written(at(20));
    expect(present(cache, frames)[0]).to.equal(21);
  });

  it('AreFoundBehindTheEntryWhereAFrameEndsAndNowhereElse', () => {
    const first = frameAfter(EMPTY_LOG, { count: 3 });
    const second = frameAfter(endOf(first), { count: 2 });
    const cache = filled([first, second]);
    expect([0, 1, 2, 3, 4, 5].map((index) => cache.next(at(index)))).to.deep.equal([
      first,
      undefined,
      undefined,
      second,
      undefined,
      undefined,
    ]);
    expect(cache.after(at(1), MIB)).to.equal(undefined);
    expect(cache.after(at(5), MIB)).to.equal(undefined);
  });

  it('TellHowManyBytesLieBetweenTwoEntriesWhenTheyAreAllHere', () => {
    const frames = chain(5, 1000);
    const size = frames[0]!.end - frames[0]!.start;
    const cache = filled(frames);
    expect(cache.bytesBetween(NONE, at(5))).to.equal(5 * size);
    expect(cache.bytesBetween(at(3), at(5))).to.equal(2 * size);
    expect(cache.bytesBetween(at(5), at(5))).to.equal(0);
    expect(cache.bytesBetween(at(3), at(6)), 'the log goes further').to.equal(undefined);
    const older = filled(chain(40, MIB), at(40));
    expect(older.bytesBetween(at(3), at(40)), 'the first are forgotten').to.equal(undefined);
  });

  it('AreGivenAsManyAsFitAndAtLeastOne', () => {
    const frames = chain(5, FILLING_BYTES);
    const cache = filled(frames);
    const size = frames[0]!.end - frames[0]!.start;
    expect(cache.after(NONE, 1)).to.deep.equal(frames.slice(0, 1));
    expect(cache.after(NONE, 2 * size - 1)).to.deep.equal(frames.slice(0, 1));
    expect(cache.after(NONE, 2 * size)).to.deep.equal(frames.slice(0, 2));
    expect(cache.after(at(3), MIB)).to.deep.equal(frames.slice(3));
  });

  it('AreReleasedOldestFirstOnceWrittenAndOnlyIfNobodyElseHasThem', () => {
    const frames = chain(4, FILLING_BYTES);
    const [first, second, third, fourth] = frames as [Frame, Frame, Frame, Frame];
    const cache = filled(frames);
    expect(cache.release(first), 'not written').to.equal(false);
    cache.written(at(3));
    expect(cache.release(second), 'not the oldest').to.equal(false);
    expect(cache.release(first)).to.equal(true);
    expect(cache.release(first), 'twice').to.equal(false);
    cache.after(at(1), 1);
    expect(cache.release(second), 'shared').to.equal(false);
    expect(present(cache, [second, third, fourth])).to.deep.equal([2, 3, 4]);
  });

  it('AreKeptInNoMoreThanTwiceTheMemoryThatTheyTakeOnceTheyAreSharedOrStayBehindOthers', () => {
    const frames = chain(3);
    const [first, second, third] = frames as [Frame, Frame, Frame];
    const cache = filled(frames, at(2));
    const [shared] = cache.after(NONE, 1)!;
    expectCopy(shared!, first);
    expect(cache.after(NONE, 1)![0], 'shared again').to.equal(shared);
    expect(cache.next(NONE)).to.equal(shared);
    expect(cache.release(first), 'others have a copy').to.equal(true);
    expect(cache.next(at(1)), 'as it is until its maker is done').to.equal(second);
    expect(cache.release(second), 'a copy stays').to.equal(true);
    expectCopy(cache.next(at(1))!, second);
    expect(cache.release(third), 'not written').to.equal(false);
    expect(cache.next(at(2))).to.equal(third);
  });

  it('AreGoneOnceAppliedAndConfirmedThoughOthersHaveThem', () => {
    const frames = chain(4, FILLING_BYTES);
    const [first, second, third] = frames as [Frame, Frame, Frame, Frame];
    const cache = filled(frames, at(4));
    cache.after(NONE, MIB);
    cache.confirmed(at(2));
    expect(present(cache, frames), 'not applied').to.deep.equal([1, 2, 3, 4]);
    expect(cache.release(first), 'others have its bytes').to.equal(false);
    expect(present(cache, frames)).to.deep.equal([2, 3, 4]);
    cache.release(second);
    cache.release(third);
    expect(present(cache, frames), 'not confirmed').to.deep.equal([3, 4]);
    cache.confirmed(Infinity as Index);
    expect(present(cache, frames)).to.deep.equal([4]);
  });

  it('AreNotGoneForWhatWasAppliedBeforeACutOrAnotherContent', () => {
    const cache = filled(chain(4), at(4));
    cache.release(cache.next(NONE)!);
    cache.clear(NONE);
    const frames = chain(4, FILLING_BYTES);
    for (const frame of frames) cache.add(frame);
    cache.confirmed(Infinity as Index);
    expect(present(cache, frames)).to.deep.equal([1, 2, 3, 4]);
    cache.written(at(4));
    cache.after(NONE, MIB);
    for (const frame of frames) cache.release(frame);
    cache.cut(at(2));
    const next = frameAfter(endOf(frames[1]!), { term: 2, valueBytes: FILLING_BYTES });
    cache.add(next);
    cache.confirmed(Infinity as Index);
    expect(present(cache, [next])).to.deep.equal([3]);
  });

  it('AreNotReleasedByAnotherOfTheSameIndex', () => {
    const [first] = chain(1) as [Frame];
    const cache = filled([first], at(1));
    expect(cache.release(frameAfter(EMPTY_LOG, { term: 2 }))).to.equal(false);
    expect(present(cache, [first])).to.deep.equal([1]);
  });

  it('AreForgottenBehindACutAndGoOnWithOthers', () => {
    const frames = chain(6);
    const cache = filled(frames, at(6));
    cache.cut(at(4));
    expect(present(cache, frames)).to.deep.equal([1, 2, 3, 4]);
    const next = frameAfter(endOf(frames[3]!), { term: 2, valueBytes: 20 * MIB });
    // It is not written, though something else was once written at its index.
    cache.add(next);
    expect(cache.next(at(4))).to.equal(next);
    expect(present(cache, frames)).to.deep.equal([]);
  });

  it('AreGoneOnceTheContentIsReplaced', () => {
    const frames = chain(3);
    const cache = filled(frames);
    cache.clear(at(100));
    expect(present(cache, frames)).to.deep.equal([]);
    const next = frameAfter({ ...endOf(frames[2]!), index: at(100) });
    cache.add(next);
    expect(cache.next(at(100))).to.equal(next);
  });

  it('AreWhatAListWouldHaveWhateverIsDone', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        count: fc.integer({ min: 1, max: 3 }),
        valueBytes: fc.constantFrom(1, FILLING_BYTES),
      }),
      fc.record({ kind: fc.constant('cut' as const), to: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant('release' as const), place: fc.nat({ max: 3 }) }),
      fc.record({ kind: fc.constant('share' as const), from: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant('write' as const), to: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant('confirm' as const), to: fc.nat({ max: 20 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new FrameCache(NONE);
        /** `made` was added, `frame` is what the cache has of it. */
        let model: { readonly made: Frame; frame: Frame; isShared: boolean }[] = [];
        let end = EMPTY_LOG;
        let [written, confirmed, released] = [0, 0, 0];
        const compacted = (entry: { readonly made: Frame; frame: Frame }, found: Frame): void => {
          if (isSmall(entry.made)) expectCopy(found, entry.made);
          else expect(found).to.equal(entry.made);
          entry.frame = found;
        };
        for (const each of steps) {
          const last = model.at(-1)?.frame;
          if (each.kind === 'add') {
            const frame = frameAfter(end, each);
            model.push({ made: frame, frame, isShared: false });
            cache.add(frame);
            end = endOf(frame);
          } else if (each.kind === 'cut') {
            const kept = model.filter(({ frame }) => lastIndexOf(frame) <= each.to);
            if (last === undefined || kept.length === 0) continue;
            model = kept;
            end = endOf(kept.at(-1)!.frame);
            cache.cut(end.index);
            written = Math.min(written, end.index);
            released = Math.min(released, end.index);
          } else if (each.kind === 'release') {
            const entry = model[each.place];
            if (entry === undefined) continue;
            const isWritten = lastIndexOf(entry.made) <= written;
            const isFree = (each.place === 0 && !entry.isShared) || isSmall(entry.made);
            expect(cache.release(entry.made)).to.equal(isWritten && isFree);
            if (!isWritten) continue;
            released = lastIndexOf(entry.made);
            if (each.place === 0 && (!entry.isShared || released <= confirmed)) model.shift();
            else compacted(entry, cache.next(at(entry.made.firstIndex - 1))!);
          } else if (each.kind === 'share') {
            const behind = model.filter(({ frame }) => frame.firstIndex > each.from);
            const isThere = behind[0]?.frame.firstIndex === each.from + 1;
            const found = cache.after(at(each.from), MIB);
            expect(found?.length).to.equal(isThere ? behind.length : undefined);
            for (const [place, frame] of (found ?? []).entries()) {
              compacted(behind[place]!, frame);
              behind[place]!.isShared = true;
            }
          } else if (each.kind === 'confirm') {
            confirmed = each.to;
            cache.confirmed(at(confirmed));
            const needed = model.findIndex(({ made }) => lastIndexOf(made) > Math.min(confirmed, released));
            model = needed === -1 ? [] : model.slice(needed);
          } else {
            written = Math.max(written, Math.min(each.to, end.index));
            cache.written(at(written));
          }
          const all = model.map(({ frame }) => frame);
          expect(present(cache, all)).to.deep.equal(all.map(({ firstIndex }) => firstIndex));
        }
      }),
    );
  });
});
