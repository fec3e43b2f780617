import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { systemFiles } from '../../src/storage/files.js';
import type { Files, OpenFile } from '../../src/storage/files.js';
import { logSegment } from '../../src/storage/log-segment.js';
import type { LogSegment } from '../../src/storage/log-segment.js';
import { AHEAD_BYTES_MAX, eachSegment } from '../../src/storage/reading-ahead.js';

/** Segments whose bytes are all their number; of a broken one nothing can be read. */
function segmentsOf(
  sizes: readonly number[],
  broken = -1,
): { files: Files; segments: LogSegment[]; open: Set<string>; began: string[]; reading: number[] } {
  const open = new Set<string>();
  const began: string[] = [];
  const reading: number[] = [];
  const openFile = (file: string): Promise<OpenFile> => {
    open.add(file);
    began.push(file);
    const number = Number(file);
    return Promise.resolve({
      size: () => Promise.resolve(sizes[number]!),
      read: (bytes: Buffer) => {
        reading.push(number);
        if (number === broken) return Promise.reject(new Error(`${file} is broken`));
        bytes.fill(number);
        return Promise.resolve(bytes.length);
      },
      close: () => Promise.resolve(void open.delete(file)),
    } as unknown as OpenFile);
  };
  const segments = sizes.map((size, number) =>
    logSegment(
      {
        salt: 1,
        size,
        sequence: number,
        cluster: 'c' as ClusterId,
        node: 'n' as NodeId,
        firstIndex: 1 as Index,
        previousTerm: 0 as Term,
        previousChecksum: 0,
      },
      String(number),
    ),
  );
  return { files: { ...systemFiles, open: openFile }, segments, open, began, reading };
}

function rejectionOf(work: Promise<void>): Promise<string> {
  return work.then(
    () => 'nothing',
    (error: unknown) => (error as Error).message,
  );
}

describe('Segments that are read ahead', () => {
  it('AreShownInOrderWithTheirOwnBytesAndTheNextOneBegunMeanwhile', async () => {
    const { files, segments, reading } = segmentsOf([10, 10, 20, 10]);
    const shown: string[] = [];
    await eachSegment(files, segments, async (segment, bytes, at) => {
      // It is being read, and not only opened: a replay gives the system no turn to tell of that.
      expect(reading.at(-1)).to.equal(Math.min(at + 1, segments.length - 1));
      await new Promise(setImmediate);
      expect(new Set(bytes)).to.deep.equal(new Set([at]));
      shown.push(`${segment.file} ${String(bytes.length)}`);
    });
    expect(shown).to.deep.equal(['0 10', '1 10', '2 20', '3 10']);
  });

  it('KeepNoLargeOneBesideAnother', async () => {
    const { files, segments, began } = segmentsOf([10, AHEAD_BYTES_MAX + 1, AHEAD_BYTES_MAX]);
    const counts: number[] = [];
    await eachSegment(files, segments, () => Promise.resolve(void counts.push(began.length)));
    expect(counts).to.deep.equal([1, 3, 3]);
  });

  it('FailInTheirOwnTurnAndLeaveNothingOpen', async () => {
    const { files, segments, open } = segmentsOf([10, 10, 10], 1);
    const shown: number[] = [];
    const show = async (_: LogSegment, _bytes: Buffer, at: number): Promise<void> => {
      await new Promise(setImmediate);
      shown.push(at);
    };
    expect(await rejectionOf(eachSegment(files, segments, show))).to.equal('1 is broken');
    expect(shown).to.deep.equal([0]);
    expect(open.size).to.equal(0);
  });

  it('AreClosedBeforeItIsSaidThatOneIsDamaged', async () => {
    const { files, segments, open } = segmentsOf([10, 10, 10], 1);
    const show = (): Promise<void> => Promise.reject(new Error('damaged'));
    expect(await rejectionOf(eachSegment(files, segments, show))).to.equal('damaged');
    expect(open.size).to.equal(0);
  });
});
