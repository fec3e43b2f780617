import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { cloneRequest, isViolation } from '../../src/protocol/request.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import {
  byteByByte,
  bytes,
  closed,
  cut,
  cutOff,
  drain,
  grammarWith,
  readChunks,
  readLentChunks,
  refused,
  request,
  seen,
} from './reading.js';
import { REQUEST_CASES } from './request-cases.js';
import { ARRAY_CASES } from './resp-request-cases.js';
import { anyStream } from './streams.js';

/** Where to cut: fast-check prints the seed of a run that fails, and the cuts that remain after shrinking. */
const anyCuts = fc.array(fc.nat({ max: 4000 }), { maxLength: 40 });

describe('RequestReader', () => {
  for (const { name, stream, seen: expected } of [...REQUEST_CASES, ...ARRAY_CASES]) {
    describe(name, () => {
      const whole = bytes(stream);

      it('in one chunk', () => {
        expect(readChunks([whole])).to.deep.equal(expected);
      });

      it('byte by byte', () => {
        expect(readChunks(byteByByte(whole))).to.deep.equal(expected);
      });

      it('at random splits', () => {
        const offset = fc.nat({ max: whole.length });
        fc.assert(
          fc.property(fc.array(offset, { maxLength: 8 }), (offsets) => {
            expect(readChunks(cut(whole, offsets))).to.deep.equal(expected);
            expect(readLentChunks(cut(whole, offsets)), 'lent').to.deep.equal(expected);
          }),
        );
      });
    });
  }

  it('reads all those lines on one connection at random splits', () => {
    const kept = REQUEST_CASES.filter(({ seen: all }) => all.every((one) => !('fatal' in one && one.fatal)));
    const lines = kept.filter(({ stream }) => stream.endsWith('\n'));
    const whole = bytes(lines.map(({ stream }) => stream).join(''));
    const expected = lines.flatMap(({ seen: all }) => all);
    fc.assert(
      fc.property(anyCuts, (offsets) => {
        expect(readChunks(cut(whole, offsets))).to.deep.equal(expected);
      }),
    );
  });

  it('reads any bytes the same, however they are cut, and stops', () => {
    const grammar = grammarWith({ requestBytesMax: 24, wordsMax: 4 });
    fc.assert(
      fc.property(anyStream, anyCuts, (whole, offsets) => {
        const expected = readChunks([whole], grammar);
        expect(readChunks(cut(whole, offsets), grammar)).to.deep.equal(expected);
        expect(readChunks(byteByByte(whole), grammar)).to.deep.equal(expected);
        expect(readLentChunks(cut(whole, offsets), grammar), 'lent').to.deep.equal(expected);
        const lines = whole.filter((byte) => byte === 0x0a).length;
        expect(expected.length).to.be.at.most(lines + 1);
        const fatal = expected.findIndex((one) => 'fatal' in one && one.fatal);
        if (fatal !== -1) expect(fatal).to.equal(expected.length - 1);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads a chunk that was fed before the last one was read out behind it', () => {
    const reader = new RequestReader(grammarWith());
    reader.feed(bytes('GET a\nGET b\nGE'));
    const first = reader.next();
    expect(first === undefined ? first : seen(first)).to.deep.equal(request('GET', 'a'));
    expect(reader.hasUnread).to.equal(true);
    reader.feed(bytes('T c\n'));
    expect(drain(reader)).to.deep.equal([request('GET', 'b'), request('GET', 'c')]);
    expect(reader.hasUnread).to.equal(false);
  });

  it('tells how many bytes wait for the rest of their line', () => {
    const reader = new RequestReader(grammarWith());
    reader.feed(bytes('PING\nGET '));
    drain(reader);
    expect(reader.partialBytes).to.equal(4);
    reader.feed(bytes('k\n'));
    drain(reader);
    expect(reader.partialBytes).to.equal(0);
  });

  it('gives a request that can be cloned to outlive the bytes it came in', () => {
    const reader = new RequestReader(grammarWith());
    const chunk = bytes('MSET k "a b"\n');
    reader.feed(chunk);
    const outcome = reader.next();
    if (outcome === undefined || isViolation(outcome)) throw new Error('no request');
    const clone = cloneRequest(outcome);
    chunk.fill(0);
    expect(seen(clone)).to.deep.equal(request('MSET', 'k', 'a b'));
  });

  it('forgets what it holds when it closes', () => {
    const reader = new RequestReader(grammarWith({ requestBytesMax: 10 }));
    reader.feed(bytes('PUT k '));
    drain(reader);
    reader.feed(bytes('too long\nPUT a b\n'));
    expect(drain(reader)).to.deep.equal([closed('TOO_LARGE')]);
    expect([reader.partialBytes, reader.hasUnread]).to.deep.equal([0, false]);
    reader.feed(bytes('PUT a b\n'));
    reader.end();
    expect(drain(reader)).to.deep.equal([]);
    expect([reader.partialBytes, reader.hasUnread]).to.deep.equal([0, false]);
  });
});

describe('RequestReader at its bounds', () => {
  const grammar = grammarWith({ requestBytesMax: 10 });
  const ways: readonly [way: string, read: (stream: string) => unknown][] = [
    ['in one chunk', (stream) => readChunks([bytes(stream)], grammar)],
    ['byte by byte', (stream) => readChunks(byteByByte(bytes(stream)), grammar)],
  ];
  for (const [way, read] of ways) {
    it(`takes a request of exactly the bound, line ending included, ${way}`, () => {
      expect(read('PUT k abc\n')).to.deep.equal([request('PUT', 'k', 'abc')]);
      expect(read('PUT k ab\r\n')).to.deep.equal([request('PUT', 'k', 'ab')]);
      expect(read('PING\nPUT k abc\nPING\n')).to.deep.equal([
        request('PING'),
        request('PUT', 'k', 'abc'),
        request('PING'),
      ]);
    });

    it(`refuses one byte more and closes, ${way}`, () => {
      expect(read('PUT k abcd\n')).to.deep.equal([closed('TOO_LARGE')]);
      expect(read('PUT k abc\r\n')).to.deep.equal([closed('TOO_LARGE')]);
      expect(read('PING\nPUT k abcd\nPING\n')).to.deep.equal([request('PING'), closed('TOO_LARGE')]);
    });

    it(`takes an unterminated request of exactly the bound, ${way}`, () => {
      expect(read('GET abcdef')).to.deep.equal([cutOff('GET', 'abcdef')]);
    });

    it(`refuses an unterminated request of one byte more, ${way}`, () => {
      expect(read('GET abcdefg')).to.deep.equal([closed('TOO_LARGE')]);
    });
  }

  it('takes a request of 64 MiB and 128 KiB, and none of one byte more', () => {
    const bound = 64 * 1024 * 1024 + 128 * 1024;
    const line = (length: number): Buffer => {
      const whole = Buffer.alloc(length, 'v');
      whole.write('PUT k ');
      whole[length - 1] = 0x0a;
      return whole;
    };
    const ping = bytes('PING\n');
    const valueLengths = (chunks: Buffer[]): unknown[] =>
      readChunks(chunks).map((one) => ('words' in one ? one.words.map((word) => word.length) : one));
    expect(valueLengths([line(bound), ping])).to.deep.equal([[3, 1, bound - 7], [4]]);
    expect(valueLengths([line(bound + 1), ping])).to.deep.equal([closed('TOO_LARGE')]);
  });

  it('takes as many words as the bound, and refuses one more without closing', () => {
    const three = grammarWith({ wordsMax: 3 });
    const read = (stream: string): unknown => readChunks([bytes(stream)], three);
    expect(read('MGET a b \n')).to.deep.equal([request('MGET', 'a', 'b')]);
    expect(read('MGET "a" "b"\n')).to.deep.equal([request('MGET', 'a', 'b')]);
    expect(read('PUT k a b c d\n')).to.deep.equal([request('PUT', 'k', 'a b c d')]);
    expect(read('MGET a b c\nPING\n')).to.deep.equal([refused('TOO_LARGE'), request('PING')]);
    expect(read('MGET a b "c"\nPING\n')).to.deep.equal([refused('TOO_LARGE'), request('PING')]);
  });

  it('takes 1,048,576 words', () => {
    const { wordsMax } = DEFAULT_REQUEST_LIMITS;
    expect(wordsMax).to.equal(1_048_576);
    const line = (words: number): Buffer => bytes(`MGET${' k'.repeat(words - 1)}\nPING\n`);
    const [most, after] = readChunks([line(wordsMax)]);
    expect(most !== undefined && 'words' in most ? most.words.length : most).to.equal(wordsMax);
    expect(after).to.deep.equal(request('PING'));
    expect(readChunks([line(wordsMax + 1)])).to.deep.equal([refused('TOO_LARGE'), request('PING')]);
  });
});
