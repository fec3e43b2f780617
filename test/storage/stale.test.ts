import { expect } from 'chai';
import type { FsyncPolicy, Index } from '../../src/engine.js';
import { EMPTY_LOG, endOf as endOfLog } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { StorageFault } from '../../src/storage/fault.js';
import { END_MARK_BYTES, RECORD_HEAD_BYTES } from '../../src/storage/segment.js';
import { seededRandom } from '../random.js';
import {
  DB_PATH,
  changed,
  expectRefusal,
  expectStart,
  flipped,
  framesOf,
  segmentsOf,
  startOn,
} from './images.js';
import type { Started, Stop } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { bytesOf, emptyDisk, framesBehind, framesIn, openReplica, writeSnapshot } from './replica.js';
import { TestNode } from './test-node.js';
import type { Content } from './test-node.js';
import { applyFrame } from './writer.js';

const SEGMENT_BYTES = 2048;
const SECTOR_BYTES = 512;
const OPTIONS = { segmentBytes: SEGMENT_BYTES };

/** A disk on which the last segment holds records, their mark, and behind it what an earlier life left. */
interface Recycled {
  readonly file: string;
  readonly before: { readonly image: Image; readonly content: Content };
  /** After one more write. */
  readonly after: { readonly image: Image; readonly content: Content };
}

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/**
 * Fills segments, lets go of them, and writes into the files again: four records, then `last`, whose image before and
 * after it is the answer.
 */
async function recordRecycled(
  stop: Stop = 'crash',
  last: (node: TestNode, image: Image) => Promise<unknown> = (node) => put(node, 60, '\xfe'),
  fsync: FsyncPolicy = 'always',
): Promise<Recycled> {
  const disk = MemoryDisk.holding(new Map([['/data/other', Buffer.alloc(0)]]));
  const options = { ...OPTIONS, files: disk.mount(), dbPath: DB_PATH, random: seededRandom(7), fsync };
  const node = await TestNode.start(options);
  for (let count = 0; count < 60; count++) await put(node, 40);
  await node.snapshot();
  await put(node, 40);
  await node.snapshot();
  const begun = segmentsOf(disk.image()).at(-1);
  while (segmentsOf(disk.image()).at(-1) === begun) await put(node, 40);
  const file = segmentsOf(disk.image()).at(-1)!;
  for (let count = 0; count < 3; count++) await put(node, 40);
  const before = { image: disk.image(), content: node.content };
  await last(node, before.image);
  if (stop === 'clean') await node.stop();
  else await node.abandon();
  const after = { image: disk.image(), content: node.content };
  expect(segmentsOf(after.image).at(-1)).to.equal(file);
  const end = endOf(before.image, file);
  const mark = before.image.get(file)!.subarray(end, end + END_MARK_BYTES);
  expect(mark.equals(Buffer.alloc(END_MARK_BYTES))).to.equal(true);
  expect(staleBytes(before.image, file)).to.be.greaterThan(400);
  return { file, before, after };
}

async function put(node: TestNode, bytes: number, fill = '\xff'): Promise<void> {
  const { index } = node.log.end;
  expect(await node.put(`key-${String(index % 11)}`, `${String(index)} `.padEnd(bytes, fill))).to.equal(
    undefined,
  );
}

/** Where the records of a segment end. */
function endOf(image: Image, file: string): number {
  return padded(framesOf(image.get(file)!).at(-1)!.end);
}

function staleBytes(image: Image, file: string): number {
  const behind = image.get(file)!.subarray(endOf(image, file) + END_MARK_BYTES);
  return behind.filter((byte) => byte !== 0).length;
}

/** A disk on which only some of the bytes of the last write arrived. */
function partly({ file, before, after }: Recycled, isThere: (at: number) => boolean): Image {
  const old = before.image.get(file)!;
  return changed(after.image, file, (content) =>
    Buffer.from(content.map((byte, at) => (isThere(at) ? byte : old[at]!))),
  );
}

const cutsOf = ({ events }: Started): number => events.filter(({ kind }) => kind === 'torn end cut').length;

/** Starts, and has the node write on over what was left, and start again. */
async function expectUsable(image: Image, content: Content): Promise<Started> {
  const started = await startOn(image, OPTIONS, async (node) => {
    for (let count = 0; count < 3; count++) await put(node, 37);
  });
  if (started instanceof StorageFault) throw started;
  expect(started.content).to.deep.equal(content);
  const again = await expectStart(started.image, OPTIONS);
  for (const key of content.keys()) expect(again.content.has(key)).to.equal(true);
  expect(cutsOf(again)).to.equal(0);
  return started;
}

describe('What stands behind the end of a segment that was recycled', () => {
  for (const stop of ['clean', 'crash'] as const) {
    it(`StaleRecordsBehindTheEndAreNotTakenForTornAfterAStop: ${stop}`, async () => {
      const { file, after } = await recordRecycled(stop);
      expect(staleBytes(after.image, file)).to.be.greaterThan(200);
      const started = await expectUsable(after.image, after.content);
      expect(cutsOf(started)).to.equal(0);
      // It goes on where it was.
      expect(segmentsOf(started.image).at(-1)).to.equal(file);
    });

    it(`MayBeAnythingAfterAStop: ${stop}`, async () => {
      const { file, after } = await recordRecycled(stop);
      const from = endOf(after.image, file) + END_MARK_BYTES;
      for (let seed = 0; seed < 20; seed++) {
        const noisy = changed(after.image, file, (content) => {
          seededRandom(seed)
            .bytes(content.length - from)
            .copy(content, from);
          return content;
        });
        expect(cutsOf(await expectUsable(noisy, after.content))).to.equal(0);
      }
    });
  }

  it('IsRefusedWhereTheMarkIsDamagedAfterACleanStop', async () => {
    const { file, after } = await recordRecycled('clean');
    const end = endOf(after.image, file);
    for (let at = end; at < end + END_MARK_BYTES; at++) {
      expect((await expectRefusal(flipped(after.image, file, at, 0x10), file, OPTIONS)).offset).to.equal(end);
    }
  });

  it('IsCutWhereTheMarkIsDamagedAfterACrashAndNothingIsLost', async () => {
    const { file, after } = await recordRecycled();
    const end = endOf(after.image, file);
    for (let at = end; at < end + END_MARK_BYTES; at++) {
      expect(cutsOf(await expectUsable(flipped(after.image, file, at, 0x10), after.content))).to.equal(1);
    }
  });

  it('ProvesDamageBeforeTheEndAsEver', async () => {
    for (const stop of ['clean', 'crash'] as const) {
      const { file, after } = await recordRecycled(stop);
      for (const { start } of framesOf(after.image.get(file)!).slice(0, -1)) {
        for (const at of [start, start + 5, start + 17, start + 40]) {
          const fault = await expectRefusal(flipped(after.image, file, at, 1), file, OPTIONS);
          expect(fault.offset).to.equal(start);
        }
        // Not even zeros in the place of a head hide it.
        const zeroed = changed(after.image, file, (content) =>
          content.fill(0, start, start + RECORD_HEAD_BYTES),
        );
        expect((await expectRefusal(zeroed, file, OPTIONS)).offset).to.equal(start);
      }
    }
  });
});

describe('A write into a recycled segment that a power cut interrupts', () => {
  it('IsCutAtEveryByteUpToWhichItArrived', async () => {
    const recycled = await recordRecycled();
    const { file, before, after } = recycled;
    const [from, end] = [endOf(before.image, file), endOf(after.image, file)];
    const recordEnd = framesOf(after.image.get(file)!).at(-1)!.end;
    for (let length = from; length <= end + END_MARK_BYTES; length++) {
      const left = partly(recycled, (at) => at < length);
      const started = await expectUsable(left, length < recordEnd ? before.content : after.content);
      const isSame = left.get(file)!.equals(before.image.get(file)!);
      const isWhole = left.get(file)!.equals(after.image.get(file)!);
      if (isSame || isWhole) expect(cutsOf(started)).to.equal(0);
      for (const event of started.events) {
        if (event.kind !== 'torn end cut') continue;
        expect(event.offset).to.equal(length < recordEnd ? from : end);
        const kept = left.get(file)!.subarray(event.offset, length);
        expect(started.image.get(event.keptAs)!.subarray(0, kept.length).equals(kept)).to.equal(true);
      }
      if (length > from + 8 && length < recordEnd) expect(cutsOf(started)).to.equal(1);
    }
  });

  it('LosesNothingWhicheverOfItsSectorsArrived', async () => {
    const outcomes = new Set<string>();
    // Its beginning stands at another distance from a sector's each time.
    for (const bytes of [1, 9, 25, 60, 300, 700, 900]) {
      const recycled = await recordRecycled('crash', async (node) => {
        for (let count = 0; count < 2; count++) await put(node, bytes % 50);
        await put(node, bytes);
      });
      // Of the three writes only the last is interrupted.
      const frames = framesOf(recycled.after.image.get(recycled.file)!);
      const from = frames.at(-1)!.start;
      const sectors = SEGMENT_BYTES / SECTOR_BYTES;
      for (let pattern = 0; pattern < 2 ** sectors; pattern++) {
        const left = partly(
          recycled,
          (at) => at < from || ((pattern >> Math.floor(at / SECTOR_BYTES)) & 1) === 1,
        );
        // The mark of the write before is durable.
        const withMark = changed(left, recycled.file, (content) => {
          for (let at = from; at < from + END_MARK_BYTES; at++) {
            if (((pattern >> Math.floor(at / SECTOR_BYTES)) & 1) === 0) content[at] = 0;
          }
          return content;
        });
        const started = await startOn(withMark, OPTIONS, (node) => put(node, 37));
        if (started instanceof StorageFault) throw started;
        const isWhole = JSON.stringify([...started.content]) === JSON.stringify([...recycled.after.content]);
        outcomes.add(`${isWhole ? 'whole' : 'lost'}, ${String(cutsOf(started))} cut`);
        expect((await expectStart(started.image, OPTIONS)).content.size).to.equal(started.content.size);
      }
    }
    expect([...outcomes].sort()).to.deep.equal([
      'lost, 0 cut',
      'lost, 1 cut',
      'whole, 0 cut',
      'whole, 1 cut',
    ]);
  });
});

describe('The last records of a segment', () => {
  /** Fills a recycled segment so that so many bytes are left of it. */
  async function recordFull(stop: Stop, room: number): Promise<Recycled> {
    return recordRecycled(stop, async (node, image) => {
      const left = SEGMENT_BYTES - endOf(image, segmentsOf(image).at(-1)!) - room;
      // Head, frame, entry, key: what a record takes beside its value.
      const { length } = `key-${String(node.log.end.index % 11)}`;
      await put(node, left - (RECORD_HEAD_BYTES + 32 + 13 + length), '\xfe');
    });
  }

  for (const room of [0, 8, 16, 24, 32, 48]) {
    it(`NeedNoMarkWhereThereIsNoRoomForOne: ${String(room)} bytes left`, async () => {
      for (const stop of ['clean', 'crash'] as const) {
        const { file, after } = await recordFull(stop, room);
        expect(SEGMENT_BYTES - endOf(after.image, file)).to.equal(room);
        const started = await expectUsable(after.image, after.content);
        expect(cutsOf(started)).to.equal(0);
        if (room >= END_MARK_BYTES) continue;
        const noisy = changed(after.image, file, (content) => content.fill(0x55, SEGMENT_BYTES - room));
        expect(cutsOf(await expectUsable(noisy, after.content))).to.equal(0);
      }
    });
  }

  it('AreCutWhereTheyAreTornAtTheVeryEnd', async () => {
    for (const room of [0, 8, 24]) {
      const recycled = await recordFull('crash', room);
      const { end } = framesOf(recycled.after.image.get(recycled.file)!).at(-1)!;
      for (let length = end - 40; length < end; length += 3) {
        const started = await expectUsable(
          partly(recycled, (at) => at < length),
          recycled.before.content,
        );
        expect(cutsOf(started)).to.equal(1);
      }
    }
  });
});

describe('Several records that were written since the last sync', () => {
  const SECTORS = SEGMENT_BYTES / SECTOR_BYTES;

  /** Frames behind four that are durable, in a segment with stale records or with zeros. */
  async function recordGroup(
    fsync: FsyncPolicy,
    isRecycled: boolean,
  ): Promise<{ file: string; before: Image; after: Image; durable: number; written: Frame[] }> {
    const disk = emptyDisk();
    const replica = await openReplica(disk.mount(), { ...OPTIONS, fsync });
    const { data, table } = replica;
    const log = data.log!;
    let durable = framesBehind(EMPTY_LOG, 5, isRecycled ? 60 : 2);
    for (const frame of durable) await log.append([frame]);
    if (isRecycled) {
      for (const frame of durable) applyFrame(table, frame);
      await log.sync();
      await data.saveState({ ...data.state, commit: 60 as Index, logIndex: 60 as Index });
      for (const at of [58, 59]) await writeSnapshot(replica, endOfLog(durable[at]!));
      await log.removeUpTo(data.snapshots.previousIndex);
      const begun = segmentsOf(disk.image()).at(-1);
      while (segmentsOf(disk.image()).at(-1) === begun) {
        durable = framesBehind(log.end, 5, 1);
        await log.append(durable);
      }
    }
    await log.sync();
    const before = disk.image();
    const file = segmentsOf(before).at(-1)!;
    const written = framesBehind(log.end, 6, 7, 150);
    if (fsync === 'always') await log.append(written);
    else for (const frame of written) await log.append([frame]);
    await data.close();
    const after = disk.image();
    expect(segmentsOf(after).at(-1)).to.equal(file);
    return { file, before, after, durable: written[0]!.firstIndex - 1, written };
  }

  for (const fsync of ['always', 'everysec', 'off'] as const) {
    for (const isRecycled of [false, true]) {
      const where = isRecycled ? 'a recycled segment' : 'a new segment';
      it(`AreKeptUpToTheFirstThatIsLost: ${fsync}, ${where}`, async () => {
        const { file, before, after, durable, written } = await recordGroup(fsync, isRecycled);
        let cuts = 0;
        for (let pattern = 0; pattern < 2 ** SECTORS; pattern++) {
          const old = before.get(file)!;
          const left = changed(after, file, (content) =>
            Buffer.from(
              content.map((byte, at) => ((pattern >> Math.floor(at / SECTOR_BYTES)) & 1 ? byte : old[at]!)),
            ),
          );
          const disk = MemoryDisk.holding(left);
          const found = await openReplica(disk.mount(), { ...OPTIONS, fsync });
          const kept = found.data.log!.end.index - durable;
          expect(kept).to.be.within(0, written.length);
          const read = await framesIn(found.data.log!, durable);
          expect(read.map(hex)).to.deep.equal(written.slice(0, kept).map(hex));
          cuts += found.events.filter(({ kind }) => kind === 'torn end cut').length;
          // What is written now is what is there later, whatever was left behind it.
          const others = framesBehind(found.data.log!.end, 7, 3, 150);
          await found.data.log!.append(others);
          await found.data.log!.sync();
          await found.data.close();
          const again = await openReplica(disk.mount(), { ...OPTIONS, fsync });
          expect((await framesIn(again.data.log!, durable + kept)).map(hex)).to.deep.equal(others.map(hex));
          expect(again.events.some(({ kind }) => kind === 'torn end cut')).to.equal(false);
          await again.data.close();
        }
        // Where a record follows that holds, it is kept aside, also behind zeros.
        expect(cuts).to.be.greaterThan(3);
      });
    }
  }

  it('AreCutWhereZerosHideTheFirstAndALaterOneHolds', async () => {
    const { file, before, after, durable } = await recordGroup('always', false);
    const from = padded(framesOf(before.get(file)!).at(-1)!.end);
    const next = framesOf(after.get(file)!).find(({ start }) => start > from)!;
    const left = changed(after, file, (content) => content.fill(0, from, next.start));
    const disk = MemoryDisk.holding(left);
    const found = await openReplica(disk.mount(), OPTIONS);
    expect(found.data.log!.end.index).to.equal(durable);
    const cut = found.events.find((event) => event.kind === 'torn end cut');
    expect(cut?.offset).to.equal(from);
    // In the segment itself its records would seem to follow what comes in their place.
    const others = framesBehind(found.data.log!.end, 7, 1, 150);
    await found.data.log!.append(others);
    expect(segmentsOf(disk.image()).length).to.equal(2);
    await found.data.close();
  });

  const hex = (frame: Frame): string => bytesOf(frame).toString('hex');
});
