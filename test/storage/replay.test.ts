import { expect } from 'chai';
import type { Index, NodeId, Term } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import type { Configuration } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import { DB_PATH } from './images.js';
import { MemoryDisk } from './memory-files.js';
import {
  BACKUP,
  CLUSTER,
  contentOf,
  emptyDisk,
  framesBehind,
  framesIn,
  openReplica,
  recordBackup,
  writeSnapshot,
} from './replica.js';
import { eachEntry } from './writer.js';

const configuration: Configuration = {
  members: [{ node: 'a'.repeat(32) as NodeId, address: '[::1]:7001' }],
  learners: [{ node: 'b'.repeat(32) as NodeId, address: 'host:1' }],
  acks: 'all',
  failover: 'manual',
};

describe('What is replayed', () => {
  it('EndsBeforeTheFirstFrameThatIsNotCommittedWhileTheLogIsRecoveredWhole', async () => {
    const { image } = await recordBackup();
    for (let committed = 5; committed <= 10; committed++) {
      const asked: number[] = [];
      const { data, table } = await openReplica(MemoryDisk.holding(image).mount(), {
        isCommitted: () => (frame) => {
          asked.push(frame.firstIndex);
          return frame.firstIndex <= committed;
        },
      });
      expect(data.log!.end.index).to.equal(10);
      expect(data.replayedTo.index).to.equal(committed);
      expect(asked).to.deep.equal([6, 7, 8, 9, 10].slice(0, Math.min(5, committed - 4)));
      expect(contentOf(table).get(`key-${String(committed % 7)}`)).to.include(`5:${String(committed)} `);
      expect(data.log!.appendedBytes).to.be.greaterThan(5 * 100);
      await data.close();
    }
  });

  it('IsToldWithTheHistoryOfTheWholeLog', async () => {
    const disk = emptyDisk();
    const { data } = await openReplica(disk.mount(), BACKUP);
    await data.adopt(CLUSTER, data.state);
    const log = data.log!;
    const primary = 'f'.repeat(32) as NodeId;
    const lossAfter = { term: 3 as Term, index: 4 as Index };
    const opened = { kind: 'open', primary, configuration: undefined, lossAfter: undefined } as const;
    const open = { ...opened, configuration, lossAfter };
    await log.append([controlFrame(opened, 3 as Term, EMPTY_LOG)]);
    await log.append(framesBehind(log.end, 3, 4));
    await log.append([controlFrame(open, 8 as Term, log.end)]);
    await log.append([controlFrame({ kind: 'configure', configuration }, 8 as Term, log.end)]);
    await log.append(framesBehind(log.end, 8, 12));
    await data.close();
    const again = await openReplica(disk.mount(), BACKUP);
    expect(again.data.history).to.deep.equal({
      start: EMPTY_LOG,
      spans: [
        { term: 3, firstIndex: 1, isLossy: false },
        { term: 8, firstIndex: 6, isLossy: true },
      ],
      controls: [
        { position: { term: 3, index: 1 }, entry: { kind: 'open', primary, configuration: undefined } },
        { position: { term: 8, index: 6 }, entry: open },
        { position: { term: 8, index: 7 }, entry: { kind: 'configure', configuration } },
      ],
    });
    const [snapshotAt] = await framesIn(again.data.log!, 14);
    await writeSnapshot(again, endOf(snapshotAt!));
    const [later] = await framesIn(again.data.log!, 15);
    await writeSnapshot(again, endOf(later!));
    await again.data.log!.removeUpTo(again.data.snapshots.previousIndex);
    await again.data.close();
    const trimmed = await openReplica(disk.mount(), BACKUP);
    const { start, spans } = trimmed.data.history;
    expect(start.index).to.be.greaterThan(7);
    expect(spans).to.deep.equal([{ term: 8, firstIndex: start.index, isLossy: false }]);
    await trimmed.data.close();
  });

  it('MayBeASnapshotOfAnotherNodeOfTheCluster', async () => {
    const { image, content } = await recordBackup();
    const own = image.get(DB_PATH)!.toString();
    const node = /"node":"([0-9a-f]{32})"/.exec(own)![1]!;
    const state = JSON.parse(image.get(`${DB_PATH}.d/node.json`)!.toString()) as { node: string };
    expect(state.node).to.equal(node);
    const disk = MemoryDisk.holding(image);
    const replica = await openReplica(disk.mount(), BACKUP);
    const output = await replica.data.snapshots.begin();
    const node9 = '9'.repeat(32) as NodeId;
    output.start({ cluster: CLUSTER, node: node9, end: replica.data.replayedTo, hasSessions: false });
    eachEntry(replica.table, (key, value) => output.add(key, value));
    await replica.data.snapshots.install(output);
    await replica.data.close();
    expect(contentOf((await openReplica(disk.mount(), BACKUP)).table)).to.deep.equal(content);
  });
});

describe('The JSON file that is sent', () => {
  it('StaysTheSameWhateverIsInstalled', async () => {
    const { image } = await recordBackup();
    const replica = await openReplica(MemoryDisk.holding(image).mount());
    const { snapshots } = replica.data;
    const source = (await snapshots.openCurrent())!;
    expect(source.end.index).to.equal(5);
    expect(source.size).to.equal(image.get(DB_PATH)!.length);
    await writeSnapshot(replica, replica.data.replayedTo);
    const pieces: Buffer[] = [];
    for (let at = 0; at < source.size; at += 100) pieces.push(await source.read(at, 100));
    expect(Buffer.concat(pieces).equals(image.get(DB_PATH)!)).to.equal(true);
    expect((await source.read(source.size, 100)).length).to.equal(0);
    await source.close();
    const next = (await snapshots.openCurrent())!;
    expect(next.end).to.deep.equal(replica.data.replayedTo);
    await next.close();
    await replica.data.close();
  });

  it('IsMissingUntilItWasWrittenOnce', async () => {
    const { data } = await openReplica(emptyDisk().mount());
    expect(await data.snapshots.openCurrent()).to.equal(undefined);
    await data.load({ put: () => expect.fail('nothing is there'), session: () => undefined });
    await data.close();
  });
});
