import { expect } from 'chai';
import fc from 'fast-check';
import { LineValue } from '../../src/protocol/line-value.js';
import { isBare, writeQuoted } from '../../src/protocol/quoting.js';

/** The line as it is written in one go. */
function lineOf(value: Buffer): Buffer {
  if (isBare(value, 0, value.length, true)) return Buffer.concat([value, Buffer.from('\n')]);
  const target = Buffer.alloc(4 * value.length + 2);
  return Buffer.concat([
    target.subarray(0, writeQuoted(target, 0, value, 0, value.length)),
    Buffer.from('\n'),
  ]);
}

/** All slices of it, empty ones too. */
function slicesOf(value: Buffer, sliceBytes?: number): Buffer[] {
  const around = Buffer.concat([Buffer.from('"\x80\n'), value, Buffer.from('\x80\x80\n', 'latin1')]);
  const line = new LineValue(around, 4, 4 + value.length, sliceBytes);
  const slices: Buffer[] = [];
  while (line.waitingBytes > 0) {
    const before = line.waitingBytes;
    slices.push(line.next());
    expect(line.waitingBytes).to.be.at.most(before);
  }
  return slices;
}

const PIECES = [
  'text',
  ' ',
  '\n',
  '"',
  '\\',
  '\x80',
  '\xc3\xa9',
  '\xe2\x82\xac',
  '\xf0\x9f\x99\x82',
  '\xf0\x9f',
  '\xed\xa0\x80',
  '\xff',
  'OK',
].map((piece) => Buffer.from(piece, 'latin1'));

describe('A large value as a line', () => {
  it('IsTheSameHoweverItIsCutIntoSlices', () => {
    const pieces = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(pieces, fc.constantFrom(4, 8, 12, 16, 20, 64), (parts, sliceBytes) => {
        const value = Buffer.concat(parts);
        expect(Buffer.concat(slicesOf(value, sliceBytes)).equals(lineOf(value))).to.equal(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('IsMadeAFewBytesAtATimeWhateverItHolds', () => {
    for (const kind of ['plain text', 'größe\n', '\x80\x80\x80\x80\x80\x80\x80', '\n']) {
      const value = Buffer.alloc(1_000_000, Buffer.from(kind, kind.startsWith('\x80') ? 'latin1' : 'utf8'));
      const slices = slicesOf(value);
      expect(slices.length, kind).to.be.at.least(8);
      expect(Math.max(...slices.map((slice) => slice.length)), kind).to.be.at.most(256 * 1024 + 20);
      expect(Buffer.concat(slices).equals(lineOf(value)), kind).to.equal(true);
    }
  });

  it('IsShownInItsOwnBytesWhereItStandsBare', () => {
    const value = Buffer.alloc(600_000, 'plain text');
    const line = new LineValue(value, 0, value.length);
    const shown: Buffer[] = [];
    while (line.waitingBytes > 1) shown.push(line.next());
    for (const slice of shown.filter((each) => each.length > 0)) expect(slice.buffer).to.equal(value.buffer);
  });
});
