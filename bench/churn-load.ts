import { SeededRandom } from '../src/cli/bench/random.js';
import type { RequestBatch } from './entries.js';
import { KEY_BYTES, Values, keyOf } from './entries.js';

const VALUE_BYTES_MIN = 16;
const VALUE_BYTES_MAX = 16 * 1024;
const LARGE_VALUE_BYTES = 256 * 1024;
/** One value of so many is a large one. */
const LARGE_EVERY = 1000;
/** One operation of so many deletes. */
const DELETE_EVERY = 4;
const FRACTION = 2 ** 20;

/** The mean of sizes whose logarithm is spread evenly, and of the few large ones. */
const MEAN_VALUE_BYTES =
  (VALUE_BYTES_MAX - VALUE_BYTES_MIN) / Math.log(VALUE_BYTES_MAX / VALUE_BYTES_MIN) +
  LARGE_VALUE_BYTES / LARGE_EVERY;

/**
 * Overwrites and deletes of mixed sizes on a fixed set of keys, always the same for a seed. So every server is asked the
 * same, and what is alive is known without asking any of them.
 */
export class ChurnLoad {
  readonly #random = new SeededRandom(3);
  readonly #values = new Values(LARGE_VALUE_BYTES);
  /** By key: the bytes of its value, 0 where it is not there. */
  readonly #sizes: Uint32Array;
  #liveValueBytes = 0;
  #liveKeys = 0;
  #operations = 0;

  /** @param liveBytes - what is alive on the average, once it has run for a while. */
  constructor(liveBytes: number) {
    const alive = 1 - 1 / DELETE_EVERY;
    this.#sizes = new Uint32Array(Math.ceil(liveBytes / alive / (KEY_BYTES + MEAN_VALUE_BYTES)));
  }

  get keys(): number {
    return this.#sizes.length;
  }

  get liveKeys(): number {
    return this.#liveKeys;
  }

  /** Keys and values that are alive once everything was answered. */
  get liveBytes(): number {
    return this.#liveValueBytes + this.#liveKeys * KEY_BYTES;
  }

  get operations(): number {
    return this.#operations;
  }

  /** Writes the next operation. */
  next(batch: RequestBatch): void {
    // In the beginning each key is set once; from then on any one is overwritten or deleted.
    const isFirst = this.#operations < this.#sizes.length;
    const at = isFirst ? this.#operations : this.#random.below(this.#sizes.length);
    const isDelete = !isFirst && this.#random.below(DELETE_EVERY) === 0;
    this.#operations++;
    const bytes = isDelete ? 0 : this.#valueBytes();
    this.#note(at, bytes);
    if (isDelete) batch.delete(keyOf(at));
    else batch.set(keyOf(at), this.#values.at(this.#operations, bytes));
  }

  #valueBytes(): number {
    if (this.#random.below(LARGE_EVERY) === 0) return LARGE_VALUE_BYTES;
    const share = this.#random.below(FRACTION) / FRACTION;
    return Math.floor(VALUE_BYTES_MIN * (VALUE_BYTES_MAX / VALUE_BYTES_MIN) ** share);
  }

  #note(at: number, bytes: number): void {
    const before = this.#sizes[at] ?? 0;
    this.#sizes[at] = bytes;
    this.#liveValueBytes += bytes - before;
    this.#liveKeys += Number(bytes > 0) - Number(before > 0);
  }
}
