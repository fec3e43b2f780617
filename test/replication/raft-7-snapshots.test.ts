import { expect } from 'chai';
import { SmallCluster } from './small-cluster.js';

/** C was away while much was written, and no log but its own reaches back to what it has. */
function withOneBehind(): SmallCluster {
  const cluster = new SmallCluster();
  cluster.untilServes('A');
  cluster.advance(200);
  cluster.crash('C');
  for (let count = 0; count < 30; count++) cluster.write('A');
  cluster.advance(500);
  for (const letter of 'AB') cluster.trim(letter);
  return cluster;
}

function isCaughtUp(cluster: SmallCluster, letter: string, with_: string): boolean {
  const [own, other] = [cluster.state(letter), cluster.state(with_)];
  return own.commit === other.commit && own.durable === other.durable && !own.isReplacing;
}

describe('Section 7 of the Raft paper: log compaction', () => {
  it('7 ABackupBehindTheLogIsSentASnapshotAndGoesOnFromThere', () => {
    const cluster = withOneBehind();
    cluster.start('C');
    cluster.until('C has everything', () => isCaughtUp(cluster, 'C', 'A'), 8000);
    expect(cluster.network.said.some(({ message: { kind } }) => kind === 'snapshot part')).to.equal(true);
    cluster.write('A');
    cluster.advance(200);
    expect(isCaughtUp(cluster, 'C', 'A')).to.equal(true);
    expect(cluster.entriesOf('C'), 'its log begins behind the snapshot').to.deep.equal(
      cluster.entriesOf('A'),
    );
  });

  it('7 AlsoByAPrimaryThatWasElectedMeanwhile', () => {
    const cluster = withOneBehind();
    cluster.crash('A');
    cluster.start('C');
    cluster.untilServes('B', 8000);
    cluster.until('C has everything', () => isCaughtUp(cluster, 'C', 'B'), 8000);
    cluster.start('A');
    cluster.until('A has everything', () => isCaughtUp(cluster, 'A', 'B'), 8000);
  });

  it('7 ACandidateBehindTheLogOfItsVotersLeavesTheOfficeToOneOfThem', () => {
    const cluster = withOneBehind();
    cluster.crash('A');
    cluster.start('C');
    cluster.command('C', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    cluster.untilServes('B', 15_000);
    cluster.until('C has everything', () => isCaughtUp(cluster, 'C', 'B'), 8000);
  });

  it('7 ASnapshotOfWhatABackupHasAlreadyChangesNothingOfItsLog', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    for (let count = 0; count < 5; count++) cluster.write('A');
    cluster.advance(500);
    const before = cluster.entriesOf('C');
    const { last, configurations, links, term } = cluster.state('C');
    const link = [...links.values()].find(({ node }) => node === 'A')!;
    const configuration = configurations!.committed;
    const part = {
      kind: 'snapshot part',
      term,
      end: last,
      configuration,
      lossAccepted: false,
      offset: 0,
    } as const;
    cluster.input('C', {
      kind: 'message',
      link: link.id,
      message: { ...part, bytes: Buffer.from('{}'), isLast: true },
    });
    expect(cluster.entriesOf('C')).to.deep.equal(before);
    expect(cluster.state('C').isReplacing).to.equal(false);
  });

  it('7 ALogThatBeginsWithASnapshotElectsAndIsElectedAsAnyOther', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    for (let count = 0; count < 5; count++) cluster.write('A');
    cluster.advance(500);
    for (const letter of 'ABC') cluster.trim(letter);
    cluster.crash('A');
    cluster.untilServes('B', 3000);
    for (const letter of 'BC') {
      cluster.crash(letter);
      cluster.start(letter);
    }
    cluster.until('one serves', () => cluster.serving().length === 1, 5000);
  });
});
