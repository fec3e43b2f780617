import type { ByteRange, Index, Operation, SessionTag, Term } from '../../src/engine.js';
import { EntryKind, EntryReader, FrameBuilder } from '../../src/log/entry.js';
import type { LoggedOperation } from '../../src/log/entry.js';
import { NO_CHECKSUM } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import fc from 'fast-check';

export function range(content: string | Buffer): ByteRange {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  // Not at the edge of its buffer: whoever takes too much shows it.
  return {
    bytes: Buffer.concat([Buffer.from('<'), bytes, Buffer.from('>')]),
    start: 1,
    end: bytes.length + 1,
  };
}

function text({ bytes, start, end }: ByteRange): string {
  return bytes.toString('latin1', start, end);
}

/** An entry as words: what it does, then its keys, or its keys and values. */
export type Words = readonly string[];

export function taggedWordsOf(operation: LoggedOperation, tag: SessionTag | undefined): Words {
  const words = wordsOf(operation);
  if (tag === undefined) return words;
  return [words[0]!, [tag.session, tag.number, tag.lowest].join(':'), ...words.slice(1)];
}

export function wordsOf(operation: LoggedOperation): Words {
  switch (operation.kind) {
    case 'openSession':
      return ['openSession'];
    case 'expireSessions':
      return ['expireSessions', ...operation.sessions.map(String)];
    case 'put':
      return ['put', text(operation.key), text(operation.value)];
    case 'putMany':
      return ['put', ...operation.pairs.map(text)];
    case 'delete':
      return ['delete', ...operation.keys.map(text)];
  }
}

/** Reads a frame to its end. */
export function readAll(frame: Frame): { index: Index; words: Words }[] {
  const reader = new EntryReader(frame);
  const entries: { index: Index; words: Words }[] = [];
  while (reader.nextEntry()) {
    const name = Object.entries(EntryKind).find(([, kind]) => kind === reader.kind)?.[0] ?? 'unknown';
    const words = [name];
    if (reader.isInSession) words.push([reader.session, reader.number, reader.lowest].join(':'));
    while (reader.nextSession()) words.push(String(reader.session));
    while (reader.nextItem()) {
      words.push(text(reader.key));
      if (reader.kind === EntryKind.put) words.push(text(reader.value));
    }
    entries.push({ index: reader.index, words });
  }
  return entries;
}

export function frameOf(
  operations: readonly LoggedOperation[],
  { term = 1, index = 1, previous = NO_CHECKSUM } = {},
): Frame {
  const builder = new FrameBuilder();
  for (const operation of operations) builder.append(operation);
  return builder.seal(term as Term, index as Index, previous);
}

const anyWord = fc
  .oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('', '__proto__', 'constructor', '\n', '\0').map((word) => Buffer.from(word)),
    fc.nat({ max: 20_000 }).map((length) => Buffer.alloc(length, 'x')),
  )
  .map(range);

export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key: anyWord, value: anyWord }),
  fc.record({
    kind: fc.constant('putMany' as const),
    pairs: fc.array(fc.tuple(anyWord, anyWord), { maxLength: 5 }).map((pairs) => pairs.flat()),
  }),
  fc.record({ kind: fc.constant('delete' as const), keys: fc.array(anyWord, { maxLength: 5 }) }),
);

/** Any number that eight bytes of a log can hold, at least 1. */
export const anyUint53 = fc.maxSafeNat().map((number) => Math.max(1, number));
