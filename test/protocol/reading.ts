import type { ByteRange, ErrorCode } from '../../src/engine.js';
import type { LineGrammar } from '../../src/protocol/line.js';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import type { RequestLimits } from '../../src/protocol/limits.js';
import { isViolation, keptRequest } from '../../src/protocol/request.js';
import type { Framing, Request, Violation } from '../../src/protocol/request.js';
import { RequestReader } from '../../src/protocol/request-reader.js';

/** What a reader answered, in a form that can be compared: each byte is one character. */
export type Seen =
  | { readonly words: readonly string[]; readonly terminated: boolean; readonly framing: Framing }
  | { readonly code: ErrorCode; readonly fatal: boolean; readonly framing: Framing };

export function request(...words: string[]): Seen {
  return { words, terminated: true, framing: 'line' };
}

/** A request that came as a RESP array. */
export function array(...words: string[]): Seen {
  return { words, terminated: true, framing: 'resp' };
}

/** A last line that the end of the stream cut off. */
export function cutOff(...words: string[]): Seen {
  return { words, terminated: false, framing: 'line' };
}

export function refused(code: ErrorCode): Seen {
  return { code, fatal: false, framing: 'line' };
}

export function closed(code: ErrorCode, framing: Framing = 'line'): Seen {
  return { code, fatal: true, framing };
}

/** A grammar in which PUT, in any case, takes the rest of the line. */
export function grammarWith(limits: Partial<RequestLimits> = {}): LineGrammar {
  return {
    limits: { ...DEFAULT_REQUEST_LIMITS, ...limits },
    takesRest: (name) => text(name).toUpperCase() === 'PUT',
  };
}

/** A request of these words as a RESP array, one character for each byte. */
export function encodeArray(...words: string[]): string {
  const bulks = words.map((word) => `$${String(word.length)}\r\n${word}\r\n`);
  return `*${String(words.length)}\r\n${bulks.join('')}`;
}

export function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}

export function text(range: ByteRange): string {
  return range.bytes.toString('latin1', range.start, range.end);
}

export function seen(outcome: Request | Violation): Seen {
  const { framing } = outcome;
  if (isViolation(outcome)) return { code: outcome.refusal.code, fatal: outcome.fatal, framing };
  return { words: outcome.words.map(text), terminated: outcome.terminated, framing };
}

/** More calls than any test's bytes need: a reader that goes on does not stop. */
const CALLS_MAX = 2_000_000;

/**
 * Everything that the reader answers without another chunk, however many turns it takes: requests are borrowed until then, except
 * for those that say that they are lent.
 */
export function drain(reader: RequestReader): Seen[] {
  const outcomes: (Request | Violation)[] = [];
  for (let calls = 0; ; calls++) {
    const outcome = reader.next();
    if (outcome !== undefined) outcomes.push(isViolation(outcome) ? outcome : keptRequest(outcome));
    else if (!reader.isUnfinished) return outcomes.map(seen);
    if (calls > CALLS_MAX) throw new Error('the reader does not stop');
  }
}

/** What a whole connection's bytes are read as, in these chunks and then the end of the stream. */
export function readChunks(chunks: readonly Buffer[], grammar: LineGrammar = grammarWith()): Seen[] {
  const reader = new RequestReader(grammar);
  const all: Seen[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    all.push(...drain(reader));
  }
  reader.end();
  all.push(...drain(reader));
  return all;
}

/** The same, where each chunk is only lent: another one lies in its place as soon as it was read, or once a turn came for others. */
export function readLentChunks(chunks: readonly Buffer[], grammar: LineGrammar = grammarWith()): Seen[] {
  const reader = new RequestReader(grammar);
  const all: Seen[] = [];
  for (const chunk of chunks) {
    const memory = Buffer.from(chunk);
    reader.feed(memory, true);
    const outcomes: (Request | Violation)[] = [];
    for (let outcome = reader.next(); outcome !== undefined; outcome = reader.next())
      outcomes.push(isViolation(outcome) ? outcome : keptRequest(outcome));
    reader.keepUnread();
    memory.fill('*');
    all.push(...outcomes.map(seen), ...drain(reader));
  }
  reader.end();
  all.push(...drain(reader));
  return all;
}

/** The same bytes cut before each of these offsets. Each piece is memory of its own, as a socket's chunks are. */
export function cut(whole: Buffer, offsets: readonly number[]): Buffer[] {
  const inside = offsets.filter((offset) => offset > 0 && offset < whole.length);
  const edges = [0, ...[...new Set(inside)].sort((a, b) => a - b), whole.length];
  return edges.slice(1).map((end, at) => Buffer.from(whole.subarray(edges[at], end)));
}

export function byteByByte(whole: Buffer): Buffer[] {
  return cut(whole, [...whole.keys()]);
}
