import type { ByteRange, ClusterId, Index, Term } from '../../src/engine.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Log, NodeStates, Replacements, Snapshots } from '../../src/node/ports.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory, DataDirectoryOptions, RecoveryEvent } from '../../src/storage/data-directory.js';
import type { Files } from '../../src/storage/files.js';
import type { SegmentLog } from '../../src/storage/segment-log.js';
import type { ArenaTable } from '../../src/store/arena-table.js';
import { makeTable } from '../store/make-table.js';
import { seededRandom } from '../random.js';
import { DB_PATH } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { range } from './test-node.js';
import { applyFrame, eachEntry } from './writer.js';

export const PRIMARY_ADDRESS = '127.0.0.1:7001';

/** A data directory, and what it showed. */
export interface Replica {
  readonly data: DataDirectory;
  readonly table: ArenaTable;
  readonly events: readonly RecoveryEvent[];
}

/** Opens a data directory as a node does that knows of commits what its state says. */
export async function openReplica(
  files: Files,
  options: Partial<DataDirectoryOptions> = {},
): Promise<Replica> {
  const random = seededRandom(11);
  const events: RecoveryEvent[] = [];
  let table = makeTable();
  const data = await openDataDirectory({
    files,
    dbPath: DB_PATH,
    fsync: 'always',
    segmentBytes: 512,
    firstStart: { role: 'primary' },
    isCommitted: (state) => (frame) => lastIndexOf(frame) <= state.commit,
    random: () => random.next(),
    randomIdentity: () => random.bytes(16).toString('hex'),
    report: (event) => events.push(event),
    target: {
      clear: () => (table = makeTable()),
      put: (key, value) => table.put(key, value),
      session: () => undefined,
      replay: (frame) => applyFrame(table, frame),
    },
    ...options,
  });
  return { data, table, events };
}

export function contentOf(table: ArenaTable): Map<string, string> {
  const content = new Map<string, string>();
  const text = ({ bytes, start, end }: ByteRange): string => bytes.toString('latin1', start, end);
  eachEntry(table, (key, value) => content.set(text(key), text(value)));
  return content;
}

/** Frames behind `end`, one put each, that show which term wrote them. */
export function framesBehind(
  end: LogEnd,
  term: number,
  count: number,
  valueBytes = 40,
  entries = 1,
): Frame[] {
  const frames: Frame[] = [];
  let last = end;
  for (let at = 0; at < count; at++) {
    const builder = new FrameBuilder();
    for (let entry = 1; entry <= entries; entry++) {
      const key = `key-${String((last.index + entry) % 7)}`;
      const value = `${String(term)}:${String(last.index + entry)} `.padEnd(valueBytes, 'v');
      builder.append({ kind: 'put', key: range(key), value: range(value) });
    }
    const frame = builder.seal(term as Term, (last.index + 1) as Index, last.checksum);
    frames.push(frame);
    last = endOf(frame);
  }
  return frames;
}

/** Bytes of the frame itself. */
export function bytesOf(frame: Frame): Buffer {
  return Buffer.from(frame.bytes.subarray(frame.start, frame.end));
}

/** Every frame that the log has behind `after`. */
export async function framesIn(log: SegmentLog, after = 0, bytesMax = 300): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let at = after; ; at = lastIndexOf(frames.at(-1)!)) {
    const read = await log.read(at as Index, bytesMax);
    if (read === 'trimmed') throw new Error(`trimmed behind ${String(at)}`);
    if (read.length === 0) return frames;
    frames.push(...read);
  }
}

export const BACKUP = { firstStart: { role: 'backup', primaryAddress: PRIMARY_ADDRESS } } as const;
export const CLUSTER = 'c1'.repeat(16) as ClusterId;

export function emptyDisk(): MemoryDisk {
  return MemoryDisk.holding(new Map([['/data/other', Buffer.alloc(0)]]));
}

/** Why work failed. */
export async function reasonOf(
  work: Promise<unknown>,
): Promise<Error & { readonly kind?: string; readonly file?: string }> {
  return work.then(
    () => new Error('it was done'),
    (error: unknown) => error as Error,
  );
}

export async function writeSnapshot({ data, table }: Replica, end: LogEnd): Promise<void> {
  const output = await data.snapshots.begin();
  output.start({ cluster: data.state.cluster!, node: data.state.node, end, hasSessions: false });
  eachEntry(table, (key, value) => output.add(key, value));
  await data.snapshots.install(output);
}

/** The content that a primary sends: a map of a hundred entries or so at position 40 of term 9. */
export async function sentSnapshot(): Promise<{ bytes: Buffer; end: LogEnd; content: Map<string, string> }> {
  const replica = await openReplica(emptyDisk().mount(), BACKUP);
  const { data, table } = replica;
  await data.adopt(CLUSTER, data.state);
  const frames = framesBehind(EMPTY_LOG, 9, 20, 60, 2);
  await data.log!.append(frames);
  for (const frame of frames) applyFrame(table, frame);
  await writeSnapshot(replica, data.log!.end);
  const source = (await data.snapshots.openCurrent())!;
  const bytes = await source.read(0, source.size);
  await source.close();
  return { bytes, end: source.end, content: contentOf(table) };
}

/** A backup with two snapshots of its own and a log of term 5 of which the last entries are not committed. */
export async function recordBackup(): Promise<{ image: Image; content: Map<string, string>; lost: Buffer }> {
  const disk = emptyDisk();
  const replica = await openReplica(disk.mount(), BACKUP);
  const { data, table } = replica;
  await data.adopt(CLUSTER, data.state);
  const frames = framesBehind(EMPTY_LOG, 5, 10);
  for (const [at, frame] of frames.entries()) {
    await data.log!.append([frame]);
    if (at < 7) applyFrame(table, frame);
    if (at === 2 || at === 4) await writeSnapshot(replica, endOf(frame));
  }
  await data.saveState({ ...data.state, commit: 7 as Index, logIndex: 10 as Index });
  await data.close();
  const lost = Buffer.concat(frames.slice(7).map(bytesOf));
  return { image: disk.image(), content: contentOf(table), lost };
}

/** A data directory as the node's loop knows it. */
export function portsOf(data: DataDirectory): {
  readonly log: Log;
  readonly snapshots: Snapshots;
  readonly replacements: Replacements;
  readonly states: NodeStates;
} {
  return { log: data.log!, snapshots: data.snapshots, replacements: data, states: data };
}
