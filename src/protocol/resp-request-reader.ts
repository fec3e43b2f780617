import type { ByteRange } from '../engine.js';
import { refusal, wholeRange } from '../engine.js';
import { ASTERISK, CR, DOLLAR, LF } from './byte.js';
import { GrowingBytes } from './growing-bytes.js';
import { KeptBytes } from './kept-bytes.js';
import type { RequestLimits } from './limits.js';
import { TURN_BYTES, WORD_BYTES, tooLong, tooManyWords } from './request.js';
import type { Reading, Request, Violation } from './request.js';
import { LengthReader } from './resp-length.js';
import type { Unread } from './unread.js';

/** Why no more of the request is read for now, or at all. `incomplete`: everything was read. */
type Stop = Violation | 'incomplete' | 'unfinished';

/** A bulk that is no longer shares memory with others. */
const SHARED_BYTES_MAX = 4096;
const ENDING_BYTES = 2;

/**
 * RESP framing: `*2 CRLF $3 CRLF GET CRLF $1 CRLF k CRLF`. A request says how long it is, so it is read as it comes, each
 * byte a bounded number of times, and one that the end of the stream cuts off is never executed.
 *
 * The words of a request that came in one chunk are ranges of it. When a chunk ends within a request, what is needed of it
 * is copied, into memory that grows as bytes come and not as they are announced.
 */
export class RespRequestReader {
  readonly #limits: RequestLimits;
  readonly #length = new LengthReader();
  readonly #kept = new KeptBytes();
  readonly #growing = new GrowingBytes();
  #isBegun = false;
  /** The type byte of a header was read, and the end of its line was not. */
  #isInHeader = false;
  /** How many words the request has. */
  #wordCount = 0;
  #words: ByteRange[] = [];
  /** The words from here on are ranges of the chunk. */
  #borrowedFrom = 0;
  /** What the rest of the request may have, less what was announced of it. */
  #leftBytes: number;
  /** The length of the bulk that is being read. */
  #bulkLength = 0;
  /** Bytes of it and of its CRLF that have not come. 0: a header is due. */
  #dueBytes = 0;
  /** When it comes in pieces: where it goes if it has few bytes, where it is once all of many have come. */
  #gathered: ByteRange | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
    this.#leftBytes = limits.requestBytesMax;
  }

  /** Whether a request was begun that is not complete. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** What a request that is not complete takes: its bytes so far, and what is kept about its words. */
  get partialBytes(): number {
    if (!this.#isBegun) return 0;
    const receivedBytes = this.#limits.requestBytesMax - this.#leftBytes - this.#dueBytes;
    return receivedBytes + WORD_BYTES * this.#words.length;
  }

  /** Lets go of a request that is not complete. */
  forget(): void {
    this.#isBegun = false;
    this.#isInHeader = false;
    this.#wordCount = 0;
    this.#words = [];
    this.#borrowedFrom = 0;
    this.#gathered = undefined;
    this.#leftBytes = this.#limits.requestBytesMax;
    this.#dueBytes = 0;
    this.#kept.release();
    this.#growing.release();
  }

  /** The next request, whose first byte is `*`; undefined when it is not complete. One without words is skipped. */
  read(unread: Unread): Reading {
    if (this.#wordCount === 0) {
      const stop = this.#readHeader(unread, ASTERISK);
      if (stop !== undefined) return this.#stop(stop, unread);
      const count = this.#length.value;
      if (count <= 0) {
        this.forget();
        return 'skipped';
      }
      if (count > this.#limits.wordsMax) return tooManyWords(this.#limits, 'resp');
      this.#wordCount = count;
    }
    const wordsStop = this.#words.length + TURN_BYTES / WORD_BYTES;
    while (this.#words.length < this.#wordCount) {
      if (this.#words.length >= wordsStop) return this.#stop('unfinished', unread);
      const stop = this.#dueBytes === 0 ? this.#readBulkHeader(unread) : this.#readBulk(unread);
      if (stop !== undefined) return this.#stop(stop, unread);
    }
    return this.#finish(unread);
  }

  /** What came with earlier chunks may be long, and is never copied again: so what is in this one goes with it. */
  #finish(unread: Unread): Request {
    const isLent = unread.isLent && this.#borrowedFrom === 0;
    if (unread.isLent && !isLent) this.#keepWords(unread.bytes);
    const words = this.#words;
    this.forget();
    const request = { words, terminated: true, framing: 'resp' } as const;
    return isLent ? { ...request, isLent } : request;
  }

  #stop(stop: Stop, unread: Unread): Reading {
    if (stop !== 'incomplete' && stop !== 'unfinished') return stop;
    this.#keepWords(unread.bytes);
    return stop === 'incomplete' ? undefined : stop;
  }

  /** Reads a type byte, a number and CRLF. The number is then in `#length`. */
  #readHeader(unread: Unread, type: number): Stop | undefined {
    if (this.#leftBytes === 0) return tooLong(this.#limits, 'resp');
    const from = unread.at;
    const end = Math.min(unread.bytes.length, from + this.#leftBytes);
    if (!this.#isInHeader) {
      const found = unread.bytes[from];
      if (found === undefined) return 'incomplete';
      if (found !== type) return malformed(`expected '$', got '${shown(found)}'`);
      unread.at++;
      this.#isBegun = true;
      this.#isInHeader = true;
    }
    const state = this.#length.read(unread, end);
    this.#leftBytes -= unread.at - from;
    if (state === 'invalid') return malformed(`invalid ${type === ASTERISK ? 'multibulk' : 'bulk'} length`);
    if (state === 'incomplete') return this.#leftBytes === 0 ? tooLong(this.#limits, 'resp') : 'incomplete';
    this.#isInHeader = false;
    return undefined;
  }

  #readBulkHeader(unread: Unread): Stop | undefined {
    const stop = this.#readHeader(unread, DOLLAR);
    if (stop !== undefined) return stop;
    const length = this.#length.value;
    if (length < 0) return malformed('invalid bulk length');
    if (length + ENDING_BYTES > this.#leftBytes) return tooLong(this.#limits, 'resp');
    this.#bulkLength = length;
    this.#dueBytes = length + ENDING_BYTES;
    this.#leftBytes -= this.#dueBytes;
    return undefined;
  }

  #readBulk(unread: Unread): Stop | undefined {
    const { bytes, at } = unread;
    const end = at + this.#bulkLength;
    const isWhole = this.#dueBytes === this.#bulkLength + ENDING_BYTES && end + ENDING_BYTES <= bytes.length;
    if (!isWhole) return this.#gatherBulk(unread);
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return notEnded();
    this.#words.push({ bytes, start: at, end });
    unread.at = end + ENDING_BYTES;
    this.#dueBytes = 0;
    // Memory was kept for it when the chunk before ended with its header. The next bulk must not go there.
    this.#gathered = undefined;
    return undefined;
  }

  /** Copies what has come of a bulk that no chunk holds in full. */
  #gatherBulk(unread: Unread): Stop | undefined {
    const dueBytes = this.#dueBytes - ENDING_BYTES;
    if (dueBytes === this.#bulkLength && dueBytes <= SHARED_BYTES_MAX) {
      this.#gathered = this.#kept.reserve(dueBytes);
    }
    if (dueBytes > 0) {
      const { at } = unread;
      const to = Math.min(unread.bytes.length, at + dueBytes);
      this.#dueBytes -= to - at;
      if (this.#gathered === undefined) {
        this.#growing.take(unread, to, this.#bulkLength);
      } else {
        unread.bytes.copy(this.#gathered.bytes, this.#gathered.end - dueBytes, at, to);
        unread.at = to;
      }
      if (to - at < dueBytes) return 'incomplete';
    }
    if (this.#gathered === undefined) {
      const bulk = this.#growing.join();
      if (bulk === undefined) return 'unfinished';
      this.#gathered = wholeRange(bulk);
    }
    return this.#readEnding(unread, this.#gathered);
  }

  #readEnding(unread: Unread, word: ByteRange): Stop | undefined {
    while (this.#dueBytes > 0) {
      if (unread.at === unread.bytes.length) return 'incomplete';
      if (unread.bytes[unread.at++] !== (this.#dueBytes === ENDING_BYTES ? CR : LF)) return notEnded();
      this.#dueBytes--;
    }
    this.#words.push(word);
    this.#gathered = undefined;
    this.#borrowedFrom = this.#words.length;
    return undefined;
  }

  /** Copies the words that are ranges of the chunk: it is not valid any longer when the next one comes. */
  #keepWords(chunk: Buffer): void {
    const words = this.#words;
    const first = words[this.#borrowedFrom];
    const last = words[words.length - 1];
    if (first === undefined || last === undefined) return;
    const { bytes, start } = this.#kept.reserve(last.end - first.start);
    const shift = start - first.start;
    chunk.copy(bytes, start, first.start, last.end);
    for (let at = this.#borrowedFrom; at < words.length; at++) {
      const word = words[at] ?? first;
      words[at] = { bytes, start: word.start + shift, end: word.end + shift };
    }
    this.#borrowedFrom = words.length;
  }
}

function malformed(what: string): Violation {
  return { refusal: refusal('SYNTAX', `Protocol error: ${what}`), fatal: true, framing: 'resp' };
}

function notEnded(): Violation {
  return malformed('expected CRLF behind a bulk string');
}

/** A byte as it can stand in a message. */
function shown(byte: number): string {
  const isPrintable = byte >= 0x20 && byte < 0x7f;
  return isPrintable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
