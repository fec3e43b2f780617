import type { EntryBatch, KeyBatch } from '../engine.js';
import { ASTERISK } from './byte.js';
import type { EntryRequests } from './entry-requests.js';
import { foreignFirstByte } from './foreign.js';
import { LineRequestReader, foreignViolation } from './line-request-reader.js';
import type { LineGrammar } from './line.js';
import type { OneKeyRequests } from './one-key-requests.js';
import { RespRequestReader } from './resp-request-reader.js';
import { isViolation } from './request.js';
import type { Framing, Reading, Request, Violation } from './request.js';
import type { Unread } from './unread.js';
import { WholeRequestReader } from './whole-request.js';
import { LINE_END_BYTES } from './whole-word.js';

const EMPTY = Buffer.alloc(0);
const ZERO = 0x30;

/** Requests without words and empty lines that are skipped before others have a turn. */
const SKIPPED_MAX = 4096;

/**
 * Finds the requests in the bytes of one connection, however they were cut into chunks. The first byte of each request
 * says how it is framed.
 *
 * Usage: `feed` a chunk, call `next` until it answers undefined, then feed the next chunk. When
 * `isUnfinished` is true then, a long request is being read: feed nothing, and call `next` again in another turn. A chunk
 * belongs to the reader until `next` answered undefined and has finished, or, where it is only lent, until `keepUnread` was called. A
 * request is borrowed until the following call of `feed`, one that says that it is lent until the one of `next`. After a fatal
 * violation nothing more is read or kept.
 *
 * Invariant: memory stays below the request bound, what is kept about its words, and one chunk; a request that is put
 * together or whose escapes are replaced takes its bytes twice. One call of `next` takes no longer than a chunk of 256 KiB.
 */
export class RequestReader {
  readonly #lines: LineRequestReader;
  readonly #arrays: RespRequestReader;
  readonly #whole: WholeRequestReader;
  readonly #unread: Unread = { bytes: EMPTY, at: 0, isLent: false };
  #framing: Framing = 'line';
  /** Nothing was received yet. */
  #isFresh = true;
  /** The request before was an array. */
  #followsArray = false;
  #isUnfinished = false;
  #isEnded = false;
  #isDead = false;

  constructor(grammar: LineGrammar) {
    this.#lines = new LineRequestReader(grammar);
    this.#arrays = new RespRequestReader(grammar.limits);
    this.#whole = new WholeRequestReader(grammar.limits);
  }

  /** How the request is framed that is being read; between two requests, how the last one was. */
  get framing(): Framing {
    return this.#framing;
  }

  /** What a request takes that is not complete. */
  get partialBytes(): number {
    return this.#lines.partialBytes + this.#arrays.partialBytes;
  }

  /** What was fed and not looked at. */
  get unreadBytes(): number {
    return this.#unread.bytes.length - this.#unread.at;
  }

  /** Whether `next` stopped because it is time that others have a turn. */
  get isUnfinished(): boolean {
    return this.#isUnfinished;
  }

  /** Whether `next` may have more to answer without another chunk. */
  get hasUnread(): boolean {
    return this.#isUnfinished || this.#unread.at < this.#unread.bytes.length;
  }

  /** @param isLent - the chunk's memory is used again: `keepUnread` is called before it is. */
  feed(chunk: Buffer, isLent = false): void {
    if (this.#isDead) return;
    const { bytes, at } = this.#unread;
    const { hasUnread } = this;
    this.#unread.bytes = hasUnread ? Buffer.concat([bytes.subarray(at), chunk]) : chunk;
    this.#unread.at = 0;
    this.#unread.isLent = isLent && !hasUnread;
  }

  /** Copies what is left of a chunk that was lent. */
  keepUnread(): void {
    const { bytes, at, isLent } = this.#unread;
    if (!isLent) return;
    this.#unread.bytes = at < bytes.length ? Buffer.from(bytes.subarray(at)) : EMPTY;
    this.#unread.at = 0;
    this.#unread.isLent = false;
  }

  /** Gives away what lies behind the last request, for somebody who reads it otherwise, and reads nothing more. */
  takeUnread(): Buffer {
    this.keepUnread();
    const unread = this.#unread.bytes.subarray(this.#unread.at);
    this.#die();
    return unread;
  }

  /** Says that no more chunks come: an unterminated last line is then a request too, an array that is not whole is not. */
  end(): void {
    this.#isEnded = true;
  }

  next(): Request | Violation | undefined {
    const whole = this.#nextWhole();
    if (whole !== undefined) return whole;
    if (this.#isDead) return undefined;
    const outcome = this.#next();
    this.#isUnfinished = outcome === 'unfinished';
    if (outcome === 'unfinished') return undefined;
    if (outcome === undefined) {
      this.#unread.bytes = EMPTY;
      this.#unread.at = 0;
    } else if (isViolation(outcome) && outcome.fatal) {
      this.#die();
    }
    return outcome;
  }

  /** Lets go of everything: a client that goes on sending costs nothing until its connection is closed. */
  #die(): void {
    this.#isDead = true;
    this.#unread.bytes = EMPTY;
    this.#unread.at = 0;
    this.#lines.forget();
    this.#arrays.forget();
  }

  /** Between two requests, the keys of those that come next and ask for nothing but one key each, at most so many. Nothing is read by it. */
  findKeys(requests: OneKeyRequests, keys: KeyBatch, countMax: number): void {
    keys.count = 0;
    if (this.#mayBegin(requests.words)) requests.find(this.#unread, keys, countMax);
  }

  /** As {@link findKeys}, for requests that set one key each. */
  findEntries(requests: EntryRequests, entries: EntryBatch, countMax: number): void {
    entries.keys.count = 0;
    if (this.#mayBegin(requests.words)) requests.find(this.#unread, entries, countMax);
  }

  /** Says that the requests that were found are read, up to the one whose last word ends at `end`. */
  takeUpTo(end: number): void {
    this.#unread.at = end + LINE_END_BYTES;
    this.#readWhole();
  }

  /** As {@link takeUpTo}, with a copy of their bytes. */
  copyUpTo(end: number): Buffer {
    const { bytes, at } = this.#unread;
    this.takeUpTo(end);
    return Buffer.from(bytes.subarray(at, this.#unread.at));
  }

  /** Whether a request of so many words may be next, at the first look. */
  #mayBegin(words: number): boolean {
    const { bytes, at } = this.#unread;
    return bytes[at + 1] === ZERO + words && this.#isBetween(ASTERISK);
  }

  #isBetween(first: number): boolean {
    const { bytes, at } = this.#unread;
    if (at === bytes.length || bytes[at] !== first) return false;
    return !this.#arrays.isBegun && !this.#lines.isBegun;
  }

  #readWhole(): void {
    this.#isFresh = false;
    this.#framing = 'resp';
    this.#followsArray = true;
    this.#isUnfinished = false;
  }

  /** Between two requests, the next one if it is whole and short. */
  #nextWhole(): Request | undefined {
    if (!this.#isBetween(ASTERISK)) return undefined;
    const request = this.#whole.read(this.#unread);
    if (request !== undefined) this.#readWhole();
    return request;
  }

  #next(): Exclude<Reading, 'skipped'> {
    for (let skipped = 0; skipped < SKIPPED_MAX; skipped++) {
      if (!this.#lines.isBegun && !this.#arrays.isBegun) {
        const first = this.#unread.bytes[this.#unread.at];
        if (first === undefined) return undefined;
        const foreign = this.#isFresh ? foreignFirstByte(first) : undefined;
        if (foreign !== undefined) return foreignViolation(foreign);
        this.#isFresh = false;
        this.#framing = first === ASTERISK ? 'resp' : 'line';
      }
      const outcome = this.#framing === 'resp' ? this.#nextArray() : this.#nextLine();
      if (outcome !== 'skipped') return outcome;
    }
    return 'unfinished';
  }

  #nextArray(): Reading {
    const outcome = this.#arrays.read(this.#unread);
    this.#followsArray = true;
    if (outcome === undefined && this.#isEnded) this.#arrays.forget();
    return outcome;
  }

  /** Redis skips empty lines, and `redis-cli --pipe` sends one; a client that speaks RESP would not expect an answer. */
  #nextLine(): Reading {
    // A line that takes several turns to read points into its chunk meanwhile.
    this.keepUnread();
    const outcome = this.#lines.read(this.#unread, this.#isEnded, this.#followsArray);
    if (typeof outcome === 'object') this.#followsArray = false;
    return outcome;
  }
}
