import { expect } from 'chai';
import { freePort } from '../free-port.js';
import { untilOffice } from './automatic.js';
import { clusters, eventually, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

describe('A new node that joins a cluster', () => {
  const nodes = clusters();

  /** The three commands: not one of them waits for the one before. */
  async function threeCommands(): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
    const first = await nodes.node('node1', { options: ['--failover', 'auto'] });
    const joining = ['--join', first.address];
    const second = await nodes.node('node2', { options: joining });
    const third = await nodes.node('node3', { options: joining });
    await Promise.all([first, second, third].map((node) => node.start()));
    return [first, second, third];
  }

  function others(all: readonly ClusterNode[], one: ClusterNode): ClusterNode[] {
    return all.filter((node) => node !== one);
  }

  async function untilWritten(node: ClusterNode, key: string): Promise<void> {
    await eventually(
      `${key} is written`,
      () => node.ask(`PUT ${key} 1`),
      (answer) => answer === 'OK',
    );
  }

  it('IsReadyOnceItIsAMemberSoThatThreeCommandsMakeAClusterThatSurvivesAKill', async () => {
    const all = await threeCommands();
    const [first] = all;
    const { facts, members } = await first.status();
    expect([facts.get('failover'), facts.get('advice')]).to.deep.equal(['auto', 'none']);
    expect([...members.values()].map((member) => member.get('state'))).to.deep.equal(Array(3).fill('member'));
    expect(await first.ask('PUT before 1')).to.equal('OK');
    await first.kill();
    const rest = others(all, first);
    const next = (await untilOffice(rest)).node;
    expect(await next.ask('GET before')).to.equal('1');
    await untilWritten(next, 'after');
    await first.start();
    await untilMember(next, first);
    await first.untilCaughtUpWith(next);
    expect(await first.ask('MGET before after')).to.equal('1\n1\nEND 2');
    for (const node of all) expect(await node.fact('failover')).to.equal('auto');
  });

  it('TakesOverFromAPrimaryThatIsToldToStopWhichSaysSo', async () => {
    const all = await threeCommands();
    const [first] = all;
    expect(await first.ask('PUT k 1')).to.equal('OK');
    await first.stop();
    expect(first.process.hasEvent('stopping: another member takes over first')).to.equal(true);
    const told = first.process.events.find(({ msg }) => msg === 'another member took over');
    const next = (await untilOffice(others(all, first))).node;
    expect(told?.primary).to.equal(next.address);
    expect(await next.ask('GET k')).to.equal('1');
    // With the same words as before, and without those that were for new data.
    await first.start();
    await untilMember(next, first);
    expect(await first.fact('role')).to.equal('backup');
  });

  it('WaitsForTheOtherOneToBeUpAndSaysWhatItWaitsFor', async () => {
    const first = await nodes.node('node1');
    const second = await nodes.node('node2', { options: ['--join', first.address] });
    const process = second.launch();
    await process.until(() => process.stderr.includes('this node waits to be added'));
    expect(process.stderr).to.include(`nothing listens at ${first.address}`);
    const { facts } = await second.status();
    expect(facts.get('service')).to.equal('unadopted');
    expect(facts.get('advice')).to.match(/^this node waits to be added: /);
    expect(process.stdout).to.equal('');
    await first.start();
    await process.until(() => process.stdout.startsWith(`ready ${second.address} role=backup term=1\n`));
    await untilMember(first, second);
    expect(await first.fact('failover')).to.equal('manual');
  });

  it('MayAskABackupWhichKnowsThePrimary', async () => {
    const [first, second] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    const third = await nodes.node('node3', { options: ['--join', second.address] });
    await third.start();
    await untilMember(first, third);
    expect(await third.fact('primary')).to.equal(first.address);
  });

  it('JustStartsWhenItIsStartedAgainAlsoWhileNobodyElseIsUp', async () => {
    const [first, second, third] = await threeCommands();
    await Promise.all([first.kill(), second.kill(), third.kill()]);
    await third.start();
    expect(third.process.hasEvent(`this node asks ${first.address} to be added`)).to.equal(false);
    expect(await third.fact('service')).to.equal('following');
    await Promise.all([first.start(), second.start()]);
    const primary = (await untilOffice([first, second, third])).node;
    expect((await primary.status()).members.size).to.equal(3);
    await untilWritten(primary, 'k');
  });

  it('IsNotAddedAgainByItselfAfterItWasRemoved', async () => {
    const first = await nodes.node('node1');
    const second = await nodes.node('node2', { options: ['--join', first.address] });
    await Promise.all([first.start(), second.start()]);
    expect(await first.ask(`REMOVE_BACKUP ${second.address}`)).to.equal('OK');
    await second.untilStatus('knows', ({ facts }) => facts.get('service') === 'left-out');
    await second.stop();
    await second.start();
    expect(await second.fact('service')).to.equal('left-out');
    expect(second.process.stderr).to.include('add-backup at the primary brings it back');
    expect((await first.status()).members.size).to.equal(1);
  });

  it('WithAClusterOfItsOwnIsRefused', async () => {
    const first = await nodes.node('node1');
    const other = await nodes.node('node2');
    await Promise.all([first.start(), other.start()]);
    expect(await other.ask('PUT k 1')).to.equal('OK');
    await other.stop();
    const process = other.launch({ options: ['--join', first.address] });
    expect((await process.ended).code).to.equal(5);
    expect(process.stderr).to.match(/holds a cluster of its own, and --join is for a new node/);
    expect(process.stdout).to.equal('');
    // And nothing was changed: it still is what it was.
    await other.start();
    expect(await other.ask('GET k')).to.equal('1');
  });

  it('IsAddedByNoOtherClusterThanTheOneThatItAsked', async () => {
    const stranger = await nodes.node('stranger');
    const first = await nodes.node('node1');
    await stranger.start();
    const second = await nodes.node('node2', { options: ['--join', first.address] });
    const process = second.launch();
    await process.until(() => process.stderr.includes('this node waits to be added'));
    const before = await stranger.ask(`ADD_BACKUP ${second.address}`);
    expect(before).to.match(/^ERROR NOT_A_PEER .*which has not answered yet/);
    // Known by now, and the primary cannot be reached under the address that the node there has it by.
    await first.start();
    await process.until(() => process.stdout.includes('\n'));
    expect(await second.fact('cluster')).to.equal(await first.fact('cluster'));
    const after = await stranger.ask(`ADD_BACKUP ${second.address}`);
    expect(after).to.match(/^ERROR WRONG_CLUSTER /);
  });

  it('SaysThatAnotherNodeIsKnownAtItsAddressWhoseDataItDoesNotHave', async () => {
    const first = await nodes.node('node1');
    const second = await nodes.node('node2', { options: ['--join', first.address] });
    await Promise.all([first.start(), second.start()]);
    await untilMember(first, second);
    await second.kill();
    const emptied = (await nodes.node('emptied', { options: ['--join', first.address] })).movedTo(second);
    const process = emptied.launch();
    await process.until(() => process.stderr.includes('knows another node at'));
    await first.untilStatus('misses it', ({ facts }) => facts.get('advice') !== 'none');
    const removed = await emptied.kv(
      ...`remove-backup --primary ${first.address} --backup ${second.address} --backup-is-down`.split(' '),
    );
    expect([removed.code, removed.stderr]).to.deep.equal([0, '']);
    await process.until(() => process.stdout.startsWith('ready '));
    await untilMember(first, emptied);
  });

  it('EndsAtOnceWhenItIsToldToStopWhileItWaits', async () => {
    const nobody = `127.0.0.1:${String(await freePort())}`;
    const node = await nodes.node('node2', { options: ['--join', nobody] });
    const process = node.launch();
    await process.until(() => process.stderr.includes('this node waits to be added'));
    process.signal('SIGTERM');
    const startMs = performance.now();
    expect((await process.ended).code).to.equal(0);
    expect(performance.now() - startMs).to.be.lessThan(3000);
    expect(process.stdout).to.equal('');
  });
});
