import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import { systemFiles } from '../../src/storage/files.js';
import { inScratch } from './scratch.js';
import { TestNode } from './test-node.js';

const HOLDER = fileURLToPath(new URL('lock-holder.js', import.meta.url));

async function faultOf(work: Promise<unknown>): Promise<StorageFault> {
  const fault = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(fault instanceof StorageFault)) throw new Error('it was not refused', { cause: fault });
  return fault;
}

describe('Data that a server has open', () => {
  it('AreRefusedToASecondProcessAndFreeAtOnceWhenTheFirstIsKilled', async () => {
    await inScratch(async (directory) => {
      const options = { files: systemFiles, dbPath: `${directory}/kv-store.json` };
      const holder = spawn(process.execPath, [HOLDER, options.dbPath], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        await once(holder.stdout, 'data');
        const fault = await faultOf(TestNode.start(options));
        expect(fault.kind).to.equal('in use');
        expect(fault.message).to.include(`(process ${String(holder.pid)})`);
        expect(fault.message).to.include('--db-path');
      } finally {
        holder.kill('SIGKILL');
      }
      await once(holder, 'exit');
      const node = await TestNode.start(options);
      await node.stop();
    });
  });

  it('AreRefusedWithinOneProcessAsWell', async () => {
    await inScratch(async (directory) => {
      const options = { files: systemFiles, dbPath: `${directory}/kv-store.json` };
      const node = await TestNode.start(options);
      expect((await faultOf(TestNode.start(options))).kind).to.equal('in use');
      expect(await node.put('still', 'served')).to.equal(undefined);
      await node.stop();
    });
  });
});
