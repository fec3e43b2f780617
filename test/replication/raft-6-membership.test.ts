import { expect } from 'chai';
import { peerOf } from './begun.js';
import { SmallCluster } from './small-cluster.js';

function serving(members = 'ABC', others = ''): SmallCluster {
  const cluster = new SmallCluster({ members, others });
  cluster.untilServes('A');
  cluster.advance(500);
  return cluster;
}

function add(cluster: SmallCluster, letter: string, at = 'A'): ReturnType<SmallCluster['command']> {
  return cluster.command(at, { kind: 'addBackup', peer: peerOf(letter) });
}

function remove(cluster: SmallCluster, letter: string, at = 'A'): ReturnType<SmallCluster['command']> {
  return cluster.command(at, { kind: 'removeBackup', address: peerOf(letter).address, backupIsDown: false });
}

function membersOf(cluster: SmallCluster, letter: string): string {
  const { committed } = cluster.state(letter).configurations!;
  return committed.members.map(({ node }) => node).join('');
}

describe('Section 6 of the Raft paper: cluster membership changes', () => {
  it('6 OnlyOneChangeIsUnderWayAtATime', () => {
    const cluster = serving('ABC', 'DE');
    cluster.network.isLost = ({ message }) => message.kind === 'append';
    const first = add(cluster, 'D');
    const second = remove(cluster, 'C');
    expect(cluster.answer(second)).to.equal('BUSY');
    expect(cluster.state('A').configurations?.open).to.have.length(1);
    cluster.network.heal();
    cluster.until('the first is done', () => cluster.answer(first) === 'done', 4000);
    cluster.until('D is a member', () => membersOf(cluster, 'A') === 'ABCD', 4000);
    const third = remove(cluster, 'C');
    cluster.until('the next is done', () => cluster.answer(third) === 'done', 4000);
    expect(membersOf(cluster, 'A')).to.equal('ABD');
  });

  it('6 ANewServerIsALearnerUntilItHasCaughtUpAndCountsNowhere', () => {
    const cluster = serving('ABC', 'D');
    cluster.setSlow('D', true);
    add(cluster, 'D');
    cluster.advance(500);
    expect(membersOf(cluster, 'A')).to.equal('ABC');
    cluster.crash('B');
    const index = cluster.write('A')!;
    cluster.advance(500);
    expect(cluster.state('A').commit, 'two of three have it').to.equal(index);
    cluster.crash('C');
    cluster.setSlow('D', false);
    const other = cluster.write('A')!;
    cluster.advance(500);
    expect(cluster.state('D').durable).to.be.at.least(other);
    expect(cluster.state('A').commit, 'one of three, and a learner').to.equal(index);
  });

  it('6 ALearnerIsNeitherElectedNorAVoter', () => {
    const cluster = serving('ABC', 'D');
    cluster.setSlow('D', true);
    add(cluster, 'D');
    cluster.advance(500);
    cluster.crash('A');
    cluster.crash('B');
    cluster.setSlow('D', false);
    cluster.advance(10_000);
    expect(cluster.serving()).to.equal('');
    expect(
      cluster.network.said.some(({ from, message: { kind } }) => from === 'D' && kind === 'fence'),
    ).to.equal(false);
  });

  it('6 AServerUsesTheNewestConfigurationInItsLogCommittedOrNot', () => {
    const cluster = serving('ABC', 'D');
    add(cluster, 'D');
    cluster.until('D is a member', () => membersOf(cluster, 'A') === 'ABCD', 4000);
    // Two of four are no majority, though they are one of the three there were.
    cluster.crash('C');
    cluster.crash('D');
    const index = cluster.write('A')!;
    cluster.advance(500);
    expect(cluster.state('A').commit).to.be.lessThan(index);
  });

  it('6 AChangeBeforeTheFirstEntryOfTheTermIsCommittedIsRefused', () => {
    const opening = (isRuled: boolean): [SmallCluster, string] => {
      const cluster = new SmallCluster({ others: 'D', rules: { changesOnlyServing: isRuled } });
      cluster.network.isLost = ({ message }) => message.kind === 'append';
      cluster.until('A is primary', () => cluster.state('A').office.kind === 'primary');
      return [cluster, cluster.answer(add(cluster, 'D'))];
    };
    const [cluster, answer] = opening(true);
    expect(answer).to.equal('NO_QUORUM');
    expect(cluster.state('A').configurations?.open).to.deep.equal([]);
    const [wrong, taken] = opening(false);
    expect(taken).to.equal('waits');
    expect(wrong.state('A').configurations?.open).to.have.length(1);
  });

  it('6 ARemovedNodeThatWasAwayDoesNotDisturbTheRest', () => {
    const cluster = serving('ABCD');
    cluster.isolate('D');
    remove(cluster, 'D');
    cluster.until('it is removed', () => membersOf(cluster, 'A') === 'ABC', 4000);
    cluster.advance(5000);
    const { term } = cluster.state('A');
    // It hears everybody but the primary, which would tell it.
    cluster.network.heal();
    cluster.network.cut('A', 'D');
    for (let passedMs = 0; passedMs < 5000; passedMs += 20) {
      cluster.advance(20);
      expect(cluster.serving()).to.equal('A');
    }
    expect(cluster.state('A')).to.include({ term });
    cluster.network.heal();
    cluster.until('it is told', () => cluster.state('D').leftOutAt !== undefined, 4000);
    cluster.advance(5000);
    expect(cluster.state('A')).to.include({ term });
    expect(cluster.serving()).to.equal('A');
  });

  it('6 ARemovedNodeIsNotElectedAlsoWhenThePrimaryIsLost', () => {
    const cluster = serving('ABCD');
    cluster.isolate('D');
    remove(cluster, 'D');
    cluster.until('it is removed', () => membersOf(cluster, 'C') === 'ABC', 4000);
    cluster.crash('A');
    cluster.network.heal();
    cluster.until('another one serves', () => cluster.serving().length === 1, 5000);
    cluster.advance(3000);
    expect(cluster.serving()).to.be.oneOf(['B', 'C']);
    cluster.crash('B');
    cluster.advance(5000);
    expect(cluster.serving(), 'C and D are no majority of A, B and C').to.be.oneOf(['', 'C']);
    expect(cluster.state('D').office.kind).to.equal('backup');
  });

  it('6 APrimaryThatRemovesItselfDoesNotCountItselfAndLetsAnotherTakeOver', () => {
    const cluster = serving();
    for (const letter of 'BC') cluster.setSlow(letter, true);
    const command = remove(cluster, 'A');
    cluster.flush('B');
    cluster.advance(200);
    expect(cluster.answer(command), 'A and B have it, and that is one of two').to.equal('waits');
    for (const letter of 'BC') cluster.setSlow(letter, false);
    const tookMs = cluster.until('another one serves', () => /^[BC]$/.test(cluster.serving()), 3000);
    expect(cluster.answer(command)).to.equal('done');
    expect(tookMs, 'without an election timeout').to.be.lessThan(500);
    const successor = cluster.serving();
    expect(membersOf(cluster, successor)).to.equal('BC');
    const { term } = cluster.state(successor);
    cluster.crash('A');
    cluster.start('A');
    cluster.advance(5000);
    expect(cluster.state(successor)).to.include({ term });
    expect(cluster.state('A').office.kind).to.equal('backup');
    expect(cluster.state('A').leftOutAt).to.not.equal(undefined);
  });

  it('6 APrimaryThatRemovedItselfAndCrashesIsSucceededAllTheSame', () => {
    const cluster = serving();
    cluster.network.isLost = ({ message }) => message.kind === 'take over';
    const command = remove(cluster, 'A');
    cluster.until('it is removed', () => cluster.answer(command) === 'done', 2000);
    cluster.crash('A');
    cluster.start('A');
    cluster.until('another one serves', () => /^[BC]$/.test(cluster.serving()), 3000);
    cluster.advance(3000);
    expect(cluster.serving()).to.have.length(1).and.to.not.equal('A');
  });

  it('6 APrimaryIsNotRemovedWhereTooFewOfTheOthersAreReachable', () => {
    const cluster = serving();
    cluster.crash('B');
    cluster.advance(1500);
    expect(cluster.answer(remove(cluster, 'A'))).to.equal('NO_QUORUM');
  });

  it('6 MembershipChangesWhileOthersAreElectedLeaveOnePrimaryAndNothingLost', () => {
    const cluster = serving('ABC', 'D');
    const index = cluster.write('A')!;
    cluster.until('it is committed', () => cluster.state('A').commit === index);
    add(cluster, 'D');
    cluster.crash('A');
    cluster.until('another one serves', () => cluster.serving().length === 1, 5000);
    cluster.start('A');
    cluster.advance(5000);
    const successor = cluster.serving();
    expect(successor).to.have.length(1);
    expect(cluster.state(successor).commit).to.be.at.least(index);
  });
});
