import type { Unread } from './unread.js';

const EMPTY = Buffer.alloc(0);
const SIZE_MIN = 4096;

/**
 * Bytes that gather until there are enough of them. The room doubles whenever it is short, so that each byte is moved
 * a bounded number of times, and it is never more than twice what came.
 */
export class GrowingBytes {
  #bytes: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes over what is unread up to `to`. `lengthMax` is the most that will ever gather. */
  take(unread: Unread, to: number, lengthMax: number): void {
    const needed = this.#length + to - unread.at;
    if (needed > this.#bytes.length) {
      const wanted = Math.max(needed, this.#bytes.length * 2, SIZE_MIN);
      const grown = Buffer.allocUnsafeSlow(Math.min(wanted, Math.max(needed, lengthMax)));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    unread.bytes.copy(this.#bytes, this.#length, unread.at, to);
    this.#length = needed;
    unread.at = to;
  }

  /** Gives the bytes away, and begins anew. */
  release(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#bytes = EMPTY;
    this.#length = 0;
    return bytes;
  }
}
