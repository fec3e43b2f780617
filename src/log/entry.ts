import { WORDS_BYTES_MAX, copyByWords, copyBytes, viewOf } from '../copying.js';
import type { ByteRange, EntryBatch, Index, KeyBatch, Operation, SessionTag, Term } from '../engine.js';
import { FRAME_HEADER_BYTES, FRAME_ROOM_BYTES, lastIndexOf, sealFrame } from './frame.js';
import type { Frame } from './frame.js';
import { UINT53_BYTES, readUint53, writeUint53 } from './uint53.js';

/**
 * An entry: one operation. It takes effect as a whole or not at all.
 *
 *     at  bytes
 *      0      4  length  of what follows the kind
 *      4      1  kind
 *      5         body    open, configure, mark: JSON, see control.ts; alone in their frame
 *                        put: pairs, each (key length 4, value length 4, key, value)
 *                        delete: keys, each (key length 4, key)
 *                        put and delete in a session: session 8, number 8, how far the lowest number is below it 2; then
 *                        as put and delete
 *                        open session: nothing; its id is made of its position
 *                        expire sessions: ids, each 8
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
  putInSession: 5,
  deleteInSession: 6,
  openSession: 7,
  expireSessions: 8,
} as const;
const LAST_KIND = EntryKind.expireSessions;

const LENGTH_BYTES = 4;
const TAG_BYTES = 2 * UINT53_BYTES + 2;
/** What fifty clients write at a time fills more than half of it, and then takes its room without a copy: that costs 3 of 36 µs. */
const FRAME_BYTES_INITIAL = 8 * 1024;

/** What opens and ends sessions. */
export type SessionOperation =
  | { readonly kind: 'openSession' }
  | { readonly kind: 'expireSessions'; readonly sessions: readonly number[] };

/** What stands in an entry that was asked for by a client, or is the primary's own. */
export type LoggedOperation = Operation | SessionOperation;

/** Bytes that an operation takes in a frame. */
export function entryBytes(operation: LoggedOperation, tag?: SessionTag): number {
  const bytes = untaggedBytes(operation);
  return tag === undefined ? bytes : bytes + TAG_BYTES;
}

/** Bytes that the first `count` of these take in a frame, each as an operation of its own. */
export function putEachBytes({ keys, valueStarts, valueEnds }: EntryBatch, count: number): number {
  let bytes = count * (ENTRY_HEADER_BYTES + 2 * LENGTH_BYTES);
  for (let at = 0; at < count; at++) {
    bytes += (keys.ends[at] ?? 0) - (keys.starts[at] ?? 0) + (valueEnds[at] ?? 0) - (valueStarts[at] ?? 0);
  }
  return bytes;
}

function untaggedBytes(operation: LoggedOperation): number {
  switch (operation.kind) {
    case 'put':
      return ENTRY_HEADER_BYTES + 2 * LENGTH_BYTES + width(operation.key) + width(operation.value);
    case 'putMany':
      return operation.pairs.reduce((sum, word) => sum + LENGTH_BYTES + width(word), ENTRY_HEADER_BYTES);
    case 'delete':
      return operation.keys.reduce((sum, key) => sum + LENGTH_BYTES + width(key), ENTRY_HEADER_BYTES);
    case 'openSession':
      return ENTRY_HEADER_BYTES;
    case 'expireSessions':
      return ENTRY_HEADER_BYTES + operation.sessions.length * UINT53_BYTES;
  }
}

function kindOf({ kind }: LoggedOperation, isTagged: boolean): number {
  if (kind === 'openSession' || kind === 'expireSessions') return EntryKind[kind];
  if (kind === 'delete') return isTagged ? EntryKind.deleteInSession : EntryKind.delete;
  return isTagged ? EntryKind.putInSession : EntryKind.put;
}

function width(range: ByteRange): number {
  return range.end - range.start;
}

/** Gathers operations into one frame. The buffer is used again after `reset`. */
export class FrameBuilder {
  #bytes: Buffer;
  #view: DataView;
  #length = FRAME_ROOM_BYTES + FRAME_HEADER_BYTES;
  #count = 0;

  /** @param expectedBytes - of the frame, if something is known of it. It may become larger. */
  constructor(expectedBytes = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(FRAME_BYTES_INITIAL, FRAME_ROOM_BYTES + expectedBytes));
    this.#view = viewOf(this.#bytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the frame so far. */
  get length(): number {
    return this.#length - FRAME_ROOM_BYTES;
  }

  /** Bytes of memory that it holds. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** Begins a new frame. The bytes of the one before are given up. */
  reset(): void {
    this.#length = FRAME_ROOM_BYTES + FRAME_HEADER_BYTES;
    this.#count = 0;
  }

  /** An entry that concerns the cluster. */
  control(kind: number, body: Buffer): void {
    this.#begin(kind, ENTRY_HEADER_BYTES + body.length);
    this.#copy(body, 0, body.length);
  }

  /** @param tag - of a put or a delete; nothing else is written under a session. */
  append(operation: LoggedOperation, tag?: SessionTag): void {
    this.#begin(kindOf(operation, tag !== undefined), entryBytes(operation, tag));
    if (tag !== undefined) this.#tag(tag);
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
          this.#copyRange(key);
        }
        break;
      case 'openSession':
        break;
      case 'expireSessions':
        for (const session of operation.sessions) this.#uint53(session);
    }
  }

  /** Appends the first `count` of these, each as a put of its own. They take {@link putEachBytes}. */
  putEach(entries: EntryBatch, count: number): void {
    const { keys, valueStarts, valueEnds } = entries;
    this.#reserve(putEachBytes(entries, count));
    for (let at = 0; at < count; at++) {
      const keyStart = keys.starts[at] ?? 0;
      const keyEnd = keys.ends[at] ?? 0;
      const valueStart = valueStarts[at] ?? 0;
      const valueEnd = valueEnds[at] ?? 0;
      const keyLength = keyEnd - keyStart;
      const valueLength = valueEnd - valueStart;
      this.#number(2 * LENGTH_BYTES + keyLength + valueLength);
      this.#bytes[this.#length++] = EntryKind.put;
      this.#number(keyLength);
      this.#number(valueLength);
      this.#copyFrom(keys, keyStart, keyEnd);
      this.#copyFrom(keys, valueStart, valueEnd);
    }
    this.#count += count;
  }

  #copyFrom({ bytes, view }: KeyBatch, start: number, end: number): void {
    if (end - start > WORDS_BYTES_MAX) {
      this.#copy(bytes, start, end);
      return;
    }
    copyByWords(view, start, end, this.#view, this.#length);
    this.#length += end - start;
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

  #tag({ session, number, lowest }: SessionTag): void {
    this.#uint53(session);
    this.#uint53(number);
    this.#length = this.#bytes.writeUInt16LE(number - lowest, this.#length);
  }

  #uint53(value: number): void {
    writeUint53(this.#bytes, value, this.#length);
    this.#length += UINT53_BYTES;
  }

  #pair(key: ByteRange, value: ByteRange): void {
    this.#number(width(key));
    this.#number(width(value));
    this.#copyRange(key);
    this.#copyRange(value);
  }

  /** By hand: 3 ns in place of 11. */
  #number(value: number): void {
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#length = at + LENGTH_BYTES;
  }

  #copyRange({ bytes, start, end }: ByteRange): void {
    this.#copy(bytes, start, end);
  }

  #copy(source: Buffer, start: number, end: number): void {
    this.#length = copyBytes(source, start, end, this.#bytes, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#use(grown);
  }

  #use(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
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
 * Usage: while `nextEntry()`, look at `kind` and `isInSession`, then while `nextItem()`, look at the ranges; of sessions that
 * expire, while `nextSession()`, look at `session`.
 */
export class EntryReader {
  /** Of a put or a delete it is the plain one, in a session as well. */
  kind = -1;
  /** Whether the current entry is a put or a delete under a session: the next three say which, and which number. */
  isInSession = false;
  session = 0;
  number = 0;
  lowest = 0;
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
    if (this.kind > LAST_KIND) {
      throw this.#malformed(`its kind ${String(this.kind)} is unknown to this version`);
    }
    this.#at += ENTRY_HEADER_BYTES;
    if (length > this.#end - this.#at) throw this.#malformed('it is longer than its frame');
    this.#entryEnd = this.#at + length;
    this.isInSession = this.kind === EntryKind.putInSession || this.kind === EntryKind.deleteInSession;
    if (this.isInSession) this.#readTag();
    return true;
  }

  /**
   * Fills in the entries that come next as far as each is one put of one key, and goes past them: those are all there is to know of
   * them. Whatever else comes, and what is malformed, is left to {@link nextEntry}.
   */
  nextPuts({ keys, valueStarts, valueEnds }: EntryBatch): void {
    keys.begin(this.#bytes);
    const { bytes, view } = keys;
    const most = Math.min(keys.starts.length, this.#lastIndex - this.#index);
    let count = 0;
    let at = this.#entryEnd;
    for (; count < most; count++) {
      const start = at + ENTRY_HEADER_BYTES + 2 * LENGTH_BYTES;
      if (start > this.#end || bytes[at + LENGTH_BYTES] !== EntryKind.put) break;
      const keyEnd = start + view.getUint32(at + ENTRY_HEADER_BYTES, true);
      const valueEnd = keyEnd + view.getUint32(at + ENTRY_HEADER_BYTES + LENGTH_BYTES, true);
      // An entry of several pairs is longer than its first one.
      if (valueEnd > this.#end || at + ENTRY_HEADER_BYTES + view.getUint32(at, true) !== valueEnd) break;
      keys.starts[count] = start;
      keys.ends[count] = valueStarts[count] = keyEnd;
      valueEnds[count] = valueEnd;
      at = valueEnd;
    }
    keys.count = count;
    this.#index += count;
    this.#entryEnd = at;
  }

  #readTag(): void {
    if (this.#entryEnd - this.#at < TAG_BYTES) throw this.#malformed('its session is cut short');
    this.kind = this.kind === EntryKind.putInSession ? EntryKind.put : EntryKind.delete;
    this.session = this.#uint53();
    this.number = this.#uint53();
    this.lowest = this.number - this.#bytes.readUInt16LE(this.#at);
    this.#at += TAG_BYTES - 2 * UINT53_BYTES;
    if (!(this.lowest >= 1)) throw this.#malformed('it has no number in its session');
  }

  /** Reads the next of the sessions that expire with this entry. */
  nextSession(): boolean {
    if (this.#at === this.#entryEnd || this.kind !== EntryKind.expireSessions) return false;
    if (this.#entryEnd - this.#at < UINT53_BYTES) throw this.#malformed('a session is cut short');
    this.session = this.#uint53();
    return true;
  }

  #uint53(): number {
    const value = readUint53(this.#bytes, this.#at);
    if (Number.isNaN(value)) throw this.#malformed('it holds a number that is too large');
    this.#at += UINT53_BYTES;
    return value;
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
