import { isNumbering, isWrite } from '../commands/command.js';
import type { RunCommand } from '../commands/command.js';
import { findCommand } from '../commands/resolve.js';
import { BATCH_KEYS_MAX, KeyBatch, wholeRange } from '../engine.js';
import type { Engine, ValueSink } from '../engine.js';
import { OneKeyRequests } from '../protocol/one-key-requests.js';
import type { RequestLimits } from '../protocol/limits.js';
import type { Request } from '../protocol/request.js';
import type { RequestReader } from '../protocol/request-reader.js';
import type { RespReply } from '../protocol/resp-reply.js';
import { LINE_END_BYTES } from '../protocol/whole-word.js';
import type { PendingReads } from './pending.js';

const NAME = 'GET';

/** Reads that come together and are answered together, for the connections of one server. Nothing is kept from one call to the next. */
export class RowReads {
  readonly #keys = new KeyBatch();
  readonly #requests: OneKeyRequests;
  readonly #name = wholeRange(Buffer.from(NAME));
  /** What these reads are when they are answered by themselves. */
  readonly command: RunCommand;

  constructor(limits: RequestLimits) {
    this.#requests = new OneKeyRequests(NAME, limits);
    const command = findCommand(this.#name);
    if (command === undefined || isWrite(command) || isNumbering(command))
      throw new Error(`${NAME} is no read`);
    this.command = command;
  }

  /** Answers what comes next from a reader, as far as it is such a row. @returns how many requests were answered. */
  answer(reader: RequestReader, engine: Engine, row: RowOfReplies): number {
    if (row.aloneCount > 0) {
      row.aloneCount--;
      return 0;
    }
    reader.findKeys(this.#requests, this.#keys, BATCH_KEYS_MAX);
    if (this.#keys.count === 0) return 0;
    const end = this.#answerFound(engine, row, row);
    if (row.count > 0) reader.takeUpTo(end);
    else row.aloneCount--;
    return row.count;
  }

  /** Takes what comes next from a reader and has to wait, at most so many. Undefined: it is no such row. */
  keep(reader: RequestReader, countMax: number): PendingReads | undefined {
    const keys = this.#keys;
    reader.findKeys(this.#requests, keys, countMax);
    const requests = keys.count;
    if (requests === 0) return undefined;
    const bytes = reader.copyUpTo(keys.ends[requests - 1] ?? 0);
    keys.end();
    return { kind: 'reads', requests, unread: { bytes, at: 0, isLent: false }, aloneCount: 0 };
  }

  /** Answers what was kept, as far as that goes together. */
  answerKept(kept: PendingReads, engine: Engine, row: RowOfReplies): void {
    if (kept.aloneCount > 0) return;
    this.#requests.find(kept.unread, this.#keys, BATCH_KEYS_MAX);
    const end = this.#answerFound(engine, row, kept);
    if (row.count > 0) kept.unread.at = end + LINE_END_BYTES;
  }

  /** Takes the next one of what was kept, to be answered by itself. */
  takeAlone(kept: PendingReads): Request {
    const keys = this.#keys;
    const { bytes } = kept.unread;
    this.#requests.find(kept.unread, keys, 1);
    const [start = 0, end = 0] = [keys.starts[0], keys.ends[0]];
    kept.unread.at = end + LINE_END_BYTES;
    kept.aloneCount--;
    keys.end();
    return { words: [this.#name, { bytes, start, end }], terminated: true, framing: 'resp' };
  }

  /** Answers the keys that were found, as far as that goes together. @returns where the last one ends that was answered. */
  #answerFound(engine: Engine, row: RowOfReplies, source: { aloneCount: number }): number {
    const keys = this.#keys;
    row.begin();
    engine.readEach(keys, row);
    const { count } = row;
    // What was not answered is not looked up for a row again, so that nothing is looked up many times.
    source.aloneCount = keys.count - count;
    const end = count === 0 ? 0 : (keys.ends[count - 1] ?? 0);
    keys.end();
    return end;
  }
}

/** Writes replies to reads that came together, up to one that somebody has to look at more closely. */
export class RowOfReplies implements ValueSink {
  /** How many were written. */
  count = 0;
  isFull = false;
  /** So many of the next requests are answered by themselves. */
  aloneCount = 0;
  readonly #reply: RespReply;
  readonly #valueBytesMax: number;
  readonly #freeBytes: () => number;
  #bytesMax = 0;

  /**
   * @param valueBytesMax - a longer value is none of a row.
   * @param freeBytes - how much may be written before others have their turn.
   */
  constructor(reply: RespReply, valueBytesMax: number, freeBytes: () => number) {
    this.#reply = reply;
    this.#valueBytesMax = valueBytesMax;
    this.#freeBytes = freeBytes;
  }

  begin(): void {
    this.count = 0;
    this.isFull = false;
    this.#bytesMax = this.#reply.length + this.#freeBytes() - this.#valueBytesMax;
  }

  hit(bytes: Buffer, start: number, end: number, view?: DataView): void {
    if (this.#isTooMuch(end - start)) return;
    this.#reply.hit(bytes, start, end, view);
    this.count++;
  }

  miss(): void {
    if (this.#isTooMuch(0)) return;
    this.#reply.miss();
    this.count++;
  }

  #isTooMuch(valueBytes: number): boolean {
    this.isFull = valueBytes > this.#valueBytesMax || this.#reply.length > this.#bytesMax;
    return this.isFull;
  }
}
