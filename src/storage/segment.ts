import { crc32 } from 'node:zlib';
import type { ClusterId, Index, NodeId, Term } from '../engine.js';
import { FRAME_HEADER_BYTES, FRAME_ROOM_BYTES, readFrame } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import { readUint53, writeUint53 } from '../log/uint53.js';

/**
 * A segment: a file of fixed size that holds a stretch of the log. It was filled with zeros and synced before its
 * first frame, or held an earlier stretch that nobody needs any more. So its size never changes: a shorter file is damage,
 * and a synced write touches data only.
 *
 * All numbers are little endian.
 *
 *     at  bytes
 *      0      8  magic      "USDYLOG1"
 *      8      4  checksum   CRC-32 of bytes 12 to 128
 *     12      4  salt       random, made with the segment
 *     16      8  size       of the file
 *     24      8  sequence   number of the segment; it stands in the name, too
 *     32     16  cluster
 *     48     16  node
 *     64      8  index      of the first entry that this segment may hold
 *     72      8  term       of the entry before that
 *     80      4  previous   checksum of the frame before that
 *    128         records, each at a multiple of 8
 *                the end mark, 24 zeros, where there is room for it
 *                anything: zeros, or what an earlier life of the file left
 *
 * A record is a frame behind 24 bytes that belong to this disk alone:
 *
 *      0      4  check      CRC-32 of bytes 4 to 24, begun with the salt
 *      4      4  length     of the frame
 *      8      8  durable    the highest index that was durable when this was written
 *     16      8  index      of the frame's first entry
 *     24         frame, see log/frame.ts
 *
 * The salt is secret from clients: no value that they store can be taken for a record. It is new in each life of a file:
 * no record of an earlier one holds.
 *
 * Each write of records carries an end mark behind its last one, and puts the head of its first one in the place of the
 * mark before. Whichever sectors of a head reach the disk, they hold its length or its index, which are not zero. So a mark
 * of zeros means that nothing follows, or that the write which was to follow lost its beginning.
 */
export const SEGMENT_HEADER_BYTES = 128;
export const RECORD_HEAD_BYTES = FRAME_ROOM_BYTES;
export const END_MARK_BYTES = RECORD_HEAD_BYTES;
const RECORD_ALIGNMENT = 8;
const WORD_BITS = 2;
const WORD_BYTES = 2 ** WORD_BITS;
const END_MARK = Buffer.alloc(END_MARK_BYTES);
/** Where the index stands in a record. */
const AT_INDEX = 16;
const AT_INDEX_HIGH = AT_INDEX + 4;
const INDEX_HIGH_MAX = 2 ** 21 - 1;
const MAGIC = Buffer.from('USDYLOG1');
const AT_HEADER_CHECKSUM = 8;
const AT_SALT = 12;
const AT_SIZE = 16;
const AT_SEQUENCE = 24;
const AT_CLUSTER = 32;
const AT_NODE = 48;
const AT_FIRST_INDEX = 64;
const AT_PREVIOUS_TERM = 72;
const AT_PREVIOUS = 80;

export interface SegmentHeader {
  readonly salt: number;
  readonly size: number;
  readonly sequence: number;
  readonly cluster: ClusterId;
  readonly node: NodeId;
  readonly firstIndex: Index;
  readonly previousTerm: Term;
  readonly previousChecksum: number;
}

const SEQUENCE_DIGITS = 10;
const SEGMENT_NAME = /^segment-(\d{10})$/;

export function segmentName(sequence: number): string {
  return `segment-${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

/** The sequence in a segment's name; undefined for other names. */
export function sequenceOf(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(header.salt, AT_SALT);
  writeUint53(bytes, header.size, AT_SIZE);
  writeUint53(bytes, header.sequence, AT_SEQUENCE);
  bytes.write(header.cluster, AT_CLUSTER, 'hex');
  bytes.write(header.node, AT_NODE, 'hex');
  writeUint53(bytes, header.firstIndex, AT_FIRST_INDEX);
  writeUint53(bytes, header.previousTerm, AT_PREVIOUS_TERM);
  bytes.writeUInt32LE(header.previousChecksum, AT_PREVIOUS);
  bytes.writeUInt32LE(crc32(bytes.subarray(AT_SALT)), AT_HEADER_CHECKSUM);
  return bytes;
}

/** Undefined when the bytes are no header. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  if (bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) return undefined;
  const checked = crc32(bytes.subarray(AT_SALT, SEGMENT_HEADER_BYTES));
  if (bytes.readUInt32LE(AT_HEADER_CHECKSUM) !== checked) return undefined;
  return {
    salt: bytes.readUInt32LE(AT_SALT),
    size: readUint53(bytes, AT_SIZE),
    sequence: readUint53(bytes, AT_SEQUENCE),
    cluster: bytes.toString('hex', AT_CLUSTER, AT_NODE) as ClusterId,
    node: bytes.toString('hex', AT_NODE, AT_FIRST_INDEX) as NodeId,
    firstIndex: readUint53(bytes, AT_FIRST_INDEX) as Index,
    previousTerm: readUint53(bytes, AT_PREVIOUS_TERM) as Term,
    previousChecksum: bytes.readUInt32LE(AT_PREVIOUS),
  };
}

/** Bytes that a record with a frame of this length takes in a segment. */
export function recordBytes(frameBytes: number): number {
  return Math.ceil((RECORD_HEAD_BYTES + frameBytes) / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/**
 * Fills the room in front of a frame, and answers the whole record.
 *
 * @param durable - the highest index that is durable on this node.
 */
export function encodeRecord(frame: Frame, salt: number, durable: Index): Buffer {
  const start = frame.start - RECORD_HEAD_BYTES;
  const { bytes } = frame;
  bytes.writeUInt32LE(frame.end - frame.start, start + 4);
  writeUint53(bytes, durable, start + 8);
  writeUint53(bytes, frame.firstIndex, start + AT_INDEX);
  bytes.writeUInt32LE(crc32(bytes.subarray(start + 4, frame.start), salt), start);
  return bytes.subarray(start, frame.end);
}

export interface StoredRecord {
  readonly frame: Frame;
  readonly durable: Index;
  /** Where the next record begins. */
  readonly next: number;
}

/** The record at an offset, or undefined when the bytes there are none. */
export function decodeRecord(segment: Buffer, at: number, salt: number): StoredRecord | undefined {
  const frameAt = at + RECORD_HEAD_BYTES;
  if (frameAt + FRAME_HEADER_BYTES > segment.length) return undefined;
  const length = segment.readUInt32LE(at + 4);
  if (length < FRAME_HEADER_BYTES || length > segment.length - frameAt) return undefined;
  const check = segment.readUInt32LE(at);
  if (crc32(segment.subarray(at + 4, frameAt), salt) !== check) return undefined;
  const frame = readFrame(segment, frameAt, frameAt + length);
  if (typeof frame === 'string' || frame.end !== frameAt + length) return undefined;
  if (frame.firstIndex !== readUint53(segment, at + AT_INDEX)) return undefined;
  return { frame, durable: readUint53(segment, at + 8) as Index, next: at + recordBytes(length) };
}

/** Whether the log ends at this offset as a write leaves it: with a mark, or with no room for one. */
export function hasEndMark(segment: Buffer, at: number): boolean {
  if (at + END_MARK_BYTES > segment.length) return true;
  return segment.compare(END_MARK, 0, END_MARK_BYTES, at, at + END_MARK_BYTES) === 0;
}

/** What stands behind the last record that follows the one before it: `proof` that the next one was durable is damage. */
export type LaterRecords = 'none' | 'some' | 'proof';

/**
 * Looks for records that hold behind a place where one does not, or where there is none.
 *
 * @param index - of the entry that should stand there.
 */
export function laterRecords(segment: Buffer, from: number, salt: number, index: Index): LaterRecords {
  let found: LaterRecords = 'none';
  const last = segment.length - RECORD_HEAD_BYTES - FRAME_HEADER_BYTES;
  const words = wordsOf(segment);
  for (let at = from; at <= last; at += RECORD_ALIGNMENT) {
    // Almost everywhere one look is enough: what an earlier life left has lower indexes.
    const indexHigh = words[(at + AT_INDEX_HIGH) >>> WORD_BITS] ?? 0;
    if (indexHigh > INDEX_HIGH_MAX) continue;
    const indexLow = words[(at + AT_INDEX) >>> WORD_BITS] ?? 0;
    if (indexHigh === 0 ? indexLow < index : indexHigh * 2 ** 32 + indexLow < index) continue;
    const record = decodeRecord(segment, at, salt);
    if (record === undefined) continue;
    if (record.frame.firstIndex > index && record.durable >= index) return 'proof';
    found = 'some';
  }
  return found;
}

/**
 * A segment as words, which are little endian on every machine that the lock of a directory is built for. To look over the unused
 * rest of a segment takes a tenth of what it does byte by byte.
 */
function wordsOf(segment: Buffer): Uint32Array {
  const isAtWord = segment.byteOffset % WORD_BYTES === 0;
  const { buffer, byteOffset, length } = isAtWord ? segment : Buffer.from(Uint8Array.from(segment).buffer);
  return new Uint32Array(buffer, byteOffset, Math.floor(length / WORD_BYTES));
}

/** Whether a later record proves that `index` was durable, so that its loss is damage and no torn write. */
export function laterRecordProves(segment: Buffer, from: number, salt: number, index: Index): boolean {
  return laterRecords(segment, from, salt, index) === 'proof';
}

/** The offset behind the last byte that is not zero, searched from the end down to `from`. */
export function writtenUpTo(segment: Buffer, from: number): number {
  let end = segment.length;
  while (end > from && segment[end - 1] === 0) end--;
  return end;
}
