import { expect } from 'chai';
import { clusters, eventually, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const AUTO = ['--failover', 'auto'];
const MANUAL = ['--failover', 'manual'];

describe('The failover setting of real nodes', () => {
  const nodes = clusters();

  function untilSet(node: ClusterNode, failover: string): Promise<unknown> {
    return node.untilStatus(`has ${failover}`, ({ facts }) => facts.get('failover') === failover);
  }

  /** Of these, the one that serves as primary. */
  async function untilOneServes(candidates: readonly ClusterNode[]): Promise<ClusterNode> {
    const found = await eventually(
      'one serves',
      async () => {
        const facts = await Promise.all(candidates.map(async (node) => (await node.status()).facts));
        const at = facts.findIndex(
          (each) => each.get('role') === 'primary' && each.get('service') === 'serving',
        );
        return candidates[at];
      },
      (node) => node !== undefined,
    );
    return found!;
  }

  it('IsManualForANewClusterAndTheSameOnAllNodesOnceItWasChangedAtThePrimary', async () => {
    const [primary, backup, other] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    for (const node of [primary, backup, other]) expect(await node.fact('failover')).to.equal('manual');
    await primary.stop();
    await primary.start({ options: AUTO });
    for (const node of [primary, backup, other]) await untilSet(node, 'auto');
    const changed = 'the setting of --failover was changed';
    await primary.process.until(() => primary.process.hasEvent(changed));
    expect(await primary.fact('advice')).to.equal('none');
  });

  it('WaitsAtABackupUntilThatIsThePrimarySoARollingRestartGoesBackToManual', async () => {
    const [first, second, third] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    await first.stop();
    await first.start({ options: AUTO });
    await untilSet(first, 'auto');
    for (const node of [second, third]) {
      await untilSet(node, 'auto');
      await node.stop();
      await node.start({ options: MANUAL });
      await untilMember(first, node);
    }
    expect(second.process.stdout).to.include(
      '--failover manual: set once this node is the primary. Until then the cluster has --acks majority and --failover auto.',
    );
    expect(await second.fact('failover')).to.equal('auto');
    await first.stop();
    const next = await untilOneServes([second, third]);
    await untilSet(next, 'manual');
    // From here on a person decides again.
    await first.start({ options: MANUAL });
    await untilMember(next, first);
    for (const node of [first, second, third]) await untilSet(node, 'manual');
  });

  it('IsNotHadTogetherWithAcksZeroWhichIsSaidAtTheStart', async () => {
    const primary = await nodes.node('node1', { options: AUTO });
    const usage = await primary.kv('server', '--acks', '0', '--failover', 'auto');
    expect([usage.code, usage.stdout.toString()]).to.deep.equal([2, '']);
    expect(usage.stderr).to.match(
      /^kv: with --acks 0 only the primary .*use --acks majority with --failover auto\n/,
    );
    await primary.start();
    const [second, third] = [await nodes.node('node2'), await nodes.node('node3')];
    await primary.stop();
    const zero = await nodes.node('zero', { options: ['--acks', '0'] });
    await zero.start();
    await zero.stop();
    const refusing = (await nodes.node('zero', { options: AUTO })).movedTo(second);
    await refusing.start();
    expect(refusing.process.stdout).to.include('--failover auto is not taken: this cluster has --acks 0');
    await refusing.process.until(() =>
      refusing.process.stderr.includes('the setting of --failover stays as it is: nothing was changed'),
    );
    expect(await refusing.fact('failover')).to.equal('manual');
    const taking = (await nodes.node('node1', { options: ['--acks', '0'] })).movedTo(third);
    await taking.start();
    expect(taking.process.stdout).to.include('--acks 0 is not taken: this cluster has --failover auto');
    await taking.process.until(() => taking.process.stderr.includes('the setting of --acks stays as it is'));
    expect(await taking.fact('acks')).to.equal('majority');
    await refusing.stop();
    // Both at once, in the order in which they exclude each other no more.
    await refusing.start({ options: ['--acks', 'majority'] });
    await untilSet(refusing, 'auto');
  });

  it('WithTwoMembersIsTakenWithAWarningThatSaysWhyItCannotHelp', async () => {
    const [primary] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    await primary.stop();
    await primary.start({ options: AUTO });
    await untilSet(primary, 'auto');
    const warning = 'automatic failover cannot help with two members';
    const { facts } = await primary.untilStatus('says so', (status) => status.facts.get('advice') !== 'none');
    expect(facts.get('advice')).to.include(warning);
    await primary.process.until(() => primary.process.stderr.includes(warning));
  });

  it('LetsThePrimaryBeRemovedWhichLetsAnotherMemberTakeOver', async () => {
    const all = (await nodes.of(3, AUTO)) as [ClusterNode, ClusterNode, ClusterNode];
    const [first, second, third] = all;
    expect(await first.ask('PUT k 1')).to.equal('OK');
    const removed = await first.kv('remove-backup', '--primary', first.address, '--backup', first.address);
    expect([removed.code, removed.stderr]).to.deep.equal([0, '']);
    const next = await untilOneServes([second, third]);
    expect(removed.stdout.toString()).to.include(
      `${first.address} takes part no more, and ${next.address} is the primary now.`,
    );
    expect(first.process.stderr).not.to.include('no member took over in time');
    expect(await next.ask('GET k')).to.equal('1');
    await first.untilStatus('knows', ({ facts }) => facts.get('service') === 'left-out');
    const status = await next.status();
    expect([...status.members.keys()].sort()).to.deep.equal([second.address, third.address].sort());
  });

  it('SecondSignalEndsAPrimaryThatHandsOverAtOnce', async () => {
    const [first, second, third] = (await nodes.of(3, AUTO)) as [ClusterNode, ClusterNode, ClusterNode];
    // Nobody answers, so that the hand-over takes its time.
    second.process.signal('SIGSTOP');
    third.process.signal('SIGSTOP');
    first.process.signal('SIGTERM');
    await first.process.until(() => first.process.hasEvent('stopping: another member takes over first'));
    const timer = setInterval(() => {
      if (!first.process.hasEnded) first.process.signal('SIGTERM');
    }, 400);
    const startMs = performance.now();
    const { code } = await first.process.ended.finally(() => clearInterval(timer));
    expect(performance.now() - startMs).to.be.lessThan(3000);
    expect(code).to.equal(143);
    expect(first.process.stderr).to.include('stopped at once');
  });
});
