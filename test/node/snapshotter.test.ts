import { expect } from 'chai';
import type { Clock } from '../../src/clock.js';
import type { Index } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { Snapshots } from '../../src/node/ports.js';
import { Snapshotter } from '../../src/node/snapshotter.js';
import { CHUNK_BYTES } from '../../src/storage/snapshot-output.js';
import { WAITING_BYTES_MAX } from '../../src/storage/snapshot-writer.js';
import { SnapshotFiles } from '../../src/storage/snapshots.js';
import { makeTable } from '../store/make-table.js';
import { Store } from '../../src/store/store.js';
import { MemoryDisk } from '../storage/memory-files.js';
import { HeldClock, NEW_STATE, SILENT, range } from './engine-fixture.js';
import { MemoryLog } from './memory-log.js';

interface Slice {
  entries: number;
  /** Of what was added, without escapes. */
  bytes: number;
}

/** Writes a snapshot of the store, and says what was added to it between two turns. */
async function slicesOf(store: Store): Promise<readonly Slice[]> {
  const disk = new MemoryDisk();
  disk.put('/data/kv.json.d/lock', Buffer.alloc(0));
  const files = new SnapshotFiles(disk.mount(), '/data/kv.json', '/data/kv.json.d', undefined, 0 as Index);
  const slices: Slice[] = [{ entries: 0, bytes: 0 }];
  const held = new HeldClock();
  const clock: Clock = {
    nowMs: () => held.nowMs(),
    after: (delayMs, work) => held.after(delayMs, work),
    every: (periodMs, work) => held.every(periodMs, work),
    nextTurn: (work) => {
      slices.push({ entries: 0, bytes: 0 });
      held.nextTurn(work);
    },
  };
  const snapshots: Snapshots = {
    current: undefined,
    currentBytes: 0,
    previousIndex: 0 as Index,
    openCurrent: () => Promise.resolve(undefined),
    install: (output) => files.install(output),
    async begin(given) {
      const output = await files.begin(given);
      const add = output.add.bind(output);
      output.add = (key, value) => {
        const slice = slices.at(-1)!;
        slice.entries++;
        slice.bytes += key.end - key.start + value.end - value.start;
        add(key, value);
      };
      return output;
    },
  };
  const log = new MemoryLog();
  const { cluster, node } = NEW_STATE;
  const snapshotter = new Snapshotter({
    ...{ store, snapshots, clock, events: SILENT, log: () => log, logBytes: Infinity },
    ...{
      identity: () => ({ cluster: cluster!, node }),
      neededFrom: () => undefined,
      applied: () => EMPTY_LOG,
      company: () => 'alone' as const,
      askForMark: () => false,
      summed: () => undefined,
    },
  });
  await snapshotter.write();
  const content = JSON.parse(disk.image().get('/data/kv.json')!.toString()) as { count: number };
  expect(content.count).to.equal(store.count);
  return slices;
}

function storeOf(entries: number, value: string): Store {
  const store = new Store(makeTable());
  for (let at = 0; at < entries; at++) store.put(range(`key ${String(at)}`), range(value));
  store.settle();
  return store;
}

describe('The walk of a snapshot', () => {
  it('ShowsNoMoreThanSomeHundredsOfEntriesInATurn', async () => {
    const slices = await slicesOf(storeOf(5000, 'v'));
    expect(Math.max(...slices.map(({ entries }) => entries))).to.equal(500);
  });

  it('RendersNoMoreThanABoundedNumberOfBytesInATurn', async () => {
    for (const [entries, value] of [
      [300, 'v'.repeat(4000)],
      [80, 'v'.repeat(15_000)],
      [40, '\u0001'.repeat(15_000)],
      [60, '\xff'.repeat(15_000)],
    ] as const) {
      const slices = await slicesOf(storeOf(entries, value));
      expect(Math.max(...slices.map(({ bytes }) => bytes))).to.be.at.most(
        WAITING_BYTES_MAX + 2 * CHUNK_BYTES,
      );
    }
  });

  it('StopsAtALongValueUntilThatIsWritten', async () => {
    const slices = await slicesOf(storeOf(8, 'v'.repeat(2 * WAITING_BYTES_MAX)));
    expect(Math.max(...slices.map(({ entries }) => entries))).to.equal(1);
  });
});
