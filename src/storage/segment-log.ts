import path from 'node:path';
import type { ClusterId, FsyncPolicy, Index, NodeId } from '../engine.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { BlankSegments, DiskFull, asDiskFull, asError } from './blank-segments.js';
import type { Files } from './files.js';
import { checkFollow, logSegment, overriddenFrom } from './log-segment.js';
import type { LogSegment } from './log-segment.js';
import { keepLostEntries } from './lost-entries.js';
import type { RecoveredLog } from './recovery.js';
import { SegmentReader } from './segment-reader.js';
import type { LogView } from './segment-reader.js';
import { SegmentWriter } from './segment-writer.js';
import { recordBytes, segmentName } from './segment.js';
import type { SegmentHeader } from './segment.js';

export interface SegmentLogOptions {
  readonly files: Files;
  readonly directory: string;
  readonly cluster: ClusterId;
  readonly node: NodeId;
  readonly fsync: FsyncPolicy;
  /** Size of a segment; a frame that does not fit gets a larger one of its own. */
  readonly segmentBytes: number;
  /** Draws a random number, at least 0 and below 1. */
  random(): number;
}

const SALT_RANGE = 2 ** 32;

/**
 * The log on disk: frames, one behind the other, in segments.
 *
 * Invariants: one change at a time (reads, and the removal of what is old, may go on beside it); of the frames that one call
 * appends, and between two calls unless the policy is `always`, a later one may be on disk without an earlier one, and
 * its record says so; a segment is begun only once what it follows is durable.
 *
 * After any failed write or sync nothing more is written: what is on disk is unknown then, and asking the kernel
 * to sync again would be answered with a success that means nothing (see "fsyncgate", PostgreSQL 2018).
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #blanks: BlankSegments;
  readonly #reader: SegmentReader;
  #segments: LogSegment[];
  #writer: SegmentWriter | undefined;
  #end: LogEnd;
  #syncedIndex: Index;
  #appendedBytes: number;
  /** What was read ended torn, and nothing goes behind that: the current segment takes nothing more. */
  #isTorn = false;
  #syncing: Promise<void> | undefined;
  #failure: Error | undefined;
  /** How often entries were taken away again: a read that was under way then is made anew. */
  #cuts = 0;

  private constructor(options: SegmentLogOptions, segments: LogSegment[], end: LogEnd, bytes: number) {
    this.#options = options;
    this.#blanks = new BlankSegments(options.files, options.directory, options.segmentBytes);
    this.#reader = new SegmentReader(options.files);
    this.#segments = segments;
    this.#end = end;
    this.#syncedIndex = end.index;
    this.#appendedBytes = bytes;
  }

  /** Begins a log behind `base`. */
  static async create(options: SegmentLogOptions, base: LogEnd): Promise<SegmentLog> {
    const log = new SegmentLog(options, [], base, 0);
    await log.#orClose(log.#beginSegment(0, base));
    return log;
  }

  /**
   * Opens a log that was read, to go on with it: what it is to be appended to needs {@link goOnAfresh} first. What was kept is
   * synced again before it counts as durable: the reader saw the page cache, which a power cut may still lose.
   */
  static async resume(options: SegmentLogOptions, found: RecoveredLog): Promise<SegmentLog> {
    const log = new SegmentLog(options, [...found.segments], found.end, found.bytesBehindSnapshot);
    log.#isTorn = found.torn !== undefined;
    await log.#orClose(log.#open());
    return log;
  }

  /**
   * Leaves a torn end behind, in a fresh segment. Does nothing where there is none.
   *
   * @throws DiskFull when nothing was written. Any other error is final.
   */
  async goOnAfresh(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isTorn) await this.#orFail(this.#beginSegment(0, this.#end));
  }

  get end(): LogEnd {
    return this.#end;
  }

  /** Everything up to here survives a power cut. */
  get syncedIndex(): Index {
    return this.#syncedIndex;
  }

  /** Grows with every append; the difference of two readings is what was appended between them. */
  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  /** Whether a frame of this size needs no segment but the current one, which takes it, behind others that are not appended yet. */
  hasRoomFor(frameBytes: number, behind: readonly Frame[] = []): boolean {
    let bytes = recordBytes(frameBytes);
    for (const { start, end } of behind) bytes += recordBytes(end - start);
    return this.#failure === undefined && bytes <= this.#roomBytes;
  }

  /**
   * Makes sure that the next segment is there when it is needed.
   *
   * @throws DiskFull when there is no room for it. Nothing was changed then.
   */
  async makeReady(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#blanks.ready();
  }

  /**
   * Makes sure that the next append of one frame of this size begins no segment, so that it finds room.
   *
   * @throws DiskFull when there is none. Nothing was written then.
   */
  async reserve(frameBytes: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const size = recordBytes(frameBytes);
    if (size > this.#roomBytes) await this.#orFail(this.#beginSegment(size, this.#end));
  }

  /**
   * Appends frames that follow the end. With the policy `always` they are durable once this resolves, by one write for all
   * that one segment takes; otherwise they are in the kernel's hands.
   *
   * @throws DiskFull when nothing was written. Any other error is final.
   */
  async append(frames: readonly Frame[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    checkFollow(frames, this.#end);
    const sizes = this.#blanks.sizesFor(frames, this.#roomBytes);
    if (sizes.length > 0) await this.#orFail(this.#blanks.provide(sizes));
    await this.#orFail(this.#write(frames));
  }

  /**
   * As {@link append}, done when it returns: everything else waits meanwhile. False where a segment has to be begun for it, or where a
   * sync is under way, for which the kernel may let a write wait: nothing was done then. Any error is final.
   */
  appendNow(frames: readonly Frame[]): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isTorn || this.#syncing !== undefined) return false;
    if (this.#openWriter.fitting(frames) < frames.length) return false;
    checkFollow(frames, this.#end);
    try {
      this.#appended(frames, this.#openWriter.appendNow(frames, this.#syncedIndex));
    } catch (error) {
      this.#failure = asError(error);
      throw error;
    }
    return true;
  }

  /** Makes everything that was appended before the call durable. */
  async sync(): Promise<void> {
    const { index } = this.#end;
    // One at a time: of one failure, the kernel may tell only one of two who ask at once.
    while (this.#syncing !== undefined) await this.#syncing.catch(() => undefined);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#syncedIndex >= index) return;
    this.#syncing = this.#syncNow().finally(() => (this.#syncing = undefined));
    await this.#syncing;
  }

  /**
   * The frames behind the entry `after`, where a frame ends: as many as fit into `bytesMax`, and at least one. They are in
   * buffers of their own, with the room in front that an append needs. `trimmed` when the log reaches back no further
   * than behind it; empty at the end. May go on beside any change of the log.
   */
  async read(after: Index, bytesMax: number): Promise<readonly Frame[] | 'trimmed'> {
    return this.#readUncut((view) => this.#reader.read(view, after, bytesMax));
  }

  /**
   * Cuts the log behind `end`, where a frame ends, in one step: after a crash it has happened, or it has not. What is cut
   * was kept in a file before, whose path is the answer. The node state must not claim what is cut any more.
   *
   * @throws DiskFull when nothing was changed. Any other error is final.
   */
  async truncate(end: LogEnd): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure;
    const [next] = await this.read(end.index, 1);
    if (next === undefined || typeof next === 'string' || next.previous !== end.checksum) {
      throw new Error(`the log cannot be cut behind entry ${String(end.index)}, which it does not hold`);
    }
    // Before anything is kept: whoever tries again for want of room would keep it again.
    await this.#orFail(this.#blanks.provide([this.#blanks.sizeFor(0)]));
    const kept = await this.keep(end.index);
    try {
      await this.#orFail(this.#beginSegment(0, end));
    } catch (error) {
      if (error instanceof DiskFull && kept !== undefined) await this.#options.files.remove(kept);
      throw error;
    }
    return kept ?? '';
  }

  /** Keeps every frame that has something behind `index` in a file of its own; undefined when there is none. */
  async keep(index: Index): Promise<string | undefined> {
    const { files, directory } = this.#options;
    const after = await this.#readUncut((view) => this.#reader.frameEndBefore(view, index));
    return keepLostEntries(files, directory, after, (from, bytesMax) => this.read(from, bytesMax));
  }

  /** Gives up everything that the log holds and begins anew behind `base`. A crash in between may leave any part of it. */
  async startAnew(base: LogEnd): Promise<void> {
    await this.#orFail(this.#replaceAll(base));
  }

  /**
   * Lets go of the segments that hold nothing behind `index`: some become spares, the others are removed. It may be tried again
   * when it failed, unless the log failed with it.
   */
  async removeUpTo(index: Index): Promise<void> {
    this.#blanks.noteSegments(overriddenFrom(this.#segments).filter((end) => end > index + 1).length);
    for (;;) {
      const [first] = this.#segments;
      const [end] = overriddenFrom(this.#segments);
      if (first === undefined || end === undefined || end > index + 1) return;
      // Oldest first, each durably before the next: neither a crash nor a failure in between leaves a gap.
      const makeReady = await this.#blanks.recycle(first.file, first.header.size);
      await this.#orFail(this.#options.files.syncDirectory(this.#options.directory));
      // Readers first learn that they must not look at it any more.
      this.#segments = this.#segments.filter((segment) => segment !== first);
      makeReady();
    }
  }

  /** Makes room for something else on the disk, as far as the log can do without. */
  async giveUpSpares(): Promise<void> {
    await this.#blanks.giveUpSpares();
  }

  async close(): Promise<void> {
    await this.#blanks.close();
    await this.#closeWriter();
  }

  get #current(): LogSegment {
    const current = this.#segments.at(-1);
    if (current === undefined) throw new Error('the log has no segment');
    return current;
  }

  get #openWriter(): SegmentWriter {
    if (this.#writer === undefined) throw new Error('the log is closed');
    return this.#writer;
  }

  get #isDurable(): boolean {
    return this.#options.fsync === 'always';
  }

  /** What the current segment still takes. */
  get #roomBytes(): number {
    return this.#isTorn ? 0 : this.#current.header.size - this.#current.end;
  }

  async #write(frames: readonly Frame[]): Promise<void> {
    for (let rest = frames; rest.length > 0;) {
      let fitting = this.#isTorn ? 0 : this.#openWriter.fitting(rest);
      if (fitting === 0) {
        await this.#beginSegmentFor(rest, rest === frames);
        fitting = this.#openWriter.fitting(rest);
      }
      await this.#writeOne(rest.slice(0, fitting));
      rest = rest.slice(fitting);
    }
  }

  async #beginSegmentFor([first]: readonly Frame[], isNothingWritten: boolean): Promise<void> {
    try {
      await this.#beginSegment(first === undefined ? 0 : recordBytes(first.end - first.start), this.#end);
    } catch (error) {
      if (!(error instanceof DiskFull) || isNothingWritten) throw error;
      // What stands before this frame was written, and the caller must not take it for unwritten.
      throw new Error('the disk became full half-way', { cause: error });
    }
  }

  /** Writes frames for which the current segment has room. */
  async #writeOne(frames: readonly Frame[]): Promise<void> {
    if (frames.length === 0) throw new Error('a frame has no room in a segment that was begun for it');
    this.#appended(frames, await this.#openWriter.append(frames, this.#syncedIndex));
  }

  #appended(frames: readonly Frame[], bytes: number): void {
    const last = frames.at(-1);
    if (last === undefined) return;
    this.#appendedBytes += bytes;
    this.#end = endOf(last);
    if (this.#isDurable) this.#syncedIndex = this.#end.index;
  }

  async #syncNow(): Promise<void> {
    const { index } = this.#end;
    await this.#orFail(this.#openWriter.sync());
    this.#syncedIndex = index;
  }

  /** Reads, and reads again when entries were taken away meanwhile. */
  async #readUncut<T>(read: (view: LogView) => Promise<T>): Promise<T> {
    for (;;) {
      const cuts = this.#cuts;
      const reading = read({
        segments: this.#segments,
        last: this.#end.index,
        holds: (segment) => this.#segments.includes(segment),
      });
      const outcome = await reading.then(
        (found) => ({ found }),
        (error: unknown) => ({ error }),
      );
      if (cuts !== this.#cuts) continue;
      if ('error' in outcome) throw outcome.error;
      return outcome.found;
    }
  }

  /** Any error but a full disk is final, and what was under way when it came has failed as well. */
  async #orFail<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      if (this.#failure !== undefined) throw this.#failure;
      return result;
    } catch (error) {
      if (!(error instanceof DiskFull)) this.#failure ??= asError(error);
      throw error;
    }
  }

  async #orClose(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      await this.close().catch(() => undefined);
      throw error;
    }
  }

  async #open(): Promise<void> {
    this.#writer = await SegmentWriter.open(this.#options.files, this.#current, this.#isDurable);
    await this.#writer.sync();
    if (!this.#isTorn) this.#blanks.prepareSpare();
  }

  /** Goes on behind `after`, the end or an entry before it, in a fresh segment with room for a record of `size`. */
  async #beginSegment(size: number, after: LogEnd): Promise<void> {
    const { files, directory } = this.#options;
    await this.sync();
    const blank = await this.#blanks.take(this.#blanks.sizeFor(size));
    const header = this.#headerBehind(after, blank.size);
    const segment = logSegment(header, path.join(directory, segmentName(header.sequence)));
    const before = this.#writer;
    try {
      this.#writer = await SegmentWriter.begin(files, blank.name, segment, this.#isDurable);
    } catch (error) {
      await this.#blanks.giveUp(blank.name);
      throw asDiskFull(error, directory);
    }
    this.#isTorn = false;
    this.#segments = [...this.#segments, segment];
    if (after.index < this.#end.index) this.#cutTo(after);
    await before?.close();
    await files.syncDirectory(directory);
    this.#blanks.prepareSpare();
  }

  #headerBehind(after: LogEnd, size: number): SegmentHeader {
    const { cluster, node } = this.#options;
    return {
      salt: Math.floor(this.#options.random() * SALT_RANGE),
      size,
      sequence: (this.#segments.at(-1)?.header.sequence ?? 0) + 1,
      cluster,
      node,
      firstIndex: (after.index + 1) as Index,
      previousTerm: after.term,
      previousChecksum: after.checksum,
    };
  }

  async #closeWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
  }

  #cutTo(end: LogEnd): void {
    this.#end = end;
    this.#syncedIndex = end.index;
    this.#cuts++;
    this.#reader.reset();
  }

  async #replaceAll(base: LogEnd): Promise<void> {
    const { files, directory } = this.#options;
    await this.#closeWriter();
    for (const { file } of this.#segments) await files.remove(file);
    await files.syncDirectory(directory);
    this.#segments = [];
    this.#cutTo(base);
    await this.#beginSegment(0, base);
  }
}
