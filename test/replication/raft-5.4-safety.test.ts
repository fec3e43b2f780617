import { expect } from 'chai';
import type { ReplicationRules } from '../../src/replication/rules.js';
import { SmallCluster } from './small-cluster.js';
import { countOldTerms } from './wrong-rules.js';

describe('Section 5.4.1 of the Raft paper: election restriction', () => {
  it('5.4.1 WhoeverIsElectedHasEveryCommittedEntryAlsoWhereItsOwnLogLackedIt', () => {
    // Entry 3 is committed on A and B; C, which lacks it, is the first to ask.
    const cluster = new SmallCluster({
      logs: { A: [1, 1, 1], B: [1, 1, 1], C: [1] },
      commit: 1,
      primary: 'C',
    });
    cluster.crash('A');
    cluster.untilServes('C', 3000);
    expect(cluster.termsOf('C').slice(0, 3)).to.deep.equal([1, 1, 1]);
    expect(cluster.entriesOf('B')).to.deep.equal(cluster.entriesOf('C'));
  });

  it('5.4.1 TheLongerLogIsThatOfTheLaterTermHoweverShortItIs', () => {
    const cluster = new SmallCluster({
      logs: { A: [1, 2, 2, 2, 2], B: [1, 3], C: [1] },
      terms: { A: 3, B: 3, C: 3 },
      commit: 1,
    });
    cluster.crash('C');
    cluster.untilServes('A', 3000);
    expect(cluster.termsOf('A').slice(0, 2)).to.deep.equal([1, 3]);
  });

  it('5.4.1 OfTwoLogsThatEndInOneTermTheOneWithMoreIsLonger', () => {
    const cluster = new SmallCluster({ logs: { A: [1, 2], B: [1, 2, 2], C: [1] }, commit: 1 });
    cluster.crash('C');
    cluster.untilServes('A', 3000);
    expect(cluster.termsOf('A').slice(0, 3)).to.deep.equal([1, 2, 2]);
  });

  it('5.4.1 NobodyServesWhoCannotFetchTheLongestLogAmongItsVotes', () => {
    const cluster = new SmallCluster({ logs: { A: [1], B: [1, 1], C: [1] }, commit: 1 });
    cluster.network.isLost = ({ message }) => message.kind === 'supply';
    cluster.crash('C');
    cluster.advance(3000);
    expect(cluster.state('A').attempt).to.include({ phase: 'fetch' });
    expect(cluster.serving()).to.equal('');
    cluster.network.heal();
    cluster.untilServes('A', 1000);
  });

  it('5.4.1 WhoIsNoMemberIsNotElectedWhateverItsLog', () => {
    const cluster = new SmallCluster({ members: 'AB', others: 'D' });
    cluster.untilServes('A');
    cluster.crash('A');
    cluster.crash('B');
    cluster.advance(10_000);
    expect(cluster.state('D').attempt).to.equal(undefined);
    expect(cluster.serving()).to.equal('');
  });
});

/** Up to (c) of figure 8: S1 is A. It has come to power again, and its entry of term 2 is on a majority; nothing of its own term is. */
function figure8(rules: Partial<ReplicationRules> = {}): SmallCluster {
  const cluster = new SmallCluster({
    members: 'ABCDE',
    logs: { A: [1, 2], B: [1, 2], C: [1], D: [1], E: [1, 3] },
    terms: { A: 3, B: 3, C: 3, D: 3, E: 3 },
    commit: 1,
    rules,
  });
  cluster.crash('D');
  cluster.crash('E');
  cluster.framesMax = 1;
  cluster.network.isLost = ({ message }) =>
    message.kind === 'append' && message.frames.some(({ term }) => term >= 4 * 2 ** 28);
  cluster.until('C has the entry of term 2', () => cluster.termsOf('C').includes(2));
  cluster.advance(200);
  expect(cluster.termsOf('A')).to.deep.equal([1, 2, 4]);
  for (const letter of 'BC') expect(cluster.termsOf(letter)).to.deep.equal([1, 2]);
  return cluster;
}

/** (d) of figure 8: S1 is gone, and S5 comes to power with the votes of S3 and S4. */
function electE(cluster: SmallCluster): void {
  cluster.crash('A');
  cluster.crash('B');
  cluster.network.heal();
  cluster.start('D');
  cluster.start('E');
  cluster.command('E', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
  cluster.untilServes('E', 8000);
  cluster.advance(1000);
}

describe('Section 5.4.2 of the Raft paper: committing entries from previous terms', () => {
  it('5.4.2 Figure8EntryOfAnOldTermIsNotCommittedByCounting', () => {
    const cluster = figure8();
    expect(cluster.state('A').commit).to.equal(1);
    expect(cluster.office('A').isServing).to.equal(false);
    electE(cluster);
    expect(cluster.termsOf('E').slice(0, 2), 'it was overwritten').to.deep.equal([1, 3]);
    expect(cluster.entriesOf('C')).to.deep.equal(cluster.entriesOf('E'));
  });

  it('5.4.2 Figure8WhereItIsCountedItIsCommittedAndOverwritten', () => {
    expect(() => {
      const cluster = figure8({ committable: countOldTerms });
      expect(cluster.state('A').commit).to.equal(2);
      electE(cluster);
    }).to.throw(/Leader Completeness|State Machine Safety|what is committed/);
  });

  it('5.4.2 Figure8OnceAnEntryOfItsOwnTermIsOnAMajorityAllBeforeItIsCommittedForGood', () => {
    const cluster = figure8();
    cluster.network.heal();
    cluster.until('it is committed', () => cluster.state('A').commit === 3, 4000);
    electE(cluster);
    expect(cluster.termsOf('E').slice(0, 3)).to.deep.equal([1, 2, 4]);
  });

  it('5.4.2 ANewPrimaryCommitsWhatItFoundWithItsFirstEntryAndServesFromThenOn', () => {
    const cluster = new SmallCluster({ logs: { A: [1, 2, 2], B: [1, 2, 2], C: [1, 2, 2] }, commit: 1 });
    cluster.network.isLost = ({ message }) => message.kind === 'append';
    cluster.until('A is primary', () => cluster.state('A').office.kind === 'primary');
    cluster.advance(500);
    expect(cluster.state('A').commit).to.equal(1);
    expect(cluster.write('A')).to.equal(undefined);
    cluster.network.heal();
    cluster.untilServes('A', 4000);
    expect(cluster.state('A').commit).to.equal(4);
  });
});
