import type { ByteRange } from '../engine.js';

const EMPTY = Buffer.alloc(0);
const SEGMENT_BYTES_MIN = 1024;
const SEGMENT_BYTES_MAX = 64 * 1024;

/**
 * Memory for the words of a request that has not come in full. Many words share a segment: memory of its own for each
 * would cost more than most words are long. What was kept is never moved.
 */
export class KeptBytes {
  /** What is being filled. Those before are held by the words in them. */
  #segment: Buffer = EMPTY;
  #used = 0;
  /** In all. */
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Where `length` bytes may be kept. */
  reserve(length: number): ByteRange {
    if (this.#segment.length - this.#used < length) {
      const size = Math.min(Math.max(2 * this.#segment.length, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
      this.#segment = Buffer.allocUnsafe(Math.max(size, length));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    this.#bytes += length;
    return { bytes: this.#segment, start, end: this.#used };
  }

  /** Begins anew. What was kept stays where it is, for whoever holds it. */
  release(): void {
    this.#segment = EMPTY;
    this.#used = 0;
    this.#bytes = 0;
  }
}
