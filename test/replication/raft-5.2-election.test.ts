import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { SmallCluster } from './small-cluster.js';

const { electionMinMs, electionMaxMs, heartbeatMs } = DEFAULT_TIMING.automatic;

function serving(members = 'ABC', chance?: (letter: string) => number): SmallCluster {
  const cluster = new SmallCluster({ members, ...(chance === undefined ? {} : { chance }) });
  cluster.until('A serves', () => cluster.serving() === 'A');
  cluster.advance(500);
  return cluster;
}

function fences(cluster: SmallCluster): string[] {
  return cluster.network.said.filter(({ message }) => message.kind === 'fence').map(({ from }) => from);
}

describe('Section 5.2 of the Raft paper: leader election', () => {
  it('5.2 ABackupThatHearsNoPrimaryIsElectedWithAMajorityAndTakesANewTerm', () => {
    const cluster = serving();
    const { term } = cluster.state('A');
    cluster.crash('A');
    const tookMs = cluster.untilServes('B');
    expect(tookMs).to.be.within(electionMinMs - heartbeatMs, electionMaxMs);
    expect(cluster.state('B').term).to.be.greaterThan(term);
    expect(cluster.state('C')).to.include({ term: cluster.state('B').term, vote: 'B' });
  });

  it('5.2 ABackupStaysOneAsLongAsItHearsAPrimary', () => {
    const cluster = serving();
    cluster.network.said = [];
    cluster.advance(10_000);
    expect(cluster.network.said.filter(({ message }) => message.kind === 'survey')).to.deep.equal([]);
  });

  it('5.2 WithoutAMajorityNobodyIsElected', () => {
    const cluster = serving('ABCDE');
    for (const letter of 'ABC') cluster.crash(letter);
    cluster.advance(20_000);
    expect(cluster.serving()).to.equal('');
    cluster.start('C');
    cluster.until('one of three is', () => cluster.serving().length === 1, 5000);
  });

  it('5.2 ANodeVotesOnceATermAndStillKnowsItAfterACrash', () => {
    const cluster = serving();
    cluster.crash('A');
    cluster.network.isLost = ({ message }) => message.kind === 'fence answer';
    cluster.until('C has voted', () => cluster.state('C').vote === 'B', 5000);
    const { term } = cluster.state('C');
    cluster.crash('C');
    cluster.start('C');
    expect(cluster.state('C')).to.include({ term, vote: 'B' });
    const link = [...cluster.state('C').links.values()].find(({ node }) => node === 'B')!;
    cluster.crash('B');
    cluster.start('A');
    const other = [...cluster.state('C').links.values()].find(({ node }) => node === 'A')!;
    expect(other.id).to.not.equal(link.id);
    cluster.network.said = [];
    const fence = { kind: 'fence', term, attempt: 1, isHandOver: true, down: [] } as const;
    cluster.input('C', { kind: 'message', link: other.id, message: fence });
    const [answer] = cluster.network.said.filter(({ from, to }) => from + to === 'CA').slice(-1);
    expect(answer?.message).to.include({ kind: 'fence answer', isGranted: false });
  });

  it('5.2 TwoThatAskAtOnceDoNotBothWinAndOneDoesWithinAFewTimeouts', () => {
    // Both are as impatient, in the same tick, and stay so.
    const cluster = serving('ABC', (letter) => (letter === 'A' ? 0.1 : letter === 'B' ? 0.2 : 0.2000001));
    cluster.crash('A');
    cluster.until('one serves', () => cluster.serving().length === 1, 3 * electionMaxMs);
    expect(new Set(fences(cluster)).size, 'both asked for votes').to.equal(2);
  });

  it('5.2 ASplitVoteIsMadeGoodByChance', () =>
    withSeed(testSeed(), (random) => {
      const cluster = serving('ABCDE', () => random.next());
      // One is gone: two and two can split the votes of the four.
      cluster.crash('A');
      cluster.network.weather = { random, lostShare: 0.1, doubledShare: 0, lateMaxMs: 60 };
      cluster.until('one serves', () => cluster.serving().length === 1, 10 * electionMaxMs);
    }));

  it('5.2 EachDrawsItsPatienceAnewBetweenTheTwoBoundsWheneverItHearsThePrimary', () => {
    const drawn: number[] = [];
    for (const chance of [0, 0.5, 0.999_999]) {
      const cluster = serving('ABC', (letter) => (letter === 'B' ? chance : 0.5));
      drawn.push(cluster.state('B').patienceMs);
    }
    expect(drawn[0]).to.equal(electionMinMs);
    expect(drawn[1]).to.equal((electionMinMs + electionMaxMs) / 2);
    expect(drawn[2]).to.be.closeTo(electionMaxMs, 1);
  });

  it('5.2 ACandidateThatHearsAPrimaryFollowsIt', () => {
    const cluster = serving();
    cluster.isolate('C');
    cluster.until('C asks', () => cluster.state('C').attempt?.purpose.kind === 'elect', 3000);
    cluster.network.heal();
    const { term } = cluster.state('A');
    cluster.until(
      'C follows',
      () => {
        const { office, attempt } = cluster.state('C');
        return attempt === undefined && office.kind === 'backup' && office.primary?.node === 'A';
      },
      3 * heartbeatMs,
    );
    expect(cluster.state('A')).to.include({ term });
    expect(cluster.serving()).to.equal('A');
  });

  it('5.2 ACandidateOfALowerTermYieldsToTheOneThatHasAHigherOne', () => {
    const cluster = serving();
    cluster.crash('A');
    cluster.network.isLost = ({ message }) => message.kind === 'fence answer';
    cluster.until('B asks for votes', () => cluster.state('B').attempt?.phase === 'fence', 3000);
    const { term } = cluster.state('B');
    const link = [...cluster.state('B').links.values()].find(({ node }) => node === 'C')!;
    const fence = {
      kind: 'fence',
      term: (term + 2 ** 28) as typeof term,
      attempt: 99,
      isHandOver: false,
      down: [],
    } as const;
    cluster.input('B', { kind: 'message', link: link.id, message: fence });
    expect(cluster.state('B')).to.include({ attempt: undefined, vote: 'C' });
  });

  it('5.2 APrimaryThatHearsOfAHigherTermIsABackupAtOnce', () => {
    const cluster = serving();
    const { term } = cluster.state('A');
    const higher = (term + 2 ** 28) as typeof term;
    const link = [...cluster.state('A').links.values()].find(({ node }) => node === 'B')!;
    const message = { kind: 'heartbeat answer', term: higher, round: 0, sentMs: 0, leaseMs: 0 } as const;
    cluster.input('A', { kind: 'message', link: link.id, message });
    expect(cluster.state('A')).to.include({ term: higher, vote: undefined });
    expect(cluster.state('A').office.kind).to.equal('backup');
  });

  it('5.2 WithTheManualPolicyNobodyIsElectedByItself', () => {
    const cluster = new SmallCluster({ failover: 'manual' });
    cluster.untilServes('A');
    cluster.advance(500);
    cluster.crash('A');
    cluster.advance(20_000);
    expect(cluster.serving()).to.equal('');
    cluster.command('C', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    cluster.untilServes('C');
  });

  it('5.2 AnOperatorMayPromoteAtAnyTimeWhileTheMembersElect', () => {
    const cluster = serving();
    const command = cluster.command('C', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    cluster.untilServes('C', 2000);
    expect(cluster.answer(command)).to.equal('done');
  });
});
