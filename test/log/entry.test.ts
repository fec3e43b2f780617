import { expect } from 'chai';
import fc from 'fast-check';
import { EntryBatch } from '../../src/engine.js';
import type { ByteRange, Index, Term } from '../../src/engine.js';
import {
  EntryKind,
  EntryReader,
  FrameBuilder,
  MalformedEntry,
  entryBytes,
  putEachBytes,
} from '../../src/log/entry.js';
import {
  FRAME_HEADER_BYTES,
  FRAME_ROOM_BYTES,
  NO_CHECKSUM,
  readFrame,
  sealFrame,
} from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { entryBatch, pairsIn } from '../entry-batch.js';
import { anyOperation, anyUint53, frameOf, range, readAll, taggedWordsOf, wordsOf } from './frames.js';

/** A frame with these bytes as its entries, and a checksum that holds. */
function frameWith(entries: Buffer, count: number): Frame {
  const bytes = Buffer.concat([Buffer.alloc(FRAME_ROOM_BYTES + FRAME_HEADER_BYTES), entries]);
  const head = { term: 1 as Term, firstIndex: 5 as Index, count, previous: NO_CHECKSUM };
  return sealFrame(bytes, FRAME_ROOM_BYTES, bytes.length, head);
}

function entry(kind: number, body: Buffer | number[], length = body.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(length);
  head[4] = kind;
  return Buffer.concat([head, Buffer.from(body)]);
}

/** Its entries alone. */
function bytesOf({ bytes, start, end }: Frame): Buffer {
  return bytes.subarray(start + FRAME_HEADER_BYTES, end);
}

/** What a reader finds, and the reason when it stops at something malformed. */
function readOneByOne(
  frame: Frame,
  lookAhead: (reader: EntryReader, all: string[]) => void = () => undefined,
): string[] {
  const all: string[] = [];
  const reader = new EntryReader(frame);
  const text = ({ bytes, start, end }: ByteRange): string => bytes.toString('latin1', start, end);
  try {
    for (;;) {
      lookAhead(reader, all);
      if (!reader.nextEntry()) return all;
      let words = `${String(reader.kind)}:`;
      while (reader.nextItem()) words += JSON.stringify([text(reader.key), text(reader.value)]);
      all.push(words);
    }
  } catch (error) {
    expect(error).to.be.instanceOf(MalformedEntry);
    return [...all, (error as MalformedEntry).message];
  }
}

function readWithPutsAhead(frame: Frame): string[] {
  const entries = new EntryBatch();
  return readOneByOne(frame, (reader, all) => {
    do {
      reader.nextPuts(entries);
      all.push(...pairsIn(entries).map((pair) => `${String(EntryKind.put)}:${JSON.stringify(pair)}`));
    } while (entries.keys.count > 0);
  });
}

describe('Entries of a frame', () => {
  it('AreReadAsTheyWereGathered', () => {
    fc.assert(
      fc.property(fc.array(anyOperation, { minLength: 1, maxLength: 8 }), anyUint53, (operations, first) => {
        const index = Math.min(first, Number.MAX_SAFE_INTEGER - operations.length);
        const frame = frameOf(operations, { term: first, index });
        const found = readFrame(frame.bytes, frame.start, frame.end) as Frame;
        expect(found).to.include({ term: first, firstIndex: index, count: operations.length });
        const expected = operations.map((operation, at) => ({
          index: index + at,
          words: wordsOf(operation),
        }));
        expect(readAll(found)).to.deep.equal(expected);
      }),
    );
  });

  it('TakeTheBytesThatWereCounted', () => {
    fc.assert(
      fc.property(fc.array(anyOperation, { minLength: 1 }), (operations) => {
        const { start, end } = frameOf(operations);
        const sum = operations.reduce((bytes, operation) => bytes + entryBytes(operation), 0);
        expect(end - start).to.equal(FRAME_HEADER_BYTES + sum);
      }),
    );
  });

  it('OfPutsThatAreGatheredTogetherAreTheSameAsOneByOne', () => {
    const anyText = fc.string({ unit: 'binary-ascii', maxLength: 90 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyText, anyText), { minLength: 1, maxLength: 64 }),
        fc.nat(64),
        (pairs, most) => {
          const count = Math.max(1, Math.min(pairs.length, most));
          const entries = entryBatch(pairs);
          const together = new FrameBuilder();
          together.putEach(entries, count);
          const puts = pairs
            .slice(0, count)
            .map(([key, value]) => ({ kind: 'put' as const, key: range(key), value: range(value) }));
          const { bytes, start, end } = frameOf(puts);
          const sealed = together.seal(1 as Term, 1 as Index, NO_CHECKSUM);
          expect(sealed.bytes.subarray(sealed.start, sealed.end)).to.deep.equal(bytes.subarray(start, end));
          expect(putEachBytes(entries, count)).to.equal(end - start - FRAME_HEADER_BYTES);
          expect(sealed.count).to.equal(count);
        },
      ),
    );
  });

  it('ThatArePutsAreFoundTogetherAsTheyAreReadOneByOne', () => {
    const anyBody = fc.oneof(
      { weight: 5, arbitrary: anyOperation.map((operation) => bytesOf(frameOf([operation]))) },
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => entry(EntryKind.put, [...bytes])),
    );
    fc.assert(
      fc.property(fc.array(anyBody, { maxLength: 90 }), fc.integer({ min: 1, max: 100 }), (bodies, count) => {
        const frame = frameWith(Buffer.concat(bodies), count);
        expect(readWithPutsAhead(frame)).to.deep.equal(readOneByOne(frame));
      }),
      { numRuns: 500 },
    );
  });

  it('CarryTheSessionOfAWriteAndSessionsThatOpenAndExpire', () => {
    const anyTag = fc.option(
      fc
        .record({ session: anyUint53, number: anyUint53, below: fc.nat(1023) })
        .map(({ session, number, below }) => ({ session, number, lowest: Math.max(1, number - below) })),
      { nil: undefined },
    );
    const anySessions = fc.oneof(
      fc.constant({ kind: 'openSession' as const }),
      fc.record({ kind: fc.constant('expireSessions' as const), sessions: fc.array(anyUint53) }),
    );
    const anyWrite = fc.oneof(fc.tuple(anyOperation, anyTag), fc.tuple(anySessions, fc.constant(undefined)));
    fc.assert(
      fc.property(fc.array(anyWrite, { minLength: 1, maxLength: 8 }), (writes) => {
        const builder = new FrameBuilder();
        for (const [operation, tag] of writes) builder.append(operation, tag);
        const bytes = writes.reduce((sum, [operation, tag]) => sum + entryBytes(operation, tag), 0);
        expect(builder.length).to.equal(FRAME_HEADER_BYTES + bytes);
        const frame = builder.seal(1 as Term, 1 as Index, NO_CHECKSUM);
        const expected = writes.map(([operation, tag]) => taggedWordsOf(operation, tag));
        expect(readAll(frame).map(({ words }) => words)).to.deep.equal(expected);
      }),
    );
  });

  it('HaveASessionThatIsWholeOrAreMalformed', () => {
    const tag = (session: number, number: number, below: number): Buffer => {
      const bytes = Buffer.alloc(18);
      bytes.writeBigUInt64LE(BigInt(session), 0);
      bytes.writeBigUInt64LE(BigInt(number), 8);
      bytes.writeUInt16LE(below, 16);
      return bytes;
    };
    const { putInSession, deleteInSession, expireSessions } = EntryKind;
    expect(readAll(frameWith(entry(deleteInSession, tag(1, 2, 1)), 1))).to.have.lengthOf(1);
    for (const faulty of [
      entry(putInSession, tag(1, 2, 1).subarray(1)),
      entry(deleteInSession, []),
      entry(putInSession, tag(1, 2, 2)),
      entry(putInSession, tag(1, 0, 0)),
      entry(putInSession, tag(2 ** 53, 2, 0)),
      entry(expireSessions, Buffer.alloc(9)),
      entry(expireSessions, Buffer.alloc(8, 0xff)),
    ]) {
      expect(() => readAll(frameWith(faulty, 1))).to.throw(MalformedEntry);
    }
  });

  it('AreNotMixedWithThoseOfTheFrameBefore', () => {
    const builder = new FrameBuilder();
    const big = { kind: 'put', key: range('k'), value: range('x'.repeat(5 * 1024 * 1024)) } as const;
    const small = { kind: 'delete', keys: [range('gone')] } as const;
    for (const operations of [[big, small], [small], [small, small], []]) {
      builder.reset();
      builder.control(EntryKind.open, Buffer.from('{}'));
      for (const operation of operations) builder.append(operation);
      expect(builder.count).to.equal(operations.length + 1);
      const frame = builder.seal(1 as Term, 1 as Index, NO_CHECKSUM);
      expect(frame.end - frame.start).to.equal(builder.length);
      expect(readAll(frame).map(({ words }) => words)).to.deep.equal([['open'], ...operations.map(wordsOf)]);
    }
  });

  for (const [name, kind] of Object.entries({ open: 0, configure: 3, mark: 4 })) {
    it(`OfKind ${String(kind)} HaveABodyThatIsPassedOver`, () => {
      // The body would be a key, if it were one.
      const entries = [entry(kind, [1, 0, 0, 0, 65]), entry(EntryKind.delete, [1, 0, 0, 0, 66])];
      const found = readAll(frameWith(Buffer.concat(entries), 2)).map(({ words }) => words);
      expect(found).to.deep.equal([[name], ['delete', 'B']]);
    });
  }

  const malformed: [string, Frame][] = [
    ['a kind of a newer version', frameWith(entry(5, []), 1)],
    ['a kind far off', frameWith(entry(255, []), 1)],
    ['a header that is cut short', frameWith(Buffer.alloc(4), 1)],
    ['an entry that is longer than its frame', frameWith(entry(1, [], 1), 1)],
    ['an entry of the greatest length', frameWith(entry(1, [], 0xffffffff), 1)],
    ['a pair whose lengths are cut short', frameWith(entry(1, [0, 0, 0, 0, 0, 0, 0]), 1)],
    ['a pair that is longer than its entry', frameWith(entry(1, [1, 0, 0, 0, 1, 0, 0, 0, 65]), 1)],
    ['a key of the greatest length', frameWith(entry(2, [255, 255, 255, 255]), 1)],
    ['lengths that overflow together', frameWith(entry(1, [255, 255, 255, 255, 255, 255, 255, 255]), 1)],
    ['fewer entries than it says', frameWith(entry(0, []), 2)],
    ['more entries than it says', frameWith(Buffer.concat([entry(0, []), entry(0, [])]), 1)],
    ['no entry at all', frameWith(Buffer.alloc(0), 1)],
  ];
  for (const [name, frame] of malformed) {
    it(`AreRefusedByIndex: ${name}`, () => {
      expect(() => readAll(frame)).to.throw(MalformedEntry, /^entry \d+: /);
    });
  }

  it('OfAnyBytesAreReadOrRefusedAndNothingElse', () => {
    const anyEntries = fc
      .array(fc.tuple(fc.nat({ max: 5 }), fc.uint8Array({ maxLength: 30 }), fc.integer({ min: -2, max: 2 })))
      .map((parts) =>
        Buffer.concat(
          parts.map(([kind, body, wrong]) =>
            entry(kind, Buffer.from(body), Math.max(0, body.length + wrong)),
          ),
        ),
      );
    fc.assert(
      fc.property(anyEntries, fc.nat({ max: 5 }), (entries, count) => {
        const reader = new EntryReader(frameWith(entries, count));
        try {
          while (reader.nextEntry()) {
            while (reader.nextItem()) {
              expect(reader.key.start).to.be.at.most(reader.key.end);
              expect(reader.value.start).to.be.at.most(reader.value.end);
              expect(reader.value.end).to.be.at.most(reader.key.bytes.length);
            }
          }
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedEntry);
        }
      }),
    );
  });
});
