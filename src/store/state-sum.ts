import { crc32 } from 'node:zlib';
import { LASTING_BYTES_MIN, copyRange } from '../engine.js';
import type { ByteRange } from '../engine.js';

/** Values up to this are taken in at once; of a larger one so much a turn, some tenths of a millisecond. */
export const SUM_SLICE_BYTES = 1024 * 1024;
/** Below this a loop of our own is faster than a call out of JavaScript and the view that it needs. */
const LOOPED_BYTES_MAX = 128;
/** What the checksum of a session begins with, so that none is taken for an entry. */
const SESSION_START = 0x5e55;
/** Tells the two sums apart; any odd number would do. */
const SECOND = 0x9e3779b9;

/** A large value, and how far it was taken in. */
interface Rest {
  readonly value: ByteRange;
  at: number;
  checksum: number;
}

/**
 * A checksum of a map, and of sessions, that does not depend on the order in which its entries are met: two nodes have the same map in other
 * orders. Each entry has the CRC-32 of its key's length, its key and its value; these, mixed in two ways, are added up. So one
 * entry that differs is missed once in 2^32 times. It is made for memory and programs that fail, not against whoever makes
 * entries on purpose.
 */
export class StateSum {
  #count = 0;
  #sessions = 0;
  #first = 0;
  #second = 0;
  readonly #rests: Rest[] = [];
  #waitingBytes = 0;

  /** Bytes of large values that are still to be taken in. They are kept until then. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether a large value waits: no more should be added than must be. */
  get isBusy(): boolean {
    return this.#rests.length > 0;
  }

  /** Whether nothing at all should be added. One large value does not count: it must not hold up every write for as long as it takes. */
  get isFull(): boolean {
    return this.#rests.length > 1;
  }

  /** Takes one entry. What is borrowed is taken in or copied before this returns; a value that is lasting may be kept. */
  add(key: ByteRange, value: ByteRange): void {
    this.#count++;
    const start = crcOf(key, crcOfLength(key.end - key.start));
    const valueBytes = value.end - value.start;
    if (valueBytes <= SUM_SLICE_BYTES) {
      this.#include(crcOf(value, start));
      return;
    }
    const lasting = valueBytes >= LASTING_BYTES_MIN ? value : copyRange(value);
    this.#rests.push({ value: lasting, at: lasting.start, checksum: start });
    this.#waitingBytes += valueBytes;
  }

  /** Takes one session. */
  addSession(id: number, lowest: number, answers: Int32Array): void {
    this.#sessions++;
    const numbers = Float64Array.of(id, lowest);
    const start = crc32(new Uint8Array(numbers.buffer), SESSION_START);
    this.#include(crc32(new Uint8Array(answers.buffer, answers.byteOffset, answers.byteLength), start));
  }

  /** Goes on with the large values, by no more than one slice. */
  step(): void {
    const [rest] = this.#rests;
    if (rest === undefined) return;
    const { bytes, end } = rest.value;
    const stop = Math.min(end, rest.at + SUM_SLICE_BYTES);
    rest.checksum = crc32(bytes.subarray(rest.at, stop), rest.checksum);
    this.#waitingBytes -= stop - rest.at;
    rest.at = stop;
    if (stop === end) {
      this.#rests.shift();
      this.#include(rest.checksum);
    }
  }

  /** The sum of all that was added: how many entries, and sessions where there are some, and 16 hexadecimal digits. */
  get text(): string {
    if (this.#rests.length > 0) throw new Error('not everything was taken in yet');
    const count = String(this.#count) + (this.#sessions === 0 ? '' : `+${String(this.#sessions)}`);
    return `${count}:${digits(this.#first)}${digits(this.#second)}`;
  }

  #include(checksum: number): void {
    this.#first = (this.#first + mix(checksum)) | 0;
    this.#second = (this.#second + mix(Math.imul(checksum, SECOND) ^ SECOND)) | 0;
  }
}

/** The finalizer of MurmurHash3: each bit of the result depends on each bit of the number. */
function mix(number: number): number {
  let mixed = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function digits(number: number): string {
  return (number >>> 0).toString(16).padStart(8, '0');
}

function crcOf({ bytes, start, end }: ByteRange, before: number): number {
  if (end - start > LOOPED_BYTES_MAX) return crc32(bytes.subarray(start, end), before);
  let crc = ~before;
  for (let at = start; at < end; at++) crc = withByte(crc, bytes[at] ?? 0);
  return ~crc >>> 0;
}

function crcOfLength(length: number): number {
  let crc = -1;
  for (let bits = 0; bits < 32; bits += 8) crc = withByte(crc, length >>> bits);
  return ~crc >>> 0;
}

/** One byte of CRC-32, as zlib has it. */
function withByte(crc: number, byte: number): number {
  return (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
