import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { clusters, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

describe('The walk of the README', () => {
  const nodes = clusters();

  async function kv(node: ClusterNode, ...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await node.kv(...words);
    expect([code, stderr], words.join(' ')).to.deep.equal([0, '']);
    return stdout.toString();
  }

  it('LosesNothingWhenThePrimaryOfAPairIsKilled', async () => {
    const primary = await nodes.node('primary');
    const backup = await nodes.node('backup', { primary });
    await primary.start();
    await backup.start();
    expect(backup.process.stdout).to.match(/^ready 127\.0\.0\.1:\d+ role=backup term=0\n/);
    const words = ['add-backup', '--primary', primary.address, '--backup', backup.address];
    expect(await kv(primary, ...words)).to.match(/ is a member: /);
    await kv(primary, 'put', 'mykey', 'myvalue');
    await backup.untilCaughtUpWith(primary);
    expect(await kv(backup, 'get', 'mykey')).to.equal('myvalue');
    await primary.kill();
    const refused = await backup.kv('promote', '--timeout', '10');
    expect(refused.code).to.equal(5);
    expect(refused.stderr).to.match(/--others-are-down/);
    expect(await kv(backup, 'promote', '--others-are-down')).to.include('is the primary now, in term 2');
    expect(await kv(backup, 'get', 'mykey')).to.equal('myvalue');
    await kv(backup, 'put', 'after', '1');
    await primary.start();
    const left = await primary.untilStatus(
      'was left out',
      ({ facts }) => facts.get('service') === 'left-out',
    );
    expect(left.facts.get('role')).to.equal('backup');
    expect(left.facts.get('advice')).to.match(/add-backup/);
    expect(await primary.ask('PUT mykey other')).to.match(/^ERROR NOT_PRIMARY /);
    const back = ['add-backup', '--primary', backup.address, '--backup', primary.address];
    expect(await kv(backup, ...back)).to.match(/ is a member: /);
    await primary.untilCaughtUpWith(backup);
    expect(await primary.ask('GET after')).to.equal('1');
    expect(lostFiles(primary)).to.deep.equal([]);
  });

  it('KeepsWhatOnlyTheOldPrimaryHadInAFileOfItsOwn', async () => {
    const [primary, ...backups] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    expect(await primary.ask('PUT shared 1')).to.equal('OK');
    await Promise.all(backups.map((backup) => backup.kill()));
    // For a moment it counts on them to be back; then it is not confirmed in time.
    expect(await primary.ask('PUT only-here 2')).to.match(/^ERROR UNCONFIRMED /);
    await primary.kill();
    await Promise.all(backups.map((backup) => backup.start()));
    const [successor] = backups;
    await promote(successor);
    expect(await successor.ask('MGET shared only-here')).to.equal('1\nNULL\nEND 2');
    await primary.start();
    await untilMember(successor, primary);
    await primary.untilCaughtUpWith(successor);
    expect(await primary.ask('MGET shared only-here')).to.equal('1\nNULL\nEND 2');
    expect(lostFiles(primary)).to.have.length(1);
    expect(primary.process.stderr).to.include(lostFiles(primary)[0]!);
    const kept = readFileSync(path.join(primary.directory, lostFiles(primary)[0]!));
    expect(kept.includes('only-here')).to.equal(true);
    expect(kept.includes('shared')).to.equal(false);
  });

  function lostFiles(node: ClusterNode): string[] {
    return readdirSync(node.directory).filter((name) => name.startsWith('lost-'));
  }
});
