import { expect } from 'chai';
import type { FsyncPolicy } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import { SegmentLog } from '../../src/storage/segment-log.js';
import { seededRandom } from '../random.js';
import { FailingFiles } from './failing-files.js';
import { bytesOf, emptyDisk, framesBehind, framesIn, reasonOf } from './replica.js';

async function makeLog(fsync: FsyncPolicy): Promise<{ log: SegmentLog; failing: FailingFiles }> {
  const failing = new FailingFiles(emptyDisk().mount());
  const identity = 'ab'.repeat(16) as never;
  const random = seededRandom(1);
  const { files } = failing;
  const options = { files, directory: '/data', cluster: identity, node: identity, fsync };
  const log = await SegmentLog.create(
    { ...options, segmentBytes: 4096, random: () => random.next() },
    EMPTY_LOG,
  );
  return { log, failing };
}

describe('Frames that are to be appended before anything else happens', () => {
  for (const fsync of ['always', 'everysec', 'off'] as const) {
    it(`AreOneWriteAndAsDurableAsAnyOther: ${fsync}`, async () => {
      const { log, failing } = await makeLog(fsync);
      await log.makeReady();
      const before = failing.calls.length;
      const frames = framesBehind(EMPTY_LOG, 1, 10);
      expect(log.appendNow(frames)).to.equal(true);
      expect(failing.calls.slice(before).map(({ operation }) => operation)).to.deep.equal([
        'writeGatheredNow',
      ]);
      expect([log.end.index, log.syncedIndex]).to.deep.equal([10, fsync === 'always' ? 10 : 0]);
      expect((await framesIn(log)).map(bytesOf)).to.deep.equal(frames.map(bytesOf));
    });
  }

  it('AreLeftToOthersWhereASegmentHasToBeBegun', async () => {
    const { log, failing } = await makeLog('always');
    const frames = framesBehind(EMPTY_LOG, 1, 100);
    const before = failing.calls.length;
    expect(log.appendNow(frames)).to.equal(false);
    expect([log.end.index, failing.calls.length]).to.deep.equal([0, before]);
    await log.append(frames);
    expect((await framesIn(log)).map(bytesOf)).to.deep.equal(frames.map(bytesOf));
  });

  it('HaveRoomBehindOthersExactlyWhereTheSegmentTakesThemAll', async () => {
    const { log } = await makeLog('off');
    const frames = framesBehind(EMPTY_LOG, 1, 100);
    const sizeOf = ({ start, end }: { start: number; end: number }) => end - start;
    const count = frames.findIndex((frame, at) => !log.hasRoomFor(sizeOf(frame), frames.slice(0, at)));
    expect(count, 'frames that are a segment').to.be.within(2, 99);
    expect(log.appendNow(frames.slice(0, count + 1))).to.equal(false);
    expect(log.appendNow(frames.slice(0, count))).to.equal(true);
    expect(log.hasRoomFor(sizeOf(frames[count]!))).to.equal(false);
  });

  it('AreLeftToOthersWhileASyncIsUnderWay', async () => {
    const { log } = await makeLog('everysec');
    const [first, second] = framesBehind(EMPTY_LOG, 1, 2);
    expect(log.appendNow([first!])).to.equal(true);
    const syncing = log.sync();
    expect(log.appendNow([second!])).to.equal(false);
    await syncing;
    expect([log.end.index, log.syncedIndex]).to.deep.equal([1, 1]);
    expect(log.appendNow([second!])).to.equal(true);
    expect([log.end.index, log.syncedIndex]).to.deep.equal([2, 1]);
  });

  it('AreRefusedWhenTheyDoNotFollow', async () => {
    const { log } = await makeLog('off');
    const [first, second] = framesBehind(EMPTY_LOG, 1, 2);
    expect(() => log.appendNow([second!])).to.throw('does not follow');
    expect(log.appendNow([first!, second!])).to.equal(true);
  });

  it('AreTakenNoMoreAfterAFailedWrite', async () => {
    const { log, failing } = await makeLog('off');
    const [first] = framesBehind(EMPTY_LOG, 1, 1);
    failing.failWhile(({ operation }) => operation === 'writeGatheredNow', 'ENOSPC');
    expect(() => log.appendNow([first!])).to.throw('ENOSPC');
    failing.heal();
    expect(() => log.appendNow([first!])).to.throw('ENOSPC');
    expect((await reasonOf(log.append([first!]))).message).to.include('ENOSPC');
  });
});
