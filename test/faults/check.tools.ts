import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { KV } from '../cli/run-kv.js';
import { talk } from '../server/conversation.js';
import { serverProcesses } from './server-process.js';

/** Calls with a path in them, and those that change an open file. */
const CALLS = 'trace=%file,write,pwrite64,pwritev,ftruncate,fsync,fdatasync,fchmod,fallocate';

describe('kv check, as the kernel sees it', () => {
  const servers = serverProcesses();

  it('OpensNothingOfTheDataForWritingAndChangesNoName', async () => {
    const server = await servers.start();
    await talk(server.address, 'PUT a 1\nSNAPSHOT\nPUT b 2\n');
    await server.kill();
    const trace = path.join(servers.directory, 'trace');
    const words = ['-f', '-y', '-e', CALLS, '-o', trace, process.execPath, KV, 'check', servers.dbPath];
    const { status, stderr } = spawnSync('strace', words, { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    const lines = readFileSync(trace, 'utf8').split('\n');
    const ofData = lines.filter((line) => line.includes(servers.dbPath) && !line.includes('execve('));
    expect(ofData.filter((line) => line.includes('open')).length).to.be.above(5);
    const harmless = /(openat?\(.*O_RDONLY|(new|f|l)?stat\w*\(|statx\(|access\(|readlink\()/;
    expect(
      ofData.filter((line) => !harmless.test(line) || /O_CREAT|O_TRUNC|O_WRONLY|O_RDWR/.test(line)),
    ).to.deep.equal([]);
  });

  it('WorksInADirectoryThatMayOnlyBeRead', async () => {
    const server = await servers.start();
    await talk(server.address, 'PUT a 1\nSNAPSHOT\nPUT b 2\n');
    await server.kill();
    const quoted = [process.execPath, KV, 'check', servers.dbPath].map((word) => `'${word}'`).join(' ');
    const script = `mount --bind '${servers.directory}' '${servers.directory}' && mount -o remount,bind,ro '${servers.directory}' && ! touch '${servers.directory}/new' 2>/dev/null && ${quoted}`;
    const { status, stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script], {
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.include('is whole');
  });
});
