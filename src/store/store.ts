import type { ByteRange, ScanPage, ValueSink } from '../engine.js';
import { RwLock } from './rw-lock.js';
import type { EntryVisitor, Table } from './table.js';
import { Walk } from './walk.js';

const PAGE_SLOTS_MAX = 1000;
const PAGE_BYTES_MAX = 256 * 1024;

/**
 * The map, and the lock that guards it. Whoever changes it holds the lock for writing; whoever reads several keys
 * of one state holds it for reading.
 */
export class Store {
  readonly lock = new RwLock();
  readonly #table: Table;
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

  read(key: ByteRange, sink: ValueSink): void {
    const slot = this.#table.find(key);
    if (slot === -1) {
      sink.miss();
      return;
    }
    const value = this.#table.valueAt(slot);
    sink.hit(value.bytes, value.start, value.end);
  }

  put(key: ByteRange, value: ByteRange): void {
    this.#table.put(key, value);
  }

  delete(key: ByteRange): boolean {
    return this.#table.delete(key);
  }

  /** Forgets everything, to be filled anew. */
  clear(): void {
    this.#table.clear();
  }

  /** The next keys from a cursor on: a slice that never takes long. */
  page(cursor: number, keyBytesMax = PAGE_BYTES_MAX): ScanPage {
    const keys: Buffer[] = [];
    let bytes = 0;
    const take = (key: ByteRange): void => {
      keys.push(Buffer.from(key.bytes.subarray(key.start, key.end)));
      bytes += key.end - key.start;
    };
    const stop = Math.min(this.#table.slots, cursor + PAGE_SLOTS_MAX);
    let slot = cursor;
    const bytesMax = Math.min(keyBytesMax, PAGE_BYTES_MAX);
    while (slot < stop && bytes < bytesMax) this.#table.visit(slot++, take);
    return { keys, cursor: slot < this.#table.slots ? slot : 0 };
  }

  /** Begins to visit the map as it is now. Only one walk at a time. */
  walk(visitor: EntryVisitor): Walk {
    return new Walk(this.#table, visitor);
  }
}
