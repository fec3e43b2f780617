import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { MemoryDisk } from './memory-files.js';
import { TestNode } from './test-node.js';

const DB_PATH = '/srv/data/kv.json';
const POWER_CUTS = 30;

describe('A data directory whose way there was not there', () => {
  const seed = testSeed();

  for (const [name, prepare] of [
    ['WithTheWayThere', () => Promise.resolve()],
    [
      'WithAWayThereThatAProcessMadeWhichEndedThen',
      async (disk: MemoryDisk) => {
        await disk.mount().makeDirectory(`${DB_PATH}.d`);
        disk.endProcess();
      },
    ],
  ] as const) {
    it(`IsThereAfterAPowerCut${name}, seed ${String(seed)}`, async () => {
      await withSeed(seed, async (random) => {
        for (let cut = 0; cut < POWER_CUTS; cut++) {
          const disk = new MemoryDisk();
          await prepare(disk);
          const node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH, random });
          expect(await node.put('key', 'value')).to.equal(undefined);
          disk.cutPower(random);
          const again = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH, random });
          expect(again.content.get('key')).to.equal('value');
        }
      });
    });
  }
});
