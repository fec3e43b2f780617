import { LASTING_BYTES_MIN } from '../engine.js';
import { LF } from './byte.js';
import { LineValue } from './line-value.js';
import { QUOTED_BYTES_PER_BYTE_MAX, isBare, quotedLength, writeQuoted } from './quoting.js';
import type { ReplyBuffer } from './reply-buffer.js';
import type { Reply, Told } from './reply.js';

/** Below this the worst case is reserved, above it the exact length is found first. */
const EXACT_FROM_BYTES = 16 * 1024;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

/** A whole number and its line feed. */
const ITEM_BYTES_MAX = 20;

const OK = Buffer.from('OK\n');
const NULL = Buffer.from('NULL\n');

/** A message may carry what somebody else wrote; it stays on one line all the same. */
export function onOneLine(message: string): string {
  return message.replaceAll(CONTROLS, ' ');
}

/** Writes replies of the line framing. */
export class LineReply implements Reply {
  readonly #buffer: ReplyBuffer;
  /** Items of the list that is being written, those of lists in it included. */
  #listItems = 0;
  /** How many lists were begun and not ended. */
  #depth = 0;
  #isFull = false;
  readonly #listBytesMax: number;

  /**
   * @param listBytesMax - what may wait with a list in it. An answer of one value is always taken: its own bound
   * holds it.
   */
  constructor(buffer: ReplyBuffer, listBytesMax = Infinity) {
    this.#buffer = buffer;
    this.#listBytesMax = listBytesMax;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get length(): number {
    return this.#buffer.length;
  }

  rollBack(mark: number): void {
    this.#buffer.rollBack(mark);
    this.#depth = 0;
    this.#isFull = false;
  }

  ok(fields?: string): void {
    if (fields === undefined) this.#buffer.copy(OK);
    else this.#line(`OK ${fields}`);
  }

  text(text: string): void {
    this.#line(text);
  }

  integer(value: number): void {
    this.#listItems++;
    if (this.#takes(ITEM_BYTES_MAX)) this.#line(String(value));
  }

  error({ code, message }: Told): void {
    this.#line(`ERROR ${code} ${onOneLine(message)}`);
  }

  document(lines: readonly string[]): void {
    this.beginList();
    for (const line of lines) {
      if (line === '') continue;
      const bytes = Buffer.from(line);
      this.hit(bytes, 0, bytes.length);
    }
    this.endList();
  }

  hit(bytes: Buffer, start: number, end: number): void {
    this.#listItems++;
    if (end - start < LASTING_BYTES_MIN) this.#word(bytes, start, end, true);
    else if (this.#takes(end - start + 1)) this.#buffer.render(new LineValue(bytes, start, end));
  }

  miss(): void {
    this.#listItems++;
    if (this.#takes(NULL.length)) this.#buffer.copy(NULL);
  }

  beginList(): void {
    if (this.#depth++ === 0) this.#listItems = 0;
  }

  beginMap(): void {
    this.beginList();
  }

  key(bytes: Buffer, start: number, end: number): void {
    this.#listItems++;
    this.#word(bytes, start, end, false);
  }

  item(text: string): void {
    this.#listItems++;
    if (this.#takes(Buffer.byteLength(text) + 2)) this.#line(text === '' ? '""' : text);
  }

  endList(): void {
    if (--this.#depth === 0) this.#line(`END ${String(this.#listItems)}`);
  }

  #word(bytes: Buffer, start: number, end: number, blanksAllowed: boolean): void {
    const buffer = this.#buffer;
    const bare = isBare(bytes, start, end, blanksAllowed);
    const size = bare ? end - start : roomForQuoted(bytes, start, end);
    if (!this.#takes(size + 1)) return;
    buffer.reserve(size + 1);
    if (bare) buffer.copy(bytes, start, end);
    else buffer.advance(writeQuoted(buffer.room, buffer.at, bytes, start, end));
    buffer.byte(LF);
  }

  /** Whether so many bytes may be added. A list that is too long is taken back; nothing more need be kept of it. */
  #takes(bytes: number): boolean {
    if (this.#depth > 0 && this.#buffer.length + bytes > this.#listBytesMax) this.#isFull = true;
    return !this.#isFull;
  }

  #line(text: string): void {
    this.#buffer.utf8(text);
    this.#buffer.byte(LF);
  }
}

function roomForQuoted(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  return length < EXACT_FROM_BYTES ? QUOTED_BYTES_PER_BYTE_MAX * length + 2 : quotedLength(bytes, start, end);
}
