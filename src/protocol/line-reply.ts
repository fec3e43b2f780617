import type { Refusal } from '../engine.js';
import { LF } from './byte.js';
import { QUOTED_BYTES_PER_BYTE_MAX, isBare, quotedLength, writeQuoted } from './quoting.js';
import type { Reply } from './reply.js';

const INITIAL_BYTES = 4096;
/** A buffer that grew past this is let go once it was sent. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** Below this the worst case is reserved, above it the exact length is found first. */
const EXACT_FROM_BYTES = 16 * 1024;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

const OK = Buffer.from('OK\n');
const NULL = Buffer.from('NULL\n');

/** Writes replies of the line framing one behind the other into one buffer, to be sent with one write. */
export class LineReply implements Reply {
  #buffer: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #length = 0;
  #listItems = 0;
  /** How many lists were begun and not ended. */
  #depth = 0;
  #isFull = false;
  readonly #bytesMax: number;

  /** @param bytesMax - what may wait with a list in it. An answer of one value is always taken: its own bound holds it. */
  constructor(bytesMax = Infinity) {
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes to send, borrowed until the next call of `taken`. */
  peek(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /**
   * Begins anew after the bytes of `peek` were handed on.
   *
   * @param stillInUse - whether somebody holds them yet; they are then left alone.
   */
  taken(stillInUse: boolean): void {
    this.#length = 0;
    if (stillInUse || this.#buffer.length > KEPT_BYTES_MAX) {
      this.#buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    }
  }

  rollBack(mark: number): void {
    this.#length = mark;
    this.#depth = 0;
    this.#isFull = false;
  }

  ok(fields?: string): void {
    if (fields === undefined) this.#bytes(OK);
    else this.#line(`OK ${fields}`);
  }

  text(text: string): void {
    this.#line(text);
  }

  integer(value: number): void {
    this.#line(String(value));
  }

  error(refusal: Refusal): void {
    // A message may carry what somebody else wrote; it stays on one line all the same.
    this.#line(`ERROR ${refusal.code} ${refusal.message.replaceAll(CONTROLS, ' ')}`);
  }

  hit(bytes: Buffer, start: number, end: number): void {
    this.#listItems++;
    this.#word(bytes, start, end, true);
  }

  miss(): void {
    this.#listItems++;
    this.#bytes(NULL);
  }

  beginList(): void {
    if (this.#depth++ === 0) this.#listItems = 0;
  }

  key(bytes: Buffer, start: number, end: number): void {
    this.#listItems++;
    this.#word(bytes, start, end, false);
  }

  item(text: string): void {
    this.#listItems++;
    this.#line(text);
  }

  endList(): void {
    if (--this.#depth === 0) this.#line(`END ${String(this.#listItems)}`);
  }

  #word(bytes: Buffer, start: number, end: number, blanksAllowed: boolean): void {
    const bare = isBare(bytes, start, end, blanksAllowed);
    const size = bare ? end - start : roomForQuoted(bytes, start, end);
    if (this.#depth > 0 && this.#length + size + 1 > this.#bytesMax) this.#isFull = true;
    // A list that is too long is taken back; nothing more need be kept of it.
    if (this.#isFull) return;
    this.#reserve(size + 1);
    if (bare) {
      bytes.copy(this.#buffer, this.#length, start, end);
      this.#length += end - start;
    } else {
      this.#length = writeQuoted(this.#buffer, this.#length, bytes, start, end);
    }
    this.#buffer[this.#length++] = LF;
  }

  #line(text: string): void {
    this.#reserve(Buffer.byteLength(text) + 1);
    this.#length += this.#buffer.write(text, this.#length);
    this.#buffer[this.#length++] = LF;
  }

  #bytes(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.#length += bytes.copy(this.#buffer, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

function roomForQuoted(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  return length < EXACT_FROM_BYTES ? QUOTED_BYTES_PER_BYTE_MAX * length + 2 : quotedLength(bytes, start, end);
}
