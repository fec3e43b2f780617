import type { ByteRange } from '../../src/engine.js';
import type { Random } from '../random.js';

/** What is special to JSON, to UTF-8, or to one that writes both. */
const PARTS: readonly Buffer[] = [
  ...[
    'a',
    'key',
    '"',
    '\\',
    '\\u0041',
    '\n',
    '\r',
    '\t',
    '\b',
    '\f',
    '\0',
    '\u0001',
    '\u001f',
    '\u007f',
    '/',
  ],
  ...[
    '\u0080',
    'ä',
    '\u07ff',
    '\u0800',
    '€',
    '\u2028',
    '\u2029',
    '\ufeff',
    '\ufffd',
    '\uffff',
    '😀',
    '\u{10ffff}',
  ],
  ...['__proto__', '":"', '"}', '","', '"]', '},', 'x'.repeat(70)],
].map((text) => Buffer.from(text));

/** Bytes that are no UTF-8: halves of characters, cut ones, ones that are too long, ones past the end. */
const BROKEN: readonly Buffer[] = [
  [0xff],
  [0x80],
  [0xc3],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xed, 0xa0, 0x80],
  [0xed, 0xb0, 0x80],
  [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  [0xc0, 0x80],
  [0xe0, 0x80, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
].map((bytes) => Buffer.from(bytes));

/** Text, or bytes that are none, of about this length. */
export function randomWord(random: Random, length: number): Buffer {
  const kind = random.below(4);
  if (kind === 0) return Buffer.alloc(length, random.pick(PARTS.slice(0, 2)));
  if (kind === 1) return random.bytes(length);
  const parts: Buffer[] = [];
  for (let size = 0; size < length;) {
    const part = random.pick(PARTS);
    parts.push(part);
    size += part.length;
  }
  if (kind === 3) parts.splice(random.below(parts.length + 1), 0, random.pick(BROKEN));
  return Buffer.concat(parts);
}

export interface Pair {
  readonly key: Buffer;
  readonly value: Buffer;
}

export function randomPairs(random: Random, count: number): Pair[] {
  return Array.from({ length: count }, () => {
    const length = random.pick([0, 1, 5, 30, 49, 100, 1000]);
    return { key: randomWord(random, random.below(40)), value: randomWord(random, length) };
  });
}

/** A range in the middle of a larger buffer, as a table shows it. */
export function inArena(bytes: Buffer): ByteRange {
  const arena = Buffer.concat([Buffer.from('\xff"\\'), bytes, Buffer.from('"\n\xff')]);
  return { bytes: arena, start: 4, end: 4 + bytes.length };
}

/** As text that can be compared and sorted. */
export function shown({ key, value }: Pair): string {
  return `${key.toString('hex')}=${value.toString('hex')}`;
}
