import { expect } from 'chai';
import { readWhole, systemFiles } from '../../src/storage/files.js';
import { seededRandom } from '../random.js';
import { filesContract } from './files-contract.js';
import { MemoryDisk } from './memory-files.js';
import { inScratch } from './scratch.js';

describe('The files of the system', () => {
  filesContract((work) => inScratch((directory) => work(systemFiles, directory)));
});

describe('Files in memory', () => {
  filesContract(async (work) => {
    const disk = new MemoryDisk();
    disk.put('/place/file', Buffer.alloc(0));
    disk.take('/place/file');
    await work(disk.mount(), '/place');
  });

  const seeds = Array.from({ length: 50 }, (_, seed) => seed);

  it('KeepWhatWasSyncedThroughAPowerCut', async () => {
    for (const seed of seeds) {
      const disk = new MemoryDisk();
      const files = disk.mount();
      await files.makeDirectory('/place');
      await files.syncDirectory('/');
      const open = await files.create('/place/a');
      await open.write(Buffer.alloc(2000, 1), 0);
      await open.sync();
      await files.syncDirectory('/place');
      disk.cutPower(seededRandom(seed));
      expect(await readWhole(disk.mount(), '/place/a')).to.deep.equal(Buffer.alloc(2000, 1));
    }
  });

  it('LoseTearOrKeepWhatWasNot', async () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const disk = new MemoryDisk();
      disk.put('/place/a', Buffer.alloc(600));
      const files = disk.mount();
      const open = await files.open('/place/a');
      await open.write(Buffer.alloc(600, 1), 0);
      await files.create('/place/b');
      disk.cutPower(seededRandom(seed));
      const content = await readWhole(disk.mount(), '/place/a');
      const written = content.filter((byte) => byte === 1).length;
      outcomes.add(written === 0 ? 'lost' : written === 600 ? 'kept' : 'torn');
      outcomes.add((await disk.mount().exists('/place/b')) ? 'name kept' : 'name lost');
    }
    expect([...outcomes].sort()).to.deep.equal(['kept', 'lost', 'name kept', 'name lost', 'torn']);
  });

  it('EndWithTheProcessForItsOldUsers', async () => {
    const disk = new MemoryDisk();
    disk.put('/place/a', Buffer.alloc(1));
    const files = disk.mount();
    await files.lock('/place/lock', 'me');
    const open = await files.open('/place/a');
    disk.endProcess();
    const failed = await open.write(Buffer.alloc(1, 1), 0).catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(Error);
    expect(await readWhole(disk.mount(), '/place/a')).to.deep.equal(Buffer.alloc(1));
    expect(await disk.mount().lock('/place/lock', 'another')).to.not.equal(undefined);
  });
});
