import fc from 'fast-check';
import { bytes, encodeArray } from './reading.js';

/** Bytes and words that a framing gives a meaning to, so that random streams reach its corners. */
const PIECES = [
  '\n',
  '\r',
  ' ',
  '\t',
  '"',
  '\\',
  '\\n',
  '\\x',
  '41',
  '*',
  'PUT ',
  'PUT k ',
  'GET',
  '\x00',
  '\x16',
  '\xff',
  '\xc3\xa4',
];

/** Parts of RESP arrays, whole and broken. */
const ARRAY_PIECES = [
  '*1\r\n',
  '*2\r\n',
  '*9\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*1\r\n$4\r\nPING\r\n',
  '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
  '$0\r\n\r\n',
  '$1\r\nk\r\n',
  '$3\r\n',
  '$-1\r\n',
  '$18\r\n',
  'GET\r\n',
  '\r\n',
  '$',
  '-',
  '0',
  '12',
];

function streamOf(pieces: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...pieces).map(bytes) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((noise) => Buffer.from(noise)) },
      ),
      { maxLength: 60 },
    )
    .map((all) => Buffer.concat(all));
}

/** The bytes of a connection: noise, with many of the bytes that mean something. */
export const anyStream: fc.Arbitrary<Buffer> = fc.oneof(
  streamOf(PIECES),
  streamOf(ARRAY_PIECES),
  streamOf([...PIECES, ...ARRAY_PIECES]),
);

/** Requests as a client would send them, in either framing. */
const anyRequests: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc.array(fc.string({ unit: 'binary', maxLength: 9 }), { maxLength: 5 }).map((words) => {
        return encodeArray(...words.map((word) => Buffer.from(word).toString('latin1')));
      }),
      fc.constantFrom('GET k\n', 'PUT k a value\r\n', 'MGET "a b" "\\x00\\n" c\n', '\r\n'),
    ),
    { maxLength: 8 },
  )
  .map((all) => bytes(all.join('')));

/** Such requests with a few bytes changed, left out or put in. */
export const mutatedStream: fc.Arbitrary<Buffer> = fc
  .tuple(
    anyRequests,
    fc.array(
      fc.record({
        at: fc.nat(),
        removed: fc.nat({ max: 2 }),
        added: fc.oneof(fc.constantFrom(...PIECES, ...ARRAY_PIECES), fc.string({ maxLength: 2 })),
      }),
      { maxLength: 4 },
    ),
  )
  .map(([stream, changes]) => {
    const all = [...stream];
    for (const { at, removed, added } of changes) all.splice(at % (all.length + 1), removed, ...bytes(added));
    return Buffer.from(all);
  });

const CODE_POINTS = [
  '',
  ' ',
  '\t',
  '\n',
  '\r',
  '"',
  '\\',
  '\x7f',
  'OK',
  'NULL',
  'END',
  'ERROR',
  'a',
  'ä',
  '\u0085',
  '€',
  '😀',
];

/** The bytes of a key or a value: text, noise, and text that noise cuts short. */
export const anyBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((noise) => Buffer.from(noise)),
  fc.array(fc.constantFrom(...CODE_POINTS), { maxLength: 12 }).map((all) => Buffer.from(all.join(''))),
  fc
    .tuple(
      fc.array(fc.constantFrom(...CODE_POINTS), { maxLength: 6 }),
      fc.uint8Array({ maxLength: 3 }),
      fc.string(),
    )
    .map(([all, noise, rest]) => Buffer.concat([Buffer.from(all.join('')), noise, Buffer.from(rest)])),
);
