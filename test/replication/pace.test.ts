import { expect } from 'chai';
import type { FailoverPolicy, Index } from '../../src/engine.js';
import { forgottenLeaseMs, leaseToAskMs } from '../../src/replication/pace.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { logOf, named, nodeOf, placed } from './begun.js';
import { SmallCluster } from './small-cluster.js';

const { leaseMs: MANUAL_MS, automatic } = DEFAULT_TIMING;
const AUTO_MS = automatic.leaseMs;
const LOG = logOf([1, 1, 1, 1, 1]);

/** A configuration that was committed by entry 3, and one that entry 5 sets. */
function stateWith(committed: FailoverPolicy, open?: FailoverPolicy): ReturnType<typeof nodeOf> {
  const at = (index: number, failover: FailoverPolicy) => placed('ABC', { failover, at: [1, index] });
  return nodeOf({
    self: 'A',
    frames: LOG,
    commit: 4,
    configuration: at(3, committed),
    open: open === undefined ? [] : [at(5, open)],
  });
}

describe('The lease that a primary asks of a backup', () => {
  const asked = (match: number, committed: FailoverPolicy, open?: FailoverPolicy): number =>
    leaseToAskMs(stateWith(committed, open), match as Index);

  it('IsThatOfThePolicyOnceTheBackupDurablyHasIt', () => {
    expect(asked(3, 'manual')).to.equal(MANUAL_MS);
    expect(asked(2, 'manual')).to.equal(AUTO_MS);
    expect(asked(3, 'auto')).to.equal(AUTO_MS);
  });

  it('IsTheShorterOneWhileAnotherPolicyIsOnItsWay', () => {
    expect(asked(5, 'manual', 'auto')).to.equal(AUTO_MS);
    expect(asked(5, 'auto', 'manual')).to.equal(AUTO_MS);
    expect(asked(5, 'manual', 'manual')).to.equal(MANUAL_MS);
  });

  it('IsTheShorterOneOfWhoeverBelongsToNoClusterYet', () => {
    const state = stateWith('manual');
    state.configurations = undefined;
    expect(leaseToAskMs(state, 9 as Index)).to.equal(AUTO_MS);
  });
});

describe('The lease that a node may have forgotten', () => {
  it('IsTheLongestThatAConfigurationOfItsLogAllows', () => {
    const forgotten = (committed: FailoverPolicy, open?: FailoverPolicy): number =>
      forgottenLeaseMs(stateWith(committed, open).configurations, DEFAULT_TIMING);
    expect(forgotten('auto')).to.equal(AUTO_MS);
    expect(forgotten('manual')).to.equal(MANUAL_MS);
    expect(forgotten('manual', 'auto')).to.equal(MANUAL_MS);
    expect(forgotten('auto', 'manual')).to.equal(MANUAL_MS);
    // Whoever belonged to no cluster has heard no primary.
    expect(forgottenLeaseMs(undefined, DEFAULT_TIMING)).to.equal(0);
  });

  it('IsWaitedOutByABackupThatStartsAndNotByAPrimary', () => {
    const configuration = placed('ABC', { failover: 'auto' });
    expect(nodeOf({ self: 'B', configuration, nowMs: 1000 }).leaseUntilMs).to.equal(1000 + AUTO_MS);
    expect(nodeOf({ self: 'B', role: 'primary', configuration }).leaseUntilMs).to.equal(-Infinity);
  });
});

describe('A primary whose cluster changes its policy', () => {
  const policies: readonly FailoverPolicy[] = ['manual', 'auto', 'manual', 'auto'];

  function setFailover(cluster: SmallCluster, failover: FailoverPolicy): void {
    const command = cluster.command('A', { kind: 'setFailover', failover });
    cluster.until('it is set', () => cluster.answer(command) === 'done', 1000);
  }

  /** Cut off from A with C, would B agree to C while A still reads? */
  function expectNothingForgotten(cluster: SmallCluster): void {
    const { term } = cluster.state('A');
    cluster.network.cut('A', 'B');
    const command = cluster.command('C', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    cluster.until(
      'C serves, or is refused',
      () => {
        const isNew = cluster.state('C').office.kind === 'primary' && cluster.state('C').term > term;
        const isRead = cluster.state('A').office.kind === 'primary' && cluster.reads('A');
        expect(isNew && isRead, 'A reads, and C is the primary').to.equal(false);
        return isNew || cluster.answer(command) !== 'waits';
      },
      10_000,
    );
  }

  it('NeverCountsOnMoreThanAVoterRemembersThatRestartsInBetween', () => {
    for (let change = 1; change < policies.length; change++) {
      for (const downMs of [0, 100, 600]) {
        const cluster = new SmallCluster({ failover: 'manual' });
        cluster.untilServes('A');
        // C has nothing to do with it but that it would be primary.
        cluster.network.cut('A', 'C');
        cluster.advance(4000);
        const leasedAgoMs = (): number => {
          return cluster.nowMs - (cluster.office('A').progress.get(named('B'))?.leaseFromMs ?? 0);
        };
        cluster.until('B has just granted a lease', () => leasedAgoMs() <= 40, 2000);
        for (const policy of policies.slice(1, change)) setFailover(cluster, policy);
        cluster.advance(40);
        cluster.crash('B');
        cluster.advance(downMs);
        cluster.start('B');
        // It hears everything but what would renew its lease.
        cluster.network.isLost = ({ to, message: { kind } }) =>
          (to === 'B' && kind === 'heartbeat') || (to === 'A' && kind === 'heartbeat answer');
        setFailover(cluster, policies[change]!);
        cluster.advance(40);
        expectNothingForgotten(cluster);
      }
    }
  });

  it('CountsOnALongerLeaseOnlyWhereItWasGrantedOverTheSameLink', () => {
    const cluster = new SmallCluster({ failover: 'manual' });
    cluster.untilServes('A');
    cluster.crash('C');
    cluster.advance(4000);
    expect(cluster.reads('A')).to.equal(true);
    cluster.network.isLost = ({ message: { kind } }) => kind === 'heartbeat' || kind === 'heartbeat answer';
    cluster.crash('B');
    cluster.start('B');
    cluster.advance(AUTO_MS);
    expect(cluster.reads('A')).to.equal(false);
    cluster.network.isLost = () => false;
    cluster.until('it reads again', () => cluster.reads('A'), 1500);
    cluster.network.isLost = ({ message: { kind } }) => kind === 'heartbeat' || kind === 'heartbeat answer';
    cluster.advance(2000);
    expect(cluster.reads('A')).to.equal(true);
    cluster.advance(1000);
    expect(cluster.reads('A')).to.equal(false);
  });
});

describe('A policy that is set', () => {
  function serving(failover: FailoverPolicy): SmallCluster {
    const cluster = new SmallCluster({ failover });
    cluster.untilServes('A');
    cluster.advance(200);
    return cluster;
  }

  it('IsTheSameOnAllNodesAndChangesTheirPace', () => {
    const cluster = serving('manual');
    const command = cluster.command('A', { kind: 'setFailover', failover: 'auto' });
    cluster.advance(200);
    expect(cluster.answer(command)).to.equal('done');
    for (const letter of 'ABC')
      expect(cluster.state(letter).configurations?.committed.failover).to.equal('auto');
    cluster.network.said = [];
    cluster.advance(1000);
    const beats = cluster.network.said.filter(
      ({ to, message: { kind } }) => to === 'B' && kind === 'heartbeat',
    );
    expect(beats.length).to.be.within(8, 11);
  });

  it('IsRefusedWithAcksZeroInEitherOrderAndNothingIsAppended', () => {
    const auto = serving('auto');
    const zero = auto.command('A', { kind: 'setAcks', acks: '0' });
    expect(auto.answer(zero)).to.equal('SYNTAX');
    expect(auto.state('A').configurations).to.deep.include({ open: [] });
    const manual = serving('manual');
    manual.command('A', { kind: 'setAcks', acks: '0' });
    manual.advance(200);
    const { last } = manual.state('A');
    expect(manual.answer(manual.command('A', { kind: 'setFailover', failover: 'auto' }))).to.equal('SYNTAX');
    expect(manual.state('A').last).to.equal(last);
  });

  it('IsRefusedWithAcksZeroAlsoWhileThatIsNotCommitted', () => {
    const cluster = serving('manual');
    cluster.network.isLost = ({ message: { kind } }) => kind === 'append';
    cluster.command('A', { kind: 'setAcks', acks: '0' });
    expect(cluster.answer(cluster.command('A', { kind: 'setFailover', failover: 'auto' }))).to.equal(
      'SYNTAX',
    );
  });

  it('IsSetAlreadyWhereItIs', () => {
    const cluster = serving('auto');
    const again = cluster.command('A', { kind: 'setFailover', failover: 'auto' });
    expect(cluster.answer(again)).to.equal('ALREADY_MEMBER');
  });

  it('IsTakenWithTwoMembersAndTheyStayAsTheyAreWhenOneIsLost', () => {
    const cluster = new SmallCluster({ members: 'AB', failover: 'auto' });
    cluster.untilServes('A');
    cluster.advance(200);
    cluster.crash('A');
    cluster.advance(5000);
    expect(cluster.serving()).to.equal('');
    expect(cluster.state('B')).to.include({ role: 'backup' });
    cluster.start('A');
    cluster.untilServes('A', 1500);
  });
});
