import { expect } from 'chai';
import { SmallCluster } from './small-cluster.js';

/** A serves, B and C follow it; D and E, too, where there are so many. */
function serving(members = 'ABC'): SmallCluster {
  const cluster = new SmallCluster({ members });
  cluster.untilServes('A');
  cluster.advance(1000);
  return cluster;
}

/** The term stands still, and A serves at every moment. */
function expectUndisturbed(
  cluster: SmallCluster,
  passedMs: number,
  work: () => void = () => undefined,
): void {
  const { term } = cluster.state('A');
  for (let waitedMs = 0; waitedMs < passedMs; waitedMs += 20) {
    work();
    cluster.advance(20);
    expect(cluster.serving(), `after ${String(waitedMs)} ms`).to.equal('A');
    expect(cluster.state('A').term).to.equal(term);
  }
}

describe('Section 9.6 of the Raft thesis: preventing disruptions when a server rejoins the cluster', () => {
  it('9.6 AnIsolatedNodeDoesNotRaiseTheTermAndDisturbsNobodyWhenItComesBack', () => {
    const cluster = serving();
    const { term } = cluster.state('C');
    cluster.isolate('C');
    cluster.advance(10_000);
    expect(cluster.state('C')).to.include({ term });
    expect(
      cluster.network.said.some(({ from, message: { kind } }) => from === 'C' && kind === 'survey'),
    ).to.equal(true);
    expect(cluster.serving()).to.equal('A');
    cluster.write('A');
    cluster.network.heal();
    expectUndisturbed(cluster, 3000);
    expect(cluster.entriesOf('C')).to.deep.equal(cluster.entriesOf('A'));
  });

  it('9.6 WithoutPreVoteTheSameNodeForcesTheWorkingPrimaryOut', () => {
    const cluster = serving();
    const { term } = cluster.state('A');
    cluster.crash('C');
    cluster.rules = { ...cluster.rules, asksFirst: false };
    cluster.start('C');
    cluster.advance(1000);
    cluster.isolate('C');
    cluster.advance(10_000);
    cluster.network.heal();
    cluster.advance(1000);
    expect(cluster.state('A').term).to.be.greaterThan(term);
  });

  for (const [from, to] of ['AC', 'CA', 'BC', 'CB'] as const) {
    it(`9.6 ACutFrom${from!}To${to!}AloneNeverForcesOutAWorkingPrimary`, () => {
      const cluster = serving();
      cluster.network.cutOneWay(from!, to!);
      expectUndisturbed(cluster, 5000);
      cluster.network.heal();
      expectUndisturbed(cluster, 2000);
    });
  }

  it('9.6 ANodeThatIsCutFromThePrimaryAloneNeverForcesItOut', () => {
    const cluster = serving('ABCDE');
    cluster.network.cut('A', 'C');
    expectUndisturbed(cluster, 5000, () => cluster.write('A'));
    cluster.network.heal();
    expectUndisturbed(cluster, 2000);
  });

  it('9.6 AVoterThatWasJustStartedHelpsNobodyAgainstAPrimaryThatItHasNotHeardYet', () => {
    const cluster = serving();
    cluster.network.cutOneWay('A', 'C');
    cluster.advance(2000);
    cluster.crash('B');
    cluster.advance(200);
    // What the primary says is slow to come.
    const startedMs = cluster.nowMs;
    cluster.network.isLost = ({ from, to }) => from === 'A' && to === 'B' && cluster.nowMs - startedMs < 400;
    cluster.start('B');
    expectUndisturbed(cluster, 1000);
    cluster.network.heal();
    expectUndisturbed(cluster, 2000);
  });

  it('9.6 AVoterThatWasPausedHelpsNobodyBeforeItHasHeardWhatCameMeanwhile', () => {
    const cluster = serving();
    cluster.network.cutOneWay('A', 'C');
    cluster.advance(2000);
    cluster.pause('B');
    cluster.advance(700);
    // It reads first what comes from C.
    cluster.resume('B');
    const wokenMs = cluster.nowMs;
    cluster.network.isLost = ({ from, to }) => from === 'A' && to === 'B' && cluster.nowMs - wokenMs < 100;
    cluster.network.preferred = 'C';
    expectUndisturbed(cluster, 1000);
    cluster.network.heal();
    expectUndisturbed(cluster, 2000);
  });

  it('9.6 ACandidateWhomNobodyAnswersChangesNothingThatIsDurable', () => {
    const cluster = serving();
    cluster.crash('A');
    cluster.crash('B');
    const before = cluster.saved('C');
    cluster.advance(10_000);
    expect(cluster.saved('C')).to.equal(before);
  });

  it('9.6 TheTermOfAMinorityStandsStillHoweverManyTryToBeElected', () => {
    const cluster = serving('ABCDE');
    const { term } = cluster.state('D');
    for (const one of 'ABC') for (const other of 'DE') cluster.network.cut(one, other);
    cluster.advance(10_000);
    for (const letter of 'DE') expect(cluster.state(letter).term).to.equal(term);
    cluster.network.heal();
    expectUndisturbed(cluster, 2000);
  });
});

describe('Section 9.6 of the Raft thesis: a primary without a majority', () => {
  it('9.6 GivesUpItsOfficeOnceItHearsNoMajorityForALongestElectionTimeout', () => {
    const cluster = serving();
    const { term } = cluster.state('A');
    cluster.isolate('A');
    const tookMs = cluster.until('A gives up', () => cluster.state('A').office.kind === 'backup');
    expect(tookMs).to.be.within(1100, 1320);
    expect(cluster.state('A'), 'and asks for it again in the same term').to.include({
      term,
      wantsPlace: true,
    });
    cluster.untilServes('B', 1500);
  });

  it('9.6 OfAPairKeepsItsOffice', () => {
    const cluster = serving('AB');
    cluster.crash('B');
    cluster.advance(5000);
    expect(cluster.serving()).to.equal('A');
  });

  it('9.6 ThatHearsNobodyWhileItsOwnWordsArriveMakesRoomForAnother', () => {
    const cluster = serving();
    cluster.network.cutOneWay('B', 'A');
    cluster.network.cutOneWay('C', 'A');
    cluster.until('another one serves', () => /[BC]/.test(cluster.serving()), 5000);
  });

  it('9.6 OfFiveStaysWhileItHearsTwoAndGoesWithOne', () => {
    const cluster = serving('ABCDE');
    cluster.network.cut('A', 'B');
    cluster.network.cut('A', 'C');
    expectUndisturbed(cluster, 3000);
    cluster.network.cut('A', 'D');
    cluster.until('A gives up', () => cluster.state('A').office.kind === 'backup', 1500);
  });
});
