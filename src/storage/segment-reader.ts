import { crc32 } from 'node:zlib';
import type { Index } from '../engine.js';
import { lastIndexOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import { readUint53 } from '../log/uint53.js';
import { damaged } from './fault.js';
import { errorCode } from './files.js';
import type { Files, OpenFile } from './files.js';
import { PLACE_BYTES, overriddenFrom } from './log-segment.js';
import type { LogSegment, Place } from './log-segment.js';
import { RECORD_HEAD_BYTES, decodeRecord, recordBytes } from './segment.js';

const CHUNK_BYTES = 1024 * 1024;
/** Ends of reads that are remembered: as many readers go on at once without looking for their place. */
const CURSORS_MAX = 16;

/** A log as it was at one moment. */
export interface LogView {
  readonly segments: readonly LogSegment[];
  /** Its last entry. */
  readonly last: Index;
  /** Whether the log has a segment still: the file of one that it let go of may be written to anew. */
  holds(segment: LogSegment): boolean;
}

interface Cursor extends Place {
  readonly segment: LogSegment;
}

/** A stretch of the log that one segment holds. */
interface Stretch {
  readonly segment: LogSegment;
  readonly last: Index;
}

/** Reads frames back from the segments, for those who are behind. */
export class SegmentReader {
  readonly #files: Files;
  #cursors: Cursor[] = [];

  constructor(files: Files) {
    this.#files = files;
  }

  /** Forgets where reads ended: the log is no longer the one that they were made of. */
  reset(): void {
    this.#cursors = [];
  }

  /**
   * The frames behind the entry `after`, as many as fit into `bytesMax` and at least one. Each has its room in front, in
   * buffers that nobody else uses.
   */
  async read(view: LogView, after: Index, bytesMax: number): Promise<readonly Frame[] | 'trimmed'> {
    const frames: Frame[] = [];
    let at = after;
    let bytesLeft = bytesMax;
    const { reach, stretches } = stretchesOf(view);
    if (after < reach) return 'trimmed';
    for (const stretch of stretches) {
      if (stretch.last <= at) continue;
      let found: readonly Frame[];
      try {
        found = await this.#readStretch(stretch, at, bytesLeft, frames.length === 0);
      } catch (error) {
        // It was let go of since the view was taken, and may be part of another stretch by now. What was read before the
        // failure held under the salt of its earlier life.
        if (errorCode(error) === 'ENOENT' || !view.holds(stretch.segment)) return 'trimmed';
        throw error;
      }
      for (const frame of found) {
        frames.push(frame);
        bytesLeft -= frame.end - frame.start;
        at = lastIndexOf(frame);
      }
      if (at < stretch.last) break;
    }
    return frames;
  }

  /** The last entry at or before `index` where a frame ends, or where the log begins if that is later. */
  async frameEndBefore(view: LogView, index: Index): Promise<Index> {
    if (index >= view.last) return view.last;
    const { reach, stretches } = stretchesOf(view);
    const stretch = stretches.find(({ last }) => last > index);
    if (stretch === undefined || index <= reach) return reach;
    const file = await this.#files.open(stretch.segment.file);
    try {
      return (await this.#find(file, stretch.segment, index)).after;
    } finally {
      await file.close();
    }
  }

  async #readStretch(
    stretch: Stretch,
    after: Index,
    bytesMax: number,
    isFirst: boolean,
  ): Promise<readonly Frame[]> {
    const { segment, last } = stretch;
    const file = await this.#files.open(segment.file);
    try {
      const place = await this.#find(file, segment, after);
      if (place.after !== after) {
        throw new Error(`entry ${String(after)} is inside a frame, and a read begins behind one`);
      }
      const { frames, end } = await readRecords(file, segment, place, { last, bytesMax, isFirst });
      const read = frames.at(-1);
      if (read !== undefined) this.#remember({ segment, after: lastIndexOf(read), offset: end });
      return frames;
    } finally {
      await file.close();
    }
  }

  #remember(cursor: Cursor): void {
    const others = this.#cursors.filter(({ after }) => after !== cursor.after);
    this.#cursors = [cursor, ...others].slice(0, CURSORS_MAX);
  }

  /** Where the record begins that holds the entry behind `after`. */
  async #find(file: OpenFile, segment: LogSegment, after: Index): Promise<Place> {
    const cursor = this.#cursors.find((each) => each.segment === segment && each.after === after);
    if (cursor !== undefined) return cursor;
    const place = segment.places.findLast((each) => each.after <= after);
    if (place === undefined) throw new Error(`entry ${String(after)} is not in ${segment.file}`);
    if (place.after === after) return place;
    const size = Math.min(PLACE_BYTES + RECORD_HEAD_BYTES, segment.end - place.offset);
    const bytes = Buffer.allocUnsafeSlow(size);
    await readAll(file, bytes, place.offset, segment);
    let found = place;
    for (let at = 0; at + RECORD_HEAD_BYTES <= size;) {
      const offset = place.offset + at;
      const head = readHead(bytes, at, segment.header.salt);
      if (head === undefined) throw damaged(segment.file, 'a record does not hold', offset);
      if (head.firstIndex - 1 > after) break;
      found = { after: (head.firstIndex - 1) as Index, offset };
      at += recordBytes(head.length);
    }
    return found;
  }
}

/** What the log is made of, and the entry that it begins behind. */
function stretchesOf(view: LogView): { readonly reach: Index; readonly stretches: readonly Stretch[] } {
  const overridden = overriddenFrom(view.segments);
  const stretches = view.segments
    .map((segment, at) => {
      const last = Math.min((overridden[at] ?? Infinity) - 1, view.last) as Index;
      return { segment, last };
    })
    .filter(({ segment, last }) => last >= segment.header.firstIndex);
  const firstIndex = stretches[0]?.segment.header.firstIndex ?? view.last + 1;
  return { reach: (firstIndex - 1) as Index, stretches };
}

interface RecordLimits {
  /** The last entry to read. */
  readonly last: Index;
  readonly bytesMax: number;
  /** The first record is read however large it is. */
  readonly isFirst: boolean;
}

async function readRecords(
  file: OpenFile,
  segment: LogSegment,
  from: Place,
  limits: RecordLimits,
): Promise<{ frames: readonly Frame[]; end: number }> {
  const frames: Frame[] = [];
  let { after, offset } = from;
  let bytesLeft = limits.bytesMax;
  while (after < limits.last) {
    const isFirst = limits.isFirst && frames.length === 0;
    const bytes = await readPiece(file, segment, offset, bytesLeft, isFirst);
    if (bytes === undefined) break;
    for (let at = 0; after < limits.last;) {
      const record = decodeRecord(bytes, at, segment.header.salt);
      if (record === undefined) {
        // The piece ends within this record, or it does not hold.
        if (at === 0) throw damaged(segment.file, 'a record does not hold', offset);
        break;
      }
      const { frame } = record;
      if (frame.firstIndex !== after + 1) {
        throw damaged(segment.file, 'a record does not follow the one before it', offset);
      }
      const size = frame.end - frame.start;
      const isFree = limits.isFirst && frames.length === 0;
      if (!isFree && size > bytesLeft) return { frames, end: offset };
      frames.push(frame);
      bytesLeft -= size;
      after = lastIndexOf(frame);
      offset += record.next - at;
      at = record.next;
    }
  }
  return { frames, end: offset };
}

/** Bytes from a record on: at least the whole of it, and no more than is useful. Undefined when it is too large. */
async function readPiece(
  file: OpenFile,
  segment: LogSegment,
  offset: number,
  bytesMax: number,
  isFirst: boolean,
): Promise<Buffer | undefined> {
  const written = segment.end - offset;
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  await readAll(file, head, offset, segment);
  const found = readHead(head, 0, segment.header.salt);
  if (found === undefined || found.length > written) {
    throw damaged(segment.file, 'a record does not hold', offset);
  }
  if (!isFirst && found.length > bytesMax) return undefined;
  const wanted = Math.max(recordBytes(found.length), Math.min(CHUNK_BYTES, bytesMax));
  const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, written));
  await readAll(file, bytes, offset, segment);
  return bytes;
}

async function readAll(file: OpenFile, bytes: Buffer, offset: number, segment: LogSegment): Promise<void> {
  const filled = await file.read(bytes, offset);
  if (filled < bytes.length) throw damaged(segment.file, 'it is cut short', offset + filled);
}

/** The head of a record, which lies before the frame; undefined when it does not hold. */
function readHead(
  bytes: Buffer,
  at: number,
  salt: number,
): { readonly length: number; readonly firstIndex: number } | undefined {
  if (at + RECORD_HEAD_BYTES > bytes.length) return undefined;
  const check = crc32(bytes.subarray(at + 4, at + RECORD_HEAD_BYTES), salt);
  if (bytes.readUInt32LE(at) !== check) return undefined;
  return { length: bytes.readUInt32LE(at + 4), firstIndex: readUint53(bytes, at + 16) };
}
