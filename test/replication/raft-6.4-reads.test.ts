import { expect } from 'chai';
import type { ReplicationRules } from '../../src/replication/rules.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { SmallCluster } from './small-cluster.js';

const { leaseMs } = DEFAULT_TIMING.automatic;

function serving(members = 'ABC', rules: Partial<ReplicationRules> = {}): SmallCluster {
  const cluster = new SmallCluster({ members, rules });
  cluster.untilServes('A');
  cluster.advance(500);
  return cluster;
}

function loseHeartbeats(cluster: SmallCluster): void {
  cluster.network.isLost = ({ message: { kind } }) => kind === 'heartbeat' || kind === 'heartbeat answer';
}

/** A is cut off. At no moment does it read while another one serves. Answers how long it read. */
function readsOfTheOldOne(cluster: SmallCluster): number {
  const fromMs = cluster.nowMs;
  let lastReadMs = fromMs;
  cluster.isolate('A');
  cluster.until(
    'another one serves',
    () => {
      const isOther = /[BC]/.test(cluster.serving());
      const isRead = cluster.reads('A');
      if (isRead) lastReadMs = cluster.nowMs;
      expect(isRead && isOther, 'a stale read').to.equal(false);
      return isOther;
    },
    5000,
  );
  return lastReadMs - fromMs;
}

describe('Section 6.4 of the Raft thesis: processing read-only queries', () => {
  it('6.4 APrimaryReadsUnderLeasesThatEndATenthBeforeThoseOfTheVoters', () => {
    const cluster = serving();
    const newest = (): number =>
      Math.max(...[...cluster.office('A').progress.values()].map((each) => each.leaseFromMs));
    expect(cluster.reads('A')).to.equal(true);
    loseHeartbeats(cluster);
    const sentMs = newest();
    cluster.nowMs = sentMs + 0.9 * leaseMs - 1;
    expect(cluster.reads('A')).to.equal(true);
    cluster.nowMs++;
    expect(cluster.reads('A')).to.equal(false);
  });

  it('6.4 APrimaryThatIsCutOffReadsNoMoreWhenAnotherOneServes', () => {
    expect(readsOfTheOldOne(serving())).to.be.within(300, 450);
  });

  it('6.4 ALeaseThatIsCountedForLongerThanItWasGrantedIsSeen', () => {
    const cluster = serving('ABC', { countedLeaseMs: (grantedMs) => 10 * grantedMs });
    // Check-quorum would hide it.
    expect(() => readsOfTheOldOne(cluster)).to.throw('a stale read');
  });

  it('6.4 WithoutALeaseARoundTripToAMajorityAnswersARead', () => {
    const cluster = serving();
    loseHeartbeats(cluster);
    cluster.advance(leaseMs);
    expect(cluster.reads('A')).to.equal(false);
    cluster.network.heal();
    cluster.network.cut('A', 'B');
    cluster.input('A', { kind: 'confirm reads' });
    cluster.deliver();
    expect(cluster.reads('A')).to.equal(true);
  });

  it('6.4 ARoundTripThatReachesNoMajorityAnswersNothing', () => {
    const cluster = serving('ABCDE');
    for (const letter of 'BCD') cluster.network.cut('A', letter);
    cluster.advance(leaseMs);
    cluster.input('A', { kind: 'confirm reads' });
    cluster.deliver();
    expect(cluster.reads('A'), 'one of four others').to.equal(false);
    cluster.network.join('A', 'B');
    cluster.input('A', { kind: 'confirm reads' });
    cluster.deliver();
    expect(cluster.reads('A')).to.equal(true);
  });

  it('6.4 AnAnswerToAnEarlierRoundRenewsNothing', () => {
    const cluster = serving();
    const { round } = cluster.office('A');
    loseHeartbeats(cluster);
    cluster.advance(leaseMs);
    const link = [...cluster.state('A').links.values()].find(({ node }) => node === 'B')!;
    const { term } = cluster.state('A');
    const message = { kind: 'heartbeat answer', term, round, sentMs: 1, leaseMs } as const;
    cluster.input('A', { kind: 'message', link: link.id, message });
    expect(cluster.reads('A')).to.equal(false);
  });

  it('6.4 ANewPrimaryReadsOnlyOnceItsFirstEntryIsCommitted', () => {
    const cluster = serving();
    const index = cluster.write('A')!;
    cluster.advance(200);
    cluster.crash('A');
    cluster.network.isLost = ({ message }) => message.kind === 'append';
    cluster.until('B is primary', () => cluster.state('B').office.kind === 'primary', 3000);
    cluster.advance(300);
    expect(cluster.office('B').isServing).to.equal(false);
    expect(cluster.reads('B')).to.equal(false);
    cluster.network.heal();
    cluster.untilServes('B', 4000);
    cluster.advance(100);
    expect(cluster.reads('B')).to.equal(true);
    expect(cluster.state('B').commit).to.be.greaterThan(index);
  });

  it('6.4 OfAPairThePrimaryMayAlwaysRead', () => {
    const cluster = serving('AB');
    cluster.crash('B');
    cluster.advance(10_000);
    expect(cluster.reads('A')).to.equal(true);
  });

  it('6.4 AVoterThatRestartsAgreesToNobodyForTheLeaseThatItMayHaveForgotten', () => {
    const cluster = serving();
    cluster.network.cut('A', 'C');
    cluster.advance(2000);
    cluster.crash('B');
    cluster.start('B');
    cluster.network.cut('A', 'B');
    const link = [...cluster.state('B').links.values()].find(({ node }) => node === 'C')!;
    const term = (cluster.state('B').term + 2 ** 28) as typeof cluster extends never
      ? never
      : ReturnType<SmallCluster['state']>['term'];
    const fence = { kind: 'fence', term, attempt: 1, isHandOver: false, down: [] } as const;
    cluster.network.said = [];
    cluster.input('B', { kind: 'message', link: link.id, message: fence });
    const [answer] = cluster.network.said.filter(({ message }) => message.kind === 'fence answer');
    expect(answer?.message).to.include({ isGranted: false, waitMs: leaseMs });
  });
});
