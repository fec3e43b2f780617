import { expect } from 'chai';
import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { SPARES_MIN } from '../../src/storage/blank-segments.js';
import type { Files } from '../../src/storage/files.js';
import { SegmentLog } from '../../src/storage/segment-log.js';
import { seededRandom } from '../random.js';
import { aroundFiles } from './around-files.js';
import { atEachCrash } from './crashes.js';
import { FailingFiles } from './failing-files.js';
import { segmentsOf } from './images.js';
import {
  bytesOf,
  emptyDisk,
  framesBehind,
  framesIn,
  openReplica,
  reasonOf,
  writeSnapshot,
} from './replica.js';
import { applyFrame } from './writer.js';

const SEGMENT_BYTES = 512;

async function makeLog(files: Files): Promise<SegmentLog> {
  const identity = 'ab'.repeat(16) as never;
  const random = seededRandom(1);
  const options = { files, directory: '/data', cluster: identity, node: identity, fsync: 'always' as const };
  const segmentBytes = SEGMENT_BYTES;
  return SegmentLog.create({ ...options, segmentBytes, random: () => random.next() }, EMPTY_LOG);
}

/** Appends frames until the log has begun so many segments. */
async function fillSegments(log: SegmentLog, files: Files, count: number): Promise<Frame[]> {
  const written: Frame[] = [];
  for (let begun = 0; begun < count;) {
    const frames = framesBehind(log.end, 1, 1);
    await log.append(frames);
    written.push(...frames);
    begun = (await segmentNames(files)).length;
  }
  return written;
}

async function segmentNames(files: Files): Promise<string[]> {
  return ((await files.list('/data')) ?? []).filter((name) => name.startsWith('segment-'));
}

async function spareNames(files: Files): Promise<string[]> {
  return ((await files.list('/data')) ?? []).filter((name) => name.startsWith('spare-'));
}

const sameBytes = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => bytesOf(frame).toString('hex'));

/** Lets what goes on beside the test come to its end. */
async function rest(): Promise<void> {
  for (let turns = 0; turns < 200; turns++) await Promise.resolve();
}

describe('Segments that the log lets go of', () => {
  it('AreWrittenToAgainWithoutBeingFilledAnew', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files);
    await fillSegments(log, failing.files, 4);
    await rest();
    await log.removeUpTo(log.end.index);
    expect((await segmentNames(failing.files)).length).to.equal(1);
    const kept = log.end.index;
    const before = failing.calls.length;
    const written = await fillSegments(log, failing.files, 4);
    const operations = failing.calls.slice(before).map(({ operation }) => operation);
    expect(operations).to.not.include('create');
    expect(operations).to.not.include('write');
    expect(sameBytes(await framesIn(log, kept))).to.deep.equal(sameBytes(written));
  });

  // A new one is there before any is let go of.
  for (const letGo of [SPARES_MIN - 2, SPARES_MIN - 1, SPARES_MIN]) {
    it(`AreKeptUpToTheBoundAndRemovedPastIt: ${String(letGo)}`, async () => {
      const failing = new FailingFiles(emptyDisk().mount());
      const log = await makeLog(failing.files);
      await fillSegments(log, failing.files, letGo + 1);
      await rest();
      const [fresh, ...more] = await spareNames(failing.files);
      expect([typeof fresh, more.length]).to.deep.equal(['string', 0]);
      await log.removeUpTo(log.end.index);
      const recycled = Math.min(letGo, SPARES_MIN - 1);
      expect((await spareNames(failing.files)).length).to.equal(1 + recycled);
      expect(failing.calls.filter(({ operation }) => operation === 'remove').length).to.equal(
        letGo - recycled,
      );
      expect((await segmentNames(failing.files)).length).to.equal(1);
    });
  }

  for (const staying of [SPARES_MIN, SPARES_MIN + 1, 9]) {
    it(`AreKeptUpToAsManyAsStay: ${String(staying)}`, async () => {
      const failing = new FailingFiles(emptyDisk().mount());
      const log = await makeLog(failing.files);
      let upTo = log.end.index;
      for (let begun = 1; begun < 20; begun = (await segmentNames(failing.files)).length) {
        await log.append(framesBehind(log.end, 1, 1));
        if (begun === 20 - staying) upTo = log.end.index;
      }
      await rest();
      await log.removeUpTo(upTo);
      const segments = (await segmentNames(failing.files)).length;
      expect(segments).to.be.within(staying, staying + 1);
      expect((await spareNames(failing.files)).length).to.equal(segments);
      // All but one make room for something else, and are made anew when they are needed.
      await log.giveUpSpares();
      expect((await spareNames(failing.files)).length).to.equal(1);
      const end = log.end.index;
      const written = await fillSegments(log, failing.files, segments + 3);
      expect(sameBytes(await framesIn(log, end))).to.deep.equal(sameBytes(written));
    });
  }

  it('OfAnotherSizeAreRemoved', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files);
    await log.append(framesBehind(log.end, 1, 3, 1000));
    await rest();
    await log.removeUpTo(log.end.index);
    // The first segment had the usual size, and the spare is a new one.
    expect((await spareNames(failing.files)).length).to.equal(2);
    expect(failing.calls.filter(({ operation }) => operation === 'remove').length).to.equal(2);
  });

  it('AreLetGoOfLaterWhenTheirNameCouldNotBeTakenFromThem', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files);
    const written = await fillSegments(log, failing.files, 3);
    failing.failWhile(({ operation, file }) => operation === 'rename' && file.includes('segment-'), 'EIO');
    expect((await reasonOf(log.removeUpTo(log.end.index))).message).to.include('EIO');
    failing.heal();
    expect(sameBytes(await framesIn(log))).to.deep.equal(sameBytes(written));
    await log.removeUpTo(log.end.index);
    expect((await segmentNames(failing.files)).length).to.equal(1);
    await log.append(framesBehind(log.end, 1, 10));
  });

  it('EndTheLogWhenTheLossOfTheirNameCannotBeMadeDurable', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const log = await makeLog(failing.files);
    await fillSegments(log, failing.files, 3);
    failing.failWhile(({ operation }) => operation === 'syncDirectory', 'EIO');
    expect((await reasonOf(log.removeUpTo(log.end.index))).message).to.include('EIO');
    failing.heal();
    expect((await reasonOf(log.append(framesBehind(log.end, 1, 1)))).message).to.include('EIO');
  });

  it('AreNotReadByWhoLooksForTheirEarlierContent', async () => {
    for (let held = 1; held <= 4; held++) {
      let calls = 0;
      let isHolding = false;
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const files = aroundFiles(emptyDisk().mount(), async (call, run) => {
        const isReading = call.operation === 'open' || call.operation === 'size' || call.operation === 'read';
        if (isHolding && isReading && ++calls === held) await released;
        return run();
      });
      const log = await makeLog(files);
      const written = await fillSegments(log, files, 3);
      isHolding = true;
      const reading = log.read(0 as Index, 10_000);
      for (let turns = 0; calls < held && turns < 100; turns++) await Promise.resolve();
      isHolding = false;
      await log.removeUpTo(log.end.index);
      const kept = log.end.index;
      const anew = await fillSegments(log, files, 4);
      release();
      const read = await reading;
      // What it had read before is what it was.
      if (read !== 'trimmed') expect(sameBytes(read)).to.deep.equal(sameBytes(written.slice(0, read.length)));
      expect(sameBytes(await framesIn(log, kept))).to.deep.equal(sameBytes(anew));
    }
  });

  it('LoseNothingInACrashAtAnyCall', async () => {
    const disk = emptyDisk();
    const replica = await openReplica(disk.mount());
    const { data, table } = replica;
    const first = framesBehind(EMPTY_LOG, 5, 20);
    for (const frame of first) {
      await data.log!.append([frame]);
      applyFrame(table, frame);
    }
    for (const at of [12, 19]) {
      await data.saveState({ ...data.state, commit: 20 as Index, logIndex: data.log!.end.index });
      await writeSnapshot(replica, endOf(first[at]!));
    }
    await data.close();
    const image = disk.image();
    expect(segmentsOf(image).length).to.be.greaterThan(4);
    const more = framesBehind(endOf(first.at(-1)!), 6, 8);
    const crashes = await atEachCrash(
      image,
      async (files, tell) => {
        const again = await openReplica(files);
        const log = again.data.log!;
        await log.removeUpTo(again.data.snapshots.previousIndex);
        for (const frame of more) {
          const isDone = frame.firstIndex % 2 === 0 && log.appendNow([frame]);
          if (!isDone) await log.append([frame]);
          tell(String(frame.firstIndex));
        }
        await again.data.close();
      },
      async ({ disk: left, known }) => {
        const { data: found } = await openReplica(left.mount());
        const acknowledged = more.filter(({ firstIndex }) => known.has(String(firstIndex))).length;
        const read = await framesIn(found.log!, found.snapshots.previousIndex);
        const expected = [...first, ...more].slice(found.snapshots.previousIndex);
        expect(read.length).to.be.at.least(20 - found.snapshots.previousIndex + acknowledged);
        expect(sameBytes(read)).to.deep.equal(sameBytes(expected.slice(0, read.length)));
        // What a start finds of spares, it removes: one of them may be a segment as well.
        const { end } = found.log!;
        const last = framesBehind(end, 7, 7);
        for (const frame of last) await found.log!.append([frame]);
        await found.close();
        const { data: again } = await openReplica(left.mount());
        expect(sameBytes(await framesIn(again.log!, end.index))).to.deep.equal(sameBytes(last));
        await again.close();
      },
    );
    expect(crashes.states).to.be.greaterThan(50);
  });
});
