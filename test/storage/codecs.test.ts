import { expect } from 'chai';
import fc from 'fast-check';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import {
  END_MARK_BYTES,
  SEGMENT_HEADER_BYTES,
  decodeRecord,
  decodeSegmentHeader,
  encodeRecord,
  encodeSegmentHeader,
  hasEndMark,
  laterRecordProves,
  laterRecords,
  recordBytes,
  segmentName,
  sequenceOf,
  writtenUpTo,
} from '../../src/storage/segment.js';
import { StorageFault } from '../../src/storage/fault.js';
import { SnapshotDamage, readSnapshot } from '../../src/storage/snapshot-reader.js';
import { SnapshotWriter } from '../../src/storage/snapshot-writer.js';
import { seededRandom } from '../random.js';
import { anyOperation, anyUint53, frameOf } from '../log/frames.js';
import { DB_PATH, expectStart, record } from './images.js';
import { MemoryDisk } from './memory-files.js';
import { range } from './test-node.js';

const IDENTITY = 'c0ffee'.repeat(6).slice(0, 32);

const anyHeader = fc.record({
  salt: fc.nat(),
  size: anyUint53,
  sequence: anyUint53,
  cluster: fc.constant(IDENTITY as ClusterId),
  node: fc.constant('0'.repeat(32) as NodeId),
  firstIndex: anyUint53.map((index) => index as Index),
  previousTerm: anyUint53.map((term) => term as Term),
  previousChecksum: fc.nat(),
});

const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));

describe('The header of a segment', () => {
  it('IsReadAsItWasWritten', () => {
    fc.assert(
      fc.property(anyHeader, (header) => {
        const bytes = encodeSegmentHeader(header);
        expect(bytes.length).to.equal(SEGMENT_HEADER_BYTES);
        expect(decodeSegmentHeader(Buffer.concat([bytes, Buffer.alloc(9)]))).to.deep.equal(header);
      }),
    );
  });

  it('DoesNotHoldWithAnyByteChangedOrCut', () => {
    fc.assert(
      fc.property(
        anyHeader,
        fc.nat({ max: 127 }),
        fc.integer({ min: 1, max: 255 }),
        (header, at, pattern) => {
          const bytes = encodeSegmentHeader(header);
          expect(decodeSegmentHeader(bytes.subarray(0, at))).to.equal(undefined);
          bytes[at] = bytes[at]! ^ pattern;
          expect(decodeSegmentHeader(bytes)).to.equal(undefined);
        },
      ),
    );
  });

  it('IsNotFoundInAnyBytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(decodeSegmentHeader(Buffer.from(noise))).to.equal(undefined);
        const named = Buffer.concat([Buffer.from('USDYLOG1'), Buffer.from(noise)]);
        expect(decodeSegmentHeader(named)).to.equal(undefined);
      }),
    );
  });

  it('BelongsToAFileOfItsNumber', () => {
    expect(sequenceOf(segmentName(12))).to.equal(12);
    for (const name of ['segment-1', 'segment-00000000012', 'segment-0000000001.new', 'spare', 'x']) {
      expect(sequenceOf(name)).to.equal(undefined);
    }
  });
});

describe('A record', () => {
  const anyRecord = fc.tuple(fc.array(anyOperation, { minLength: 1, maxLength: 3 }), fc.nat(), anyUint53);

  it('IsReadAsItWasWritten', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat({ max: 20 }), ([operations, salt, durable], room) => {
        const frame = frameOf(operations);
        const bytes = encodeRecord(frame, salt, durable as Index);
        const segment = Buffer.alloc(16 + recordBytes(frame.end - frame.start) + room);
        bytes.copy(segment, 8);
        const found = decodeRecord(segment, 8, salt)!;
        expect(found.durable).to.equal(durable);
        expect(found.next).to.equal(8 + recordBytes(frame.end - frame.start));
        expect(found.frame.checksum).to.equal(frame.checksum);
        expect(found.frame.bytes.subarray(found.frame.start, found.frame.end)).to.deep.equal(
          frame.bytes.subarray(frame.start, frame.end),
        );
        expect(decodeRecord(segment, 8, salt + 1), 'of another salt').to.equal(undefined);
        expect(decodeRecord(segment.subarray(0, 8 + bytes.length - 1), 8, salt), 'cut').to.equal(undefined);
      }),
    );
  });

  it('DoesNotHoldWithAnyByteChanged', () => {
    fc.assert(
      fc.property(
        anyRecord,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        ([operations, salt], at, pattern) => {
          const bytes = Buffer.from(encodeRecord(frameOf(operations), salt, 0 as Index));
          const place = at % bytes.length;
          bytes[place] = bytes[place]! ^ pattern;
          expect(decodeRecord(bytes, 0, salt)).to.equal(undefined);
        },
      ),
    );
  });

  it('IsNotFoundInAnyBytesAndNothingIsThrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 220 }), fc.nat(), (noise, at, salt) => {
        const bytes = Buffer.from(noise);
        expect(decodeRecord(bytes, at, salt)).to.equal(undefined);
        expect(laterRecordProves(bytes, 0, salt, 1 as Index)).to.equal(false);
        const end = writtenUpTo(bytes, 0);
        expect(bytes.subarray(end).every((byte) => byte === 0)).to.equal(true);
        expect(end === 0 || bytes[end - 1] !== 0).to.equal(true);
      }),
    );
  });

  it('StoredAsAValueIsNotTakenForOneOfTheLog', () => {
    const inner = Buffer.from(
      encodeRecord(frameOf([{ kind: 'delete', keys: [] }], { index: 9 }), 1, 8 as Index),
    );
    // At every distance from a multiple of eight.
    const value = Buffer.alloc(8 * 73);
    for (let shift = 0; shift < 8; shift++) inner.copy(value, shift * 73);
    const outer = encodeRecord(
      frameOf([{ kind: 'put', key: range('k'), value: range(value) }]),
      2,
      0 as Index,
    );
    const segment = Buffer.concat([outer, Buffer.alloc(64)]);
    expect(laterRecordProves(segment, 8, 2, 1 as Index)).to.equal(false);
    expect(laterRecordProves(segment, 8, 1, 8 as Index), 'with the salt it would').to.equal(true);
  });
});

describe('The end of what was written, and the proof behind it', () => {
  const SIZE = 16 * 1024 * 1024;

  /** Segments of 16 MiB as they may lie behind the end, by name. */
  const segments: Readonly<Record<string, () => Buffer>> = {
    zeros: () => Buffer.alloc(SIZE),
    // What a client could store: a checksum is looked at for each of them.
    'heads that seem to follow': () => {
      const segment = Buffer.alloc(SIZE);
      for (let at = 128; at < SIZE; at += 8) segment.writeUInt32LE(100, at + 4);
      return segment;
    },
    'records of an earlier life': () => {
      const segment = Buffer.alloc(SIZE);
      const record = encodeRecord(frameOf([{ kind: 'delete', keys: [range('key')] }]), 4, 1 as Index);
      for (let at = 128; at + 96 < SIZE; at += 96) record.copy(segment, at);
      return segment;
    },
    noise: () => {
      const noise = seededRandom(3).bytes(64 * 1024);
      return Buffer.concat(Array<Buffer>(SIZE / noise.length).fill(noise));
    },
  };

  for (const [name, make] of Object.entries(segments)) {
    it(`AreFoundInAFullSizedSegmentInNoTime: ${name}`, () => {
      const segment = make();
      const started = process.cpuUsage();
      expect(laterRecords(segment, 128, 5, 1000 as Index)).to.equal('none');
      writtenUpTo(segment, 128);
      const { user } = process.cpuUsage(started);
      if (process.env.KV_SHOW_TIMES !== undefined) process.stdout.write(`      ${String(user / 1e3)} ms\n`);
      expect(user / 1e6, 'seconds').to.be.lessThan(5);
    });
  }

  it('AreToldApart', () => {
    const salt = 5;
    const place = (records: readonly [index: number, durable: number][]): Buffer => {
      const segment = Buffer.alloc(1024);
      let at = 136;
      for (const [index, durable] of records) {
        const frame = frameOf([{ kind: 'delete', keys: [range('key')] }], { index });
        at += encodeRecord(frame, salt, durable as Index).copy(segment, Math.ceil(at / 8) * 8) + 8;
      }
      return segment;
    };
    const look = (segment: Buffer): string => laterRecords(segment, 128, salt, 10 as Index);
    expect(look(place([]))).to.equal('none');
    // Those of an index before cannot follow.
    expect(look(place([[9, 8]]))).to.equal('none');
    expect(look(place([[10, 9]]))).to.equal('some');
    expect(look(place([[11, 9]]))).to.equal('some');
    expect(look(place([[11, 10]]))).to.equal('proof');
    expect(
      look(
        place([
          [10, 9],
          [11, 9],
          [12, 11],
        ]),
      ),
    ).to.equal('proof');
    expect(laterRecords(place([[12, 11]]), 128, salt + 1, 10 as Index), 'of another salt').to.equal('none');
  });

  it('AreToldByAMarkOfZerosAlone', () => {
    const segment = Buffer.alloc(256, 1);
    segment.fill(0, 128, 128 + END_MARK_BYTES);
    expect(hasEndMark(segment, 128)).to.equal(true);
    for (let at = 128; at < 128 + END_MARK_BYTES; at++) {
      segment[at] = 0x80;
      expect(hasEndMark(segment, 128)).to.equal(false);
      segment[at] = 0;
    }
    // Where there is no room for a mark, there is none for a record either.
    expect(hasEndMark(segment, 256 - END_MARK_BYTES)).to.equal(false);
    expect(hasEndMark(segment, 256 - END_MARK_BYTES + 1)).to.equal(true);
    expect(hasEndMark(segment, 256)).to.equal(true);
  });

  it('AreFoundAtEveryDistance', () => {
    for (const size of [200, 4096, 8192, 65536, 65537, 200_000]) {
      const segment = Buffer.alloc(size);
      for (const at of [128, 130, 131, 150, 199, size - 1, size - 2, Math.floor(size / 1.5)]) {
        segment.fill(0);
        segment[at] = 1;
        expect(writtenUpTo(segment, 128)).to.equal(at + 1);
        expect(writtenUpTo(segment, at + 1)).to.equal(at + 1);
      }
    }
  });
});

describe('A JSON file', () => {
  it('OfAnyBytesIsReadOrRefusedAndNothingElse', async () => {
    const lines = [
      '"data":{\n',
      '},\n',
      '"binary":[\n',
      '],\n',
      '"a":"b"\n',
      '["YQ==","YQ=="]\n',
      '{}\n',
      '\n',
    ];
    const image = await record('clean', (node) => node.put('k', 'v'));
    const head = `${image.get(DB_PATH)!.toString().split('\n')[0]!}\n`;
    const anyPiece = fc.oneof(
      fc
        .constantFrom(head, ...lines, '"count":1,"checksum":"00000000"}\n')
        .map((piece) => Buffer.from(piece)),
      anyBytes,
    );
    const disk = new MemoryDisk();
    await fc.assert(
      fc.asyncProperty(fc.array(anyPiece, { maxLength: 12 }), async (pieces) => {
        disk.put('/file', Buffer.concat(pieces));
        try {
          await readSnapshot(disk.mount(), '/file', () => undefined);
          expect.fail('no checksum was chosen to hold');
        } catch (error) {
          const isKnown = error instanceof SnapshotDamage || error instanceof StorageFault;
          if (!isKnown) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('KeepsAnyKeysAndValues', async () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Buffer.from(text));
    const special = fc.constantFrom(
      '__proto__',
      'constructor',
      '7',
      '-0',
      '\ufeff',
      '\u2028',
      '"',
      '\\',
      '\n',
      '',
    );
    const anyWord = fc.oneof(
      anyBytes,
      anyText,
      special.map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(anyWord, anyWord), { maxLength: 20 }), async (pairs) => {
        const files = new MemoryDisk().mount();
        const writer = await SnapshotWriter.create(files, '/file');
        const end = { term: 1 as Term, index: 2 as Index, checksum: 3 };
        const head = { cluster: IDENTITY as ClusterId, node: IDENTITY as NodeId, end, hasSessions: false };
        writer.start(head);
        for (const [key, value] of pairs) writer.add(range(key), range(value));
        await writer.finish();
        const found: string[] = [];
        const summary = await readSnapshot(files, '/file', (key, value) => {
          found.push(JSON.stringify([hex(key), hex(value)]));
        });
        expect(summary.head).to.deep.equal(head);
        expect(summary.count).to.equal(pairs.length);
        const given = pairs.map(([key, value]) =>
          JSON.stringify([key.toString('hex'), value.toString('hex')]),
        );
        expect(found.sort()).to.deep.equal(given.sort());
        expect(await files.list('/')).to.deep.equal(['file']);
      }),
    );
  });

  function hex({ bytes, start, end }: { bytes: Buffer; start: number; end: number }): string {
    return bytes.toString('hex', start, end);
  }
});

describe('Any keys and values', () => {
  it('AreThereAgainFromTheLogAndFromTheJsonFile', async () => {
    const anyKey = anyBytes.filter((key) => key.length > 0);
    const anyPairs = fc.array(fc.tuple(anyKey, anyBytes), { maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(anyPairs, fc.constantFrom('crash' as const, 'clean' as const), async (pairs, stop) => {
        const expected = new Map(
          pairs.map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]),
        );
        const image = await record(stop, async (node) => {
          for (const [key, value] of pairs) expect(await node.put(key, value)).to.equal(undefined);
        });
        expect((await expectStart(image)).content).to.deep.equal(expected);
      }),
      { numRuns: 60 },
    );
  });
});
