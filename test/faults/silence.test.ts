import { expect } from 'chai';
import { clusters } from './cluster.js';
import type { ClusterNode } from './cluster.js';

describe('A node that falls silent', () => {
  const nodes = clusters();

  async function pair(): Promise<[primary: ClusterNode, backup: ClusterNode]> {
    return (await nodes.of(2)) as [ClusterNode, ClusterNode];
  }

  it('IsToldOfByThePrimaryAndSoIsItsReturn', async () => {
    const [primary, backup] = await pair();
    await backup.kill();
    const lost = await primary.untilStatus(
      'misses the backup',
      ({ members }) => members.get(backup.address)?.get('state') === 'silent',
    );
    expect(lost.members.get(backup.address)!.get('silent_ms')).to.match(/^\d+$/);
    await primary.process.until(() => primary.process.hasEvent('a backup is silent'));
    expect(primary.process.events.filter(({ msg }) => msg === 'a backup is silent')).to.have.length(1);
    await backup.start();
    await primary.process.until(() => primary.process.hasEvent('a backup is heard again'));
    await primary.untilStatus(
      'hears the backup',
      ({ members }) => members.get(backup.address)?.get('state') === 'member',
    );
  });

  it('IsToldOfByItsBackupAndSoIsItsReturn', async () => {
    const [primary, backup] = await pair();
    primary.process.signal('SIGSTOP');
    const lost = await backup.untilStatus(
      'misses the primary',
      ({ members }) => members.get(primary.address)?.get('state') === 'silent',
    );
    expect(Number(lost.facts.get('primary_silent_ms'))).to.be.greaterThan(1000);
    expect(lost.facts.get('advice')).to.match(/promote/);
    // It goes on to answer what it knows.
    expect(await backup.ask('GET k')).to.equal('NULL');
    primary.process.signal('SIGCONT');
    await backup.process.until(() => backup.process.hasEvent('the primary is heard again'));
    await backup.untilStatus(
      'hears the primary',
      ({ facts }) => Number(facts.get('primary_silent_ms')) < 2000,
    );
    // What the backup answers may be on its way still, and until then the primary takes no writes.
    await primary.untilStatus(
      'hears the backup',
      ({ members }) => members.get(backup.address)?.get('state') === 'member',
    );
    expect(await primary.ask('PUT k 1')).to.equal('OK');
  });

  it('ShowsInKvStatusOfBothSides', async () => {
    const [primary, backup] = await pair();
    for (const node of [primary, backup]) {
      const { code, stdout, stderr } = await node.kv('status', '--format', 'json');
      expect([code, stderr]).to.deep.equal([0, '']);
      const status = JSON.parse(stdout.toString()) as {
        role: string;
        primary: string;
        members: { member: string; role: string; state: string }[];
      };
      expect([status.role, status.primary]).to.deep.equal([
        node === primary ? 'primary' : 'backup',
        primary.address,
      ]);
      expect(status.members.map(({ member, role, state }) => [member, role, state])).to.deep.equal([
        [primary.address, 'primary', 'member'],
        [backup.address, 'backup', 'member'],
      ]);
    }
    const removed = await primary.kv(
      'remove-backup',
      '--primary',
      primary.address,
      '--backup',
      backup.address,
    );
    expect([removed.code, removed.stderr]).to.deep.equal([0, '']);
    expect((await primary.status()).members.size).to.equal(1);
  });
});
