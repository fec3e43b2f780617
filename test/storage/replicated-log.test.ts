import { expect } from 'chai';
import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, endOf, lastIndexOf, readFrame } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Files } from '../../src/storage/files.js';
import { SegmentLog } from '../../src/storage/segment-log.js';
import { seededRandom, testSeed, withSeed } from '../random.js';
import { aroundFiles } from './around-files.js';
import { FailingFiles } from './failing-files.js';
import { atEachCrash } from './crashes.js';
import { changed, DB_PATH, segmentsOf } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { bytesOf, contentOf, emptyDisk, framesBehind, framesIn, openReplica, reasonOf } from './replica.js';

async function makeLog(files: Files, base = EMPTY_LOG, segmentBytes = 512): Promise<SegmentLog> {
  const identity = 'ab'.repeat(16) as never;
  const random = seededRandom(1);
  const options = { files, directory: '/data', cluster: identity, node: identity, fsync: 'always' as const };
  return SegmentLog.create({ ...options, segmentBytes, random: () => random.next() }, base);
}

const sameBytes = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => bytesOf(frame).toString('hex'));

/** Opens the log of a primary and appends frames of term 5, in twos, until there are this many. */
async function recordLog(frames: number): Promise<{ image: Image; written: Frame[] }> {
  const disk = emptyDisk();
  const { data } = await openReplica(disk.mount());
  const written = framesBehind(EMPTY_LOG, 5, frames);
  for (let at = 0; at < frames; at += 2) await data.log!.append(written.slice(at, at + 2));
  const { end } = data.log!;
  await data.saveState({ ...data.state, commit: 2 as Index, logIndex: end.index });
  await data.close();
  return { image: disk.image(), written };
}

describe('Several frames appended at once', () => {
  it('AreOneDurableWrite', async () => {
    for (const withinTurn of [false, true]) {
      const failing = new FailingFiles(emptyDisk().mount());
      const log = await makeLog(failing.files, EMPTY_LOG, 64 * 1024);
      for (let turns = 0; turns < 50; turns++) await Promise.resolve();
      const before = failing.calls.length;
      const frames = framesBehind(EMPTY_LOG, 1, 20);
      if (withinTurn) expect(log.appendNow(frames)).to.equal(true);
      else await log.append(frames);
      const operations = failing.calls.slice(before).map(({ operation }) => operation);
      expect(operations).to.deep.equal([withinTurn ? 'writeGatheredNow' : 'writeGathered']);
      expect(log.syncedIndex).to.equal(20);
      expect(sameBytes(await framesIn(log))).to.deep.equal(sameBytes(frames));
    }
  });

  it('AreOneWriteForEachSegmentThatTakesThem', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files, EMPTY_LOG, 4096);
    const before = failing.calls.length;
    const frames = framesBehind(EMPTY_LOG, 1, 100);
    await log.append(frames);
    const writes = failing.calls.slice(before).filter(({ operation }) => operation === 'writeGathered');
    const segments = new Set(writes.map(({ file }) => file).filter((file) => file.includes('segment-')));
    expect(segments.size).to.be.greaterThan(2);
    // And the header of each that was begun.
    expect(writes.length).to.equal(2 * segments.size - 1);
    expect(sameBytes(await framesIn(log))).to.deep.equal(sameBytes(frames));
  });

  it('AreAllWrittenOrNoneWhenTheDiskIsFull', async () => {
    for (let room = 0; room < 6; room++) {
      const disk = emptyDisk();
      const failing = new FailingFiles(disk.mount());
      const log = await makeLog(failing.files);
      await log.append(framesBehind(EMPTY_LOG, 1, 1));
      const { end, appendedBytes } = log;
      let created = 0;
      failing.failWhile(({ operation }) => operation === 'create' && ++created > room, 'ENOSPC');
      // Ten segments of their own.
      const frames = framesBehind(end, 1, 10, 600);
      expect((await reasonOf(log.append(frames))).name).to.equal('DiskFull');
      expect([log.end, log.appendedBytes]).to.deep.equal([end, appendedBytes]);
      failing.heal();
      await log.append(frames);
      expect(sameBytes(await framesIn(log, 1))).to.deep.equal(sameBytes(frames));
      await log.close();
      expect([...disk.image().keys()].filter((file) => file.includes('spare')).length).to.be.lessThan(3);
    }
  });

  it('AreRefusedWhenTheyDoNotFollow', async () => {
    const log = await makeLog(emptyDisk().mount());
    const [first, second, third] = framesBehind(EMPTY_LOG, 1, 3);
    expect((await reasonOf(log.append([first!, third!]))).message).to.include('does not follow');
    await log.append([first!, second!]);
    expect((await reasonOf(log.append([second!]))).message).to.include('does not follow');
  });
});

describe('Room that is reserved', () => {
  it('IsThereForTheNextFrameWhenTheDiskIsFull', async () => {
    for (const bytes of [40, 300, 5000]) {
      for (let filled = 0; filled < 5; filled++) {
        const failing = new FailingFiles(emptyDisk().mount());
        const log = await makeLog(failing.files);
        await log.append(framesBehind(EMPTY_LOG, 1, filled));
        const [frame] = framesBehind(log.end, 1, 1, bytes);
        await log.reserve(frame!.end - frame!.start);
        failing.failWhile(({ operation }) => operation === 'create' || operation === 'rename', 'ENOSPC');
        await log.append([frame!]);
        expect(log.end).to.deep.equal(endOf(frame!));
      }
    }
  });

  it('IsRefusedWithNothingWrittenAndMayBeAskedForAgain', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files);
    failing.failWhile(({ operation }) => operation === 'create', 'ENOSPC');
    expect((await reasonOf(log.reserve(5000))).name).to.equal('DiskFull');
    failing.heal();
    await log.reserve(5000);
    await log.append(framesBehind(EMPTY_LOG, 1, 2, 100));
    expect((await framesIn(log)).length).to.equal(2);
  });
});

describe('Reading the log back', () => {
  it('GivesWhatWasAppendedAlsoWhileMoreIs', async () => {
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 20; round++) {
        const log = await makeLog(emptyDisk().mount(), EMPTY_LOG, random.pick([256, 1024, 300_000]));
        const model: Frame[] = [];
        let appending: Promise<void> | undefined;
        for (let step = 0; step < 60; step++) {
          const behind = model.length === 0 ? EMPTY_LOG : endOf(model.at(-1)!);
          const size = random.pick([1, 40, 200, 20_000]);
          const more = framesBehind(behind, 1, random.below(4), size, 1 + random.below(3));
          await appending;
          appending = log.append(more).then(() => void model.push(...more));
          const before = model.length;
          const at = random.below(before + 1);
          const after = at === 0 ? 0 : lastIndexOf(model[at - 1]!);
          const bytesMax = random.pick([1, 100, 1000, 100_000]);
          const read = await log.read(after as Index, bytesMax);
          expect(read).to.not.equal('trimmed');
          await appending;
          expect(read.length > 0 || at === before).to.equal(true);
          expect(sameBytes(read as Frame[])).to.deep.equal(sameBytes(model.slice(at, at + read.length)));
          const bytes = (read as Frame[]).reduce((sum, frame) => sum + frame.end - frame.start, 0);
          expect(read.length <= 1 || bytes <= bytesMax).to.equal(true);
          const next = model[at + read.length];
          // No frame is left out that was there and had room.
          if (read.length > 0 && next !== undefined && at + read.length < before) {
            expect(bytes + next.end - next.start).to.be.greaterThan(bytesMax);
          }
        }
        await log.close();
      }
    });
  });

  it('CostsNoMoreThanWhatIsRead', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files, EMPTY_LOG, 4 * 1024 * 1024);
    await log.append(framesBehind(EMPTY_LOG, 1, 3000, 1000));
    let bytesRead = 0;
    const before = failing.calls.length;
    const frames: Frame[] = [];
    while (lastIndexOf(frames.at(-1) ?? framesBehind(EMPTY_LOG, 1, 1)[0]!) < 3000) {
      const read = await log.read(frames.length as Index, 50_000);
      frames.push(...(read as Frame[]));
      bytesRead += (read as Frame[])[0]!.bytes.length;
    }
    expect(frames.length).to.equal(3000);
    expect(bytesRead).to.be.lessThan(3_500_000);
    expect(failing.calls.length - before).to.be.lessThan(500);
    // From a place that no read ended at.
    const first = (await log.read(1717 as Index, 1)) as Frame[];
    expect(first[0]!.firstIndex).to.equal(1718);
    expect(first[0]!.bytes.length).to.be.lessThan(3000);
  });

  it('HandsOutFramesThatAnotherLogCanTake', async () => {
    const log = await makeLog(emptyDisk().mount());
    await log.append(framesBehind(EMPTY_LOG, 1, 9));
    const other = await makeLog(emptyDisk().mount());
    for (;;) {
      const frames = (await log.read(other.end.index, 400)) as Frame[];
      if (frames.length === 0) break;
      await other.append(frames);
      for (const { bytes, start, end } of frames)
        expect(typeof readFrame(bytes, start, end)).to.equal('object');
    }
    expect(other.end).to.deep.equal(log.end);
    expect(sameBytes(await framesIn(other))).to.deep.equal(sameBytes(await framesIn(log)));
  });

  it('SaysWhatTheLogNoLongerReachesBackTo', async () => {
    const base = endOf(framesBehind(EMPTY_LOG, 1, 9).at(-1)!);
    const log = await makeLog(emptyDisk().mount(), base);
    expect(await log.read(base.index, 100)).to.deep.equal([]);
    await log.append(framesBehind(base, 2, 20));
    expect(await log.read(8 as Index, 100)).to.equal('trimmed');
    const removing = log.removeUpTo(20 as Index);
    // Beside the removal it is one or the other, and never a failure.
    for (let count = 0; count < 20; count++) {
      const read = await log.read(9 as Index, 100);
      if (read !== 'trimmed') expect(read[0]?.firstIndex).to.equal(10);
    }
    await removing;
    expect(await log.read(9 as Index, 100)).to.equal('trimmed');
    const left = (await log.read(20 as Index, 1)) as Frame[];
    expect(left[0]?.firstIndex).to.equal(21);
  });
});

describe('A log that is cut behind an entry', () => {
  it('GoesOnFromThereAndKeepsWhatItLost', async () => {
    for (let cutAt = 0; cutAt < 12; cutAt++) {
      const disk = emptyDisk();
      const { data } = await openReplica(disk.mount());
      const log = data.log!;
      const written = framesBehind(EMPTY_LOG, 5, 12);
      await log.append(written);
      const end = cutAt === 0 ? EMPTY_LOG : endOf(written[cutAt - 1]!);
      const kept = await log.truncate(end);
      expect(log.end).to.deep.equal(end);
      expect(kept).to.equal(`${DB_PATH}.d/lost-5.log`);
      const lost = Buffer.concat(written.slice(cutAt).map(bytesOf));
      expect(disk.image().get(kept)?.equals(lost)).to.equal(true);
      const others = framesBehind(end, 6, 7);
      await log.append(others.slice(0, 3));
      await log.append(others.slice(3));
      const expected = sameBytes([...written.slice(0, cutAt), ...others]);
      expect(sameBytes(await framesIn(log))).to.deep.equal(expected);
      await data.close();
      const again = await openReplica(disk.mount(), { isCommitted: () => () => true });
      expect(sameBytes(await framesIn(again.data.log!))).to.deep.equal(expected);
      expect(again.data.history.spans.map(({ term }) => term as number)).to.deep.equal(
        cutAt === 0 ? [6] : [5, 6],
      );
      await again.data.close();
    }
  });

  it('IsCutAgainAndAgainWithoutOverwritingWhatWasKept', async () => {
    await withSeed(testSeed(), async (random) => {
      const disk = emptyDisk();
      let { data } = await openReplica(disk.mount());
      let model: Frame[] = [];
      for (let round = 1; round < 60; round++) {
        const behind = model.length === 0 ? EMPTY_LOG : endOf(model.at(-1)!);
        const more = framesBehind(behind, 1 + Math.floor(round / 4), 1 + random.below(6));
        await data.log!.append(more);
        model.push(...more);
        const left = random.below(model.length);
        if (random.next() < 0.5) {
          await data.log!.truncate(left === 0 ? EMPTY_LOG : endOf(model[left - 1]!));
          model = model.slice(0, left);
        }
        if (random.next() < 0.3) {
          await data.close();
          ({ data } = await openReplica(disk.mount()));
        }
        expect(sameBytes(await framesIn(data.log!))).to.deep.equal(sameBytes(model));
      }
      await data.close();
      const kept = [...disk.image().keys()].filter((file) => file.includes('/lost-'));
      expect(kept.length).to.be.greaterThan(15);
      // Dead segments go with those in front of them.
      ({ data } = await openReplica(disk.mount()));
      await data.log!.append(framesBehind(data.log!.end, 99, 9));
      await data.log!.removeUpTo(data.log!.end.index);
      expect(segmentsOf(disk.image()).length).to.equal(1);
      await data.close();
    });
  });

  it('IsReadAsItIsAfterwardsByAReadThatTheCutOvertook', async () => {
    // Each call of the read in turn is held back until the cut is done.
    for (let held = 1; held <= 4; held++) {
      let isHolding = false;
      let calls = 0;
      let release = (): void => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const files = aroundFiles(emptyDisk().mount(), async (_call, run) => {
        if (isHolding && ++calls === held) await gate;
        return run();
      });
      const log = await makeLog(files, EMPTY_LOG, 4096);
      const written = framesBehind(EMPTY_LOG, 5, 30);
      await log.append(written);
      isHolding = true;
      const reading = log.read(5 as Index, 10_000);
      for (let turns = 0; calls < held && turns < 100; turns++) await Promise.resolve();
      isHolding = false;
      await log.truncate(endOf(written[9]!));
      const others = framesBehind(log.end, 6, 3);
      await log.append(others);
      release();
      const read = (await reading) as Frame[];
      expect(sameBytes(read)).to.deep.equal(sameBytes([...written.slice(5, 10), ...others]));
    }
  });

  it('IsRefusedBehindWhatItDoesNotHold', async () => {
    const log = await makeLog(emptyDisk().mount());
    const frames = framesBehind(EMPTY_LOG, 1, 4, 40, 2);
    await log.append(frames);
    const wrong: LogEnd[] = [
      log.end,
      { ...endOf(frames[1]!), checksum: 1 },
      { ...endOf(frames[1]!), index: 3 as Index },
      { ...log.end, index: 99 as Index },
    ];
    for (const end of wrong) expect((await reasonOf(log.truncate(end))).message).to.not.equal('it was done');
    await log.append(framesBehind(log.end, 1, 1));
    expect((await framesIn(log)).length).to.equal(5);
  });

  it('IsTheOldOneOrTheNewOneAfterACrashAtAnyCall', async () => {
    const { image, written } = await recordLog(12);
    for (const cutAt of [2, 5, 11]) {
      const end = endOf(written[cutAt - 1]!);
      const others = framesBehind(end, 6, 4);
      const versions = [
        written,
        ...[0, 1, 2, 3, 4].map((more) => [...written.slice(0, cutAt), ...others.slice(0, more)]),
      ];
      const crashes = await atEachCrash(
        image,
        async (files, tell) => {
          const { data } = await openReplica(files);
          await data.saveState({ ...data.state, logIndex: end.index });
          tell('lowered');
          await data.log!.truncate(end);
          tell('cut');
          for (const frame of others) {
            await data.log!.append([frame]);
            tell(String(frame.firstIndex));
          }
        },
        async ({ disk, known: told }) => {
          const { data } = await openReplica(disk.mount());
          const left = sameBytes(await framesIn(data.log!)).join();
          const version = versions.findIndex((frames) => sameBytes(frames).join() === left);
          const acknowledged = others.filter(({ firstIndex }) => told.has(String(firstIndex))).length;
          expect(version).to.be.at.least(told.has('cut') ? 1 + acknowledged : 0);
          const kept = [...disk.image()].filter(([file]) => /\/lost-5(-\d+)?\.log$/.test(file));
          const lost = Buffer.concat(written.slice(cutAt).map(bytesOf));
          if (version > 0) expect(kept.some(([, content]) => content.equals(lost))).to.equal(true);
          // It can be done again, and what it leads to is the same.
          if (version === 0) {
            await data.saveState({ ...data.state, logIndex: end.index });
            await data.log!.truncate(end);
            expect(data.log!.end).to.deep.equal(end);
          }
          await data.close();
          expect([...disk.image().keys()].some((file) => file.endsWith('lost.new'))).to.equal(false);
        },
      );
      expect(crashes.completeMoments).to.equal(crashes.moments);
      expect(crashes.states).to.be.greaterThan(50);
    }
  });

  it('StaysWholeWhenThereIsNoRoomToKeepWhatIsCut', async () => {
    const { image, written } = await recordLog(8);
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files);
    for (const part of ['lost', 'spare']) {
      const isMaking = ({ operation, file }: { operation: string; file: string }): boolean =>
        file.includes(part) && (operation === 'create' || operation === 'write' || operation === 'rename');
      failing.failWhile(isMaking, 'ENOSPC');
      expect((await reasonOf(data.log!.truncate(endOf(written[3]!)))).name).to.equal('DiskFull');
      expect(sameBytes(await framesIn(data.log!))).to.deep.equal(sameBytes(written));
    }
    failing.heal();
    await data.log!.truncate(endOf(written[3]!));
    expect(sameBytes(await framesIn(data.log!))).to.deep.equal(sameBytes(written.slice(0, 4)));
    await data.close();
  });

  it('IsStillRefusedWhereWhatItHoldsIsDamaged', async () => {
    const { image, written } = await recordLog(12);
    const disk = MemoryDisk.holding(image);
    const { data } = await openReplica(disk.mount());
    await data.saveState({ ...data.state, logIndex: 5 as Index });
    await data.log!.truncate(endOf(written[4]!));
    for (const frame of framesBehind(data.log!.end, 6, 8)) await data.log!.append([frame]);
    await data.close();
    const cut = disk.image();
    const expected = sameBytes([...written.slice(0, 5), ...framesBehind(endOf(written[4]!), 6, 8)]);
    const refused = new Map<string, number>();
    for (const file of segmentsOf(cut)) {
      for (let at = 0; at < 512; at += 3) {
        const damagedImage = changed(cut, file, (content) => {
          content[at] = content[at]! ^ 0x10;
          return content;
        });
        const opened = await openReplica(MemoryDisk.holding(damagedImage).mount()).catch(
          (error: unknown) => error as Error,
        );
        if (opened instanceof Error) {
          expect(opened.name).to.equal('StorageFault');
          refused.set(file, (refused.get(file) ?? 0) + 1);
          continue;
        }
        const left = sameBytes(await framesIn(opened.data.log!));
        // The last frame of all may be a torn one; nothing else is missing.
        expect(left.length).to.be.at.least(expected.length - 1);
        expect(left).to.deep.equal(expected.slice(0, left.length));
        await opened.data.close();
      }
    }
    // A segment in front of the cut, and the one behind it: most of their bytes matter.
    expect(refused.get(segmentsOf(cut)[0]!)).to.be.greaterThan(100);
    expect(refused.get(segmentsOf(cut).at(-2)!)).to.be.greaterThan(100);
    expect(contentOf((await openReplica(MemoryDisk.holding(cut).mount())).table).size).to.equal(2);
  });
});
