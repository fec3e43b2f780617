import { BATCH_KEYS_MAX } from '../engine.js';
import type { ByteRange, EntryBatch, KeyBatch } from '../engine.js';

export interface ViewedRange extends ByteRange {
  /** Of `bytes`, where there is one at hand. */
  readonly view: DataView | undefined;
}

/** Sees one entry. All bytes are the table's own, valid during the call. */
export type EntryVisitor = (key: ByteRange, value: ByteRange) => void;

/** What was found for several keys, in their order. */
export class FoundKeys {
  /** -1 for a key that is not there. */
  readonly slots = new Int32Array(BATCH_KEYS_MAX);
  readonly hashes = new Int32Array(BATCH_KEYS_MAX);
}

/**
 * Keys and values as bytes. Each key has a slot, a small number that it keeps for as long as it is there, also while
 * the table grows and while its value changes. So a walk over the slots meets every key that stays exactly once.
 */
export interface Table {
  /** How many keys there are. */
  readonly count: number;
  /** Bytes of all keys and values. */
  readonly dataBytes: number;
  /** Every slot in use is below this. */
  readonly slots: number;

  /** The slot of a key, or -1. */
  find(key: ByteRange): number;
  /** The same for several keys, cheaper than one by one. */
  findEach(keys: KeyBatch, found: FoundKeys): void;
  /** The value in a slot in use, borrowed until the next call. A large one is lasting, as a sink of values may expect. */
  valueAt(slot: number): ViewedRange;
  /** Shows the entry in a slot; false when the slot is free. */
  visit(slot: number, visitor: EntryVisitor): boolean;

  /** Takes copies of both. */
  put(key: ByteRange, value: ByteRange): void;
  /** The same for one of several whose keys were looked for together, cheaper. Nothing may have been deleted since. */
  putFound(puts: EntryBatch, found: FoundKeys, at: number): void;
  /** Whether the key was there. */
  delete(key: ByteRange): boolean;
  /** Forgets everything. No walk may be under way. */
  clear(): void;

  /** Called before a slot is filled, overwritten or freed. At most one at a time. */
  watch: ((slot: number) => void) | undefined;
}
