import type { Clock } from '../../src/clock.js';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import type { Files } from '../../src/storage/files.js';
import { readWhole } from '../../src/storage/files.js';
import type { SnapshotHead } from '../../src/storage/snapshot-format.js';
import { readSnapshot } from '../../src/storage/snapshot-reader.js';
import { SnapshotWriter } from '../../src/storage/snapshot-writer.js';
import { aroundFiles } from './around-files.js';
import type { FilesCall } from './around-files.js';
import { MemoryDisk } from './memory-files.js';
import { inArena, shown } from './snapshot-words.js';
import type { Pair } from './snapshot-words.js';

export const PATH = '/file';
const IDENTITY = 'ab'.repeat(16);
export const HEAD: SnapshotHead = {
  cluster: IDENTITY as ClusterId,
  node: IDENTITY as NodeId,
  end: { term: 1 as Term, index: 2 as Index, checksum: 3 },
  hasSessions: false,
};

/** Writes the pairs as a walk does: what is borrowed is gone as soon as it was shown. */
export async function writePairs(
  files: Files,
  pairs: Iterable<Pair>,
  clock?: Clock,
): Promise<SnapshotWriter> {
  const writer = await SnapshotWriter.create(files, PATH, clock);
  writer.start(HEAD);
  for (const { key, value } of pairs) {
    const borrowed = [inArena(key), inArena(value)] as const;
    writer.add(...borrowed);
    borrowed[0].bytes.fill(0x21);
    if (value.length < 4096) borrowed[1].bytes.fill(0x21);
    if (writer.backedUp) await writer.drained();
  }
  return writer;
}

export async function written(pairs: Iterable<Pair>, clock?: Clock): Promise<Buffer> {
  const files = new MemoryDisk().mount();
  await (await writePairs(files, pairs, clock)).finish();
  return readWhole(files, PATH);
}

export function mounted(content: Buffer): Files {
  const disk = new MemoryDisk();
  disk.put(PATH, content);
  return disk.mount();
}

/** The entries of a snapshot, sorted. */
export async function entriesOf(content: Buffer): Promise<string[]> {
  const found: string[] = [];
  await readSnapshot(mounted(content), PATH, (key, value) => {
    const copies = [key, value].map(({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)));
    found.push(shown({ key: copies[0]!, value: copies[1]! }));
  });
  return found.sort();
}

export interface SizedCall extends FilesCall {
  readonly bytes: number;
}

/** Files that note every read and write of an open file with its size. */
export function watchedFiles(inner: Files, calls: SizedCall[]): Files {
  const open = (file: string, opened: Awaited<ReturnType<Files['open']>>): typeof opened => ({
    ...opened,
    write: (bytes, position) => {
      calls.push({ operation: 'write', file, bytes: bytes.length });
      return opened.write(bytes, position);
    },
    read: (bytes, position) => {
      calls.push({ operation: 'read', file, bytes: bytes.length });
      return opened.read(bytes, position);
    },
  });
  return {
    ...inner,
    open: async (file) => open(file, await inner.open(file)),
    create: async (file) => open(file, await inner.create(file)),
  };
}

/** Files whose writes wait until they are released. */
export function heldFiles(inner: Files): { readonly files: Files; readonly release: () => void } {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const files = aroundFiles(inner, async (call, run) => {
    if (call.operation === 'write') await held;
    return run();
  });
  return { files, release };
}

/** A clock that counts the turns it gives, each at once. */
export class CountingClock implements Clock {
  turns = 0;

  nowMs(): number {
    return 0;
  }

  after(): never {
    throw new Error('nothing waits for a time here');
  }

  every(): never {
    throw new Error('nothing waits for a time here');
  }

  nextTurn(work: () => void): void {
    this.turns++;
    void Promise.resolve().then(work);
  }
}
