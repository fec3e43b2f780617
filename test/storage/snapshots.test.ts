import { expect } from 'chai';
import type { Term } from '../../src/engine.js';
import { StorageFault } from '../../src/storage/fault.js';
import { FailingFiles } from './failing-files.js';
import {
  DB_PATH,
  PREVIOUS_PATH,
  changed,
  expectStart,
  fill,
  record,
  segmentPath,
  segmentsOf,
} from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { applyFrame } from './writer.js';
import {
  contentOf,
  framesBehind,
  openReplica,
  portsOf,
  recordBackup,
  sentSnapshot,
  writeSnapshot,
} from './replica.js';
import { TestNode } from './test-node.js';
import type { Content } from './test-node.js';

const SMALL = { segmentBytes: 2048 };

const cut = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length / 2);

/** Expects the content from all of it, and with either of the two snapshots damaged. */
async function expectUsablePair(image: Image, content: Content): Promise<void> {
  expect((await expectStart(image, SMALL)).content).to.deep.equal(content);
  for (const file of [DB_PATH, PREVIOUS_PATH]) {
    expect((await expectStart(changed(image, file, cut), SMALL)).content, file).to.deep.equal(content);
  }
}

/** Enough that the log would not reach back if it were cut too far. */
async function writeAndSnapshot(node: TestNode, snapshots: number): Promise<void> {
  for (let count = 0; count < snapshots; count++) {
    await fill(node, 25);
    await node.snapshot();
  }
  await fill(node, 3);
}

/** Starts a node, writes and takes snapshots, and expects the log to have been cut and the pair to be good. */
async function expectUsableAfterMore(image: Image, snapshots: number): Promise<void> {
  const disk = MemoryDisk.holding(image);
  const node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH, ...SMALL });
  await writeAndSnapshot(node, snapshots);
  const { content } = node;
  await node.abandon();
  await expectUsablePair(disk.image(), content);
}

describe('The JSON file and the one before it', () => {
  it('BothLeadToTheWholeContentWhileTheLogIsCutBehindThem', async () => {
    for (let snapshots = 2; snapshots < 6; snapshots++) {
      let content: Content = new Map();
      const image = await record(
        'crash',
        async (node) => {
          await writeAndSnapshot(node, snapshots);
          ({ content } = node);
        },
        SMALL,
      );
      if (snapshots > 2) expect(segmentsOf(image)[0]).to.not.equal(segmentPath(1));
      await expectUsablePair(image, content);
    }
  });

  it('BothDoSoAfterADamagedOneWasMadeGood', async () => {
    const image = await record('crash', (node) => writeAndSnapshot(node, 4), SMALL);
    for (const file of [DB_PATH, PREVIOUS_PATH]) {
      for (let snapshots = 1; snapshots < 4; snapshots++) {
        await expectUsableAfterMore(changed(image, file, cut), snapshots);
      }
    }
  });

  it('BothDoSoAfterAnImport', async () => {
    const bare = new Map([[DB_PATH, Buffer.from('{"data":{"imported":"1","key-3":"2"}}')]]);
    for (let snapshots = 1; snapshots < 4; snapshots++) await expectUsableAfterMore(bare, snapshots);
    const written = await record('clean', (node) => writeAndSnapshot(node, 1), SMALL);
    const restored = new Map([[DB_PATH, written.get(DB_PATH)!]]);
    for (let snapshots = 1; snapshots < 4; snapshots++) await expectUsableAfterMore(restored, snapshots);
  });

  it('BothDoSoAfterAReplacement', async () => {
    const { bytes, end } = await sentSnapshot();
    const { image } = await recordBackup();
    for (let snapshots = 1; snapshots < 4; snapshots++) {
      const disk = MemoryDisk.holding(image);
      const replica = await openReplica(disk.mount());
      const { data, table } = replica;
      const arrival = await portsOf(data).replacements.receive();
      await arrival.add(bytes);
      await arrival.finish(end);
      const state = { ...data.state, term: 9 as Term, commit: end.index, logIndex: end.index };
      await portsOf(data).replacements.replace(arrival, end, state);
      table.clear();
      await data.load({ put: (key, value) => table.put(key, value), session: () => undefined });
      for (let count = 0; count < snapshots; count++) {
        for (const frame of framesBehind(data.log!.end, 9, 40)) {
          await data.log!.append([frame]);
          applyFrame(table, frame);
        }
        await data.saveState({ ...data.state, commit: data.log!.end.index });
        await writeSnapshot(replica, data.log!.end);
        await data.log!.removeUpTo(data.snapshots.previousIndex);
      }
      const content = contentOf(table);
      await data.close();
      for (const file of [undefined, DB_PATH, PREVIOUS_PATH]) {
        const left = file === undefined ? disk.image() : changed(disk.image(), file, cut);
        const again = await openReplica(MemoryDisk.holding(left).mount());
        expect(contentOf(again.table), file).to.deep.equal(content);
        await again.data.close();
      }
    }
  });

  it('BothDoSoWhereverTheNextOneFails', async () => {
    const image = await record('crash', (node) => writeAndSnapshot(node, 3), SMALL);
    let failures = 0;
    for (let call = 1; ; call++) {
      const disk = MemoryDisk.holding(image);
      const failing = new FailingFiles(disk.mount());
      const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH, ...SMALL });
      await fill(node, 2);
      const { content } = node;
      failing.failOnce(failing.calls.length + call, 'EIO');
      const failure: unknown = await node.snapshot().catch((error: unknown) => error);
      failing.heal();
      await node.abandon();
      if (failure === undefined) break;
      expect(failure).to.not.be.instanceOf(StorageFault);
      failures++;
      await expectUsablePair(disk.image(), content);
    }
    expect(failures).to.be.greaterThan(10);
  });

  it('AreKeptByIndexFromTheOlderOnAlsoAfterAFailedOne', async () => {
    const image = await record('crash', (node) => writeAndSnapshot(node, 3), SMALL);
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH, ...SMALL });
    await fill(node, 30);
    failing.failWhile(
      ({ operation, file }) => operation === 'rename' && file.endsWith('snapshot.new'),
      'EIO',
    );
    const failure: unknown = await node.snapshot().catch((error: unknown) => error);
    expect((failure as Error).message).to.include('injected');
    failing.heal();
    const { previousIndex } = node.data.snapshots;
    // The one that counts as the older is now the JSON file itself, under both names.
    expect(disk.image().get(PREVIOUS_PATH)).to.deep.equal(disk.image().get(DB_PATH));
    expect(previousIndex).to.equal(node.data.snapshots.current!.index);
    await fill(node, 30);
    await node.snapshot();
    const { content } = node;
    await node.abandon();
    await expectUsablePair(disk.image(), content);
    expect(previousIndex).to.be.greaterThan(0);
  });
});
