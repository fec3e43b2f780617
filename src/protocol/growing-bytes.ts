import type { Unread } from './unread.js';

const EMPTY = Buffer.alloc(0);
const SEGMENT_BYTES_MIN = 4096;
const SEGMENT_BYTES_MAX = 1024 * 1024;
/** Copied at a time. Half of a large request at once would take as long as many requests of others. */
const JOIN_BYTES = SEGMENT_BYTES_MAX;

/**
 * Bytes that gather in pieces until there are enough of them, and are then put together. Memory grows with what came, not
 * with what was announced, and each byte is copied at most twice, never many at a time.
 */
export class GrowingBytes {
  /** Those that are full. While they are joined, those that were not yet. */
  #segments: Buffer[] = [];
  #segment: Buffer = EMPTY;
  /** How much of it is filled. */
  #filled = 0;
  #length = 0;
  #whole: Buffer = EMPTY;
  #joined = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes over what is unread up to `to`. `lengthMax` is the most that will ever gather. */
  take(unread: Unread, to: number, lengthMax: number): void {
    while (unread.at < to) {
      if (this.#filled === this.#segment.length) this.#addSegment(to - unread.at, lengthMax);
      const end = Math.min(to, unread.at + this.#segment.length - this.#filled);
      unread.bytes.copy(this.#segment, this.#filled, unread.at, end);
      this.#filled += end - unread.at;
      this.#length += end - unread.at;
      unread.at = end;
    }
  }

  /** As large as everything before it, within bounds. */
  #addSegment(needed: number, lengthMax: number): void {
    if (this.#filled > 0) this.#segments.push(this.#segment);
    const wanted = Math.min(Math.max(needed, this.#length, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
    this.#segment = Buffer.allocUnsafeSlow(Math.min(wanted, Math.max(needed, lengthMax - this.#length)));
    this.#filled = 0;
  }

  /** The bytes in one piece, which are given away; undefined when there is more to copy: call it again, in another turn. */
  join(): Buffer | undefined {
    const last = this.#segment.subarray(0, this.#filled);
    if (this.#length === last.length) {
      this.release();
      return last;
    }
    if (this.#joined === 0) {
      this.#whole = Buffer.allocUnsafeSlow(this.#length);
      this.#segments.reverse();
    }
    for (const until = this.#joined + JOIN_BYTES; this.#joined < until;) {
      const segment = this.#segments.pop() ?? last;
      this.#joined += segment.copy(this.#whole, this.#joined);
      if (this.#joined < this.#length) continue;
      const whole = this.#whole;
      this.release();
      return whole;
    }
    return undefined;
  }

  /** Lets go of everything. */
  release(): void {
    this.#segments = [];
    this.#segment = EMPTY;
    this.#filled = 0;
    this.#length = 0;
    this.#whole = EMPTY;
    this.#joined = 0;
  }
}
