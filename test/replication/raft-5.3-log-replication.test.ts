import { expect } from 'chai';
import { SmallCluster } from './small-cluster.js';

/** The logs of figure 7: what a primary of term 8 may find when it comes to power. */
const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const FIGURE_7: Readonly<Record<string, readonly number[]>> = {
  a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
  b: [1, 1, 1, 4],
  c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
  d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
  e: [1, 1, 1, 4, 4, 4, 4],
  f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
};

/** The primary of figure 7 is A, and its backups have these logs. */
function figure7(...names: readonly string[]): SmallCluster {
  const letters = ['B', 'C', 'D', 'E', 'F', 'G'].slice(0, names.length);
  const logs = Object.fromEntries(letters.map((letter, at) => [letter, FIGURE_7[names[at]!]!]));
  const terms = Object.fromEntries(['A', ...letters].map((letter) => [letter, 7]));
  return new SmallCluster({ members: `A${letters.join('')}`, logs: { A: LEADER, ...logs }, terms });
}

function expectSameLogs(cluster: SmallCluster, letters: string): void {
  const [first, ...others] = Array.from(letters);
  for (const letter of others)
    expect(cluster.entriesOf(letter), letter).to.deep.equal(cluster.entriesOf(first!));
}

describe('Section 5.3 of the Raft paper: log replication', () => {
  it('5.3 AnEntryIsCommittedOnceAMajorityHasItDurably', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    for (const letter of 'BC') cluster.setSlow(letter, true);
    const index = cluster.write('A')!;
    cluster.advance(200);
    expect(cluster.state('A').commit).to.equal(index - 1);
    expect(cluster.state('B').last.index, 'it has it, and not durably').to.equal(index);
    cluster.flush('C');
    cluster.advance(40);
    expect(cluster.state('A').commit).to.equal(index);
    cluster.setSlow('A', true);
    for (const letter of 'BC') cluster.setSlow(letter, false);
    const next = cluster.write('A')!;
    cluster.advance(40);
    expect(cluster.state('A').commit, 'its own copy is not needed').to.equal(next);
  });

  it('5.3 BackupsLearnWhatIsCommittedAndApplyItInOrder', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    for (let count = 0; count < 20; count++) cluster.write('A');
    cluster.advance(200);
    for (const letter of 'BC') expect(cluster.state(letter).commit).to.equal(cluster.state('A').commit);
    expectSameLogs(cluster, 'ABC');
  });

  it('5.3 APrimaryGoesOnSendingToABackupUntilItHasEverything', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    cluster.network.cut('A', 'C');
    for (let count = 0; count < 50; count++) cluster.write('A');
    cluster.advance(1000);
    cluster.network.heal();
    cluster.until('C has it', () => cluster.state('C').commit === cluster.state('A').commit, 4000);
    expectSameLogs(cluster, 'ABC');
  });

  it('5.3 AnAppendThatDoesNotFollowIsRefusedAndTheCommonPrefixFound', () => {
    const cluster = figure7('a', 'b', 'e');
    cluster.until('one serves', () => cluster.serving().length === 1);
    cluster.advance(3000);
    expectSameLogs(cluster, 'ABCD');
    expect(cluster.termsOf('D').slice(0, 10)).to.deep.equal(LEADER);
  });

  for (const name of Object.keys(FIGURE_7)) {
    it(`5.3 Figure7AFollowerLike ${name} ComesToHaveThePrimarysLog`, () => {
      // Two that have the primary's own log are its majority; what the third one has more is not committed.
      const cluster = new SmallCluster({
        members: 'ABC',
        logs: { A: LEADER, B: LEADER, C: FIGURE_7[name]! },
        terms: { A: 7, B: 7, C: 7 },
        commit: 3,
      });
      cluster.network.isLost = ({ from, message }) => from === 'C' && message.kind === 'fence answer';
      cluster.untilServes('A');
      cluster.network.heal();
      cluster.write('A');
      cluster.advance(3000);
      expectSameLogs(cluster, 'ABC');
      expect(cluster.termsOf('C').slice(0, 10)).to.deep.equal(LEADER);
    });
  }

  it('5.3 Figure7WhoeverIsElectedByAllHasFetchedTheLongestLogAndAllComeToHaveIt', () => {
    for (const first of 'ABCDEFG') {
      const letters = 'ABCDEFG';
      const logs = Object.fromEntries(
        [LEADER, ...Object.values(FIGURE_7)].map((terms, at) => [letters[at]!, terms]),
      );
      const terms = Object.fromEntries(Array.from(letters).map((letter) => [letter, 7]));
      const cluster = new SmallCluster({ members: letters, logs, terms, primary: first });
      // Everybody is heard before the votes are counted.
      cluster.untilServes(first, 5000);
      cluster.advance(3000);
      expectSameLogs(cluster, letters);
      const voters = cluster.termsOf(first);
      expect(Math.max(...voters.slice(0, -1)), 'not less than what a majority has').to.be.at.least(6);
    }
  });

  it('5.3 Figure7WhatAMajorityHasIsKeptWhoeverIsElectedByWhom', () => {
    // Entry 9 of term 6 is on A, B, D and E here: four of seven, and so it may be committed.
    const letters = 'ABCDEFG';
    for (const candidate of letters) {
      for (const silent of letters) {
        if (silent === candidate) continue;
        const logs = Object.fromEntries(
          [LEADER, ...Object.values(FIGURE_7)].map((terms, at) => [letters[at]!, terms]),
        );
        const terms = Object.fromEntries(Array.from(letters).map((letter) => [letter, 7]));
        const cluster = new SmallCluster({ members: letters, logs, terms, primary: candidate });
        cluster.crash(silent);
        cluster.untilServes(candidate, 8000);
        expect(cluster.termsOf(candidate).slice(0, 9)).to.deep.equal(LEADER.slice(0, 9));
      }
    }
  });
});
