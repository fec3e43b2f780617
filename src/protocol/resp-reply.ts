import { WORDS_BYTES_MAX, copyByWords } from '../copying.js';
import { LASTING_BYTES_MIN } from '../engine.js';
import { DOLLAR } from './byte.js';
import { writeLineEnd, writeNumber } from './writing.js';
import { onOneLine } from './line-reply.js';
import type { ReplyBuffer } from './reply-buffer.js';
import type { Reply, Told } from './reply.js';

/** RESP2 is what a connection begins with; `HELLO 3` asks for RESP3. */
export type RespVersion = 2 | 3;

const OK = Buffer.from('+OK\r\n');
const NULL = Buffer.from('$-1\r\n');
const NULL_3 = Buffer.from('_\r\n');
const CRLF = Buffer.from('\r\n');
/** A header: its type, the digits of a length, CR and LF. */
const HEADER_BYTES_MAX = 20;

/** Below this the bytes are borrowed, and a copy costs less than one piece more. */
const KEPT_FROM_BYTES = LASTING_BYTES_MIN;

/** A list that was begun and not ended. */
interface OpenList {
  /** Where its head belongs, when its length was not known beforehand. */
  readonly mark: number | undefined;
  items: number;
}

/**
 * Writes replies of the RESP framing, version 2 or 3 (https://redis.io/docs/latest/develop/reference/protocol-spec/).
 *
 * An error is `-CODE message`. Redis's own clients act on two kinds of errors, which therefore have Redis's names:
 * `-READONLY` for what only a primary does, and `-ERR` for what is not understood.
 */
export class RespReply implements Reply {
  version: RespVersion = 2;
  readonly #buffer: ReplyBuffer;
  readonly #listBytesMax: number;
  readonly #lists: OpenList[] = [];
  #isFull = false;

  /** @param listBytesMax - as for the line framing. */
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
    this.#lists.length = 0;
    this.#isFull = false;
  }

  ok(fields?: string): void {
    this.#count();
    if (fields === undefined) this.#buffer.copy(OK);
    else this.#line(`+OK ${onOneLine(fields)}`);
  }

  text(text: string): void {
    this.#count();
    this.#line(`+${onOneLine(text)}`);
  }

  integer(value: number): void {
    this.#count();
    if (this.#takes(HEADER_BYTES_MAX)) this.#header(':', value);
  }

  error({ code, message, redisError }: Told): void {
    if (redisError !== undefined) this.#line(`-${onOneLine(redisError)}`);
    else this.#line(`-${code === 'NOT_PRIMARY' ? 'READONLY' : code} ${onOneLine(message)}`);
  }

  document(lines: readonly string[]): void {
    this.#count();
    const text = lines.map((line) => `${line}\r\n`).join('');
    const length = Buffer.byteLength(text);
    if (this.version === 3) {
      this.#header('=', length + VERBATIM_TEXT.length);
      this.#buffer.ascii(VERBATIM_TEXT);
    } else {
      this.#header('$', length);
    }
    this.#buffer.utf8(text);
    this.#buffer.copy(CRLF);
  }

  hit(bytes: Buffer, start: number, end: number, view?: DataView): void {
    const length = end - start;
    if (!this.#takes(length + HEADER_BYTES_MAX)) return;
    this.#count();
    if (length < KEPT_FROM_BYTES) {
      this.#bulk(bytes, start, end, view);
      return;
    }
    this.#header('$', length);
    this.#buffer.keep(bytes.subarray(start, end));
    this.#buffer.copy(CRLF);
  }

  /** All of it with one look at how much room there is: 150 ns became 60 with 64 bytes. */
  #bulk(bytes: Buffer, start: number, end: number, view: DataView | undefined): void {
    const buffer = this.#buffer;
    const length = end - start;
    buffer.reserve(HEADER_BYTES_MAX + length + CRLF.length);
    const { room } = buffer;
    let at = buffer.at;
    room[at++] = DOLLAR;
    at = writeLineEnd(room, writeNumber(room, at, length));
    if (view === undefined || length > WORDS_BYTES_MAX) bytes.copy(room, at, start, end);
    else copyByWords(view, start, end, buffer.roomView, at);
    buffer.advance(writeLineEnd(room, at + length));
  }

  miss(): void {
    this.#count();
    const bytes = this.version === 3 ? NULL_3 : NULL;
    if (this.#takes(bytes.length)) this.#buffer.copy(bytes);
  }

  beginList(count?: number): void {
    this.#count();
    this.#lists.push({ mark: count === undefined ? this.#buffer.length : undefined, items: 0 });
    if (count !== undefined) this.#header('*', count);
  }

  beginMap(pairs: number): void {
    this.#count();
    this.#lists.push({ mark: undefined, items: 0 });
    if (this.version === 3) this.#header('%', pairs);
    else this.#header('*', 2 * pairs);
  }

  key(bytes: Buffer, start: number, end: number): void {
    this.hit(bytes, start, end);
  }

  item(text: string): void {
    const bytes = Buffer.from(text);
    this.hit(bytes, 0, bytes.length);
  }

  endList(): void {
    const list = this.#lists.pop();
    if (list?.mark === undefined) return;
    this.#buffer.insert(list.mark, Buffer.from(`*${String(list.items)}\r\n`));
  }

  /** Counts one item of the list that is being written. */
  #count(): void {
    const list = this.#lists.at(-1);
    if (list !== undefined) list.items++;
  }

  /** Whether so many bytes may be added. A list that is too long is taken back; nothing more need be kept of it. */
  #takes(bytes: number): boolean {
    if (this.#lists.length > 0 && this.#buffer.length + bytes > this.#listBytesMax) this.#isFull = true;
    return !this.#isFull;
  }

  #header(type: string, value: number): void {
    this.#buffer.ascii(`${type}${String(value)}\r\n`);
  }

  #line(text: string): void {
    this.#buffer.utf8(text);
    this.#buffer.copy(CRLF);
  }
}

/** What stands in front of a text in RESP3. */
const VERBATIM_TEXT = 'txt:';
