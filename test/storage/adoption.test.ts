import { expect } from 'chai';
import type { Term } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { Files } from '../../src/storage/files.js';
import { atEachCrash } from './crashes.js';
import { DB_PATH, segmentsOf } from './images.js';
import { MemoryDisk } from './memory-files.js';
import {
  BACKUP,
  CLUSTER,
  PRIMARY_ADDRESS,
  emptyDisk,
  framesBehind,
  openReplica,
  reasonOf,
} from './replica.js';

describe('A new backup', () => {
  it('HasNoClusterAndNoLogUntilItIsAdopted', async () => {
    const disk = emptyDisk();
    for (let start = 0; start < 3; start++) {
      const { data } = await openReplica(disk.mount(), BACKUP);
      expect(data.log).to.equal(undefined);
      expect(data.state).to.include({ cluster: undefined, role: 'backup', primaryAddress: PRIMARY_ADDRESS });
      expect(data.history).to.deep.equal({ start: EMPTY_LOG, spans: [], controls: [] });
      expect((await reasonOf(data.receive())).message).to.include('cluster');
      await data.close();
    }
    expect(segmentsOf(disk.image())).to.deep.equal([]);
    const { data } = await openReplica(disk.mount(), BACKUP);
    await data.adopt(CLUSTER, { ...data.state, term: 4 as Term });
    expect(data.state).to.include({ cluster: CLUSTER, term: 4, logIndex: 0 });
    await data.log!.append(framesBehind(EMPTY_LOG, 4, 3));
    expect((await reasonOf(data.adopt(CLUSTER, data.state))).message).to.include('already');
    await data.close();
    const again = await openReplica(disk.mount(), BACKUP);
    expect(again.data.log!.end.index).to.equal(3);
    expect(again.table.count).to.equal(0);
  });

  it('IsRefusedBesideAJsonFileNowAndLater', async () => {
    const disk = MemoryDisk.holding(new Map([[DB_PATH, Buffer.from('{"data":{}}')]]));
    const refused = await reasonOf(openReplica(disk.mount(), BACKUP));
    expect([refused.kind, refused.message]).to.deep.equal(['foreign', refused.message]);
    expect(refused.message).to.match(/primary.*move that file away/);
    disk.take(DB_PATH);
    await (await openReplica(disk.mount(), BACKUP)).data.close();
    disk.put(DB_PATH, Buffer.from('{"data":{}}'));
    expect((await reasonOf(openReplica(disk.mount(), BACKUP))).message).to.include('not added yet');
  });

  it('IsRefusedBesideASegment', async () => {
    const disk = emptyDisk();
    await (await openReplica(disk.mount(), BACKUP)).data.close();
    disk.put(`${DB_PATH}.d/segment-0000000001`, Buffer.alloc(512));
    expect((await reasonOf(openReplica(disk.mount(), BACKUP))).message).to.include('segment-0000000001');
  });

  it('IsAdoptedOrAsItWasAfterACrashAtAnyCall', async () => {
    const frames = framesBehind(EMPTY_LOG, 4, 3);
    const work = async (files: Files, tell: (what: string) => void): Promise<void> => {
      const { data } = await openReplica(files, BACKUP);
      if (data.state.cluster === undefined) await data.adopt(CLUSTER, { ...data.state, term: 4 as Term });
      tell('adopted');
      await data.log!.append(frames);
      tell('appended');
    };
    const crashes = await atEachCrash(emptyDisk().image(), work, async ({ disk, known: told }) => {
      const { data } = await openReplica(disk.mount(), BACKUP);
      if (told.has('adopted')) expect(data.state).to.include({ cluster: CLUSTER, term: 4 });
      expect(data.log !== undefined).to.equal(data.state.cluster !== undefined);
      if (told.has('appended')) expect(data.log!.end.index).to.equal(3);
      if (data.log === undefined) await data.adopt(CLUSTER, data.state);
      await data.log!.append(framesBehind(data.log!.end, 5, 2));
      await data.close();
    });
    expect(crashes.completeMoments).to.equal(crashes.moments);
    expect(crashes.states).to.be.greaterThan(40);
  });
});
