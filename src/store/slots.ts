import { FREE_PLACES } from './place.js';

const CHUNK_BITS = 12;
const CHUNK_SLOTS = 2 ** CHUNK_BITS;
const NONE = -1;

/**
 * Where the entry of each slot lies.
 *
 * In chunks, so that it grows without a copy. The places of free slots link them: invariant: a free slot holds
 * `FREE_PLACES` and, above it, the next free slot + 1, or 0 at the end of the list.
 */
export class Slots {
  readonly #chunks: Uint32Array[] = [];
  #count = 0;
  #firstFree = NONE;

  /** Every slot that was ever taken is below this. */
  get count(): number {
    return this.#count;
  }

  /** The slot that the next {@link take} answers. */
  get next(): number {
    return this.#firstFree === NONE ? this.#count : this.#firstFree;
  }

  /** The place of a slot; `FREE_PLACES` or above when it is free. */
  placeOf(slot: number): number {
    return this.#chunks[slot >>> CHUNK_BITS]?.[slot & (CHUNK_SLOTS - 1)] ?? FREE_PLACES;
  }

  move(slot: number, place: number): void {
    const chunk = this.#chunks[slot >>> CHUNK_BITS];
    if (chunk === undefined) throw new Error(`there is no slot ${String(slot)}`);
    chunk[slot & (CHUNK_SLOTS - 1)] = place;
  }

  take(place: number): number {
    const slot = this.next;
    if (this.#firstFree === NONE) this.#grow();
    else this.#firstFree = this.placeOf(slot) - FREE_PLACES - 1;
    this.move(slot, place);
    return slot;
  }

  release(slot: number): void {
    this.move(slot, FREE_PLACES + this.#firstFree + 1);
    this.#firstFree = slot;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#count = 0;
    this.#firstFree = NONE;
  }

  #grow(): void {
    if (this.#count >= 2 ** 32 - 1 - FREE_PLACES) throw new RangeError('no more keys can be held');
    if ((this.#count & (CHUNK_SLOTS - 1)) === 0) this.#chunks.push(new Uint32Array(CHUNK_SLOTS));
    this.#count++;
  }
}
