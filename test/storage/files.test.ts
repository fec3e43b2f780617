import { expect } from 'chai';
import { behind, readWhole, systemFiles } from '../../src/storage/files.js';
import { seededRandom } from '../random.js';
import { filesContract } from './files-contract.js';
import { MemoryDisk } from './memory-files.js';
import { inScratch } from './scratch.js';

describe('What is left of pieces that were written in part', () => {
  it('IsEveryByteBehind', () => {
    const pieces = ['abc', '', 'de', 'f'].map((text) => Buffer.from(text));
    for (let bytes = 0; bytes <= 6; bytes++) {
      const left = behind(pieces, bytes);
      expect(Buffer.concat(left).toString()).to.equal('abcdef'.slice(bytes));
      if (bytes === 6) expect(left).to.deep.equal([]);
    }
    expect(behind([Buffer.alloc(0)], 0)).to.deep.equal([]);
  });
});

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

  it('KeepExactlyTheBytesOfADurableWriteThroughAPowerCut', async () => {
    for (const seed of seeds) {
      for (const isNow of [false, true]) {
        const disk = new MemoryDisk();
        disk.put('/place/a', Buffer.alloc(4000));
        const plain = await disk.mount().open('/place/a');
        const durable = await disk.mount().openDurable('/place/a');
        await plain.write(Buffer.alloc(3000, 1), 500);
        const pieces = [Buffer.alloc(700, 2), Buffer.alloc(300, 3)];
        if (isNow) durable.writeGatheredNow(pieces, 1000);
        else await durable.writeGathered(pieces, 1000);
        await plain.write(Buffer.alloc(100, 4), 1950);
        disk.cutPower(seededRandom(seed));
        const content = await readWhole(disk.mount(), '/place/a');
        expect(content.subarray(1000, 1700)).to.deep.equal(Buffer.alloc(700, 2));
        expect(content.subarray(1700, 1950)).to.deep.equal(Buffer.alloc(250, 3));
        for (const [at, byte] of content.entries()) {
          const isPlain = at >= 500 && at < 3500 && (at < 1000 || at >= 2000);
          const isLater = at >= 1950 && at < 2050;
          const allowed = [0, ...(isPlain ? [1] : []), ...(isLater ? [3, 4] : [])];
          if (at < 1000 || at >= 1950) expect(allowed).to.include(byte);
        }
      }
    }
  });

  it('LoseTearOrKeepADurableWriteThatACrashInterrupts', async () => {
    for (const isNow of [false, true]) {
      const outcomes = new Set<string>();
      for (const seed of seeds) {
        const disk = new MemoryDisk();
        disk.put('/place/a', Buffer.alloc(1200));
        const open = await disk.mount().openDurable('/place/a');
        disk.interrupt();
        const pieces = [Buffer.alloc(1200, 1)];
        if (isNow) open.writeGatheredNow(pieces, 0);
        else await open.writeGathered(pieces, 0);
        disk.cutPower(seededRandom(seed));
        const content = await readWhole(disk.mount(), '/place/a');
        const written = content.filter((byte) => byte === 1).length;
        outcomes.add(written === 0 ? 'lost' : written === 1200 ? 'kept' : 'torn');
      }
      expect([...outcomes].sort()).to.deep.equal(['kept', 'lost', 'torn']);
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
