import { crc32 } from 'node:zlib';
import type { Index, Position, Term } from '../engine.js';
import { UINT53_BYTES, readUint53, writeUint53 } from './uint53.js';

/**
 * A frame: one to many entries of one term, in one piece, with one checksum. The bytes of a frame are made once,
 * on the primary, and are the same on its disk, on the way to a backup, and on the backup's disk.
 *
 * All numbers are little endian.
 *
 *     at  bytes
 *      0      4  checksum   CRC-32 of everything behind it
 *      4      4  previous   checksum of the frame before: frames form a chain
 *      8      4  length     of the whole frame
 *     12      4  count      of its entries, at least 1
 *     16      8  term       of all its entries
 *     24      8  index      of its first entry; the others follow without a gap
 *     32         entries    see entry.ts
 *
 * The chain makes two logs that agree on one checksum agree on everything before it.
 */
export const FRAME_HEADER_BYTES = 32;
const AT_CHECKSUM = 0;
const AT_PREVIOUS = 4;
const AT_LENGTH = 8;
const AT_COUNT = 12;
const AT_TERM = 16;
const AT_INDEX = AT_TERM + UINT53_BYTES;

/** Bytes left free in front of a frame in memory, so that it can be stored with a head of the disk's own in one write. */
export const FRAME_ROOM_BYTES = 24;

/** The checksum that the first frame of a log follows. */
export const NO_CHECKSUM = 0;

/** A whole frame in memory: `bytes` from `start` to `end`, `FRAME_ROOM_BYTES` of room before `start`. */
export interface Frame {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly term: Term;
  readonly firstIndex: Index;
  readonly count: number;
  readonly previous: number;
  readonly checksum: number;
}

/** Where a log ends, or where it can be gone on from: the position, and the checksum that the next frame follows. */
export interface LogEnd extends Position {
  readonly checksum: number;
}

/** The end of a log that holds nothing. */
export const EMPTY_LOG: LogEnd = { term: 0 as Term, index: 0 as Index, checksum: NO_CHECKSUM };

/** Whether two logs that end so are the same up to there. */
export function isSameEnd(a: LogEnd, b: LogEnd): boolean {
  return a.term === b.term && a.index === b.index && a.checksum === b.checksum;
}

export function endOf(frame: Frame): LogEnd {
  return { term: frame.term, index: lastIndexOf(frame), checksum: frame.checksum };
}

export type FrameFault = 'cut short' | 'checksum mismatch' | 'malformed header';

export function lastIndexOf(frame: Frame): Index {
  return (frame.firstIndex + frame.count - 1) as Index;
}

/** Of frames together; without what the disk stores in front of each. */
export function sizeOf(frames: readonly Frame[]): { readonly bytes: number; readonly entries: number } {
  let bytes = 0;
  let entries = 0;
  for (const { start, end, count } of frames) {
    bytes += end - start;
    entries += count;
  }
  return { bytes, entries };
}

/** Fills in the header of a frame whose entries stand behind it, and closes it with its checksum. */
export function sealFrame(
  bytes: Buffer,
  start: number,
  end: number,
  head: {
    readonly term: Term;
    readonly firstIndex: Index;
    readonly count: number;
    readonly previous: number;
  },
): Frame {
  bytes.writeUInt32LE(head.previous, start + AT_PREVIOUS);
  bytes.writeUInt32LE(end - start, start + AT_LENGTH);
  bytes.writeUInt32LE(head.count, start + AT_COUNT);
  writeUint53(bytes, head.term, start + AT_TERM);
  writeUint53(bytes, head.firstIndex, start + AT_INDEX);
  const checksum = crc32(bytes.subarray(start + AT_PREVIOUS, end));
  bytes.writeUInt32LE(checksum, start + AT_CHECKSUM);
  const { term, firstIndex, count, previous } = head;
  return { bytes, start, end, term, firstIndex, count, previous, checksum };
}

/**
 * Reads the frame that begins at `start`. Nothing is believed before it was checked: the length is held
 * against `limit` first, then the checksum against every byte.
 *
 * @param limit - the offset behind the last byte that may belong to the frame.
 */
export function readFrame(bytes: Buffer, start: number, limit: number): Frame | FrameFault {
  if (limit - start < FRAME_HEADER_BYTES) return 'cut short';
  const length = bytes.readUInt32LE(start + AT_LENGTH);
  if (length < FRAME_HEADER_BYTES) return 'malformed header';
  if (length > limit - start) return 'cut short';
  const end = start + length;
  const checksum = bytes.readUInt32LE(start + AT_CHECKSUM);
  if (crc32(bytes.subarray(start + AT_PREVIOUS, end)) !== checksum) return 'checksum mismatch';
  const count = bytes.readUInt32LE(start + AT_COUNT);
  const term = readUint53(bytes, start + AT_TERM) as Term;
  const firstIndex = readUint53(bytes, start + AT_INDEX) as Index;
  // Neither comparison holds for NaN, and past the last exact number no index would follow another.
  const isPossible = term > 0 && firstIndex > 0 && firstIndex - 1 <= Number.MAX_SAFE_INTEGER - count;
  if (count === 0 || !isPossible) return 'malformed header';
  const previous = bytes.readUInt32LE(start + AT_PREVIOUS);
  return { bytes, start, end, term, firstIndex, count, previous, checksum };
}
