import type { Index } from '../engine.js';
import { FRAME_ROOM_BYTES, lastIndexOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';

/** What is kept for backups and for applying, besides what is not in the files yet. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

interface Entry {
  /** As it was proposed, or a copy that takes less. */
  frame: Frame;
  /** Its bytes may be on their way to a backup. */
  isShared: boolean;
}

/**
 * The newest frames of the log, in memory. Whoever needs older ones reads them from the files. What is applied and was confirmed by
 * everyone who may ask for it is let go of at once: memory that is given back while it is young costs the collector nothing.
 *
 * Invariant: the frames follow each other without a gap, and what is not written yet is always here. What is kept for long, since it is
 * shared or others stand before it, holds at most twice the memory that it takes.
 */
export class FrameCache {
  #entries: Entry[] = [];
  /** The entries before it were let go of. */
  #head = 0;
  #bytes = 0;
  #writtenIndex: Index;
  #confirmedIndex = 0 as Index;
  #releasedIndex = 0 as Index;

  constructor(writtenIndex: Index) {
    this.#writtenIndex = writtenIndex;
  }

  /** Everything up to here is in the files. */
  get writtenIndex(): Index {
    return this.#writtenIndex;
  }

  add(frame: Frame): void {
    this.#entries.push({ frame, isShared: false });
    this.#bytes += frame.end - frame.start;
    this.#trim();
  }

  /** Says that everything up to here is in the files. */
  written(index: Index): void {
    this.#writtenIndex = index;
    this.#trim();
  }

  /** Says that every backup which is linked has everything up to here. */
  confirmed(index: Index): void {
    this.#confirmedIndex = index;
    const neededIndex = Math.min(index, this.#releasedIndex);
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      if (lastIndexOf(entry.frame) > neededIndex) return;
      this.#dropFirst(entry);
    }
  }

  /**
   * The frames that follow an entry where a frame ends, as many as fit and at least one; undefined when they are not here.
   * They are shared from now on.
   */
  after(index: Index, bytesMax: number): readonly Frame[] | undefined {
    const at = this.#find(index);
    if (at === undefined) return undefined;
    const frames: Frame[] = [];
    let bytes = 0;
    for (let next = at; next < this.#entries.length; next++) {
      const entry = this.#entries[next];
      if (entry === undefined) break;
      const { frame } = entry;
      bytes += frame.end - frame.start;
      if (frames.length > 0 && bytes > bytesMax) break;
      if (!entry.isShared) entry.frame = compact(frame);
      entry.isShared = true;
      frames.push(entry.frame);
    }
    return frames.length > 0 ? frames : undefined;
  }

  /** Bytes of the frames between an entry where a frame ends and the last of the log; undefined when they are not all here. */
  bytesBetween(after: Index, last: Index): number | undefined {
    if (after === last) return 0;
    const at = this.#find(after);
    const newest = this.#entries.at(-1)?.frame;
    if (at === undefined || newest === undefined || lastIndexOf(newest) !== last) return undefined;
    return this.#entries.slice(at).reduce((sum, { frame }) => sum + frame.end - frame.start, 0);
  }

  /** The one frame that follows an entry, to be looked at and not kept. */
  next(index: Index): Frame | undefined {
    const at = this.#find(index);
    return at === undefined ? undefined : this.#entries[at]?.frame;
  }

  /**
   * Says that a frame is applied and whoever made it is done with it. Forgets it if it is the oldest, is written, and was never shared or is
   * confirmed. True when nobody else has its bytes, so that they may be used again.
   */
  release(frame: Frame): boolean {
    if (lastIndexOf(frame) > this.#writtenIndex) return false;
    const at = this.#find((frame.firstIndex - 1) as Index);
    const entry = at === undefined ? undefined : this.#entries[at];
    if (entry?.frame.term !== frame.term) return false;
    const last = lastIndexOf(frame);
    this.#releasedIndex = last;
    const isOldest = at === this.#head;
    if (isOldest && (!entry.isShared || last <= this.#confirmedIndex)) this.#dropFirst(entry);
    else entry.frame = compact(entry.frame);
    return entry.frame !== frame || (isOldest && !entry.isShared);
  }

  /** Forgets what lies behind an entry. */
  cut(last: Index): void {
    while (this.#entries.length > this.#head) {
      const entry = this.#entries.at(-1);
      if (entry === undefined || lastIndexOf(entry.frame) <= last) break;
      this.#entries.pop();
      this.#bytes -= entry.frame.end - entry.frame.start;
    }
    if (this.#writtenIndex > last) this.#writtenIndex = last;
    if (this.#releasedIndex > last) this.#releasedIndex = last;
  }

  clear(writtenIndex: Index): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#writtenIndex = writtenIndex;
    this.#releasedIndex = 0 as Index;
  }

  #find(index: Index): number | undefined {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const first = this.#entries[middle]?.frame.firstIndex ?? 0;
      if (first <= index) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low]?.frame.firstIndex === index + 1 ? low : undefined;
  }

  #trim(): void {
    while (this.#bytes > KEPT_BYTES_MAX) {
      const entry = this.#entries[this.#head];
      if (entry === undefined || lastIndexOf(entry.frame) > this.#writtenIndex) return;
      this.#dropFirst(entry);
    }
  }

  #dropFirst(entry: Entry): void {
    this.#bytes -= entry.frame.end - entry.frame.start;
    this.#head++;
    if (this.#head * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

/** The frame itself, or a copy where it holds more than twice the memory that it takes. */
function compact(frame: Frame): Frame {
  const from = frame.start - FRAME_ROOM_BYTES;
  if (2 * (frame.end - from) >= frame.bytes.length) return frame;
  const bytes = Buffer.from(frame.bytes.subarray(from, frame.end));
  const { term, firstIndex, count, previous, checksum } = frame;
  return { bytes, start: FRAME_ROOM_BYTES, end: bytes.length, term, firstIndex, count, previous, checksum };
}
