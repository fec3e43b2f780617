import { expect } from 'chai';
import type { Index, NodeId } from '../../src/engine.js';
import { KEPT_LOG_BYTES_MIN } from '../../src/node/snapshot-transfers.js';
import { REST_MS } from '../../src/node/transfer-pace.js';
import type { LinkId } from '../../src/replication/state.js';
import { until } from './engine-fixture.js';
import { B, HeldSnapshots, MIB, feeding, held, settled } from './feeding.js';
import type { Held } from './feeding.js';
import { chain } from './frames.js';

describe('Feeding', () => {
  it('SaysSoWhenTheLogCannotBeReadAndReadsItWhenItIsAskedAgain', async () => {
    const { feeder, inputs, log } = feeding();
    await log.append(chain(3));
    let isBroken = true;
    const read = log.read.bind(log);
    log.read = (after, bytesMax) => (isBroken ? Promise.reject(new Error('EIO')) : read(after, bytesMax));
    const feed = { kind: 'feed', peer: B, link: 1 as LinkId, after: 0 as Index } as const;
    for (const count of [1, 2]) {
      feeder.perform({ ...feed, bytesMax: 1 });
      await until(() => inputs.length === count);
      isBroken = false;
    }
    const frames = inputs.map((input) => (input.kind === 'fed' ? input.frames : undefined));
    expect(frames[0]).to.equal('unreadable');
    expect(frames[1]).to.have.length(1);
  });

  it('ReadsTheFilesForABackupOnceAtATimeHoweverOftenItsLinkComesAndGoes', async () => {
    const { feeder, inputs, log } = feeding();
    await log.append(chain(3));
    const reads: Held[] = [];
    const read = log.read.bind(log);
    log.read = async (after, bytesMax) => {
      await held(reads);
      return read(after, bytesMax);
    };
    for (let link = 1; link <= 1000; link++) {
      feeder.perform({ kind: 'feed', peer: B, link: link as LinkId, after: 0 as Index, bytesMax: 1 });
    }
    // Another backup does not wait for it.
    feeder.perform({
      kind: 'feed',
      peer: 'c' as NodeId,
      link: 5000 as LinkId,
      after: 1 as Index,
      bytesMax: 1,
    });
    expect(reads).to.have.length(2);
    reads[1]!.goOn();
    await settled();
    expect(inputs.map((input) => input.kind === 'fed' && input.link)).to.deep.equal([5000]);
    reads[0]!.goOn();
    await settled();
    expect(reads, 'only the newest is read still').to.have.length(3);
    reads[2]!.goOn();
    await settled();
    expect(inputs.map((input) => input.kind === 'fed' && input.link)).to.deep.equal([5000, 1, 1000]);
    expect(reads).to.have.length(3);
  });
});

describe('Sending a snapshot', () => {
  it('GoesPartByPartAndEndsWithNothingOpen', async () => {
    const { snapshots, ask, stop, parts, inputs, feeder } = feeding();
    for (const offset of [0, MIB / 2, MIB, 1.5 * MIB]) {
      ask(1, offset);
      await settled();
    }
    expect(parts()).to.deep.equal(['1@0', '1@524288', '1@1048576', '1@1572864']);
    expect(inputs.map((input) => input.kind === 'fed snapshot' && input.isLast)).to.deep.equal([
      false,
      false,
      false,
      true,
    ]);
    expect(feeder.neededFrom).to.equal(7);
    stop();
    await settled();
    expect([snapshots.opened, snapshots.open, feeder.neededFrom]).to.deep.equal([1, 0, undefined]);
  });

  it('LeavesNothingOpenWhenItIsStoppedWhileItIsBeingOpened', async () => {
    const { snapshots, ask, stop, parts, feeder } = feeding();
    snapshots.holdsOpenings = true;
    ask(1);
    await settled();
    stop();
    snapshots.openings[0]!.goOn();
    await settled();
    expect([snapshots.open, feeder.neededFrom]).to.deep.equal([0, undefined]);
    expect(parts()).to.deep.equal([]);
  });

  it('OpensOneFileAtATimeHoweverOftenTheLinkComesAndGoes', async () => {
    const { snapshots, ask, stop, parts } = feeding();
    snapshots.holdsOpenings = true;
    for (let link = 1; link <= 100; link++) {
      ask(link);
      await settled();
      stop();
    }
    ask(101);
    expect(snapshots.opened).to.equal(1);
    snapshots.openings[0]!.goOn();
    await settled();
    expect(parts(), 'for the link that is there').to.deep.equal(['101@0']);
    expect(snapshots.open).to.equal(1);
  });

  it('ReadsOnePartAtATimeHoweverOftenTheLinkComesAndGoes', async () => {
    const { snapshots, ask, stop, parts } = feeding();
    snapshots.holdsReads = true;
    for (let link = 1; link <= 100; link++) {
      ask(link);
      await settled();
      stop();
    }
    ask(101);
    await settled();
    expect(snapshots.reads).to.have.length(1);
    for (const read of snapshots.reads) read.goOn();
    await settled();
    expect(snapshots.reads).to.have.length(2);
    snapshots.reads[1]!.goOn();
    await settled();
    expect(parts()).to.deep.equal(['101@0']);
    stop();
    await settled();
    expect(snapshots.open, 'while a part is read ahead').to.equal(1);
    snapshots.reads[2]!.goOn();
    await settled();
    expect([snapshots.open, snapshots.reads.length]).to.deep.equal([0, 3]);
  });

  it('ReadsOnePartAheadAndNoMore', async () => {
    const { snapshots, ask, parts } = feeding();
    snapshots.holdsReads = true;
    ask(1);
    await settled();
    snapshots.reads[0]!.goOn();
    await settled();
    expect([parts(), snapshots.reads.length]).to.deep.equal([['1@0'], 2]);
    ask(1, MIB / 2);
    await settled();
    expect([parts().length, snapshots.reads.length], 'it waits for that one').to.deep.equal([1, 2]);
    snapshots.reads[1]!.goOn();
    await settled();
    expect([parts(), snapshots.reads.length]).to.deep.equal([['1@0', '1@524288'], 3]);
    // Another one than was foreseen is read when that one was.
    ask(2, 0, false);
    snapshots.reads[2]!.goOn();
    await settled();
    expect([parts().length, snapshots.reads.length]).to.deep.equal([2, 4]);
    snapshots.reads[3]!.goOn();
    await settled();
    expect(parts().at(-1)).to.equal('2@0');
  });

  it('RepeatsAPartEverLessOftenWhileItIsOnItsWay', async () => {
    const { ask, parts } = feeding();
    const sentAt: number[] = [];
    for (let asked = 0; asked <= 100; asked++) {
      const before = parts().length;
      ask(1, MIB / 2);
      await settled();
      if (parts().length > before) sentAt.push(asked);
    }
    expect(sentAt).to.deep.equal([0, 4, 8, 16, 32, 64, 96]);
    // The next part never waits, nor the same one on another link.
    ask(1, MIB);
    await settled();
    ask(2, MIB);
    await settled();
    expect(parts().slice(-2)).to.deep.equal(['1@1048576', '2@1048576']);
  });

  it('BeginsAnewAfterAPartThatCouldNotBeRead', async () => {
    const { snapshots, ask, parts } = feeding();
    snapshots.holdsReads = true;
    ask(1);
    await settled();
    snapshots.reads[0]!.fail();
    await settled();
    expect([snapshots.open, parts().length]).to.deep.equal([0, 0]);
    ask(1);
    await settled();
    snapshots.reads[1]!.goOn();
    await settled();
    snapshots.reads[2]!.fail();
    await settled();
    expect([snapshots.open, parts().length], 'nobody asked for what was read ahead').to.deep.equal([1, 1]);
    ask(1, MIB / 2);
    await settled();
    expect([snapshots.open, parts().length]).to.deep.equal([0, 1]);
    snapshots.holdsReads = false;
    ask(1);
    await settled();
    expect([snapshots.opened, snapshots.open, parts().length]).to.deep.equal([3, 1, 2]);
  });

  it('KeepsTheLogForASlowBackupUpToABound', async () => {
    for (const [size, keptBytes] of [
      [MIB, KEPT_LOG_BYTES_MIN],
      [400 * MIB, 800 * MIB],
    ] as const) {
      const snapshots = new HeldSnapshots();
      snapshots.size = size;
      const { feeder, ask, log } = feeding(snapshots);
      log.appendedBytes = 1000;
      ask(1);
      await settled();
      log.appendedBytes += keptBytes;
      expect(feeder.neededFrom).to.equal(7);
      log.appendedBytes++;
      expect(feeder.neededFrom).to.equal(undefined);
    }
  });

  it('RestsBetweenItsPartsWhileWritesAreCommitted', async () => {
    const { ask, parts, clock, node } = feeding();
    ask(1);
    await settled();
    node.commit++;
    ask(1, 1000);
    await settled();
    clock.pass(REST_MS - 1);
    await settled();
    expect(parts()).to.have.length(1);
    clock.pass(1);
    await settled();
    expect(parts()).to.have.length(2);
  });

  it('RestsNeitherWithoutClientsNorWhereTheyWaitForThisBackup', async () => {
    const { ask, parts, log } = feeding();
    ask(1);
    await settled();
    ask(1, 1000);
    await settled();
    expect(parts(), 'nobody writes').to.have.length(2);
    log.appendedBytes += 100;
    ask(1, 2000);
    await settled();
    expect(parts(), 'nothing is committed').to.have.length(3);
  });

  it('RestsNoMoreOnceTheLogHasGrownTooMuch', async () => {
    const { ask, parts, clock, node, log } = feeding();
    ask(1);
    await settled();
    node.commit++;
    log.appendedBytes = KEPT_LOG_BYTES_MIN / 4;
    ask(1, 1000);
    await settled();
    expect(parts(), 'at the bound').to.have.length(1);
    clock.pass(REST_MS);
    await settled();
    node.commit++;
    log.appendedBytes++;
    ask(1, 2000);
    await settled();
    expect(parts()).to.have.length(3);
  });

  it('StopsWhileItRests', async () => {
    const { ask, stop, parts, clock, node, snapshots } = feeding();
    ask(1);
    await settled();
    node.commit++;
    ask(1, 1000);
    await settled();
    stop();
    clock.pass(REST_MS);
    await settled();
    expect([parts().length, snapshots.open]).to.deep.equal([1, 0]);
  });

  it('ClosesWhatIsOpenWhenTheNodeStops', async () => {
    const { snapshots, ask, feeder } = feeding();
    snapshots.holdsReads = true;
    ask(1);
    await settled();
    let isClosed = false;
    const closing = feeder.close().then(() => (isClosed = true));
    await settled();
    expect(isClosed).to.equal(false);
    snapshots.reads[0]!.goOn();
    await closing;
    expect(snapshots.open).to.equal(0);
  });
});
