import { crc32 } from 'node:zlib';
import type { Files, OpenFile } from './files.js';
import { SnapshotDamage } from './snapshot-damage.js';
import { BINARY_CLOSES } from './snapshot-format.js';
import type { SnapshotHead } from './snapshot-format.js';
import { LINE_BYTES_MAX, SnapshotParser, readHead, readLastLine } from './snapshot-parser.js';
import type { EntryTaker, SessionTaker } from './snapshot-parser.js';

export { SnapshotDamage } from './snapshot-damage.js';

/**
 * What is read in one turn: some hundreds of entries, or thousands of the smallest. A quarter of it makes the reading half as long
 * again: 308 MB in 1.6 s in place of 1.1.
 */
export const PARSED_BYTES_A_TURN = 256 * 1024;
/** The same at a start, when there is nobody else whose turn it could be. */
export const LOADED_BYTES_A_TURN = 1024 * 1024;
/** The checksum takes some tenths of a millisecond for as much. */
export const CHECKED_BYTES_A_TURN = 512 * 1024;
/** The last two lines are shorter. */
const LAST_LINES_BYTES_MAX = 128;
const LF = 0x0a;

export interface SnapshotSummary {
  readonly head: SnapshotHead;
  readonly count: number;
  readonly bytes: number;
}

/**
 * Reads a snapshot, a piece of bounded size in each turn. Entries are handed on before the checksum at the end was seen: when
 * this throws, what was taken is worth nothing.
 *
 * @param take - receives each entry, borrowed; without it the file is only checked, which is cheaper.
 * @param pause - awaited after each piece.
 * @param takeSession - receives each session, behind all entries.
 * @param bytesATurn - how large a piece is.
 * @throws SnapshotDamage; StorageFault when a newer program wrote it; the system's error when it cannot be read.
 */
export async function readSnapshot(
  files: Files,
  path: string,
  take?: EntryTaker,
  pause?: () => Promise<void>,
  takeSession?: SessionTaker,
  bytesATurn = PARSED_BYTES_A_TURN,
): Promise<SnapshotSummary> {
  const file = await files.open(path);
  try {
    const summary = take === undefined ? await checkWhole(file, path) : undefined;
    // What does not hold is read again, to say what and where.
    if (summary !== undefined) return summary;
    const parser = new SnapshotParser(path, take ?? (() => undefined), takeSession);
    const bytes = await eachChunk(file, bytesATurn, Infinity, (chunk) => {
      parser.read(chunk);
      return pause?.();
    });
    return { ...parser.end(), bytes };
  } finally {
    await file.close();
  }
}

/**
 * What a file says of itself if its checksum holds, and undefined otherwise. What the checksum covers was written by a
 * writer of snapshots, so of the lines only the first and the last are looked at.
 */
async function checkWhole(file: OpenFile, path: string): Promise<SnapshotSummary | undefined> {
  const bytes = await file.size();
  const last = await readEnd(file, bytes);
  if (last === undefined) return undefined;
  const damage = (what: string): SnapshotDamage => new SnapshotDamage(path, 0, what);
  let checksum = 0;
  let head: SnapshotHead | undefined;
  await eachChunk(file, CHECKED_BYTES_A_TURN, last.coveredBytes, (chunk) => {
    head ??= readHead(
      chunk.toString('latin1', 0, Math.min(LINE_BYTES_MAX, chunk.indexOf(LF) + 1)),
      path,
      damage,
    );
    checksum = crc32(chunk, checksum);
  });
  if (head === undefined || checksum !== last.checksum) return undefined;
  return { head, count: last.count, bytes };
}

interface SnapshotEnd {
  readonly count: number;
  readonly checksum: number;
  /** How much of the file the checksum covers. */
  readonly coveredBytes: number;
}

async function readEnd(file: OpenFile, bytes: number): Promise<SnapshotEnd | undefined> {
  const end = Buffer.alloc(Math.min(bytes, LAST_LINES_BYTES_MAX));
  const text = end.toString('latin1', 0, await file.read(end, bytes - end.length));
  const line = text.slice(text.lastIndexOf('\n', text.length - 2) + 1);
  const last = readLastLine(line);
  if (last === undefined || !text.endsWith(`\n${BINARY_CLOSES}\n${line}`)) return undefined;
  return { ...last, coveredBytes: bytes - line.length + last.covered.length };
}

/**
 * Shows the first bytes of a file, a chunk in each turn, while the next one is being read; answers how many there were. A call
 * of the file system never returns in the turn in which it was made.
 */
export async function eachChunk(
  file: OpenFile,
  chunkBytes: number,
  bytesMax: number,
  show: (chunk: Buffer) => Promise<void> | void,
): Promise<number> {
  const read = (chunk: Buffer, from: number): Promise<number> =>
    file.read(chunk.subarray(0, Math.min(chunkBytes, bytesMax - from)), from);
  // Most files are smaller than a chunk, and need no second one.
  let chunk: Buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, bytesMax));
  let other: Buffer | undefined;
  let position = 0;
  for (let reading = read(chunk, 0); ;) {
    const filled = await reading;
    const next = position + filled;
    const isLast = filled < chunkBytes || next === bytesMax;
    if (!isLast) reading = read((other ??= Buffer.allocUnsafeSlow(chunkBytes)), next);
    try {
      const shown = show(chunk.subarray(0, filled));
      if (shown !== undefined) await shown;
    } catch (error) {
      // Nobody may close the file under it.
      if (!isLast) await reading.catch(() => undefined);
      throw error;
    }
    if (isLast || other === undefined) return next;
    position = next;
    [chunk, other] = [other, chunk];
  }
}
