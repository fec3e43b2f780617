import type { ByteRange } from '../engine.js';
import type { EntryVisitor, Table } from './table.js';

const FREE = -1;
const INDEX_SIZE_INITIAL = 1024;
/** The index is made twice as large when more of it than this is in use. */
const LOAD_MAX = 0.6;

const FNV_PRIME = 0x01000193;

/**
 * A table with one buffer for each entry, and an index of slots with open addressing and linear probing.
 *
 * Invariants: an index cell holds a slot + 1, or 0 when free; from the cell that a key's hash names to the cell
 * that holds its slot there is no free cell.
 */
export class HashTable implements Table {
  watch: ((slot: number) => void) | undefined = undefined;
  #count = 0;
  #dataBytes = 0;
  readonly #seed: number;
  #index = new Int32Array(INDEX_SIZE_INITIAL);
  /** By slot: key and value in one buffer that is never written to again; undefined in a free slot. */
  readonly #entries: (Buffer | undefined)[] = [];
  readonly #keyLengths: number[] = [];
  readonly #hashes: number[] = [];
  readonly #freeSlots: number[] = [];

  /** @param seed - a secret random whole number, so that nobody can choose keys that collide. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get count(): number {
    return this.#count;
  }

  get dataBytes(): number {
    return this.#dataBytes;
  }

  get slots(): number {
    return this.#entries.length;
  }

  find(key: ByteRange): number {
    return this.#slotIn(this.#cellOf(key, this.#hash(key)));
  }

  valueAt(slot: number): ByteRange {
    const bytes = this.#entries[slot];
    const keyLength = this.#keyLengths[slot];
    if (bytes === undefined || keyLength === undefined) throw new Error(`slot ${String(slot)} is free`);
    return { bytes, start: keyLength, end: bytes.length };
  }

  visit(slot: number, visitor: EntryVisitor): boolean {
    const bytes = this.#entries[slot];
    if (bytes === undefined) return false;
    const keyLength = this.#keyLengths[slot] ?? 0;
    visitor({ bytes, start: 0, end: keyLength }, { bytes, start: keyLength, end: bytes.length });
    return true;
  }

  put(key: ByteRange, value: ByteRange): void {
    const hash = this.#hash(key);
    const cell = this.#cellOf(key, hash);
    const found = this.#slotIn(cell);
    const slot = found === FREE ? (this.#freeSlots.pop() ?? this.#entries.length) : found;
    this.watch?.(slot);
    const keyLength = key.end - key.start;
    const entry = Buffer.allocUnsafe(keyLength + value.end - value.start);
    key.bytes.copy(entry, 0, key.start, key.end);
    value.bytes.copy(entry, keyLength, value.start, value.end);
    this.#dataBytes += entry.length - (this.#entries[slot]?.length ?? 0);
    this.#entries[slot] = entry;
    if (found !== FREE) return;
    this.#keyLengths[slot] = keyLength;
    this.#hashes[slot] = hash;
    this.#index[cell] = slot + 1;
    this.#count++;
    if (this.#count > this.#index.length * LOAD_MAX) this.#grow();
  }

  delete(key: ByteRange): boolean {
    const cell = this.#cellOf(key, this.#hash(key));
    const slot = this.#slotIn(cell);
    if (slot === FREE) return false;
    this.watch?.(slot);
    this.#dataBytes -= this.#entries[slot]?.length ?? 0;
    this.#entries[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#count--;
    this.#closeGap(cell);
    return true;
  }

  clear(): void {
    this.#index = new Int32Array(INDEX_SIZE_INITIAL);
    for (const slots of [this.#entries, this.#keyLengths, this.#hashes, this.#freeSlots]) slots.length = 0;
    this.#count = 0;
    this.#dataBytes = 0;
  }

  #slotIn(cell: number): number {
    return (this.#index[cell] ?? 0) - 1;
  }

  /** The cell that holds the key, or the free cell where it belongs. */
  #cellOf(key: ByteRange, hash: number): number {
    const mask = this.#index.length - 1;
    let cell = hash & mask;
    for (;;) {
      const slot = this.#slotIn(cell);
      if (slot === FREE) return cell;
      if (this.#hashes[slot] === hash && this.#holds(slot, key)) return cell;
      cell = (cell + 1) & mask;
    }
  }

  #holds(slot: number, key: ByteRange): boolean {
    const entry = this.#entries[slot];
    const keyLength = key.end - key.start;
    if (entry === undefined || this.#keyLengths[slot] !== keyLength) return false;
    return entry.compare(key.bytes, key.start, key.end, 0, keyLength) === 0;
  }

  /** Moves later entries of the same run up, so that no search ends at the freed cell too early. */
  #closeGap(gap: number): void {
    const mask = this.#index.length - 1;
    for (let cell = (gap + 1) & mask; ; cell = (cell + 1) & mask) {
      const slot = this.#slotIn(cell);
      if (slot === FREE) break;
      const home = (this.#hashes[slot] ?? 0) & mask;
      if (((cell - home) & mask) < ((cell - gap) & mask)) continue;
      this.#index[gap] = slot + 1;
      gap = cell;
    }
    this.#index[gap] = 0;
  }

  #grow(): void {
    const index = new Int32Array(this.#index.length * 2);
    const mask = index.length - 1;
    for (let slot = 0; slot < this.#entries.length; slot++) {
      if (this.#entries[slot] === undefined) continue;
      let cell = (this.#hashes[slot] ?? 0) & mask;
      while (index[cell] !== 0) cell = (cell + 1) & mask;
      index[cell] = slot + 1;
    }
    this.#index = index;
  }

  /** FNV-1a from a secret start, then mixed so that the low bits depend on all of it (MurmurHash3's finish). */
  #hash(key: ByteRange): number {
    const { bytes, start, end } = key;
    let hash = this.#seed;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), FNV_PRIME);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }
}
