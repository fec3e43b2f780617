import { EntryBatch } from '../engine.js';
import type { ByteRange, KeyBatch, ValueSink } from '../engine.js';
import { RwLock } from './rw-lock.js';
import { Sessions } from './sessions.js';
import { FoundKeys } from './table.js';
import type { EntryVisitor, Table } from './table.js';
import { Walk } from './walk.js';

const PAGE_SLOTS_MAX = 1000;
const PAGE_BYTES_MAX = 256 * 1024;
/** Where many keys were deleted, at most this many slots are looked at for each key that is wanted. */
const SLOTS_A_KEY_MAX = 10;

/** Slots for a walk to go over. */
export interface Stretch {
  /** The walk ends before this slot. */
  readonly end: number;
  /** Where the next one begins; 0 when no slot is left. */
  readonly cursor: number;
}

/** The keys in some slots. */
export interface Page {
  readonly keys: readonly Buffer[];
  /** The slot behind the last one that was looked at. */
  readonly next: number;
}

/**
 * The map and the sessions of clients, and the lock that guards both. Whoever changes it holds the lock for writing; whoever reads several keys
 * of one state holds it for reading.
 */
export class Store {
  readonly lock = new RwLock();
  readonly sessions = new Sessions();
  readonly #table: Table;
  readonly #found = new FoundKeys();
  /** To be filled in by whoever holds the lock for writing. */
  readonly puts = new EntryBatch();
  readonly #foundForPuts = new FoundKeys();
  #count = 0;
  #dataBytes = 0;

  constructor(table: Table) {
    this.#table = table;
  }

  /** How many keys there are, as of the last operation that was applied as a whole. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of all keys and values, as of the last operation that was applied as a whole. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** The same at this moment, also in the middle of an operation. */
  get bytesNow(): number {
    return this.#table.dataBytes;
  }

  /** Bytes of a key and its value at this moment; 0 when there is no such key. */
  entryBytes(key: ByteRange): number {
    const slot = this.#table.find(key);
    if (slot === -1) return 0;
    const value = this.#table.valueAt(slot);
    return key.end - key.start + value.end - value.start;
  }

  /** Says that what was put and deleted since the last call is one operation, now complete. */
  settle(): void {
    this.#count = this.#table.count;
    this.#dataBytes = this.#table.dataBytes;
  }

  /** Shows a key's value to the sink, and answers how many bytes it has. */
  read(key: ByteRange, sink: ValueSink): number {
    const slot = this.#table.find(key);
    if (slot === -1) {
      sink.miss();
      return 0;
    }
    const { bytes, start, end, view } = this.#table.valueAt(slot);
    sink.hit(bytes, start, end, view);
    return end - start;
  }

  /** Shows the values of several keys to the sink, until it is full. */
  readEach(keys: KeyBatch, sink: ValueSink): void {
    const found = this.#found;
    this.#table.findEach(keys, found);
    for (let at = 0; at < keys.count && !sink.isFull; at++) {
      const slot = found.slots[at] ?? -1;
      if (slot === -1) {
        sink.miss();
        continue;
      }
      const { bytes, start, end, view } = this.#table.valueAt(slot);
      sink.hit(bytes, start, end, view);
    }
  }

  put(key: ByteRange, value: ByteRange): void {
    this.#table.put(key, value);
  }

  /** Looks for the keys of {@link puts}, so that {@link putFound} has less to do. Until all are done nothing else may be changed. */
  findForPuts(): void {
    this.#table.findEach(this.puts.keys, this.#foundForPuts);
  }

  /** Does the put at this place of {@link puts}. */
  putFound(at: number): void {
    this.#table.putFound(this.puts, this.#foundForPuts, at);
  }

  delete(key: ByteRange): boolean {
    return this.#table.delete(key);
  }

  /** Forgets everything, to be filled anew. */
  clear(): void {
    this.#table.clear();
    this.sessions.clear();
  }

  /** How far a walk goes that begins at a slot and is to meet about this many keys. */
  stretch(from: number, keys: number): Stretch {
    const { slots, count } = this.#table;
    const slotsAKey = count === 0 ? 1 : Math.min(SLOTS_A_KEY_MAX, slots / count);
    const end = Math.min(slots, from + Math.ceil(keys * slotsAKey));
    return { end, cursor: end < slots ? end : 0 };
  }

  /** The keys in the slots from `from` on and below `end`: as many as never take long. */
  page(from: number, end: number, keyBytesMax = PAGE_BYTES_MAX): Page {
    const keys: Buffer[] = [];
    let bytes = 0;
    const take = (key: ByteRange): void => {
      keys.push(Buffer.from(key.bytes.subarray(key.start, key.end)));
      bytes += key.end - key.start;
    };
    const stop = Math.min(end, from + PAGE_SLOTS_MAX);
    const bytesMax = Math.min(keyBytesMax, PAGE_BYTES_MAX);
    let slot = from;
    while (slot < stop && bytes < bytesMax) this.#table.visit(slot++, take);
    return { keys, next: slot };
  }

  /** Begins to visit the map as it is now. Only one walk at a time. */
  walk(visitor: EntryVisitor): Walk {
    return new Walk(this.#table, visitor);
  }
}
