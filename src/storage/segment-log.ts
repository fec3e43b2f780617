import path from 'node:path';
import type { ClusterId, FsyncPolicy, Index, NodeId } from '../engine.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { errorCode } from './files.js';
import type { Files, OpenFile } from './files.js';
import type { FoundSegment, RecoveredLog } from './recovery.js';
import {
  SEGMENT_HEADER_BYTES,
  encodeRecord,
  encodeSegmentHeader,
  recordBytes,
  segmentName,
} from './segment.js';

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

/** There is no room for another segment. Nothing was written, and the same append may be tried again. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';
}

const SPARE_NAME = 'spare';
export const LARGE_SPARE_NAME = 'spare-large';
const ZEROS = Buffer.alloc(1024 * 1024);
const SALT_RANGE = 2 ** 32;

/**
 * The log on disk: frames, one behind the other, in segments.
 *
 * Invariants: one append at a time; a frame is written only once the one before was (with `always`: was synced); a
 * segment is begun only once the one before is synced.
 *
 * After any failed write or sync nothing more is written: what is on disk is unknown then, and asking the kernel
 * to sync again would be answered with a success that means nothing (see "fsyncgate", PostgreSQL 2018).
 */
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  #segments: FoundSegment[];
  #file: OpenFile | undefined;
  #offset: number;
  #end: LogEnd;
  #syncedIndex: Index;
  #appendedBytes: number;
  #spare: Promise<OpenFile> | undefined;
  #syncing: Promise<void> | undefined;
  #failure: Error | undefined;

  private constructor(
    options: SegmentLogOptions,
    segments: FoundSegment[],
    end: LogEnd,
    offset: number,
    bytes: number,
  ) {
    this.#options = options;
    this.#segments = segments;
    this.#end = end;
    this.#offset = offset;
    this.#syncedIndex = end.index;
    this.#appendedBytes = bytes;
  }

  /** Begins a log behind `base`. */
  static async create(options: SegmentLogOptions, base: LogEnd): Promise<SegmentLog> {
    const log = new SegmentLog(options, [], base, 0, 0);
    await log.#orClose(log.#beginSegment(0));
    return log;
  }

  /**
   * Goes on with a log that was read. What was kept is synced again before it counts as durable: the reader
   * saw the page cache, which a power cut may still lose.
   */
  static async resume(options: SegmentLogOptions, found: RecoveredLog): Promise<SegmentLog> {
    const log = new SegmentLog(options, [...found.segments], found.end, found.offset, found.replayedBytes);
    await log.#orClose(log.#goOn(found.torn !== undefined));
    return log;
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

  /**
   * Appends a frame that follows the end. With the policy `always` it is durable once this resolves; otherwise
   * it is in the kernel's hands.
   *
   * @throws DiskFull when nothing was written. Any other error is final.
   */
  async append(frame: Frame): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (frame.previous !== this.#end.checksum || frame.firstIndex !== this.#end.index + 1) {
      throw new Error(`frame ${String(frame.firstIndex)} does not follow entry ${String(this.#end.index)}`);
    }
    const size = recordBytes(frame.end - frame.start);
    if (this.#offset + size > this.#current.header.size) await this.#orFail(this.#beginSegment(size));
    const record = encodeRecord(frame, this.#current.header.salt, this.#syncedIndex);
    await this.#orFail(this.#openFile.write(record, this.#offset));
    this.#offset += size;
    this.#end = endOf(frame);
    this.#appendedBytes += size;
    if (this.#options.fsync === 'always') await this.sync();
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

  async #syncNow(): Promise<void> {
    const { index } = this.#end;
    await this.#orFail(this.#openFile.sync());
    this.#syncedIndex = index;
  }

  /** Removes the segments that hold nothing behind `index`. */
  async removeUpTo(index: Index): Promise<void> {
    const { files, directory } = this.#options;
    for (;;) {
      const [first, next] = this.#segments;
      if (first === undefined || next === undefined || next.header.firstIndex > index + 1) return;
      // Oldest first, each durably before the next: neither a crash nor a failure in between leaves a gap.
      await files.remove(first.file);
      await files.syncDirectory(directory);
      this.#segments.shift();
    }
  }

  async close(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    const opened = await spare?.catch(() => undefined);
    await opened?.close();
    await this.#file?.close();
    this.#file = undefined;
  }

  get #current(): FoundSegment {
    const current = this.#segments.at(-1);
    if (current === undefined) throw new Error('the log has no segment');
    return current;
  }

  get #openFile(): OpenFile {
    if (this.#file === undefined) throw new Error('the log is closed');
    return this.#file;
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

  async #goOn(isTorn: boolean): Promise<void> {
    this.#file = await this.#options.files.open(this.#current.file);
    await this.#file.sync();
    if (isTorn) await this.#beginSegment(0);
    else this.#prepareSpare();
  }

  /** Goes on in a fresh segment, with room for a record of `size`. */
  async #beginSegment(size: number): Promise<void> {
    const { files, directory, cluster, node, segmentBytes } = this.#options;
    await this.sync();
    const needed = SEGMENT_HEADER_BYTES + size;
    const file = needed > segmentBytes ? await this.#makeFile(needed) : await this.#takeSpare();
    const header = {
      salt: Math.floor(this.#options.random() * SALT_RANGE),
      size: Math.max(needed, segmentBytes),
      sequence: (this.#segments.at(-1)?.header.sequence ?? 0) + 1,
      cluster,
      node,
      firstIndex: (this.#end.index + 1) as Index,
      previousTerm: this.#end.term,
      previousChecksum: this.#end.checksum,
    };
    const name = path.join(directory, segmentName(header.sequence));
    const spareName = this.#spareName(needed);
    try {
      await file.write(encodeSegmentHeader(header), 0);
      await file.sync();
      await files.rename(spareName, name);
    } catch (error) {
      throw await this.#giveUp(file, spareName, needed, error);
    }
    const before = this.#file;
    this.#file = file;
    this.#segments.push({ header, file: name });
    this.#offset = SEGMENT_HEADER_BYTES;
    await before?.close();
    await files.syncDirectory(directory);
    this.#prepareSpare();
  }

  #prepareSpare(): void {
    this.#spare ??= this.#makeFile(this.#options.segmentBytes);
    // Whoever takes it learns of a failure; until then nobody need be told.
    this.#spare.catch(() => undefined);
  }

  async #takeSpare(): Promise<OpenFile> {
    this.#prepareSpare();
    const spare = await this.#spare?.catch(() => undefined);
    this.#spare = undefined;
    // There may be room by now.
    return spare ?? this.#makeFile(this.#options.segmentBytes);
  }

  /** A file of zeros, durable at its full size, under a name that recovery does not look at. */
  async #makeFile(size: number): Promise<OpenFile> {
    const { files } = this.#options;
    const name = this.#spareName(size);
    let file: OpenFile | undefined;
    try {
      file = await files.create(name);
      for (let at = 0; at < size; at += ZEROS.length) {
        await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, size - at)), at);
      }
      await file.sync();
      return file;
    } catch (error) {
      throw await this.#giveUp(file, name, size, error);
    }
  }

  #spareName(size: number): string {
    const { directory, segmentBytes } = this.#options;
    return path.join(directory, size > segmentBytes ? LARGE_SPARE_NAME : SPARE_NAME);
  }

  /** Lets go of a file that did not become a segment, and answers what its failure means. */
  async #giveUp(file: OpenFile | undefined, name: string, size: number, error: unknown): Promise<Error> {
    const { files, directory } = this.#options;
    // What cannot be removed now is made anew by the next attempt.
    await file?.close().catch(() => undefined);
    await files.remove(name).catch(() => undefined);
    const isFull = errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT';
    return isFull ? new DiskFull(`no room for ${String(size)} bytes in ${directory}`) : asError(error);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
