import type { Index } from '../engine.js';
import type { Frame } from '../log/frame.js';
import type { Files, OpenFile } from './files.js';
import { addRecord } from './log-segment.js';
import type { LogSegment } from './log-segment.js';
import { END_MARK_BYTES, encodeRecord, encodeSegmentHeader, recordBytes } from './segment.js';

/** Enough for what fills a record up to where the next one begins, and a mark. */
const ZEROS = Buffer.alloc(END_MARK_BYTES + 8);

/** Writes records into one segment, each write with a mark behind it. Invariant: one write at a time. */
export class SegmentWriter {
  readonly segment: LogSegment;
  readonly #file: OpenFile;

  private constructor(segment: LogSegment, file: OpenFile) {
    this.segment = segment;
    this.#file = file;
  }

  /** Goes on with a segment that is there. `isDurable`: each write is durable once it resolves. */
  static async open(files: Files, segment: LogSegment, isDurable: boolean): Promise<SegmentWriter> {
    return new SegmentWriter(segment, await openToWrite(files, segment.file, isDurable));
  }

  /** Begins a segment in a blank file, which has its name once the header is durable. */
  static async begin(
    files: Files,
    blankName: string,
    segment: LogSegment,
    isDurable: boolean,
  ): Promise<SegmentWriter> {
    const file = await openToWrite(files, blankName, isDurable);
    try {
      await file.writeGathered([encodeSegmentHeader(segment.header), ZEROS.subarray(0, END_MARK_BYTES)], 0);
      if (!isDurable) await file.sync();
      await files.rename(blankName, segment.file);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    return new SegmentWriter(segment, file);
  }

  /** How many of these frames, from the first on, there is room for. */
  fitting(frames: readonly Frame[]): number {
    const { header } = this.segment;
    let { end } = this.segment;
    for (const [at, frame] of frames.entries()) {
      end += recordBytes(frame.end - frame.start);
      if (end > header.size) return at;
    }
    return frames.length;
  }

  /**
   * Appends frames for which there is room, as one write.
   *
   * @returns the bytes that they took.
   */
  async append(frames: readonly Frame[], durable: Index): Promise<number> {
    await this.#file.writeGathered(this.#piecesOf(frames, durable), this.segment.end);
    return this.#added(frames);
  }

  /** As {@link append}, done when it returns. */
  appendNow(frames: readonly Frame[], durable: Index): number {
    this.#file.writeGatheredNow(this.#piecesOf(frames, durable), this.segment.end);
    return this.#added(frames);
  }

  #piecesOf(frames: readonly Frame[], durable: Index): Buffer[] {
    const { size, salt } = this.segment.header;
    const pieces: Buffer[] = [];
    let { end } = this.segment;
    for (const [at, frame] of frames.entries()) {
      const record = encodeRecord(frame, salt, durable);
      const taken = recordBytes(frame.end - frame.start);
      end += taken;
      const isMarked = at === frames.length - 1 && end + END_MARK_BYTES <= size;
      const zeros = taken - record.length + (isMarked ? END_MARK_BYTES : 0);
      pieces.push(record);
      if (zeros > 0) pieces.push(ZEROS.subarray(0, zeros));
    }
    return pieces;
  }

  #added(frames: readonly Frame[]): number {
    const { segment } = this;
    const before = segment.end;
    for (const frame of frames) addRecord(segment, frame, segment.end + recordBytes(frame.end - frame.start));
    return segment.end - before;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function openToWrite(files: Files, file: string, isDurable: boolean): Promise<OpenFile> {
  return isDurable ? files.openDurable(file) : files.open(file);
}
