import { expect } from 'chai';
import { clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const CONFIRM_MS_MAX = 6000;

describe('Writes of real nodes', () => {
  const nodes = clusters();

  async function pair(options?: readonly string[]): Promise<[primary: ClusterNode, backup: ClusterNode]> {
    return (await nodes.of(2, options)) as [ClusterNode, ClusterNode];
  }

  async function untilMissed(primary: ClusterNode): Promise<void> {
    await primary.untilStatus('misses somebody', ({ facts }) => facts.get('advice') !== 'none');
  }

  it('AreRefusedAndNotAppliedWhileTheBackupOfAPairIsDead', async () => {
    const [primary, backup] = await pair();
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await backup.kill();
    await untilMissed(primary);
    const startMs = performance.now();
    for (const write of ['PUT k 2', 'DELETE k', 'MSET k 2 l 2', 'DEL k']) {
      const answer = await primary.ask(write);
      expect(answer, write).to.match(/^ERROR NO_QUORUM not applied, .*remove-backup/);
      expect(answer).to.include(backup.address);
    }
    expect(performance.now() - startMs).to.be.lessThan(1000);
    // With one backup nobody can have been elected without this node, so it may go on to be read.
    expect(await primary.ask('MGET k l')).to.equal('1\nNULL\nEND 2');
    const position = await primary.fact('position');
    await backup.start();
    await untilMember(primary, backup);
    expect(
      await eventually(
        'a write',
        () => primary.ask('PUT k 3'),
        (answer) => answer === 'OK',
      ),
    ).to.equal('OK');
    expect(position).to.not.equal(await primary.fact('position'));
    await backup.untilCaughtUpWith(primary);
    expect(await backup.ask('MGET k l')).to.equal('3\nNULL\nEND 2');
  });

  it('UnderWayWhenTheBackupFallsSilentAreUnconfirmedAndNameIt', async () => {
    const [primary, backup] = await pair();
    backup.process.signal('SIGSTOP');
    const startMs = performance.now();
    const answer = await primary.ask('PUT k 1');
    expect(answer).to.match(/^ERROR UNCONFIRMED .*1:\d+/);
    expect(answer).to.include(backup.address);
    expect(performance.now() - startMs).to.be.lessThan(CONFIRM_MS_MAX);
    backup.process.signal('SIGCONT');
    await eventually(
      'it takes effect',
      () => primary.ask('GET k'),
      (value) => value === '1',
    );
    await untilMember(primary, backup);
    expect(
      await eventually(
        'a write',
        () => primary.ask('PUT k 2'),
        (text) => text === 'OK',
      ),
    ).to.equal('OK');
  });

  it('NeedEveryMemberWithAcksAllAndAMajorityWithout', async () => {
    const [primary, backup, other] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    await other.kill();
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await other.start();
    await untilMember(primary, other);
    await primary.stop();
    await primary.start({ options: ['--acks', 'all'] });
    await primary.untilStatus('waits for all', ({ facts }) => facts.get('acks') === 'all');
    await Promise.all([untilMember(primary, backup), untilMember(primary, other)]);
    expect(await primary.ask('PUT k 2')).to.equal('OK');
    await other.kill();
    await untilMissed(primary);
    const answer = await primary.ask('PUT k 3');
    expect(answer).to.match(/^ERROR NO_QUORUM /);
    expect(answer).to.include(other.address).and.not.include(backup.address);
    expect(await primary.ask('GET k')).to.equal('2');
  });

  it('WithAcksZeroCanBeLostAndStatusAndPromotionSaySo', async () => {
    const [primary, backup] = await pair(['--acks', '0']);
    const status = await primary.status();
    expect(status.facts.get('acks')).to.equal('0');
    expect(status.facts.get('acknowledged_writes_survive')).to.equal('power-cut-but-not-promotion');
    expect(await primary.ask('PUT both 1')).to.equal('OK');
    await backup.untilCaughtUpWith(primary);
    backup.process.signal('SIGSTOP');
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await primary.kill();
    backup.process.signal('SIGCONT');
    for (const promotion of ['PROMOTE', 'PROMOTE OTHERS_ARE_DOWN']) {
      expect(await backup.ask(promotion), promotion).to.match(
        /^ERROR NO_QUORUM .*accept-data-loss|^ERROR NO_QUORUM .*others-are-down/,
      );
    }
    expect(await backup.ask('PROMOTE OTHERS_ARE_DOWN')).to.include('--acks 0');
    const answer = await promote(backup, 'OTHERS_ARE_DOWN ACCEPT_DATA_LOSS');
    expect(answer).to.match(/ known_up_to=1:\d+/);
    expect(await backup.ask('GET both')).to.equal('1');
    expect(await backup.ask('PUT on 1')).to.equal('OK');
  });

  it('WithAcksZeroAreHandedOverInFull', async () => {
    const [primary, backup] = await pair(['--acks', '0']);
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    expect(await promote(backup))
      .to.include(`handed_over_by=${primary.address}`)
      .and.not.include('known_up_to');
    expect(await backup.ask('GET k')).to.equal('1');
  });

  it('ThatReachABackupAreFollowedToThePrimaryByTheCommandLine', async () => {
    const [primary, backup] = await pair();
    expect(await backup.ask('PUT k 1')).to.equal(
      `ERROR NOT_PRIMARY ${primary.address} is the primary: this node is a backup, writes are made there`,
    );
    const put = await backup.kv('put', 'k', '1');
    expect([put.code, put.stderr, put.stdout.toString()]).to.deep.equal([0, '', 'OK\n']);
    await backup.untilCaughtUpWith(primary);
    const get = await backup.kv('get', 'k');
    expect([get.code, get.stdout.toString()]).to.deep.equal([0, '1']);
    expect((await backup.kv('delete', 'k')).code).to.equal(0);
    expect(await primary.ask('GET k')).to.equal('NULL');
  });
});
