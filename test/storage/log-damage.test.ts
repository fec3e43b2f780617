import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import { writtenUpTo } from '../../src/storage/segment.js';
import { seededRandom, testSeed, withSeed } from '../random.js';
import {
  DB_PATH,
  changed,
  expectRefusal,
  expectStart,
  fill,
  flipped,
  framesOf,
  record,
  segmentPath,
  segmentsOf,
  startOn,
} from './images.js';
import type { Stop } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { imageOf, inScratch, layDown } from './scratch.js';
import { TestNode } from './test-node.js';
import type { Content, NodeOptions } from './test-node.js';
import { systemFiles } from '../../src/storage/files.js';

const SMALL = { segmentBytes: 2048 };

interface Recorded {
  readonly image: Image;
  readonly content: Content;
  readonly history: ReadonlyMap<number, Content>;
}

/** A node that ran once: segments full of frames, and no snapshot of use when it crashed. */
async function recordLog(stop: Stop, puts = 30, options: Partial<NodeOptions> = SMALL): Promise<Recorded> {
  let history = new Map<number, Content>();
  const image = await record(stop, async (node) => void (history = await fill(node, puts)), options);
  return { image, content: [...history.values()].at(-1)!, history };
}

function zeroedFrom(image: Image, file: string, at: number): Image {
  return changed(image, file, (content) => content.fill(0, at));
}

const keptFiles = (image: Image): string[] => [...image.keys()].filter((file) => file.includes('/torn-'));

describe('A log that was cut', () => {
  for (const stop of ['clean', 'crash'] as const) {
    it(`IsRefusedByNameAtEveryLengthAfterAStop: ${stop}`, async () => {
      const { image } = await recordLog(stop);
      const segments = segmentsOf(image);
      expect(segments.length).to.be.greaterThan(1);
      for (const file of segments) {
        for (let length = 0; length < SMALL.segmentBytes; length++) {
          const cut = changed(image, file, (content) => content.subarray(0, length));
          const fault = await expectRefusal(cut, file, SMALL);
          expect(fault.kind).to.equal('damaged');
          expect(fault.offset).to.equal(length < 128 ? 0 : length);
        }
      }
    });
  }

  it('IsRefusedOnTheRealDiskAtSomeLengths', async () => {
    const { image } = await recordLog('crash');
    await withSeed(testSeed(), (random) =>
      inScratch(async (directory) => {
        for (let round = 0; round < 40; round++) {
          const file = random.pick(segmentsOf(image));
          const length = random.below(SMALL.segmentBytes);
          await layDown(
            directory,
            changed(image, file, (content) => content.subarray(0, length)),
          );
          const dbPath = directory + DB_PATH;
          const fault = await TestNode.start({ ...SMALL, files: systemFiles, dbPath }).catch(
            (error: unknown) => error,
          );
          expect(fault).to.be.instanceOf(StorageFault);
          expect((fault as StorageFault).message).to.include(directory + file);
        }
      }),
    );
  });

  it('IsRefusedWhenASegmentGrew', async () => {
    const { image } = await recordLog('crash');
    for (const file of segmentsOf(image)) {
      await expectRefusal(
        changed(image, file, (content) => Buffer.concat([content, Buffer.alloc(1)])),
        file,
        SMALL,
      );
    }
  });
});

describe('A log whose tail is zeroed', () => {
  it('IsRefusedAfterACleanStopFromEveryOffset', async () => {
    const { image } = await recordLog('clean');
    const file = segmentsOf(image).at(-1)!;
    const written = writtenUpTo(image.get(file)!, 0);
    for (let at = 0; at < written; at++) await expectRefusal(zeroedFrom(image, file, at), file, SMALL);
    await expectStart(zeroedFrom(image, file, written), SMALL);
  });

  it('HasExactlyTheFramesBeforeTheCutAfterACrash', async () => {
    const { image, history } = await recordLog('crash');
    const file = segmentsOf(image).at(-1)!;
    const original = image.get(file)!;
    const frames = framesOf(original);
    const before = frames[0]!.lastIndex - 1;
    const written = writtenUpTo(original, 0);
    for (let at = 128; at <= written; at++) {
      const torn = zeroedFrom(image, file, at);
      const left = torn.get(file)!;
      const whole = frames.filter(({ start, end }) =>
        left.subarray(start, end).equals(original.subarray(start, end)),
      );
      const started = await expectStart(torn, SMALL);
      expect(started.content, `cut at ${String(at)}`).to.deep.equal(
        history.get(whole.at(-1)?.lastIndex ?? before),
      );
      const end = Math.ceil((whole.at(-1)?.end ?? 128) / 8) * 8;
      expectKept(started, file, end, left.subarray(end, writtenUpTo(left, end)));
    }
  });

  function expectKept(
    started: Awaited<ReturnType<typeof expectStart>>,
    file: string,
    offset: number,
    bytes: Buffer,
  ): void {
    const cuts = started.events.flatMap((event) => (event.kind === 'torn end cut' ? [event] : []));
    expect(cuts.length).to.equal(bytes.length === 0 ? 0 : 1);
    expect(keptFiles(started.image).length).to.equal(cuts.length);
    for (const cut of cuts) {
      expect(cut.file).to.equal(file);
      expect(cut.offset).to.equal(offset);
      expect(started.image.get(cut.keptAs)).to.deep.equal(Buffer.from(bytes));
    }
  }

  it('GoesOnInAFreshSegmentAndIsRightAfterASecondAndThirdCrash', async () => {
    const { image } = await recordLog('crash', 5);
    const file = segmentPath(1);
    const frames = framesOf(image.get(file)!);
    for (const { start, end } of frames) {
      for (const at of [start + 9, end - 10]) {
        let torn = zeroedFrom(image, file, at);
        // The entry that opens a term ends in zeros.
        if (torn.get(file)!.subarray(start, end).equals(image.get(file)!.subarray(start, end))) continue;
        // Three times the write that comes first after the start is torn, or nothing comes at all.
        for (const round of [2, 3, 4]) {
          const { content } = await expectStart(torn, SMALL);
          const again = await startOn(torn, SMALL, async (node) => {
            expect(await node.put('again', String(round))).to.equal(undefined);
          });
          if (again instanceof StorageFault) throw again;
          expect(segmentsOf(again.image).length).to.equal(round);
          const expected = new Map(content).set('again', String(round));
          expect((await expectStart(again.image, SMALL)).content).to.deep.equal(expected);
          const last = segmentsOf(again.image).at(-1)!;
          const placed = framesOf(again.image.get(last)!);
          torn = zeroedFrom(again.image, last, round === 3 ? placed[0]!.start + 30 : placed[1]!.end - 3);
        }
        await expectStart(torn, SMALL);
      }
    }
  });

  it('IsCutOnTheRealDiskAsWell', async () => {
    await inScratch(async (directory) => {
      const dbPath = `${directory}/kv-store.json`;
      const node = await TestNode.start({ files: systemFiles, dbPath, ...SMALL });
      const history = await fill(node, 4);
      const image = await imageOf(directory);
      await node.stop();
      const file = '/kv-store.json.d/segment-0000000001';
      for (const frame of framesOf(image.get(file)!).slice(1)) {
        await inScratch(async (place) => {
          await layDown(place, zeroedFrom(image, file, frame.end - 4));
          const options = { files: systemFiles, dbPath: `${place}/kv-store.json`, ...SMALL };
          for (const cuts of [1, 0, 0]) {
            const started = await TestNode.start(options);
            expect(started.content).to.deep.equal(history.get(frame.lastIndex - 1));
            expect(started.events.filter(({ kind }) => kind === 'torn end cut').length).to.equal(cuts);
            await started.abandon();
          }
        });
      }
    });
  });
});

describe('A log with a flipped byte', () => {
  it('IsDamageUnderAlwaysWhereALaterFrameHolds', async () => {
    const { image } = await recordLog('crash');
    const file = segmentsOf(image).at(-1)!;
    for (const { start } of framesOf(image.get(file)!).slice(0, -1)) {
      const fault = await expectRefusal(flipped(image, file, start + 40, 4), file, SMALL);
      expect(fault.offset).to.equal(start);
    }
  });

  for (const fsync of ['everysec', 'off'] as const) {
    it(`IsCutUnderAPolicyThatHadNotSyncedIt: ${fsync}`, async () => {
      const { image, history } = await recordLog('crash', 8, { fsync });
      const file = segmentPath(1);
      for (const { start, lastIndex } of framesOf(image.get(file)!)) {
        const { content, events } = await expectStart(flipped(image, file, start + 40, 4), { fsync });
        expect(content).to.deep.equal(history.get(lastIndex - 1) ?? new Map());
        expect(events.some(({ kind }) => kind === 'torn end cut')).to.equal(true);
      }
    });
  }

  it('IsDamageUnderEverysecOnceASyncIsProvenByALaterFrame', async () => {
    const fsync = 'everysec';
    const image = await record(
      'crash',
      async (node) => {
        await fill(node, 3);
        node.tick();
        await node.log.sync();
        await fill(node, 3);
      },
      { fsync },
    );
    const file = segmentPath(1);
    const frames = framesOf(image.get(file)!);
    for (const [at, { start, lastIndex }] of frames.entries()) {
      const flip = flipped(image, file, start + 40, 4);
      // The open entry and three puts were synced; the records behind them say so.
      if (lastIndex <= 4) await expectRefusal(flip, file, { fsync });
      else await expectStart(flip, { fsync });
      expect(at).to.be.lessThan(7);
    }
  });
});

describe('A tail of noise', () => {
  it('IsCutOrRefusedAndNeverRead', async () => {
    const { image, history } = await recordLog('crash', 6);
    const file = segmentPath(1);
    const frames = framesOf(image.get(file)!);
    const contents = [...history.values()].map((content) => JSON.stringify([...content]));
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 300; round++) {
        const at = random.pick(frames).start + random.below(60);
        const noise = seededRandom(round).bytes(random.below(600) + 1);
        const started = await startOn(
          changed(image, file, (content) => {
            noise.copy(content, at);
            return content;
          }),
          SMALL,
        );
        if (started instanceof StorageFault) continue;
        expect(contents).to.include(JSON.stringify([...started.content]));
      }
    });
  });

  it('LeavesTheDiskOfARefusedStartFreeForTheNext', async () => {
    const { image } = await recordLog('crash');
    const file = segmentsOf(image)[0]!;
    const disk = MemoryDisk.holding(flipped(image, file, 200, 1));
    const options = { files: disk.mount(), dbPath: DB_PATH, ...SMALL };
    for (let round = 0; round < 2; round++) {
      const fault = await TestNode.start(options).catch((error: unknown) => error);
      expect((fault as StorageFault).kind).to.equal('damaged');
    }
  });
});
