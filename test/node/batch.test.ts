import { expect } from 'chai';
import { systemClock } from '../../src/clock.js';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import type { EntryBatch } from '../../src/engine.js';
import { putEachBytes } from '../../src/log/entry.js';
import { FRAME_HEADER_BYTES } from '../../src/log/frame.js';
import { BatchQueue, batchedCount } from '../../src/node/batch.js';
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
