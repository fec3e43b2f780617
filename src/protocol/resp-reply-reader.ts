import { ASTERISK, COLON, CR, DOLLAR, LF, MINUS, PLUS } from './byte.js';

/** One reply of RESP2. All bytes are the reply's own. */
export type RespReply =
  /** A short text of the server's own, such as `OK`. */
  | { readonly kind: 'simple'; readonly text: string }
  /** The line behind the `-`. */
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'bulk'; readonly bytes: Buffer }
  /** A bulk string or an array that is not there. */
  | { readonly kind: 'null' }
  | { readonly kind: 'array'; readonly items: readonly RespReply[] };

/** Not of this protocol. Nothing that follows can be understood either. */
export interface MalformedReply {
  readonly kind: 'malformed';
  readonly message: string;
}

export interface RespReplyLimits {
  /** One reply in all, with everything that it holds. */
  readonly replyBytesMax: number;
  /** Items of all arrays of one reply. */
  readonly itemsMax: number;
  /** Arrays within arrays. */
  readonly depthMax: number;
  /** A simple string, an error, an integer or a length. */
  readonly lineBytesMax: number;
}

const MIB = 1024 * 1024;

/** Room for any value and any list that a server lets through. */
export const DEFAULT_RESP_REPLY_LIMITS: RespReplyLimits = {
  replyBytesMax: 257 * MIB,
  itemsMax: 2 ** 24,
  depthMax: 16,
  lineBytesMax: 64 * 1024,
};

const EMPTY = Buffer.alloc(0);
const PARTIAL_BYTES_MIN = 256;

/** An array whose last item has not arrived. */
interface OpenArray {
  readonly items: RespReply[];
  missing: number;
}

/** A bulk string whose end has not arrived. */
interface OpenBulk {
  readonly bytes: Buffer;
  filled: number;
}

/** What one head says: a whole reply, or that something begins and more has to come. */
type Head = RespReply | MalformedReply | 'begun';

/**
 * Finds the replies in the bytes of one connection, however they were cut into chunks.
 *
 * Usage: `feed` a chunk, call `next` until it answers undefined, then feed the next chunk. A chunk belongs to the
 * reader once it was fed. After a malformed reply nothing more is read.
 *
 * Invariants: a length is checked against its bound before anything is kept for it; memory stays below the reply
 * bound and two chunks; each byte is looked at and moved a bounded number of times.
 */
export class RespReplyReader {
  readonly #limits: RespReplyLimits;
  /** What is being read, from `#at` on. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a line whose end has not arrived, `#partialLength` bytes of it. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  #bulk: OpenBulk | undefined;
  /** Outermost first. */
  #arrays: OpenArray[] = [];
  /** Bytes and items that the reply under way was found to have so far. */
  #replyBytes = 0;
  #replyItems = 0;
  #isDead = false;

  constructor(limits: RespReplyLimits = DEFAULT_RESP_REPLY_LIMITS) {
    this.#limits = limits;
  }

  /** Whether bytes arrived that belong to no reply yet. */
  get hasUnread(): boolean {
    return this.#at < this.#chunk.length || this.partialBytes > 0;
  }

  /** What has arrived of a reply whose end has not. */
  get partialBytes(): number {
    return this.#replyBytes + this.#partialLength + (this.#bulk?.filled ?? 0);
  }

  feed(chunk: Buffer): void {
    const unread = this.#chunk.subarray(this.#at);
    this.#chunk = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    this.#at = 0;
  }

  next(): RespReply | MalformedReply | undefined {
    while (!this.#isDead) {
      const found = this.#bulk === undefined ? this.#takeHead() : this.#takeBulk(this.#bulk);
      if (found === undefined) return undefined;
      if (found === 'begun') continue;
      if (found.kind === 'malformed') return found;
      const reply = this.#close(found);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }

  /** Puts a whole reply into the array that it is an item of. The outermost reply once that is whole too. */
  #close(found: RespReply): RespReply | undefined {
    let reply = found;
    for (let array = this.#arrays.at(-1); array !== undefined; array = this.#arrays.at(-1)) {
      array.items.push(reply);
      array.missing--;
      if (array.missing > 0) return undefined;
      this.#arrays.pop();
      reply = { kind: 'array', items: array.items };
    }
    this.#replyBytes = 0;
    this.#replyItems = 0;
    return reply;
  }

  #takeHead(): Head | undefined {
    const type = this.#partialLength > 0 ? this.#partial[0] : this.#chunk[this.#at];
    if (type === undefined) return undefined;
    // Seen at its first byte: what speaks another protocol may wait for us, and never end its line.
    if (!isType(type)) return this.#malformed(`a reply begins with ${shownByte(type)}`);
    const line = this.#takeLine();
    if (line === undefined || 'kind' in line) return line;
    this.#replyBytes += line.length + 1;
    if (this.#replyBytes > this.#limits.replyBytesMax) return this.#tooLong();
    if (line[line.length - 1] !== CR) return this.#malformed('a line ends without a carriage return');
    switch (type) {
      case PLUS:
        return { kind: 'simple', text: line.toString('utf8', 1, line.length - 1) };
      case MINUS:
        return { kind: 'error', text: line.toString('utf8', 1, line.length - 1) };
      case COLON:
        return this.#integer(line.toString('latin1', 1, line.length - 1));
      case DOLLAR:
        return this.#beginBulk(line.toString('latin1', 1, line.length - 1));
      case ASTERISK:
        return this.#beginArray(line.toString('latin1', 1, line.length - 1));
    }
  }

  /** The next line without its LF, borrowed until the next call; undefined when its end has not arrived. */
  #takeLine(): Buffer | MalformedReply | undefined {
    const lf = this.#chunk.indexOf(LF, this.#at);
    const end = lf === -1 ? this.#chunk.length : lf;
    const length = this.#partialLength + end - this.#at;
    if (length > this.#limits.lineBytesMax) {
      return this.#malformed(`a line is longer than ${String(this.#limits.lineBytesMax)} bytes`);
    }
    const from = this.#at;
    this.#at = lf === -1 ? end : lf + 1;
    if (lf !== -1 && this.#partialLength === 0) return this.#chunk.subarray(from, lf);
    this.#keep(from, end);
    if (lf === -1) return undefined;
    const line = this.#partial.subarray(0, this.#partialLength);
    this.#partial = EMPTY;
    this.#partialLength = 0;
    return line;
  }

  /** Doubles the room whenever it is short, so that each byte is moved a bounded number of times. */
  #keep(from: number, to: number): void {
    const needed = this.#partialLength + to - from;
    if (needed > this.#partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#partial.length * 2, PARTIAL_BYTES_MIN));
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialLength, from, to);
    this.#partialLength = needed;
  }

  #integer(text: string): Head {
    const value = Number(text);
    if (/^[+-]?\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return { kind: 'integer', value };
    return this.#malformed('an integer has no value that can be held');
  }

  #beginBulk(text: string): Head {
    if (text === '-1') return { kind: 'null' };
    const length = readLength(text);
    if (length === undefined) return this.#malformed('a string has no valid length');
    if (this.#replyBytes + length + 2 > this.#limits.replyBytesMax) return this.#tooLong();
    this.#bulk = { bytes: Buffer.allocUnsafe(length + 2), filled: 0 };
    return 'begun';
  }

  #beginArray(text: string): Head {
    if (text === '-1') return { kind: 'null' };
    const length = readLength(text);
    if (length === undefined) return this.#malformed('a list has no valid length');
    if (length === 0) return { kind: 'array', items: [] };
    this.#replyItems += length;
    if (this.#replyItems > this.#limits.itemsMax) {
      return this.#malformed(`a list is longer than ${String(this.#limits.itemsMax)} items`);
    }
    if (this.#arrays.length === this.#limits.depthMax) {
      return this.#malformed(`lists lie deeper in each other than ${String(this.#limits.depthMax)}`);
    }
    this.#arrays.push({ items: [], missing: length });
    return 'begun';
  }

  #takeBulk(bulk: OpenBulk): RespReply | MalformedReply | undefined {
    const copied = this.#chunk.copy(bulk.bytes, bulk.filled, this.#at);
    bulk.filled += copied;
    this.#at += copied;
    if (bulk.filled < bulk.bytes.length) return undefined;
    this.#bulk = undefined;
    this.#replyBytes += bulk.bytes.length;
    const length = bulk.bytes.length - 2;
    if (bulk.bytes[length] !== CR || bulk.bytes[length + 1] !== LF) {
      return this.#malformed('a string is longer than it says');
    }
    return { kind: 'bulk', bytes: bulk.bytes.subarray(0, length) };
  }

  #tooLong(): MalformedReply {
    return this.#malformed(`a reply is longer than ${String(this.#limits.replyBytesMax)} bytes`);
  }

  #malformed(message: string): MalformedReply {
    this.#isDead = true;
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    this.#bulk = undefined;
    this.#arrays = [];
    this.#replyBytes = 0;
    return { kind: 'malformed', message };
  }
}

type Type = typeof PLUS | typeof MINUS | typeof COLON | typeof DOLLAR | typeof ASTERISK;

function isType(byte: number): byte is Type {
  return byte === PLUS || byte === MINUS || byte === COLON || byte === DOLLAR || byte === ASTERISK;
}

function readLength(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function shownByte(byte: number): string {
  const isPrintable = byte > 0x20 && byte < 0x7f;
  return isPrintable ? JSON.stringify(String.fromCharCode(byte)) : `the byte ${String(byte)}`;
}
