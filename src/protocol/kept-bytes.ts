import type { ByteRange } from '../engine.js';

const EMPTY = Buffer.alloc(0);
const SEGMENT_BYTES_MAX = 64 * 1024;

/**
 * Memory for the words of one request. Many words share a segment: memory of its own for each would cost more than most
 * words are long. A segment is as large as everything before it, so that no more is taken than twice what is kept. What was
 * kept is never moved.
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
      this.#segment = Buffer.allocUnsafe(Math.max(Math.min(this.#bytes, SEGMENT_BYTES_MAX), length));
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
