import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import { writtenUpTo } from '../../src/storage/segment.js';
import { seededRandom } from '../random.js';
import {
  DB_PATH,
  changed,
  expectRefusal,
  expectStart,
  fill,
  framesOf,
  record,
  segmentPath,
  segmentsOf,
  startOn,
} from './images.js';
import { FailingFiles } from './failing-files.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { TestNode } from './test-node.js';

const TINY = { segmentBytes: 512 };

describe('What a log proves about itself', () => {
  it('ARecordInThePlaceOfAnotherIsRefusedAtItsOffset', async () => {
    for (const stop of ['clean', 'crash'] as const) {
      const image = await record(stop, (node) => fill(node, 7));
      const file = segmentPath(1);
      const frames = framesOf(image.get(file)!);
      for (const [from, source] of frames.entries()) {
        for (const [to, target] of frames.entries()) {
          if (from === to || source.end - source.start !== target.end - target.start) continue;
          const moved = changed(image, file, (content) => {
            content.copy(content, target.start, source.start, source.end);
            return content;
          });
          expect((await expectRefusal(moved, file)).offset).to.equal(target.start);
        }
      }
    }
  });

  it('ASegmentThatIsMissedInTheMiddleIsNamed', async () => {
    const image = await record('crash', (node) => fill(node, 12), TINY);
    const segments = segmentsOf(image);
    expect(segments.length).to.be.greaterThan(3);
    for (const file of segments.slice(1, -1)) {
      const name = file.split('/').at(-1)!;
      const without = changed(image, file, () => undefined);
      const fault = await expectRefusal(without, segments[segments.indexOf(file) + 1]!, TINY);
      expect(fault.message).to.include(`${name}, is missing`);
    }
  });

  it('AnythingInTheMarkBehindTheEndOfACleanStopIsRefused', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    const file = segmentPath(1);
    const end = Math.ceil(writtenUpTo(image.get(file)!, 0) / 8) * 8;
    for (const at of [end, end + 1, end + 23]) {
      const fault = await expectRefusal(
        changed(image, file, (content) => content.fill(1, at, at + 1)),
        file,
      );
      expect(fault.offset).to.equal(end);
    }
  });

  it('ACopyThatWentItsOwnWayIsRefusedWhereItsFilesAreMixed', async () => {
    const common = await record('clean', (node) => fill(node, 3));
    const goOn = async (value: string): Promise<Image> => {
      const disk = MemoryDisk.holding(common);
      const node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH });
      await node.put('own', value);
      await node.stop();
      return disk.image();
    };
    const [one, other] = [await goOn('one'), await goOn('two')];
    const fault = await expectRefusal(
      changed(one, DB_PATH, () => other.get(DB_PATH)),
      segmentPath(1),
    );
    expect(fault.message).to.include('disagrees with the snapshot');
  });

  it('WhatAStartKeptIsDurableBeforeTheNodeCountsOnIt', async () => {
    for (const fsync of ['off', 'everysec'] as const) {
      for (let seed = 0; seed < 20; seed++) {
        const disk = MemoryDisk.holding(new Map([['/data/other', Buffer.alloc(0)]]));
        const options = { dbPath: DB_PATH, fsync, random: seededRandom(seed) };
        const first = await TestNode.start({ ...options, files: disk.mount() });
        await fill(first, 6);
        disk.endProcess();
        const second = await TestNode.start({ ...options, files: disk.mount() });
        expect(second.content).to.deep.equal(first.content);
        disk.cutPower(seededRandom(seed));
        const third = await TestNode.start({ ...options, files: disk.mount() });
        expect(third.content).to.deep.equal(first.content);
        await third.stop();
      }
    }
  });

  it('ATornEndIsCutRightWhereverAStartFailedOrDiedBefore', async () => {
    const image = await record('crash', (node) => fill(node, 5));
    const file = segmentPath(1);
    const last = framesOf(image.get(file)!).at(-1)!;
    const torn = changed(image, file, (content) => content.fill(0, last.end - 5));
    // What the JSON file holds cannot be read either: both are made good in one start.
    const both = new Map(torn).set(DB_PATH, Buffer.from('{"format":"kv-snapshot"'));
    const { content } = await expectStart(torn);
    for (const [how, before] of [
      ['EIO', torn],
      ['ENOSPC', torn],
      ['dies', torn],
      ['dies', both],
    ] as const) {
      for (let call = 1, isReached = true; isReached; call++) {
        const disk = MemoryDisk.holding(before);
        const failing = new FailingFiles(disk.mount());
        if (how === 'dies') failing.dieAt(call);
        else failing.failOnce(call, how);
        const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH }).catch(() => undefined);
        isReached = failing.calls.length >= call;
        await node?.abandon().catch(() => undefined);
        disk.endProcess();
        const started = await expectStart(disk.image());
        expect(started.content, `${how} at call ${String(call)}`).to.deep.equal(content);
        const kept = [...started.image.keys()].filter((name) => name.includes('/torn-segment-0000000001-'));
        expect(kept.length).to.equal(1);
      }
    }
  });

  it('IsReadWithLeftoversOfEveryKindBesideIt', async () => {
    const leftovers = [
      'spare',
      'spare-large',
      'snapshot.new',
      'snapshot.new.binary',
      'previous.json.new',
      'imported.json.new',
      'node.json.2837465',
      'torn-segment-0000000001-128.99',
    ];
    const kept = [
      'notes.txt',
      'node.json.old',
      'torn-segment-0000000001-128',
      'damaged-4.json',
      'imported.json',
    ];
    const place = (name: string): string => `${DB_PATH}.d/${name}`;
    for (const stop of ['clean', 'crash'] as const) {
      let content: TestNode['content'] = new Map();
      const image = await record(stop, async (node) => {
        await fill(node, 4);
        content = node.content;
      });
      for (const name of [...leftovers, ...kept]) image.set(place(name), Buffer.from('left'));
      const started = await startOn(image, TINY, (node) => fill(node, 8));
      if (started instanceof StorageFault) throw started;
      expect(started.content).to.deep.equal(content);
      for (const name of leftovers) {
        expect(started.image.get(place(name))?.toString(), name).to.not.equal('left');
      }
      for (const name of kept) expect(started.image.get(place(name))?.toString(), name).to.equal('left');
      await expectStart(started.image, TINY);
    }
  });
});
