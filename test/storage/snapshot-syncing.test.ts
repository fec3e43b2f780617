import { expect } from 'chai';
import { systemClock, turn } from '../../src/clock.js';
import type { Files } from '../../src/storage/files.js';
import { CHUNK_BYTES, SYNC_BYTES } from '../../src/storage/snapshot-output.js';
import { SMALL_PAIR_BYTES_MAX, WAITING_BYTES_MAX } from '../../src/storage/snapshot-writer.js';
import { aroundFiles } from './around-files.js';
import { FailingFiles, InjectedFailure } from './failing-files.js';
import { MemoryDisk } from './memory-files.js';
import { watchedFiles, writePairs } from './snapshot-fixture.js';
import type { SizedCall } from './snapshot-fixture.js';
import type { Pair } from './snapshot-words.js';

const LETTERS = Buffer.alloc(SMALL_PAIR_BYTES_MAX - 16, 'p');

function pairsOf(bytes: number): Pair[] {
  return Array.from({ length: Math.ceil(bytes / LETTERS.length) }, (_, at) => ({
    key: Buffer.from(String(at)),
    value: LETTERS,
  }));
}

/** Files whose syncs are counted, and wait while they are held. */
class SyncedFiles {
  readonly files: Files;
  readonly order: string[] = [];
  isHeld = false;
  begun = 0;
  /** Bytes that no sync that has ended had before it. */
  unsyncedBytes = 0;
  unsyncedBytesMax = 0;
  readonly #writes: SizedCall[] = [];
  #release = (): void => undefined;

  constructor() {
    this.files = aroundFiles(watchedFiles(new MemoryDisk().mount(), this.#writes), async (call, run) => {
      const before = this.#writtenBytes;
      if (call.operation === 'sync') this.begun++;
      if (call.operation === 'sync' && this.isHeld) {
        await new Promise<void>((resolve) => (this.#release = resolve));
      }
      this.order.push(call.operation);
      const result = await run();
      if (call.operation === 'sync') this.unsyncedBytes = this.#writtenBytes - before;
      if (call.operation === 'write') this.unsyncedBytes += this.#writes.at(-1)?.bytes ?? 0;
      this.unsyncedBytesMax = Math.max(this.unsyncedBytesMax, this.unsyncedBytes);
      return result;
    });
  }

  get #writtenBytes(): number {
    return this.#writes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  letGo(): void {
    this.isHeld = false;
    this.#release();
  }
}

describe('Syncing a snapshot', () => {
  it('IsDoneOnTheWayOfWhatIsWrittenUntilThen', async () => {
    const synced = new SyncedFiles();
    const writer = await writePairs(synced.files, pairsOf(3 * SYNC_BYTES));
    await writer.drained();
    expect(synced.begun).to.be.within(2, 3);
    expect(synced.unsyncedBytesMax).to.be.within(SYNC_BYTES, SYNC_BYTES + WAITING_BYTES_MAX + CHUNK_BYTES);
    await writer.finish();
    expect(synced.order.slice(-2)).to.deep.equal(['sync', 'close']);
    expect(synced.unsyncedBytes).to.equal(0);
  });

  it('IsOneAtATimeAndDelaysNoWrite', async () => {
    const synced = new SyncedFiles();
    synced.isHeld = true;
    const writer = await writePairs(synced.files, pairsOf(3 * SYNC_BYTES));
    await writer.drained();
    expect(synced.unsyncedBytes).to.be.above(2 * SYNC_BYTES);
    expect(synced.begun).to.equal(1);
    const finished = writer.finish();
    synced.letGo();
    await finished;
    expect(synced.unsyncedBytes).to.equal(0);
  });

  it('FailsTheSnapshotThoughTheNextOneWouldSucceed', async () => {
    for (const more of [0, 4 * CHUNK_BYTES]) {
      const failing = new FailingFiles(new MemoryDisk().mount());
      let syncs = 0;
      failing.failWhile(({ operation }) => operation === 'sync' && ++syncs === 1, 'EIO');
      const outcome = await writePairs(failing.files, pairsOf(SYNC_BYTES + more))
        .then((writer) => writer.finish())
        .catch((error: unknown) => error);
      expect(outcome).to.be.instanceOf(InjectedFailure);
      expect(syncs).to.equal(1);
    }
  });

  it('EndsBeforeTheFileIsGivenUp', async () => {
    const synced = new SyncedFiles();
    synced.isHeld = true;
    const writer = await writePairs(synced.files, pairsOf(SYNC_BYTES + CHUNK_BYTES));
    await writer.drained();
    const abandoned = writer.abandon();
    await turn(systemClock);
    expect(synced.order).not.to.include('close');
    synced.letGo();
    await abandoned;
    const last = synced.order.filter((operation) => ['sync', 'close', 'remove'].includes(operation));
    expect(last.slice(0, 3)).to.deep.equal(['sync', 'close', 'remove']);
  });
});
