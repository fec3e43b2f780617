import { refusal } from '../engine.js';
import { ASTERISK, CR, LF } from './byte.js';
import { foreignFirstByte, foreignLine } from './foreign.js';
import type { Foreign } from './foreign.js';
import { parseLine } from './line.js';
import type { LineGrammar } from './line.js';
import type { Request, Violation } from './request.js';

const EMPTY = Buffer.alloc(0);
const PARTIAL_BYTES_MIN = 4096;

/**
 * Finds the requests in the bytes of one connection, however they were cut into chunks.
 *
 * Usage: `feed` a chunk, call `next` until it answers undefined, then feed the next chunk. A request is
 * borrowed until the following call of `feed`. After a fatal violation nothing more is read or kept.
 *
 * Invariant: memory stays below the request bound and one chunk.
 */
export class RequestReader {
  readonly #grammar: LineGrammar;
  /** What is being read, from `#at` on. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a request whose end has not arrived, `#partialLength` bytes of it. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  #isFirst = true;
  #ended = false;
  #dead = false;

  constructor(grammar: LineGrammar) {
    this.#grammar = grammar;
  }

  /** Bytes of a request that is not complete. */
  get partialBytes(): number {
    return this.#partialLength;
  }

  /** Whether `next` may have more to answer without another chunk. */
  get hasUnread(): boolean {
    return this.#at < this.#chunk.length;
  }

  feed(chunk: Buffer): void {
    if (this.#dead) return;
    this.#chunk = this.hasUnread ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /** Gives away what lies behind the last request, for somebody who reads it otherwise, and reads nothing more. */
  takeUnread(): Buffer {
    const unread = this.#chunk.subarray(this.#at);
    this.#die();
    return unread;
  }

  /** Says that no more chunks come: an unterminated last line is then a request too. */
  end(): void {
    this.#ended = true;
  }

  next(): Request | Violation | undefined {
    if (this.#dead) return undefined;
    const outcome = this.#next();
    if (outcome !== undefined && 'refusal' in outcome && outcome.fatal) this.#die();
    return outcome;
  }

  /** Lets go of everything: a client that goes on sending costs nothing until its connection is closed. */
  #die(): void {
    this.#dead = true;
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#partial = EMPTY;
    this.#partialLength = 0;
  }

  #next(): Request | Violation | undefined {
    const first = this.#partialLength > 0 ? this.#partial[0] : this.#chunk[this.#at];
    if (first === undefined) return undefined;
    if (this.#isFirst) {
      const foreign = foreignFirstByte(first);
      if (foreign !== undefined) return foreignViolation(foreign);
    }
    if (first === ASTERISK) return arraysNotSpoken();
    const lf = this.#chunk.indexOf(LF, this.#at);
    if (lf === -1) return this.#keepRest();
    const from = this.#at;
    this.#at = lf + 1;
    if (this.#partialLength === 0) {
      if (lf + 1 - from > this.#grammar.limits.requestBytesMax) return this.#tooLong();
      return this.#line(this.#chunk, from, lf, true);
    }
    if (this.#partialLength + lf + 1 - from > this.#grammar.limits.requestBytesMax) return this.#tooLong();
    this.#append(from, lf);
    return this.#takePartial(true);
  }

  /** Keeps the unterminated rest of the chunk; at the end of the stream, answers it as the last line. */
  #keepRest(): Request | Violation | undefined {
    const waiting = this.#partialLength + this.#chunk.length - this.#at;
    if (waiting > this.#grammar.limits.requestBytesMax) return this.#tooLong();
    this.#append(this.#at, this.#chunk.length);
    this.#chunk = EMPTY;
    this.#at = 0;
    if (!this.#ended || this.#partialLength === 0) return undefined;
    return this.#takePartial(false);
  }

  #append(from: number, to: number): void {
    const needed = this.#partialLength + to - from;
    if (needed > this.#partial.length) {
      const bound = this.#grammar.limits.requestBytesMax;
      const size = Math.min(
        Math.max(needed, this.#partial.length * 2, PARTIAL_BYTES_MIN),
        Math.max(bound, needed),
      );
      const grown = Buffer.allocUnsafeSlow(size);
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialLength, from, to);
    this.#partialLength = needed;
  }

  #takePartial(terminated: boolean): Request | Violation {
    const line = this.#partial;
    const length = this.#partialLength;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    return this.#line(line, 0, length, terminated);
  }

  #line(bytes: Buffer, start: number, lf: number, terminated: boolean): Request | Violation {
    const end = terminated && lf > start && bytes[lf - 1] === CR ? lf - 1 : lf;
    const foreign = foreignLine(bytes, start, end, this.#isFirst);
    this.#isFirst = false;
    if (foreign !== undefined) return foreignViolation(foreign);
    return parseLine(bytes, start, end, terminated, this.#grammar);
  }

  #tooLong(): Violation {
    const bound = String(this.#grammar.limits.requestBytesMax);
    return { refusal: refusal('TOO_LARGE', `the request is longer than ${bound} bytes`), fatal: true };
  }
}

function foreignViolation(foreign: Foreign): Violation {
  const message = `this looks like ${foreign}, and this port speaks a line protocol: try PING`;
  return { refusal: refusal('SYNTAX', message), fatal: true };
}

function arraysNotSpoken(): Violation {
  const message = 'requests that begin with * (RESP arrays) are not spoken yet: send lines, for example PING';
  return { refusal: refusal('SYNTAX', message), fatal: true };
}
