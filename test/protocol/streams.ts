import fc from 'fast-check';

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

/** The bytes of a connection: noise, with many of the bytes that mean something. */
export const anyStream: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...PIECES).map((piece) => Buffer.from(piece, 'latin1')) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }).map((noise) => Buffer.from(noise)) },
    ),
    { maxLength: 60 },
  )
  .map((pieces) => Buffer.concat(pieces));

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
