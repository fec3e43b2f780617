import { expect } from 'chai';
import { systemClock } from '../../src/clock.js';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import type { EntryBatch } from '../../src/engine.js';
import { putEachBytes } from '../../src/log/entry.js';
import { FRAME_HEADER_BYTES } from '../../src/log/frame.js';
import { BatchQueue, batchedCount } from '../../src/node/batch.js';
import type { Batch } from '../../src/node/batch.js';
import { entryBatch } from '../entry-batch.js';

const BATCH_BYTES = 256 * 1024;
const OBSERVER = { written: (): void => undefined };

/** So many puts that take so many bytes of a frame together. */
function putsOf(count: number, bytes: number): EntryBatch {
  const pairs = Array.from({ length: count }, (_, at): [string, string] => [String(at), '']);
  const rest = bytes - putEachBytes(entryBatch(pairs), count);
  pairs[count - 1] = [String(count - 1), 'v'.repeat(rest)];
  return entryBatch(pairs);
}

describe('Puts that share a batch', () => {
  const room = BATCH_BYTES - FRAME_HEADER_BYTES;

  for (const count of [2, 3, 40, BATCH_KEYS_MAX]) {
    it(`AreAsManyAsFillIt: ${String(count)}`, () => {
      const full = putsOf(count, room);
      expect(batchedCount(full)).to.equal(count);
      const queue = new BatchQueue(systemClock);
      queue.putEach(full, count, OBSERVER);
      expect(queue.closedBytes).to.equal(undefined);
      expect(queue.take()?.builder.length).to.equal(BATCH_BYTES);
      expect(queue.isEmpty).to.equal(true);
    });

    it(`AreHalfOfThemWithOneByteMore: ${String(count)}`, () => {
      expect(batchedCount(putsOf(count, room + 1))).to.equal(Math.floor(count / 2));
    });
  }

  it('AreHalvedUntilTheyFit', () => {
    const pairs = Array.from({ length: BATCH_KEYS_MAX }, (_, at): [string, string] => {
      return [String(at), 'v'.repeat(room / 10)];
    });
    expect(batchedCount(entryBatch(pairs))).to.equal(8);
  });

  it('IsOneHoweverLargeItIs', () => {
    expect(batchedCount(putsOf(1, room + 1))).to.equal(1);
    expect(batchedCount(putsOf(1, 4 * room))).to.equal(1);
  });
});

describe('Batches that were used', () => {
  const MIB = 1024 * 1024;

  /** So many batches of one put each, all of them taken: none of them shares with another, so each is as good as full. */
  function taken(queue: BatchQueue, count: number, bytes = BATCH_BYTES - FRAME_HEADER_BYTES): Batch[] {
    const batches: Batch[] = [];
    for (let at = 0; at < count; at++) {
      queue.putEach(putsOf(1, bytes), 1, OBSERVER);
      batches.push(queue.take()!);
    }
    return batches;
  }

  /** Which of them are used again. */
  function reused(queue: BatchQueue, batches: readonly Batch[], bytes = 100): Batch[] {
    for (const batch of batches) queue.recycle(batch);
    return taken(queue, batches.length, bytes).filter((batch) => batches.includes(batch));
  }

  it('AreUsedAgainUpToFourMebibytesOfThem', () => {
    const queue = new BatchQueue(systemClock);
    const batches = taken(queue, 40);
    const largest = Math.max(...batches.map(({ builder }) => builder.heldBytes));
    const held = reused(queue, batches).reduce((sum, { builder }) => sum + builder.heldBytes, 0);
    expect(held).to.be.within(4 * MIB - largest, 4 * MIB);
  });

  it('AreUsedAgainUpTo64OfThem', () => {
    const queue = new BatchQueue(systemClock);
    expect(reused(queue, taken(queue, 100, 100))).to.have.lengthOf(64);
  });

  it('AreGivenUpWhereOneHoldsMoreThanAllMay', () => {
    const queue = new BatchQueue(systemClock);
    expect(reused(queue, taken(queue, 1, 5 * MIB))).to.deep.equal([]);
  });

  it('TellHowMuchANewOneIsLikelyToNeed', () => {
    const queue = new BatchQueue(systemClock);
    const [first, second] = taken(queue, 2, 100_000);
    expect(first?.builder.heldBytes).to.be.at.least(100_000);
    expect(second?.builder.heldBytes).to.be.within(2 ** 17, 2 ** 17 + 100);
    taken(queue, 1, 10 * MIB);
    const [afterLarge, afterSmall] = taken(queue, 2, 100);
    expect(afterLarge?.builder.heldBytes, 'as much as one of many operations at the most').to.be.within(
      BATCH_BYTES,
      BATCH_BYTES + 100,
    );
    expect(afterSmall?.builder.heldBytes).to.equal(8 * 1024);
  });
});
