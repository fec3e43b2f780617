import path from 'node:path';
import type { ClusterId, Index, NodeId } from '../engine.js';
import { MalformedEntry } from '../log/entry.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { damaged, StorageFault } from './fault.js';
import type { Files } from './files.js';
import { addRecord, logSegment, overriddenFrom } from './log-segment.js';
import type { LogSegment } from './log-segment.js';
import { eachSegment } from './reading-ahead.js';
import {
  SEGMENT_HEADER_BYTES,
  decodeRecord,
  decodeSegmentHeader,
  hasEndMark,
  laterRecords,
  segmentName,
  sequenceOf,
  writtenUpTo,
} from './segment.js';

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
  /** Shown every frame of the log, oldest first. */
  visit(frame: Frame): void;
  /** Asked of each frame behind the snapshot, in order, until it says no for the first time. */
  isCommitted(frame: Frame): boolean;
  replay(frame: Frame): Promise<void> | void;
}

/** The torn end of a log: bytes that were never acknowledged, since their write did not complete. */
export interface TornEnd {
  readonly file: string;
  readonly offset: number;
  /** What stood there, up to the last byte that is not zero. What an earlier life of the file left may be part of it. */
  readonly bytes: Buffer;
}

export interface RecoveredLog {
  readonly segments: readonly LogSegment[];
  /** What its first frame follows. */
  readonly start: LogEnd;
  readonly end: LogEnd;
  readonly torn: TornEnd | undefined;
  /** The last frame that was replayed; what the snapshot holds when there was none. */
  readonly replayedTo: LogEnd;
  /** Bytes of the frames that the snapshot does not hold. */
  readonly bytesBehindSnapshot: number;
}

/**
 * Reads the log from its first segment to its end and replays what is committed and the snapshot does not hold. Changes
 * nothing.
 *
 * A record that does not hold is one of two things. When a later record, a later segment, the snapshot or
 * the node state proves that it was durable, it is damage, and the node must not go on without it. Otherwise it is the
 * write that a crash interrupted, which nobody was told of.
 *
 * Where a later segment begins before an earlier one ends, the log was cut: what the earlier one holds from there on is not
 * looked at. Everything before is held to the same as ever, and the later segment names the frame that it follows.
 *
 * @throws StorageFault naming the file and the offset.
 */
export async function recoverLog(request: RecoveryRequest): Promise<RecoveredLog> {
  const segments = await findSegments(request);
  const overridden = overriddenFrom(segments);
  const live = segments.filter(({ header }, at) => header.firstIndex < (overridden[at] ?? Infinity));
  const [first] = live;
  if (first === undefined) throw damaged(request.directory, 'the log has no segment, and there was one');
  const start = startOf(first);
  const { base } = request;
  if (start.index > base.index) {
    const what = `it begins at entry ${String(start.index + 1)}, and the snapshot ends at ${String(base.index)}`;
    throw damaged(first.file, what);
  }
  if (start.index === base.index) checkBase(base, start, first.file, 0);
  for (const segment of segments) await checkSize(request.files, segment);
  const reading = new LogReading(request, start);
  let torn: TornEnd | undefined;
  await eachSegment(request.files, live, async (segment, bytes, at) => {
    checkFollows(segment, reading.end, live[at - 1]);
    await reading.readSegment(segment, bytes, overridden[segments.indexOf(segment)] ?? Infinity);
    if (at === live.length - 1) torn = judgeEnd(request, segment, bytes, reading.end);
  });
  const { end, replayedTo, bytesBehindSnapshot } = reading;
  return { segments, start, end, torn, replayedTo, bytesBehindSnapshot };
}

/** What the first frame of a segment follows. */
export function startOf({ header }: LogSegment): LogEnd {
  const index = (header.firstIndex - 1) as Index;
  return { term: header.previousTerm, index, checksum: header.previousChecksum };
}

/** How far the log was read. */
export class LogReading {
  end: LogEnd;
  replayedTo: LogEnd;
  bytesBehindSnapshot = 0;
  readonly #request: RecoveryRequest;
  #isCommitted = true;

  constructor(request: RecoveryRequest, start: LogEnd) {
    this.#request = request;
    this.end = start;
    this.replayedTo = request.base;
  }

  /** Reads the records of a segment, as far as they are the log's. */
  async readSegment(segment: LogSegment, bytes: Buffer, overriddenFrom: number): Promise<void> {
    while (this.end.index + 1 < overriddenFrom) {
      const record = decodeRecord(bytes, segment.end, segment.header.salt);
      if (record === undefined) return;
      checkChain(record.frame, this.end, segment);
      this.end = endOf(record.frame);
      await this.#take(record.frame, segment, record.next - segment.end);
      addRecord(segment, record.frame, record.next);
    }
  }

  async #take(frame: Frame, segment: LogSegment, size: number): Promise<void> {
    const { base } = this.#request;
    const { file, end: offset } = segment;
    await readable(() => this.#request.visit(frame), file, offset);
    if (frame.firstIndex <= base.index) {
      if (this.end.index >= base.index) checkBase(base, this.end, file, offset);
      return;
    }
    this.bytesBehindSnapshot += size;
    this.#isCommitted &&= this.#request.isCommitted(frame);
    if (!this.#isCommitted) return;
    await readable(() => this.#request.replay(frame), file, offset);
    this.replayedTo = this.end;
  }
}

/** Says of entries that this program does not know where they stand. */
async function readable(work: () => Promise<void> | void, file: string, offset: number): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof MalformedEntry)) throw error;
    const message = `${file} holds at byte ${String(offset)} what this program cannot read (${error.message}): use the newer program that wrote it`;
    throw new StorageFault('foreign', file, message, offset);
  }
}

async function findSegments(request: RecoveryRequest): Promise<LogSegment[]> {
  const names = (await request.files.list(request.directory)) ?? [];
  const found: LogSegment[] = [];
  for (const sequence of sequencesOf(names)) {
    const before = found.at(-1)?.header.sequence;
    const segment = await readSegmentHead(request, sequence, before);
    checkOwner(segment, request);
    found.push(segment);
  }
  return found;
}

/** The segments among the names of a directory, in the order of the log. */
export function sequencesOf(names: readonly string[]): number[] {
  return names.flatMap((name) => sequenceOf(name) ?? []).sort((a, b) => a - b);
}

/** @param before - the segment that was found before this one, if there was one. */
export async function readSegmentHead(
  { files, directory }: Pick<RecoveryRequest, 'files' | 'directory'>,
  sequence: number,
  before: number | undefined,
): Promise<LogSegment> {
  const file = path.join(directory, segmentName(sequence));
  const header = decodeSegmentHeader(await readHead(files, file));
  if (header === undefined) throw damaged(file, 'its header does not hold', 0);
  if (header.sequence !== sequence) throw damaged(file, 'it is a segment of another name', 0);
  if (before !== undefined && sequence !== before + 1) {
    throw damaged(file, `the segment before it, ${segmentName(sequence - 1)}, is missing`);
  }
  return logSegment(header, file);
}

export function checkOwner(
  { header, file }: LogSegment,
  { cluster, node }: Pick<RecoveryRequest, 'cluster' | 'node'>,
): void {
  if (header.cluster === cluster && header.node === node) return;
  throw new StorageFault('foreign', file, `${file} belongs to another node: put its own file back`);
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

/** Segments never change their size, also those of which the log needs nothing any more. */
export async function checkSize(files: Files, { file, header }: LogSegment): Promise<void> {
  const open = await files.open(file);
  try {
    const size = await open.size();
    if (size === header.size) return;
    const what = `it is ${String(size)} bytes long and was made with ${String(header.size)}`;
    throw damaged(file, what, Math.min(size, header.size));
  } finally {
    await open.close();
  }
}

/** A segment is begun only once the one before is durable to its end: a gap between them is damage. */
export function checkFollows(segment: LogSegment, end: LogEnd, before: LogSegment | undefined): void {
  const { header, file } = segment;
  const follows =
    header.firstIndex === end.index + 1 &&
    header.previousTerm === end.term &&
    header.previousChecksum === end.checksum;
  if (follows) return;
  const what = `its last whole entry is ${String(end.index)}, and the next segment begins with ${String(header.firstIndex)}`;
  throw damaged(before?.file ?? file, what, before?.end);
}

function checkChain(frame: Frame, end: LogEnd, segment: LogSegment): void {
  const follows =
    frame.previous === end.checksum && frame.firstIndex === end.index + 1 && frame.term >= end.term;
  if (!follows) throw damaged(segment.file, 'a record does not follow the one before it', segment.end);
}

/** The snapshot was written between two frames: where it ends, one frame ends too, and it is the same one. */
function checkBase(base: LogEnd, end: LogEnd, file: string, offset: number): void {
  if (end.index === base.index && end.checksum === base.checksum && end.term === base.term) return;
  throw damaged(file, `it disagrees with the snapshot about entry ${String(base.index)}`, offset);
}

/**
 * Tells a torn end from a damaged one; undefined when the log ends cleanly. Behind a mark anything may stand but records of
 * this segment: where one of several that were written at once, or since the last sync, was lost, those behind it must go as
 * well, or what is written in its place could seem to be followed by them.
 */
export function judgeEnd(
  request: RecoveryRequest,
  segment: LogSegment,
  bytes: Buffer,
  end: LogEnd,
): TornEnd | undefined {
  const { cleanEnd, provenIndex, provenBy } = request;
  const offset = segment.end;
  const later = laterRecords(bytes, offset, segment.header.salt, (end.index + 1) as Index);
  const isWhole = hasEndMark(bytes, offset) && later === 'none';
  if (end.index < provenIndex) {
    const what = `its last whole entry is ${String(end.index)}, and ${provenBy} proves that entry ${String(provenIndex)} was written`;
    throw damaged(segment.file, what, offset);
  }
  if (cleanEnd !== undefined) {
    const same = end.index === cleanEnd.index && end.checksum === cleanEnd.checksum && isWhole;
    if (!same) throw damaged(segment.file, 'it is not as the last clean stop left it', offset);
  }
  if (isWhole) return undefined;
  if (later === 'proof')
    throw damaged(segment.file, 'a record does not hold, and one behind it does', offset);
  return { file: segment.file, offset, bytes: bytes.subarray(offset, writtenUpTo(bytes, offset)) };
}
