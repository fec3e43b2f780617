import { expect } from 'chai';
import type { LogEnd } from '../../src/log/frame.js';
import { endOf } from '../../src/log/frame.js';
import { LogWriter } from '../../src/node/log-writer.js';
import type { LogWriterParts } from '../../src/node/log-writer.js';
import { DiskRoom } from '../../src/node/disk-room.js';
import { HeldClock, SILENT, until } from './engine-fixture.js';
import { chain } from './frames.js';
import { MemoryLog, diskFull } from './memory-log.js';

function startWriter({ connections }: Pick<LogWriterParts, 'connections'> = {}) {
  const log = new MemoryLog();
  const clock = new HeldClock();
  const written: LogEnd[] = [];
  const failures: unknown[] = [];
  const full: boolean[] = [];
  const counts = { idle: 0, writing: 0 };
  /** Called each time that the log was written. */
  const observed = { written: (): void => undefined };
  const writer = new LogWriter({
    log: () => log,
    clock,
    isDurable: true,
    ...(connections === undefined ? {} : { connections }),
    written: (end) => {
      written.push(end);
      observed.written();
    },
    writing: () => {
      counts.writing++;
    },
    idle: () => {
      counts.idle++;
    },
    failed: (error) => void failures.push(error),
    room: new DiskRoom(SILENT, () => void full.push(full.at(-1) !== true)),
  });
  return { log, clock, writer, written, failures, full, counts, observed };
}

/** Long enough for whatever is ready to have happened. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('The writer of the log', () => {
  it('WritesWhatCameInOneTurnWithOneSync', async () => {
    const { writer, log, written, counts } = startWriter();
    const frames = chain(10);
    writer.append(frames.slice(0, 4));
    writer.append(frames.slice(4));
    expect(writer.isIdle).to.equal(false);
    await writer.idle();
    expect(log.groups).to.deep.equal([10]);
    expect(written).to.deep.equal([endOf(frames[9]!)]);
    expect(writer.isIdle).to.equal(true);
    expect(counts.idle).to.equal(1);
  });

  it('LetsLinksSendFirstWhatTheyWereGivenInTheSameTurn', async () => {
    const { writer, log } = startWriter();
    let isSentBefore = false;
    writer.append(chain(1));
    // As a link does.
    queueMicrotask(() => (isSentBefore = log.groups.length === 0));
    await writer.idle();
    expect(isSentBefore).to.equal(true);
  });

  it('HasOneWriteUnderWayAndMakesTheNextGroupOfWhatComesMeanwhile', async () => {
    const { writer, log, written } = startWriter();
    const frames = chain(6);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    await until(() => log.held.length === 1);
    for (const frame of frames.slice(1)) {
      writer.append([frame]);
      await settle();
    }
    expect(log.held).to.have.length(1);
    expect(written).to.deep.equal([]);
    log.hold = false;
    log.held[0]!.release();
    await writer.idle();
    expect(log.groups).to.deep.equal([1, 5]);
    expect(written).to.deep.equal([endOf(frames[0]!), endOf(frames[5]!)]);
  });

  it('WritesWhatItTookMeanwhileWhileWhatIsWrittenIsApplied', async () => {
    const { writer, log, written, counts, observed } = startWriter();
    const frames = chain(3);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    await until(() => log.held.length === 1);
    expect(counts.writing, 'told that more may be taken').to.equal(1);
    writer.append(frames.slice(1));
    let underWay: number | undefined;
    observed.written = () => (underWay ??= log.held.length);
    log.held[0]!.release();
    await until(() => written.length === 1);
    expect(underWay, 'writes begun when the first was told').to.equal(2);
    log.hold = false;
    log.held[1]!.release();
    await writer.idle();
    expect(log.groups).to.deep.equal([1, 2]);
    expect(written).to.deep.equal([endOf(frames[0]!), endOf(frames[2]!)]);
    expect(counts).to.include({ idle: 1, writing: 2 });
  });

  it('HasRoomBesideWhatItTookAndOnlyWhileThatIsBeingWritten', async () => {
    const { writer, log } = startWriter();
    const frames = chain(3, 1000);
    const bytes = frames[0]!.end - frames[0]!.start;
    log.roomBytes = 3 * bytes;
    log.hold = true;
    expect(writer.hasRoomFor(3 * bytes)).to.equal(true);
    writer.append(frames.slice(0, 1));
    expect(writer.hasRoomFor(1), 'the write is not under way').to.equal(false);
    await until(() => log.held.length === 1);
    expect(writer.hasRoomFor(2 * bytes)).to.equal(true);
    expect(writer.hasRoomFor(2 * bytes + 1)).to.equal(false);
    writer.append(frames.slice(1, 2));
    expect(writer.hasRoomFor(bytes)).to.equal(true);
    expect(writer.hasRoomFor(bytes + 1)).to.equal(false);
    log.hold = false;
    log.held[0]!.release();
    await writer.idle();
    expect(writer.hasRoomFor(3 * bytes)).to.equal(true);
  });

  it('ToldOfAFailedWriteTakesNothingOfWhatItTookMeanwhile', async () => {
    const { writer, log, written, failures } = startWriter();
    const frames = chain(3);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    await until(() => log.held.length === 1);
    writer.append(frames.slice(1));
    const failure = new Error('on purpose');
    log.held[0]!.release(failure);
    await writer.idle();
    expect(failures).to.deep.equal([failure]);
    expect(written).to.deep.equal([]);
    expect(log.held).to.have.length(1);
    expect(writer.hasRoomFor(0)).to.equal(false);
  });

  it('BoundsAGroup', async () => {
    const { writer, log } = startWriter();
    writer.append(chain(2 * 256 + 1));
    await writer.idle();
    expect(log.groups).to.deep.equal([256, 256, 1]);
  });

  it('TriesAgainWhileTheDiskIsFullAndDropsNothing', async () => {
    const { writer, log, clock, written, full, failures } = startWriter();
    const frames = chain(2);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    for (let attempt = 0; attempt < 3; attempt++) {
      await until(() => log.held.length === attempt + 1);
      log.held[attempt]!.release(diskFull());
      await settle();
      expect(log.held, 'not before the time has come').to.have.length(attempt + 1);
      clock.pass(500);
    }
    writer.append(frames.slice(1));
    await until(() => log.held.length === 4);
    expect(full, 'told once').to.deep.equal([true]);
    log.hold = false;
    log.held[3]!.release();
    await writer.idle();
    expect(full).to.deep.equal([true, false]);
    expect(written.map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(failures).to.deep.equal([]);
  });

  it('TakesNothingMoreAfterAFailure', async () => {
    const { writer, log, written, failures } = startWriter();
    const frames = chain(3);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    await until(() => log.held.length === 1);
    writer.append(frames.slice(1, 2));
    const failure = new Error('EIO');
    log.hold = false;
    log.held[0]!.release(failure);
    await writer.idle();
    writer.append(frames.slice(2));
    await settle();
    expect(failures).to.deep.equal([failure]);
    expect(log.frames).to.deep.equal([]);
    expect(written).to.deep.equal([]);
    expect(writer.isIdle).to.equal(true);
  });

  it('TakesNothingMoreAfterAFailureWithinTheTurn', async () => {
    const { writer, log, written, failures } = startWriter({ connections: () => 1 });
    const frames = chain(2);
    const failure = new Error('EIO');
    log.appendNow = () => {
      throw failure;
    };
    writer.append(frames.slice(0, 1));
    await writer.idle();
    writer.append(frames.slice(1));
    await settle();
    expect(failures).to.deep.equal([failure]);
    expect(log.groups, 'nor is it tried in another way').to.deep.equal([]);
    expect(written).to.deep.equal([]);
    expect(writer.isIdle).to.equal(true);
  });

  it('MakesRoomOnlyWhileNothingIsWrittenAndWritesWhatCameMeanwhile', async () => {
    const { writer, log, written } = startWriter();
    const frames = chain(3);
    log.hold = true;
    writer.append(frames.slice(0, 1));
    await until(() => log.held.length === 1);
    // The log of this test refuses to make room beside an append.
    const reserving = writer.reserve(100);
    await settle();
    log.hold = false;
    log.held[0]!.release();
    await reserving;
    writer.append(frames.slice(1));
    await writer.idle();
    expect(written.map(({ index }) => index)).to.deep.equal([1, 3]);
  });

  it('GoesOnAfterThereWasNoRoom', async () => {
    const { writer, log, written } = startWriter();
    log.failReserveWith = diskFull();
    const outcome = await writer.reserve(100).catch((error: unknown) => error);
    expect(outcome).to.equal(log.failReserveWith);
    writer.append(chain(1));
    await writer.idle();
    expect(written).to.have.length(1);
  });
});
