import { encode } from './reader.js';
import type { Framing, Reader } from './reader.js';

const MIB = 1024 * 1024;
const WORDS_MAX = 1_048_576;

/** Something that a client may do to the others. */
export interface Case {
  readonly name: string;
  /** What is done before the waits are watched, such as setting what is read. The reader speaks RESP. */
  prepare?(reader: Reader): Promise<unknown>;
  /** One round of what is watched. */
  run(reader: Reader): Promise<unknown>;
}

export interface Sizes {
  readonly keys: number;
  readonly valueBytes: number;
}

export function keyOf(at: number): string {
  return `key:${String(at).padStart(7, '0')}`;
}

/** All that is measured in one framing. What a case writes is gone, or as it was, when its rounds are over. */
export function casesOf(framing: Framing, sizes: Sizes): Case[] {
  const request = (words: (string | Buffer)[]): Buffer => encode(framing, words);
  const asking = (name: string, words: (string | Buffer)[]): Case => {
    const bytes = request(words);
    return { name, run: (reader) => reader.ask(bytes) };
  };
  const keys = (count: number): string[] => Array.from({ length: count }, (_, at) => keyOf(at % sizes.keys));
  return [
    asking('KEYS *', ['KEYS', '*']),
    asking('KEYS that match nothing', ['KEYS', '*z*z*z*']),
    {
      name: 'KEYS, 10 at once',
      run: (reader) => reader.ask(repeat(request(['KEYS', 'z']), 10)),
    },
    ...[10, 1000, 100_000].map((count) => ({
      name: `SCAN COUNT ${String(count)}`,
      run: (reader: Reader) => scanAll(reader, framing, count),
    })),
    asking('MGET of 10,000', ['MGET', ...keys(10_000)]),
    asking(`MGET of ${(WORDS_MAX - 1).toLocaleString('en')}`, ['MGET', ...keys(WORDS_MAX - 1)]),
    {
      name: 'MGET of 10,000, 20 at once',
      run: (reader) => reader.ask(repeat(request(['MGET', ...keys(10_000)]), 20)),
    },
    ...readsOfLargeValues(framing, sizes.valueBytes),
    ...writes(framing, sizes, keys),
  ];
}

function repeat(request: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => request));
}

function readsOfLargeValues(framing: Framing, valueBytes: number): Case[] {
  const values: [string, () => Buffer][] = [
    ['text', () => Buffer.alloc(valueBytes, 'plain text in English, ')],
    ['UTF-8 with line feeds', () => Buffer.alloc(valueBytes - (valueBytes % 15), 'größer\nääé ')],
    [
      'binary',
      () => Buffer.from(Uint8Array.from({ length: valueBytes }, (_, at) => (at * 2_654_435_761) >>> 24)),
    ],
  ];
  const mib = `${String(valueBytes / MIB)} MiB`;
  const parts = 100;
  const get = encode(framing, ['GET', 'large']);
  return [
    ...values.map(([kind, value]) => ({
      name: `GET of ${mib}, ${kind}`,
      prepare: (reader: Reader) => reader.ask(encode('resp', ['PUT', 'large', value()])),
      run: (reader: Reader) => reader.ask(get),
    })),
    {
      name: `MGET of ${String(parts)} values of 1 MiB`,
      prepare: (reader) => reader.ask(encode('resp', ['PUT', 'large', Buffer.alloc(MIB, 'a value.')])),
      run: (reader) => reader.ask(encode(framing, ['MGET', ...Array.from({ length: parts }, () => 'large')])),
    },
    {
      name: 'MGET of 10,000 values of 10 KiB',
      prepare: (reader) => reader.ask(encode('resp', ['PUT', 'large', Buffer.alloc(10 * 1024, 'a value.')])),
      run: (reader) =>
        reader.ask(encode(framing, ['MGET', ...Array.from({ length: 10_000 }, () => 'large')])),
    },
    {
      name: 'GET of 1 MiB, 100 at once',
      prepare: (reader) => reader.ask(encode('resp', ['PUT', 'large', Buffer.alloc(MIB, 'a value.')])),
      run: (reader) => reader.ask(repeat(get, 100)),
    },
  ];
}

function writes(framing: Framing, sizes: Sizes, keys: (count: number) => string[]): Case[] {
  const many = WORDS_MAX - 1;
  const count = many.toLocaleString('en');
  const pairs = keys(Math.floor(many / 2)).flatMap((key) => [key, 'another value']);
  const missing = Array.from({ length: many }, (_, at) => `none:${String(at)}`);
  const put = encode(framing, ['PUT', 'large', Buffer.alloc(sizes.valueBytes, 'v')]);
  const del = encode(framing, ['DEL', ...keys(many)]);
  return [
    { name: `EXISTS of ${count}`, run: (reader) => reader.ask(encode(framing, ['EXISTS', ...keys(many)])) },
    { name: `PUT of ${String(sizes.valueBytes / MIB)} MiB`, run: (reader) => reader.ask(put) },
    {
      name: `MSET of ${(pairs.length / 2).toLocaleString('en')}`,
      run: (reader) => reader.ask(encode(framing, ['MSET', ...pairs])),
    },
    {
      name: `DEL of ${count} that are not there`,
      run: (reader) => reader.ask(encode(framing, ['DEL', ...missing])),
    },
    {
      name: `DEL of ${count}, and MSET again`,
      run: async (reader) => {
        await reader.ask(del);
        await fill(reader, sizes.keys);
      },
    },
  ];
}

async function scanAll(reader: Reader, framing: Framing, count: number): Promise<void> {
  // A whole iteration with a small COUNT would take longer than anybody watches.
  let cursor = '0';
  for (let steps = 0; steps < 3000; steps++) {
    const lines = await reader.askForLines(encode(framing, ['SCAN', cursor, 'COUNT', String(count)]));
    // In RESP the cursor is the first bulk string of the outer array.
    cursor = lines[framing === 'line' ? 0 : 2] ?? '0';
    if (!/^\d+$/.test(cursor)) throw new Error(`SCAN answered ${lines.slice(0, 3).join(' ')}`);
    if (cursor === '0') return;
  }
}

/** Sets this many keys, in batches. */
export async function fill(reader: Reader, keys: number): Promise<void> {
  const batch = 10_000;
  for (let from = 0; from < keys; from += batch) {
    const count = Math.min(batch, keys - from);
    const pairs = Array.from({ length: count }, (_, at) => [
      keyOf(from + at),
      `value ${String(from + at)}`,
    ]).flat();
    await reader.ask(encode(reader.framing, ['MSET', ...pairs]));
  }
}
