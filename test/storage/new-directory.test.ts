import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import { testSeed, withSeed } from '../random.js';
import { FailingFiles } from './failing-files.js';
import type { FailureCode } from './failing-files.js';
import { MemoryDisk } from './memory-files.js';
import { TestNode } from './test-node.js';

const DB_PATH = '/srv/data/kv.json';
const POWER_CUTS = 30;

/** What comes of a start where this directory cannot be synced. */
async function startFailingAt(failing: FailingFiles, directory: string, code: FailureCode): Promise<unknown> {
  failing.failWhile((call) => call.operation === 'syncDirectory' && call.file === directory, code);
  return TestNode.start({ files: failing.files, dbPath: DB_PATH }).catch((error: unknown) => error);
}

/** Which of these were to be synced, in that order. */
function syncedOf(failing: FailingFiles, way: readonly string[]): string[] {
  const synced = failing.calls.filter(({ operation }) => operation === 'syncDirectory');
  return synced.map(({ file }) => file).filter((file) => way.includes(file));
}

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

  for (const code of ['EACCES', 'EPERM', 'EINVAL'] as const) {
    for (const ancestor of ['/srv', '/']) {
      it(`IsMadeWhereAPartOfTheWayBelongsToOthers: ${code} at ${ancestor}`, async () => {
        const failing = new FailingFiles(new MemoryDisk().mount());
        const node = await startFailingAt(failing, ancestor, code);
        expect(node).to.be.instanceOf(TestNode);
        expect(syncedOf(failing, ['/srv', '/'])).to.deep.equal(['/srv', '/']);
        expect(await (node as TestNode).put('key', 'value')).to.equal(undefined);
      });
    }

    it(`IsNotMadeWhereItsOwnDirectoryCannotBeSynced: ${code}`, async () => {
      const failing = new FailingFiles(new MemoryDisk().mount());
      const fault = await startFailingAt(failing, '/srv/data', code);
      expect(fault).to.be.instanceOf(StorageFault);
    });
  }

  for (const [code, advice] of [
    ['EIO', 'give a --db-path'],
    ['ENOSPC', 'make room'],
  ] as const) {
    for (const ancestor of ['/srv', '/']) {
      it(`IsNotMadeWhereAPartOfTheWayFailsButByTheNextStart: ${code} at ${ancestor}`, async () => {
        const failing = new FailingFiles(new MemoryDisk().mount());
        const fault = await startFailingAt(failing, ancestor, code);
        expect(fault).to.be.instanceOf(StorageFault);
        expect((fault as StorageFault).message).to.include(`(${code}): ${advice}`);
        failing.heal();
        failing.calls.length = 0;
        await TestNode.start({ files: failing.files, dbPath: DB_PATH });
        expect(syncedOf(failing, ['/srv', '/'])).to.deep.equal(['/srv', '/']);
      });
    }
  }
});
