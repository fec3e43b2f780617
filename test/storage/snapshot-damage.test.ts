import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import {
  DB_PATH,
  NODE_PATH,
  PREVIOUS_PATH,
  changed,
  expectRefusal,
  expectStart,
  fill,
  record,
  segmentPath,
  segmentsOf,
  startOn,
} from './images.js';
import type { Stop } from './images.js';
import { FailingFiles } from './failing-files.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { TestNode } from './test-node.js';
import type { Content } from './test-node.js';

const SMALL = { segmentBytes: 2048 };
/** Three frames or so. */
const TINY = { segmentBytes: 512 };

/** A node with two snapshots and a log that goes on behind them, some of its pairs binary. */
async function recordSnapshots(
  stop: Stop,
  snapshots = 2,
  options = SMALL,
): Promise<{ image: Image; content: Content }> {
  let content: Content = new Map();
  const image = await record(
    stop,
    async (node) => {
      for (let count = 0; count < snapshots; count++) {
        await fill(node, 6);
        await node.put('\xc3\xa4 umlaut', 'text \xe2\x82\xac');
        await node.snapshot();
      }
      await fill(node, 6);
      content = node.content;
    },
    options,
  );
  return { image, content };
}

function text(content: string): () => Buffer {
  return () => Buffer.from(content);
}

const remove = (): undefined => undefined;

describe('A snapshot that was cut', () => {
  for (const stop of ['clean', 'crash'] as const) {
    it(`IsMadeGoodAtEveryLength: ${stop}`, async () => {
      const { image, content } = await recordSnapshots(stop);
      const size = image.get(DB_PATH)!.length;
      for (let length = 0; length < size; length++) {
        const cut = changed(image, DB_PATH, (bytes) => bytes.subarray(0, length));
        const started = await expectStart(cut, SMALL);
        expect(started.content, String(length)).to.deep.equal(content);
        const kept = [...started.image].filter(([file]) => file.includes('/damaged-'));
        expect(kept.map(([, bytes]) => bytes)).to.deep.equal([cut.get(DB_PATH)]);
        expect(started.events[0]?.kind).to.equal('snapshot made good');
      }
    });
  }

  it('IsRefusedByNameWhereThePreviousOneIsCutAsWell', async () => {
    // After so many snapshots the log does not reach back to its beginning.
    const { image } = await recordSnapshots('crash', 8);
    const size = image.get(PREVIOUS_PATH)!.length;
    for (let length = 0; length < size; length += 7) {
      const cut = (bytes: Buffer): Buffer => bytes.subarray(0, length);
      const both = changed(changed(image, DB_PATH, cut), PREVIOUS_PATH, cut);
      await expectRefusal(both, DB_PATH, SMALL);
    }
  });

  it('IsMadeGoodFromTheLogAloneWhileThatReachesBack', async () => {
    const { image, content } = await recordSnapshots('crash', 1);
    expect(image.has(PREVIOUS_PATH)).to.equal(false);
    const size = image.get(DB_PATH)!.length;
    for (let length = 0; length < size; length++) {
      const cut = changed(image, DB_PATH, (bytes) => bytes.subarray(0, length));
      expect((await expectStart(cut, SMALL)).content).to.deep.equal(content);
    }
  });

  it('IsMadeGoodFromTheLogAloneAlsoWhereThePreviousOneIsDamaged', async () => {
    const roomy = { segmentBytes: 64 * 1024 };
    const { image, content } = await recordSnapshots('crash', 2, roomy);
    expect(image.has(PREVIOUS_PATH)).to.equal(true);
    const cut = (bytes: Buffer): Buffer => bytes.subarray(0, 100);
    const both = changed(changed(image, DB_PATH, cut), PREVIOUS_PATH, cut);
    expect((await expectStart(both, roomy)).content).to.deep.equal(content);
  });

  it('IsMadeGoodAndWrittenAnewAtTheNextStop', async () => {
    const { image, content } = await recordSnapshots('clean');
    const started = await startOn(
      changed(image, DB_PATH, (bytes) => bytes.subarray(0, 100)),
      SMALL,
      async (node) => {
        await node.snapshot();
        await node.put('more', '1');
        await node.snapshot();
      },
    );
    if (started instanceof StorageFault) throw started;
    const expected = new Map(content).set('more', '1');
    for (const file of [DB_PATH, PREVIOUS_PATH]) {
      const again = changed(started.image, file, (bytes) => bytes.subarray(0, 50));
      expect((await expectStart(again, SMALL)).content).to.deep.equal(expected);
    }
  });

  it('IsNotReplacedByOneThatTheDiskChanged', async () => {
    const { image, content } = await recordSnapshots('crash');
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH, ...SMALL });
    failing.failWhile(({ operation, file }) => {
      // Behind the node's back, between the sync and the first look at the file.
      if (operation === 'open' && file.endsWith('.new')) {
        disk.put(
          file,
          Buffer.from(
            disk
              .image()
              .get(file)!
              .map((byte, at) => (at === 300 ? byte ^ 1 : byte)),
          ),
        );
      }
      return false;
    }, 'EIO');
    const failed = await node.snapshot().catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(Error);
    for (const file of [DB_PATH, PREVIOUS_PATH])
      expect(disk.image().get(file)).to.deep.equal(image.get(file));
    await node.abandon();
    expect((await expectStart(disk.image(), SMALL)).content).to.deep.equal(content);
  });

  it('LeavesAnUndamagedOneAloneWhenThePreviousOneIsDamagedOrMissing', async () => {
    const { image, content } = await recordSnapshots('crash');
    for (const change of [text(''), text('{}'), remove]) {
      const started = await expectStart(changed(image, PREVIOUS_PATH, change), SMALL);
      expect(started.content).to.deep.equal(content);
    }
  });
});

describe('The JSON file', () => {
  it('IsMadeGoodWhenItIsMissing', async () => {
    for (const [stop, snapshots] of [
      ['clean', 2],
      ['crash', 2],
      ['crash', 1],
      ['crash', 0],
    ] as const) {
      const { image, content } = await recordSnapshots(stop, snapshots);
      const started = await expectStart(changed(withFile(image, DB_PATH), DB_PATH, remove), SMALL);
      expect(started.content).to.deep.equal(content);
    }
  });

  function withFile(image: Image, file: string): Image {
    return new Map([[file, Buffer.alloc(0)], ...image]);
  }

  it('IsMadeGoodWhenItIsEmpty', async () => {
    const { image, content } = await recordSnapshots('clean');
    expect((await expectStart(changed(image, DB_PATH, text('')), SMALL)).content).to.deep.equal(content);
  });

  it('IsRefusedAndLeftWhenItIsForeignBesideData', async () => {
    const { image } = await recordSnapshots('clean');
    const another = await record('clean', (node) => fill(node, 2), { random: undefined! });
    const foreign = [
      '{"data":{"a":"b"}}',
      '{}',
      '[]',
      '5',
      '"text"',
      'null',
      '{"format":"other","data":{}}',
      another.get(DB_PATH)!.toString(),
    ];
    for (const content of foreign) {
      const fault = await expectRefusal(changed(image, DB_PATH, text(content)), DB_PATH, SMALL);
      expect(fault.kind, content).to.equal('foreign');
    }
  });

  it('IsRefusedWhenItIsOlderThanTheLogReachesBack', async () => {
    const image = await record(
      'clean',
      async (node) => {
        await fill(node, 4);
        await node.snapshot();
        for (let count = 0; count < 4; count++) {
          await fill(node, 20);
          await node.snapshot();
        }
      },
      SMALL,
    );
    const early = await record('clean', (node) => fill(node, 4), SMALL);
    const old = early.get(DB_PATH)!;
    expect(segmentsOf(image)[0]).to.not.equal(segmentPath(1));
    await expectRefusal(
      changed(image, DB_PATH, () => old),
      segmentsOf(image)[0]!,
      SMALL,
    );
  });

  it('IsTakenWhenItIsAnOlderOneOfTheSameNodeThatTheLogReaches', async () => {
    const { image, content } = await recordSnapshots('crash');
    const older = changed(image, DB_PATH, () => image.get(PREVIOUS_PATH)!);
    expect((await expectStart(older, SMALL)).content).to.deep.equal(content);
  });

  it('IsRefusedByNameWhenItWasImportedAndIsDamagedBeforeItsFirstSnapshot', async () => {
    const bare = new Map([[DB_PATH, Buffer.from('{"data":{"a":"b","c":"d"}}')]]);
    const { image } = await expectStart(bare, SMALL);
    for (const change of [text(''), text('{"da'), remove, (b: Buffer) => b.subarray(0, b.length - 1)]) {
      await expectRefusal(changed(image, DB_PATH, change), DB_PATH, SMALL);
    }
  });

  it('IsRefusedByNameWhenItAppearsDamagedBesideANodeWithoutALog', async () => {
    const { image } = await expectStart(new Map([['/data/other', Buffer.alloc(0)]]), SMALL);
    const state = await record('crash', () => Promise.resolve());
    const asMade = asJustMade(state.get(NODE_PATH)!);
    const bare = new Map([...image].filter(([file]) => !file.includes('/segment-')));
    bare.set(NODE_PATH, asMade).set(DB_PATH, Buffer.from('not JSON'));
    await expectRefusal(bare, DB_PATH, SMALL);
  });
});

/** A node state as it was before the log was begun. */
function asJustMade(bytes: Buffer): Buffer {
  const { checksum, ...content } = JSON.parse(bytes.toString()) as Record<string, unknown>;
  expect(checksum).to.be.a('string');
  return encodeState({ ...content, logIndex: null });
}

function encodeState(content: Record<string, unknown>): Buffer {
  const checksum = crc32(JSON.stringify(content)).toString(16).padStart(8, '0');
  return Buffer.from(`${JSON.stringify({ ...content, checksum }, undefined, 2)}\n`);
}

describe('Files of a node that are missing, swapped or another node’s', () => {
  it('NodeStateBesideALogIsMissed', async () => {
    for (const stop of ['clean', 'crash'] as const) {
      const { image } = await recordSnapshots(stop, 2, TINY);
      const fault = await expectRefusal(changed(image, NODE_PATH, remove), `${DB_PATH}.d`, TINY);
      expect(fault.message).to.include('node.json');
    }
  });

  it('AnySegmentIsMissedAfterACleanStop', async () => {
    const { image } = await recordSnapshots('clean', 2, TINY);
    const segments = segmentsOf(image);
    expect(segments.length).to.be.greaterThan(1);
    for (const file of segments) await expectRefusal(changed(image, file, remove), 'segment-', TINY);
    const none = new Map([...image].filter(([file]) => !segments.includes(file)));
    await expectRefusal(none, `${DB_PATH}.d`, TINY);
  });

  it('TheFirstSegmentIsMissedAlsoAfterACrash', async () => {
    for (const snapshots of [1, 2, 3]) {
      const { image } = await recordSnapshots('crash', snapshots, TINY);
      await expectRefusal(changed(image, segmentsOf(image)[0]!, remove), 'segment-', TINY);
    }
  });

  it('TheLastSegmentIsMissedAfterACrashWhereSomethingProvesIt', async () => {
    const { image } = await recordSnapshots('clean', 2, TINY);
    const restarted = await startOn(image, TINY, (node) => fill(node, 9));
    if (restarted instanceof StorageFault) throw restarted;
    // The node state says where the log ended when the node started: segments up to there are proven.
    const proven = segmentsOf(image).at(-1)!;
    const left = new Map(
      [...restarted.image].filter(([file]) => !file.includes('segment-') || file < proven),
    );
    await expectRefusal(left, 'segment-', TINY);
  });

  it('SegmentsThatSwappedNamesAreRefused', async () => {
    const { image } = await recordSnapshots('crash', 2, TINY);
    const segments = segmentsOf(image);
    for (const [at, file] of segments.slice(0, -1).entries()) {
      const other = segments[at + 1]!;
      const swapped = new Map(image).set(file, image.get(other)!).set(other, image.get(file)!);
      await expectRefusal(swapped, file, TINY);
      const renamed = new Map(image).set(segmentPath(99), image.get(file)!);
      await expectRefusal(renamed, segmentPath(99), TINY);
    }
  });

  it('ASegmentOfAnotherNodeIsRefused', async () => {
    const { image } = await recordSnapshots('clean', 2, TINY);
    const another = await record('clean', (node) => fill(node, 30), {
      ...TINY,
      random: undefined!,
    });
    const file = segmentsOf(another)[0]!;
    const fault = await expectRefusal(new Map(image).set(file, another.get(file)!), file, TINY);
    expect(fault.kind).to.equal('foreign');
  });

  it('ANodeStateOfAnotherNodeIsRefused', async () => {
    const { image } = await recordSnapshots('clean', 2, TINY);
    const another = await record('clean', () => Promise.resolve(), { random: undefined! });
    const fault = await startOn(new Map(image).set(NODE_PATH, another.get(NODE_PATH)!), TINY);
    expect((fault as StorageFault).kind).to.equal('foreign');
  });
});

describe('Files of a newer version', () => {
  it('AreRefusedAsNewer', async () => {
    const { image } = await recordSnapshots('clean');
    const { checksum, ...state } = JSON.parse(image.get(NODE_PATH)!.toString()) as Record<string, unknown>;
    expect(checksum).to.be.a('string');
    const newerState = changed(image, NODE_PATH, () => encodeState({ ...state, version: 2 }));
    const newerSnapshot = changed(image, DB_PATH, (bytes) =>
      Buffer.from(bytes.toString().replace('"version":1', '"version":3')),
    );
    const alone = new Map([[DB_PATH, newerSnapshot.get(DB_PATH)!]]);
    for (const [newer, file] of [
      [newerState, NODE_PATH],
      [newerSnapshot, DB_PATH],
      [alone, DB_PATH],
    ] as const) {
      const fault = await expectRefusal(newer, file, SMALL);
      expect(fault.message).to.include('newer');
      expect(fault.kind).to.equal('foreign');
    }
  });
});
