import { expect } from 'chai';
import type { Message } from '../../src/replication/message.js';
import type { LinkId } from '../../src/replication/state.js';
import type { Letter } from './small-network.js';
import { SmallCluster } from './small-cluster.js';

function serving(members = 'ABC'): SmallCluster {
  const cluster = new SmallCluster({ members });
  cluster.untilServes('A');
  cluster.advance(500);
  return cluster;
}

function askedToTakeOver(cluster: SmallCluster): string[] {
  return cluster.network.said.filter(({ message }) => message.kind === 'take over').map(({ to }) => to);
}

/** What is said to a node in later terms than its own does not arrive, but for one kind. */
function makeLate(cluster: SmallCluster, letter: string, butFor?: Message['kind']): void {
  const { term } = cluster.state(letter);
  cluster.network.isLost = ({ to, message }) =>
    to === letter && message.term > term && message.kind !== butFor;
}

function both(one: (letter: Letter) => boolean, other: (letter: Letter) => boolean): typeof one {
  return (letter) => one(letter) || other(letter);
}

/** Reads of the old primary and writes of the new one, held against each other. */
function expectNoStaleRead(cluster: SmallCluster, old: string, successor: string): void {
  const { office } = cluster.state(successor);
  const hasAnother = office.kind === 'primary' && office.isServing;
  expect(cluster.reads(old) && hasAnother, `${old} reads, and ${successor} serves`).to.equal(false);
}

describe('Section 3.10 of the Raft thesis: leadership transfer', () => {
  it('3.10 APrimaryThatIsToStopLetsTheMemberTakeOverThatHasMost', () => {
    const cluster = serving();
    cluster.setSlow('B', true);
    cluster.write('A');
    cluster.advance(40);
    const command = cluster.leave('A');
    const tookMs = cluster.untilServes('C', 1000);
    expect(askedToTakeOver(cluster)).to.deep.equal(['C']);
    expect(cluster.answer(command)).to.equal('done');
    expect(tookMs, 'without an election timeout').to.be.lessThan(100);
    expect(cluster.termsOf('C').slice(0, -1)).to.deep.equal(
      cluster.termsOf('A').slice(0, cluster.termsOf('C').length - 1),
    );
  });

  it('3.10 ANodeThatAnswersNothingMoreStopsAtOnceAndHandsNothingOver', () => {
    const cluster = serving();
    for (const letter of ['A', 'B']) {
      cluster.state(letter).divergence = 'its state differs';
      expect(cluster.answer(cluster.leave(letter)), letter).to.equal('done');
    }
    expect(askedToTakeOver(cluster)).to.deep.equal([]);
  });

  it('3.10 APrimaryThatHaltsWhileItLetsAnotherOneTakeOverKeepsNobodyWaiting', () => {
    const cluster = serving();
    makeLate(cluster, 'A');
    const command = cluster.leave('A');
    expect(cluster.answer(command)).to.equal('waits');
    cluster.state('A').divergence = 'its state differs';
    cluster.advance(40);
    expect(cluster.answer(command)).to.equal('done');
  });

  it('3.10 NothingMoreIsTakenByTheOldPrimaryOnceItIsReadyToLetGo', () => {
    const cluster = serving();
    makeLate(cluster, 'A');
    cluster.leave('A');
    cluster.advance(40);
    expect(cluster.office('A').handOver).to.include({ to: 'B', isReady: true });
    const { commit } = cluster.state('A');
    expect(cluster.write('A')).to.equal(undefined);
    cluster.advance(200);
    expect(cluster.state('A').commit).to.equal(commit);
  });

  for (const [failover, members] of [
    ['manual', 'AB'],
    ['auto', 'ABC'],
  ] as const) {
    it(`3.10 TheOldPrimaryLetsGoThoughItLearnsOfTheTermBeforeItIsAskedForItWith:${failover}`, () => {
      const cluster = new SmallCluster({ members, failover });
      cluster.untilServes('A');
      let question: Letter | undefined;
      cluster.network.isLost = (letter) => {
        if (letter.to === 'A' && letter.message.kind === 'fence') question ??= letter;
        return question !== undefined && letter.to === 'A';
      };
      const command = cluster.command('B', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
      cluster.until('B asks A to let go', () => question !== undefined, 100);
      cluster.network.heal();
      // Over another link than the question.
      const { term } = cluster.state('B');
      const answer = { kind: 'heartbeat answer', term, round: 0, sentMs: 0, leaseMs: 0 } as const;
      const link = question!.link as LinkId;
      cluster.input('A', { kind: 'message', link, message: answer });
      cluster.input('A', { kind: 'message', link, message: question!.message });
      expect(cluster.state('A')).to.include({ term, vote: 'B' });
      cluster.until('it is answered', () => cluster.answer(command) !== 'waits', 100);
      expect(cluster.outcome(command)).to.have.nested.property('handedOverBy.node', 'A');
      expect(cluster.state('B')).to.include({ term });
    });
  }

  it('3.10 TheOldPrimaryReadsNoMoreOnceAnotherOneServesThoughItHasNotHeardOfIt', () => {
    const cluster = serving();
    makeLate(cluster, 'A');
    cluster.leave('A');
    for (let passedMs = 0; passedMs < 3000; passedMs += 20) {
      cluster.advance(20);
      expectNoStaleRead(cluster, 'A', 'B');
      expectNoStaleRead(cluster, 'A', 'C');
    }
    cluster.network.heal();
    cluster.until('somebody serves', () => cluster.serving().length === 1);
  });

  it('3.10 ASuccessorThatComesAfterTheHandOverWasGivenUpFindsTheLeasesInItsWay', () => {
    const cluster = serving();
    const ready: Letter[] = [];
    cluster.network.isLost = (letter) => {
      if (letter.message.kind === 'hand over answer') ready.push(letter);
      return (
        letter.message.kind === 'hand over answer' ||
        (letter.message.kind === 'hand over' && ready.length > 0)
      );
    };
    const command = cluster.command('B', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    cluster.advance(4900);
    cluster.network.isLost = ({ message }) => message.kind === 'fence';
    const { link, message } = ready[0]!;
    cluster.input('B', { kind: 'message', link: link as LinkId, message });
    expect(cluster.state('B').attempt).to.include({ phase: 'fence' });
    makeLate(cluster, 'A', 'fence');
    cluster.network.isLost = both(cluster.network.isLost, ({ message: { kind } }) => kind === 'fence');
    cluster.until('A goes on as before', () => cluster.office('A').handOver === undefined, 400);
    makeLate(cluster, 'A', 'fence');
    for (let passedMs = 0; passedMs < 3000; passedMs += 20) {
      cluster.advance(20);
      expectNoStaleRead(cluster, 'A', 'B');
    }
    cluster.network.heal();
    cluster.until('somebody serves', () => cluster.serving().length === 1);
    expect(cluster.answer(command)).to.not.equal('waits');
  });

  it('3.10 AnotherMemberIsAskedWhereTheFirstOneDoesNotTakeOver', () => {
    const cluster = serving();
    cluster.network.isLost = ({ to, message }) => to === 'B' && message.kind === 'take over';
    cluster.setSlow('C', true);
    cluster.write('A');
    cluster.advance(40);
    cluster.setSlow('C', false);
    const command = cluster.leave('A');
    const tookMs = cluster.untilServes('C');
    expect(askedToTakeOver(cluster).slice(-1)).to.deep.equal(['C']);
    expect(cluster.answer(command)).to.equal('done');
    expect(tookMs).to.be.greaterThan(900).and.lessThan(1200);
  });

  it('3.10 APrimaryWhomNobodySucceedsSaysSoInTimeAndGoesOn', () => {
    const cluster = serving();
    cluster.network.isLost = ({ message }) => message.kind === 'take over';
    const command = cluster.leave('A');
    const tookMs = cluster.until('it is answered', () => cluster.answer(command) !== 'waits', 8000);
    expect(tookMs).to.be.greaterThan(5000).and.lessThan(6100);
    expect(cluster.answer(command)).to.equal('UNREACHABLE');
    expect(cluster.write('A')).to.not.equal(undefined);
    expect(cluster.office('A').leave).to.equal(undefined);
  });

  it('3.10 APrimaryWithNobodyToTakeOverIsAnsweredAtOnce', () => {
    const cluster = serving();
    cluster.crash('B');
    cluster.crash('C');
    expect(cluster.answer(cluster.leave('A'))).to.equal('done');
    expect(cluster.office('A').leave).to.equal(undefined);
  });
});
