import { CR, LF, QUOTE, SPACE } from './byte.js';
import { readQuoted } from './quoting.js';

/** Whether a request is answered with one line, or with items up to `END n`. Only the asker knows. */
export type ReplyShape = 'single' | 'list';

/** One reply. All bytes are the reply's own. */
export type ParsedReply =
  /** `OK`; `fields` is what follows it, without the blank between. */
  | { readonly kind: 'ok'; readonly fields: string }
  /** `NULL`: no such key. */
  | { readonly kind: 'null' }
  /** A value, an integer or a text. */
  | { readonly kind: 'value'; readonly bytes: Buffer }
  /** An item is undefined where the list says `NULL`. */
  | { readonly kind: 'list'; readonly items: readonly (Buffer | undefined)[] }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  /** Not of this protocol. Nothing that follows can be understood either. */
  | { readonly kind: 'malformed'; readonly message: string };

export interface ReplyLimits {
  /** One reply in all, with every item of a list. */
  readonly replyBytesMax: number;
  readonly itemsMax: number;
}

const MIB = 1024 * 1024;

/** Room for a value of 64 MiB of which each byte travels as four, and for any list the server lets through. */
export const DEFAULT_REPLY_LIMITS: ReplyLimits = { replyBytesMax: 257 * MIB, itemsMax: 2 ** 24 };

const EMPTY = Buffer.alloc(0);
const PARTIAL_BYTES_MIN = 4096;

/**
 * Finds the replies in the bytes of one connection, however they were cut into chunks.
 *
 * Usage: `feed` a chunk, call `next` with the shape of the reply that is due until it answers undefined, then feed the
 * next chunk. A chunk belongs to the reader once it was fed. After a malformed reply nothing more is read.
 *
 * Invariant: memory stays below the reply bound and two chunks, and time is linear in the bytes fed.
 */
export class LineReplyReader {
  readonly #limits: ReplyLimits;
  /** What is being read, from `#at` on. */
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The beginning of a line whose end has not arrived, `#partialLength` bytes of it. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  /** The items so far of a list whose end has not arrived, and the bytes of their lines. */
  #items: (Buffer | undefined)[] = [];
  #itemBytes = 0;
  #dead = false;

  constructor(limits: ReplyLimits = DEFAULT_REPLY_LIMITS) {
    this.#limits = limits;
  }

  /** Whether bytes arrived that belong to no reply yet. */
  get hasUnread(): boolean {
    return this.#at < this.#chunk.length || this.#partialLength > 0 || this.#items.length > 0;
  }

  feed(chunk: Buffer): void {
    const unread = this.#chunk.subarray(this.#at);
    this.#chunk = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    this.#at = 0;
  }

  next(shape: ReplyShape): ParsedReply | undefined {
    while (!this.#dead) {
      const line = this.#takeLine();
      if (line === undefined) {
        if (this.#itemBytes + this.#partialLength <= this.#limits.replyBytesMax) return undefined;
        return this.#malformed(`a reply is longer than ${String(this.#limits.replyBytesMax)} bytes`);
      }
      const reply = this.#readLine(line, shape);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }

  /** The next line without its LF, borrowed until the next call; undefined when its end has not arrived. */
  #takeLine(): Buffer | undefined {
    const lf = this.#chunk.indexOf(LF, this.#at);
    if (lf === -1) {
      this.#keepRest();
      return undefined;
    }
    const from = this.#at;
    this.#at = lf + 1;
    if (this.#partialLength === 0) return this.#chunk.subarray(from, lf);
    this.#append(from, lf);
    const line = this.#partial.subarray(0, this.#partialLength);
    this.#partial = EMPTY;
    this.#partialLength = 0;
    return line;
  }

  #keepRest(): void {
    this.#append(this.#at, this.#chunk.length);
    this.#chunk = EMPTY;
    this.#at = 0;
  }

  /** Doubles the room whenever it is short, so that each byte is moved a bounded number of times. */
  #append(from: number, to: number): void {
    const needed = this.#partialLength + to - from;
    if (needed > this.#partial.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#partial.length * 2, PARTIAL_BYTES_MIN));
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialLength, from, to);
    this.#partialLength = needed;
  }

  /** The reply that this line completes; undefined when it is one item of a list. */
  #readLine(line: Buffer, shape: ReplyShape): ParsedReply | undefined {
    this.#itemBytes += line.length + 1;
    if (this.#itemBytes > this.#limits.replyBytesMax) {
      return this.#malformed(`a reply is longer than ${String(this.#limits.replyBytesMax)} bytes`);
    }
    const reply = readReplyLine(line);
    if (reply.kind === 'malformed') return this.#malformed(reply.message);
    if (shape === 'single' || reply.kind === 'error') {
      if (reply.kind === 'end') return this.#malformed('the end of a list came where one reply was due');
      this.#forgetList();
      return reply;
    }
    if (reply.kind === 'end') {
      const items = this.#items;
      if (reply.count !== items.length) return this.#malformed('a list does not have the length it names');
      this.#forgetList();
      return { kind: 'list', items };
    }
    if (reply.kind === 'ok') return this.#malformed('an OK came where a list was due');
    if (this.#items.length === this.#limits.itemsMax) {
      return this.#malformed(`a list is longer than ${String(this.#limits.itemsMax)} items`);
    }
    this.#items.push(reply.kind === 'null' ? undefined : reply.bytes);
    return undefined;
  }

  #forgetList(): void {
    this.#items = [];
    this.#itemBytes = 0;
  }

  #malformed(message: string): ParsedReply {
    this.#dead = true;
    this.#forgetList();
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#partial = EMPTY;
    this.#partialLength = 0;
    return { kind: 'malformed', message };
  }
}

type ReplyLine = Exclude<ParsedReply, { kind: 'list' }> | { readonly kind: 'end'; readonly count: number };

function readReplyLine(line: Buffer): ReplyLine {
  if (line.length === 0) return { kind: 'malformed', message: 'an empty line is no reply' };
  if (line[0] === QUOTE) return readQuotedLine(line);
  // No reply ends in CR, and those of many other protocols do. None of theirs may pass for a value.
  if (line[line.length - 1] === CR)
    return { kind: 'malformed', message: 'a reply ends in a carriage return' };
  const word = firstWord(line);
  switch (word) {
    case 'OK':
      return { kind: 'ok', fields: line.toString('utf8', word.length + 1) };
    case 'NULL':
      return { kind: 'null' };
    case 'END':
      return readEnd(line.toString('latin1', word.length + 1));
    case 'ERROR':
      return readError(line.toString('utf8', word.length + 1));
    case undefined:
      return { kind: 'value', bytes: Buffer.from(line) };
  }
}

const WORDS = ['OK', 'NULL', 'END', 'ERROR'] as const;
const WORD_BYTES_MAX = 5;

/** The first word of the line where it means something. */
function firstWord(line: Buffer): (typeof WORDS)[number] | undefined {
  const space = line.subarray(0, WORD_BYTES_MAX + 1).indexOf(SPACE);
  const end = space === -1 ? line.length : space;
  if (end > WORD_BYTES_MAX) return undefined;
  const text = line.toString('latin1', 0, end);
  return WORDS.find((word) => word === text);
}

function readQuotedLine(line: Buffer): ReplyLine {
  const word = readQuoted(line, 0, line.length);
  if (typeof word === 'string') return { kind: 'malformed', message: `${word} in a reply` };
  if (word.next !== line.length) {
    return { kind: 'malformed', message: 'a reply goes on behind its closing quote' };
  }
  return { kind: 'value', bytes: word.bytes };
}

function readEnd(text: string): ReplyLine {
  if (!/^\d{1,15}$/.test(text)) return { kind: 'malformed', message: 'a list ends without its length' };
  return { kind: 'end', count: Number(text) };
}

function readError(text: string): ReplyLine {
  const [code = '', ...message] = text.split(' ');
  if (!/^[A-Z][A-Z_]*$/.test(code)) return { kind: 'malformed', message: 'an error came without its code' };
  return { kind: 'error', code, message: message.join(' ') };
}
