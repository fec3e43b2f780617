import { expect } from 'chai';
import fc from 'fast-check';
import type { Index, Term } from '../../src/engine.js';
import {
  EMPTY_LOG,
  FRAME_HEADER_BYTES,
  endOf,
  lastIndexOf,
  readFrame,
  sealFrame,
} from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { readUint53, writeUint53 } from '../../src/log/uint53.js';
import { anyOperation, anyUint53, frameOf } from './frames.js';

const anyFrame = fc
  .tuple(fc.array(anyOperation, { minLength: 1, maxLength: 4 }), anyUint53, anyUint53, fc.nat())
  .map(([operations, term, index, previous]) =>
    frameOf(operations, { term, index: Math.max(1, index - 4), previous }),
  );

describe('A frame', () => {
  it('IsReadAsItWasSealed', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(readFrame(frame.bytes, frame.start, frame.end)).to.deep.equal(frame);
        // What stands behind it does not matter.
        expect(readFrame(frame.bytes, frame.start, frame.bytes.length)).to.deep.equal(frame);
      }),
    );
  });

  it('EndsWhereTheNextOneGoesOn', () => {
    const first = frameOf([{ kind: 'delete', keys: [] }], { index: EMPTY_LOG.index + 1, term: 3 });
    expect(endOf(first)).to.deep.equal({ term: 3, index: 1, checksum: first.checksum });
    const next = frameOf([{ kind: 'delete', keys: [] }], { index: 2, previous: first.checksum });
    expect(lastIndexOf(next)).to.equal(2);
    expect(next.previous).to.equal(first.checksum);
  });

  it('CarriesTheChainInItsChecksum', () => {
    const operations = [{ kind: 'delete', keys: [] }] as const;
    const one = frameOf(operations, { previous: 1 });
    expect(one.checksum).to.not.equal(frameOf(operations, { previous: 2 }).checksum);
  });

  it('DoesNotHoldWhenItIsCutAnywhere', () => {
    const frame = frameOf([{ kind: 'delete', keys: [] }]);
    for (let limit = frame.start; limit < frame.end; limit++) {
      expect(readFrame(frame.bytes, frame.start, limit)).to.equal('cut short');
    }
  });

  it('DoesNotHoldWithAnyBitFlipped', () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.nat({ max: 7 }), (frame, at, bit) => {
        const bytes = Buffer.from(frame.bytes);
        const place = frame.start + (at % (frame.end - frame.start));
        bytes[place] = bytes[place]! ^ (1 << bit);
        expect(readFrame(bytes, frame.start, frame.end)).to.be.a('string');
      }),
    );
  });

  it('IsMalformedWithoutEntriesOrWithNumbersThatCannotBe', () => {
    const head = { term: 1 as Term, firstIndex: 1 as Index, count: 1, previous: 0 };
    const reads = (change: Partial<typeof head>): Frame | string => {
      const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
      sealFrame(bytes, 0, bytes.length, { ...head, ...change });
      return readFrame(bytes, 0, bytes.length);
    };
    expect(reads({})).to.not.be.a('string');
    expect(reads({ count: 0 })).to.equal('malformed header');
    expect(reads({ term: 0 as Term })).to.equal('malformed header');
    expect(reads({ firstIndex: 0 as Index })).to.equal('malformed header');
    expect(reads({ term: (2 ** 53) as Term })).to.equal('malformed header');
    expect(reads({ firstIndex: (2 ** 60) as Index })).to.equal('malformed header');
    expect(reads({ firstIndex: Number.MAX_SAFE_INTEGER as Index, count: 2 })).to.equal('malformed header');
    expect(reads({ firstIndex: Number.MAX_SAFE_INTEGER as Index })).to.not.be.a('string');
  });

  it('IsNotFoundInAnyBytesAndNothingIsThrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 220 }), (noise, start) => {
        expect(readFrame(Buffer.from(noise), start, noise.length)).to.be.a('string');
      }),
    );
  });
});

describe('A number of eight bytes', () => {
  it('IsReadAsItWasWritten', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        const bytes = Buffer.alloc(10, 0xee);
        writeUint53(bytes, number, 1);
        expect(readUint53(bytes, 1)).to.equal(number);
        expect([bytes[0], bytes[9]]).to.deep.equal([0xee, 0xee]);
      }),
    );
  });

  it('IsNoneBeyondWhatCanBeKeptExactly', () => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(2n ** 53n);
    expect(readUint53(bytes, 0)).to.be.NaN;
    bytes.fill(0xff);
    expect(readUint53(bytes, 0)).to.be.NaN;
    bytes.writeBigUInt64LE(2n ** 53n - 1n);
    expect(readUint53(bytes, 0)).to.equal(Number.MAX_SAFE_INTEGER);
  });
});
