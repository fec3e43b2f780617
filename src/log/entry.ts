import type { ByteRange, Index, Operation, Term } from '../engine.js';
import { FRAME_HEADER_BYTES, FRAME_ROOM_BYTES, lastIndexOf, sealFrame } from './frame.js';
import type { Frame } from './frame.js';

/**
 * An entry: one operation. It takes effect as a whole or not at all.
 *
 *     at  bytes
 *      0      4  length  of what follows the kind
 *      4      1  kind
 *      5         body    open, configure, mark: JSON, see control.ts; alone in their frame
 *                        put: pairs, each (key length 4, value length 4, key, value)
 *                        delete: keys, each (key length 4, key)
 */
export const ENTRY_HEADER_BYTES = 5;

export const EntryKind = {
  /** The first entry of a term; it changes nothing. */
  open: 0,
  put: 1,
  delete: 2,
  /** Changes who takes part. */
  configure: 3,
  /** Where every node begins a snapshot; it changes nothing. */
  mark: 4,
} as const;

const LENGTH_BYTES = 4;
const FRAME_BYTES_INITIAL = 16 * 1024;
/** A buffer that one large operation made larger than this is not kept for the next batch. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes that an operation takes in a frame. */
export function entryBytes(operation: Operation): number {
  switch (operation.kind) {
    case 'put':
      return ENTRY_HEADER_BYTES + 2 * LENGTH_BYTES + width(operation.key) + width(operation.value);
    case 'putMany':
      return operation.pairs.reduce((sum, word) => sum + LENGTH_BYTES + width(word), ENTRY_HEADER_BYTES);
    case 'delete':
      return operation.keys.reduce((sum, key) => sum + LENGTH_BYTES + width(key), ENTRY_HEADER_BYTES);
  }
}

function width(range: ByteRange): number {
  return range.end - range.start;
}

/** Gathers operations into one frame. The buffer is used again after `reset`. */
export class FrameBuilder {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FRAME_BYTES_INITIAL);
  #length = FRAME_ROOM_BYTES + FRAME_HEADER_BYTES;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of the frame so far. */
  get length(): number {
    return this.#length - FRAME_ROOM_BYTES;
  }

  /** Begins a new frame. The bytes of the one before are given up. */
  reset(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(FRAME_BYTES_INITIAL);
    this.#length = FRAME_ROOM_BYTES + FRAME_HEADER_BYTES;
    this.#count = 0;
  }

  /** An entry that concerns the cluster. */
  control(kind: number, body: Buffer): void {
    this.#begin(kind, ENTRY_HEADER_BYTES + body.length);
    this.#copy({ bytes: body, start: 0, end: body.length });
  }

  append(operation: Operation): void {
    const kind = operation.kind === 'delete' ? EntryKind.delete : EntryKind.put;
    this.#begin(kind, entryBytes(operation));
    switch (operation.kind) {
      case 'put':
        this.#pair(operation.key, operation.value);
        break;
      case 'putMany':
        for (let at = 0; at < operation.pairs.length; at += 2) {
          const key = operation.pairs[at];
          const value = operation.pairs[at + 1];
          if (key === undefined || value === undefined) throw new Error('a key stands without a value');
          this.#pair(key, value);
        }
        break;
      case 'delete':
        for (const key of operation.keys) {
          this.#number(width(key));
          this.#copy(key);
        }
    }
  }

  /** Closes the frame. Its bytes stay the builder's: they are good until `reset`. */
  seal(term: Term, firstIndex: Index, previous: number): Frame {
    const head = { term, firstIndex, count: this.#count, previous };
    return sealFrame(this.#bytes, FRAME_ROOM_BYTES, this.#length, head);
  }

  #begin(kind: number, size: number): void {
    this.#reserve(size);
    this.#number(size - ENTRY_HEADER_BYTES);
    this.#bytes[this.#length++] = kind;
    this.#count++;
  }

  #pair(key: ByteRange, value: ByteRange): void {
    this.#number(width(key));
    this.#number(width(value));
    this.#copy(key);
    this.#copy(value);
  }

  #number(value: number): void {
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  #copy(range: ByteRange): void {
    this.#length += range.bytes.copy(this.#bytes, this.#length, range.start, range.end);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** A frame whose checksum holds and whose entries do not: written by a newer version, or a defect. */
export class MalformedEntry extends Error {
  constructor(
    readonly index: Index,
    what: string,
  ) {
    super(`entry ${String(index)}: ${what}`);
  }
}

interface MutableRange extends ByteRange {
  start: number;
  end: number;
}

/**
 * Reads the entries of a frame one after the other, without making an object for each.
 *
 * Usage: while `nextEntry()`, look at `kind`, then while `nextItem()`, look at the ranges.
 */
export class EntryReader {
  kind = -1;
  /** The key of the current item. The same object each time. */
  readonly key: MutableRange;
  /** The value of the current item of a put. */
  readonly value: MutableRange;
  #bytes: Buffer;
  #at: number;
  #entryEnd: number;
  readonly #end: number;
  #index: number;
  readonly #lastIndex: Index;

  constructor(frame: Frame) {
    this.#bytes = frame.bytes;
    this.#at = frame.start + FRAME_HEADER_BYTES;
    this.#entryEnd = this.#at;
    this.#end = frame.end;
    this.#index = frame.firstIndex - 1;
    this.#lastIndex = lastIndexOf(frame);
    this.key = { bytes: frame.bytes, start: 0, end: 0 };
    this.value = { bytes: frame.bytes, start: 0, end: 0 };
  }

  /** Index of the current entry. */
  get index(): Index {
    return this.#index as Index;
  }

  nextEntry(): boolean {
    this.#at = this.#entryEnd;
    if (this.#at === this.#end) {
      if (this.#index !== this.#lastIndex)
        throw this.#malformed('its frame does not hold as many as it says');
      return false;
    }
    this.#index++;
    if (this.#index > this.#lastIndex) throw this.#malformed('its frame says that it holds fewer');
    if (this.#end - this.#at < ENTRY_HEADER_BYTES) throw this.#malformed('its header is cut short');
    const length = this.#bytes.readUInt32LE(this.#at);
    this.kind = this.#bytes[this.#at + LENGTH_BYTES] ?? -1;
    if (this.kind > EntryKind.mark) {
      throw this.#malformed(`its kind ${String(this.kind)} is unknown to this version`);
    }
    this.#at += ENTRY_HEADER_BYTES;
    if (length > this.#end - this.#at) throw this.#malformed('it is longer than its frame');
    this.#entryEnd = this.#at + length;
    return true;
  }

  nextItem(): boolean {
    const isPut = this.kind === EntryKind.put;
    if (this.#at === this.#entryEnd || (!isPut && this.kind !== EntryKind.delete)) return false;
    const head = isPut ? 2 * LENGTH_BYTES : LENGTH_BYTES;
    if (this.#entryEnd - this.#at < head) throw this.#malformed('an item is cut short');
    const keyLength = this.#bytes.readUInt32LE(this.#at);
    const valueLength = isPut ? this.#bytes.readUInt32LE(this.#at + LENGTH_BYTES) : 0;
    this.#at += head;
    if (keyLength + valueLength > this.#entryEnd - this.#at) throw this.#malformed('an item is cut short');
    this.key.start = this.#at;
    this.key.end = this.value.start = this.#at + keyLength;
    this.#at = this.value.end = this.value.start + valueLength;
    return true;
  }

  #malformed(what: string): MalformedEntry {
    return new MalformedEntry(this.index, what);
  }
}
