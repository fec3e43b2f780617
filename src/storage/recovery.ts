import path from 'node:path';
import type { ClusterId, Index, NodeId } from '../engine.js';
import { MalformedEntry } from '../log/entry.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { damaged, StorageFault } from './fault.js';
import type { Files } from './files.js';
import {
  SEGMENT_HEADER_BYTES,
  decodeRecord,
  decodeSegmentHeader,
  laterRecordProves,
  segmentName,
  sequenceOf,
  writtenUpTo,
} from './segment.js';
import type { SegmentHeader } from './segment.js';

/** What is known of a log before it is read. */
export interface RecoveryRequest {
  readonly files: Files;
  readonly directory: string;
  readonly cluster: ClusterId;
  readonly node: NodeId;
  /** What the snapshot holds. Frames behind it are replayed. */
  readonly base: LogEnd;
  /** The log was durable up to here once, and `provenBy` says how that is known. */
  readonly provenIndex: Index;
  readonly provenBy: string;
  /** Where the log ended at a clean stop, if the last stop was one: it ends there still. */
  readonly cleanEnd: LogEnd | undefined;
  replay(frame: Frame): Promise<void> | void;
}

export interface FoundSegment {
  readonly header: SegmentHeader;
  readonly file: string;
}

/** The torn end of a log: bytes that were never acknowledged, since their write did not complete. */
export interface TornEnd {
  readonly file: string;
  readonly offset: number;
  /** What stood there, up to the last byte that is not zero. */
  readonly bytes: Buffer;
}

export interface RecoveredLog {
  readonly segments: readonly FoundSegment[];
  readonly end: LogEnd;
  /** Where the next record goes in the last segment. */
  readonly offset: number;
  readonly torn: TornEnd | undefined;
  /** Bytes of the frames that were replayed. */
  readonly replayedBytes: number;
}

/**
 * Reads the log from its first segment to its end and replays what the snapshot does not hold. Changes nothing.
 *
 * A record that does not hold is one of two things. When a later record, a later segment, the snapshot or
 * the node state proves that it was durable, it is damage, and the node must not go on without it. Otherwise it is the
 * write that a crash interrupted, which nobody was told of.
 *
 * @throws StorageFault naming the file and the offset.
 */
export async function recoverLog(request: RecoveryRequest): Promise<RecoveredLog> {
  const segments = await findSegments(request);
  const first = segments[0];
  if (first === undefined) throw damaged(request.directory, 'the log has no segment, and there was one');
  const { header } = first;
  const { base } = request;
  let end: LogEnd = {
    term: header.previousTerm,
    index: (header.firstIndex - 1) as Index,
    checksum: header.previousChecksum,
  };
  if (end.index > base.index) {
    const what = `it begins at entry ${String(header.firstIndex)}, and the snapshot ends at ${String(base.index)}`;
    throw damaged(first.file, what);
  }
  if (end.index === base.index) checkBase(base, end, first.file, 0);
  let offset = SEGMENT_HEADER_BYTES;
  let torn: TornEnd | undefined;
  let replayedBytes = 0;
  for (const [at, segment] of segments.entries()) {
    checkFollows(segment, end, segments[at - 1], offset);
    const bytes = await readSegment(request.files, segment);
    offset = SEGMENT_HEADER_BYTES;
    for (;;) {
      const record = decodeRecord(bytes, offset, segment.header.salt);
      if (record === undefined) break;
      checkChain(record.frame, end, segment, offset);
      end = endOf(record.frame);
      if (record.frame.firstIndex > base.index) {
        await replay(request, record.frame, segment.file, offset);
        replayedBytes += record.next - offset;
      } else if (end.index >= base.index) {
        checkBase(base, end, segment.file, offset);
      }
      offset = record.next;
    }
    if (at === segments.length - 1) torn = judgeEnd(request, segment, bytes, offset, end);
  }
  return { segments, end, offset, torn, replayedBytes };
}

async function replay(request: RecoveryRequest, frame: Frame, file: string, offset: number): Promise<void> {
  try {
    await request.replay(frame);
  } catch (error) {
    if (!(error instanceof MalformedEntry)) throw error;
    const message = `${file} holds at byte ${String(offset)} what this program cannot read (${error.message}): use the newer program that wrote it`;
    throw new StorageFault('foreign', file, message, offset);
  }
}

async function findSegments(request: RecoveryRequest): Promise<FoundSegment[]> {
  const names = (await request.files.list(request.directory)) ?? [];
  const sequences = names.flatMap((name) => sequenceOf(name) ?? []).sort((a, b) => a - b);
  const found: FoundSegment[] = [];
  for (const sequence of sequences) {
    const file = path.join(request.directory, segmentName(sequence));
    const header = decodeSegmentHeader(await readHead(request.files, file));
    if (header === undefined) throw damaged(file, 'its header does not hold', 0);
    if (header.sequence !== sequence) throw damaged(file, 'it is a segment of another name', 0);
    if (header.cluster !== request.cluster || header.node !== request.node) {
      throw new StorageFault('foreign', file, `${file} belongs to another node: put its own file back`);
    }
    found.push({ header, file });
  }
  return found;
}

async function readHead(files: Files, file: string): Promise<Buffer> {
  const open = await files.open(file);
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    return bytes.subarray(0, await open.read(bytes, 0));
  } finally {
    await open.close();
  }
}

async function readSegment(files: Files, segment: FoundSegment): Promise<Buffer> {
  const { file, header } = segment;
  const open = await files.open(file);
  try {
    const size = await open.size();
    if (size !== header.size) {
      const what = `it is ${String(size)} bytes long and was made with ${String(header.size)}`;
      throw damaged(file, what, Math.min(size, header.size));
    }
    const bytes = Buffer.allocUnsafeSlow(size);
    await open.read(bytes, 0);
    return bytes;
  } finally {
    await open.close();
  }
}

/** A segment is begun only once the one before is durable to its end: a gap between them is damage. */
function checkFollows(
  segment: FoundSegment,
  end: LogEnd,
  before: FoundSegment | undefined,
  offset: number,
): void {
  const { header, file } = segment;
  if (before !== undefined && header.sequence !== before.header.sequence + 1) {
    throw damaged(file, `the segment before it, ${segmentName(header.sequence - 1)}, is missing`);
  }
  const follows =
    header.firstIndex === end.index + 1 &&
    header.previousTerm === end.term &&
    header.previousChecksum === end.checksum;
  if (follows) return;
  const what = `its last whole entry is ${String(end.index)}, and the next segment begins with ${String(header.firstIndex)}`;
  throw damaged(before?.file ?? file, what, offset);
}

function checkChain(frame: Frame, end: LogEnd, segment: FoundSegment, offset: number): void {
  const follows =
    frame.previous === end.checksum && frame.firstIndex === end.index + 1 && frame.term >= end.term;
  if (!follows) throw damaged(segment.file, 'a record does not follow the one before it', offset);
}

/** The snapshot was written between two frames: where it ends, one frame ends too, and it is the same one. */
function checkBase(base: LogEnd, end: LogEnd, file: string, offset: number): void {
  if (end.index === base.index && end.checksum === base.checksum && end.term === base.term) return;
  throw damaged(file, `it disagrees with the snapshot about entry ${String(base.index)}`, offset);
}

/** Tells a torn end from a damaged one; undefined when the log ends cleanly. */
function judgeEnd(
  request: RecoveryRequest,
  segment: FoundSegment,
  bytes: Buffer,
  offset: number,
  end: LogEnd,
): TornEnd | undefined {
  const { cleanEnd, provenIndex, provenBy } = request;
  const written = writtenUpTo(bytes, offset);
  if (end.index < provenIndex) {
    const what = `its last whole entry is ${String(end.index)}, and ${provenBy} proves that entry ${String(provenIndex)} was written`;
    throw damaged(segment.file, what, offset);
  }
  if (cleanEnd !== undefined) {
    const same = end.index === cleanEnd.index && end.checksum === cleanEnd.checksum && written === offset;
    if (!same) throw damaged(segment.file, 'it is not as the last clean stop left it', offset);
  }
  if (written === offset) return undefined;
  if (laterRecordProves(bytes, offset, segment.header.salt, (end.index + 1) as Index)) {
    throw damaged(segment.file, 'a record does not hold, and one behind it does', offset);
  }
  return { file: segment.file, offset, bytes: bytes.subarray(offset, written) };
}
