import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import type { LineGrammar } from '../../src/protocol/line.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { TURN_BYTES, WORD_BYTES, isViolation } from '../../src/protocol/request.js';
import type { Request } from '../../src/protocol/request.js';
import { encodeRespRequest } from '../../src/protocol/resp-request.js';
import { countBytes } from './byte-counts.js';
import { readAtOnce } from './one-shot.js';
import {
  array,
  byteByByte,
  bytes,
  closed,
  cut,
  drain,
  encodeArray,
  grammarWith,
  readChunks,
  request,
} from './reading.js';
import type { Seen } from './reading.js';
import { REQUEST_CASES } from './request-cases.js';
import { ARRAY_CASES } from './resp-request-cases.js';
import { anyBytes, anyStream, mutatedStream } from './streams.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const anyCuts = fc.array(fc.nat({ max: 400 }), { maxLength: 40 });
const SMALL: LineGrammar = grammarWith({ requestBytesMax: 40, wordsMax: 4 });

/** Reads as a connection whose chunks all come in one buffer: each is overwritten once it was read out. */
function readFromOneBuffer(chunks: readonly Buffer[], grammar: LineGrammar): Seen[] {
  const reader = new RequestReader(grammar);
  const all: Seen[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    all.push(...drain(reader));
    chunk.fill('z');
  }
  reader.end();
  return [...all, ...drain(reader)];
}

function refusalOf(stream: string): string {
  const reader = new RequestReader(grammarWith());
  reader.feed(bytes(stream));
  const outcome = reader.next();
  return outcome !== undefined && isViolation(outcome) ? outcome.refusal.message : 'none';
}

describe('RequestReader in both framings', () => {
  it('AgreesWithAOneShotParserOnEveryCase', () => {
    for (const { name, stream, seen } of [...REQUEST_CASES, ...ARRAY_CASES]) {
      expect(readAtOnce(stream, grammarWith()), name).to.deep.equal(seen);
    }
  });

  for (const [name, streams] of [
    ['Noise', anyStream],
    ['MutatedRequests', mutatedStream],
  ] as const) {
    it(`Reads${name}AsAOneShotParserDoesHoweverTheyAreCut`, () => {
      fc.assert(
        fc.property(streams, anyCuts, fc.constantFrom(SMALL, grammarWith()), (whole, offsets, grammar) => {
          const expected = readAtOnce(whole.toString('latin1'), grammar);
          expect(readChunks([whole], grammar)).to.deep.equal(expected);
          expect(readFromOneBuffer(cut(whole, offsets), grammar)).to.deep.equal(expected);
          expect(readFromOneBuffer(byteByByte(whole), grammar)).to.deep.equal(expected);
        }),
        { numRuns: 3000 },
      );
    });

    it(`HoldsNoMoreThanTheBoundOf${name}AndOfItsWords`, () => {
      const { requestBytesMax, wordsMax } = SMALL.limits;
      fc.assert(
        fc.property(streams, anyCuts, (whole, offsets) => {
          const reader = new RequestReader(SMALL);
          for (const chunk of cut(whole, offsets)) {
            reader.feed(chunk);
            drain(reader);
            expect(reader.partialBytes).to.be.at.most(requestBytesMax + wordsMax * WORD_BYTES);
            expect(reader.hasUnread).to.equal(false);
          }
        }),
      );
    });
  }

  it('ReadsBackAnyRequestsInMixedFramings', () => {
    const latin1 = (word: Buffer): string => word.toString('latin1');
    const anyArray = fc.array(anyBytes, { minLength: 1, maxLength: 6 }).map((words) => {
      return { sent: encodeRespRequest(words), seen: array(...words.map(latin1)) };
    });
    const anyLine = fc.constantFrom(
      { sent: bytes('GET k\n'), seen: request('GET', 'k') },
      { sent: bytes('PUT k a  value \r\n'), seen: request('PUT', 'k', 'a  value ') },
      { sent: bytes('MSET "\\x00" "*1"\n'), seen: request('MSET', '\x00', '*1') },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(anyArray, anyLine)), anyCuts, (requests, offsets) => {
        const whole = Buffer.concat(requests.map(({ sent }) => sent));
        const expected = requests.map(({ seen }) => seen);
        expect(readChunks([whole])).to.deep.equal(expected);
        expect(readFromOneBuffer(cut(whole, offsets), grammarWith())).to.deep.equal(expected);
      }),
    );
  });

  it('KeepsSmallAndLargeWordsApartWhereverTwoCutsFall', () => {
    const words = ['MSET', 'a'.repeat(70), 'b'.repeat(5000), 'k8', 'c'.repeat(4097), 'k9', ''];
    const whole = bytes(encodeArray(...words));
    // Around each header, and in the middle of each large word.
    const places = [...whole.toString('latin1').matchAll(/\$\d+\r\n/g)].flatMap(({ index, 0: header }) => {
      const end = index + header.length;
      return [index, index + 1, end - 1, end, end + 1, end + 2, end + 2000];
    });
    for (const first of places) {
      for (const second of places) {
        const read = readFromOneBuffer(cut(whole, [first, second]), grammarWith());
        expect(read, `${String(first)}, ${String(second)}`).to.deep.equal([array(...words)]);
      }
    }
  });

  it('GivesWordsOfAWholeChunkAsRangesOfIt', () => {
    const chunk = bytes(encodeArray('PUT', 'k', 'v'.repeat(1000)).repeat(2));
    const reader = new RequestReader(grammarWith());
    reader.feed(chunk);
    for (let count = 0; count < 2; count++) {
      const outcome = reader.next();
      if (outcome === undefined || isViolation(outcome)) throw new Error('no request');
      for (const word of outcome.words) expect(word.bytes).to.equal(chunk);
    }
  });

  it('LendsWhatLiesInALentChunkAndNothingThatCameWithOthers', () => {
    const long = Array.from({ length: 20 }, (_, at) => `word ${String(at)}`);
    const whole = bytes(encodeArray(...long));
    for (let cutAt = 0; cutAt < whole.length; cutAt++) {
      const reader = new RequestReader(grammarWith());
      const first = Buffer.from(whole.subarray(0, cutAt));
      reader.feed(first, true);
      expect(reader.next()).to.equal(undefined);
      reader.keepUnread();
      first.fill('*');
      const second = Buffer.from(whole.subarray(cutAt));
      reader.feed(second, true);
      const request = reader.next() as Request;
      const isInOne = request.words.every((word) => word.bytes === second);
      expect(request.isLent, `cut at ${String(cutAt)}`).to.equal(isInOne ? true : undefined);
      expect(isInOne || request.words.every((word) => word.bytes !== second)).to.equal(true);
      if (!isInOne) second.fill('*');
      expect(request.words.map((word) => word.bytes.toString('latin1', word.start, word.end))).to.deep.equal(
        long,
      );
    }
  });

  it('NamesTheFramingOfWhatIsBeingRead', () => {
    const reader = new RequestReader(grammarWith());
    expect(reader.framing).to.equal('line');
    for (const [chunk, framing] of [
      ['*', 'resp'],
      ['1\r\n$4\r\nPING\r\n', 'resp'],
      ['G', 'line'],
    ] as const) {
      reader.feed(bytes(chunk));
      drain(reader);
      expect(reader.framing).to.equal(framing);
    }
  });
});

describe('A malformed array', () => {
  for (const [stream, message] of [
    ['*x\r\n', 'Protocol error: invalid multibulk length'],
    ['*1\r\n$x\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\n$-1\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\n+OK\r\n', "Protocol error: expected '$', got '+'"],
    ['*1\r\n\r\n', "Protocol error: expected '$', got '\\x0d'"],
    ['*1\r\n$1\r\nkk\r\n', 'Protocol error: expected CRLF behind a bulk string'],
  ] as const) {
    it(`IsRefusedInRedissWords(${JSON.stringify(stream)})`, () => {
      expect(refusalOf(stream)).to.equal(message);
    });
  }

  it('IsRefusedAtTheByteThatShowsIt', () => {
    for (const stream of [
      '*x',
      '*01',
      '*-0',
      '*1\n',
      `*${'1'.repeat(20)}`,
      '*1\r\n*',
      '*1\r\n$-1\r\n',
      '*1\r\n$1\r\nkx',
    ]) {
      const reader = new RequestReader(grammarWith());
      reader.feed(bytes(stream.slice(0, -1)));
      expect(drain(reader), stream).to.deep.equal([]);
      reader.feed(bytes(stream.slice(-1)));
      expect(drain(reader), stream).to.deep.equal([closed('SYNTAX', 'resp')]);
    }
  });
});

describe('An array at its bounds', () => {
  const WAYS: readonly [way: string, chunksOf: (whole: Buffer) => Buffer[]][] = [
    ['InOneChunk', (whole) => [whole]],
    ['ByteByByte', byteByByte],
  ];
  const most = encodeArray('PUT', 'k', 'abc');
  const grammar = grammarWith({ requestBytesMax: most.length, wordsMax: 3 });
  const ping = encodeArray('PING');
  for (const [way, chunksOf] of WAYS) {
    const read = (stream: string): unknown => readChunks(chunksOf(bytes(stream)), grammar);

    it(`IsTakenWithAllBytesOfTheBound${way}`, () => {
      expect(read(most)).to.deep.equal([array('PUT', 'k', 'abc')]);
      expect(read(ping + most + ping)).to.deep.equal([
        array('PING'),
        array('PUT', 'k', 'abc'),
        array('PING'),
      ]);
    });

    it(`IsRefusedWithOneByteMoreAndCloses${way}`, () => {
      expect(read(encodeArray('PUT', 'k', 'abcd'))).to.deep.equal([closed('TOO_LARGE', 'resp')]);
      expect(read(ping + encodeArray('PUT', 'kk', 'abc') + ping)).to.deep.equal([
        array('PING'),
        closed('TOO_LARGE', 'resp'),
      ]);
    });

    it(`IsTakenWithAsManyWordsAsTheBound${way}`, () => {
      expect(read(encodeArray('A', 'B', 'C'))).to.deep.equal([array('A', 'B', 'C')]);
    });

    it(`IsRefusedWithOneWordMoreAndCloses${way}`, () => {
      expect(read(encodeArray('A', 'B', 'C', 'D') + ping)).to.deep.equal([closed('TOO_LARGE', 'resp')]);
      expect(read(`${ping}*4\r\n`)).to.deep.equal([array('PING'), closed('TOO_LARGE', 'resp')]);
      expect(read('*9223372036854775807\r\n')).to.deep.equal([closed('TOO_LARGE', 'resp')]);
    });

    it(`IsRefusedOnceItCannotEndWithinTheBound${way}`, () => {
      expect(read('*1\r\n$9223372036854775807\r\n')).to.deep.equal([closed('TOO_LARGE', 'resp')]);
      const headers = grammarWith({ requestBytesMax: 6 });
      const reader = new RequestReader(headers);
      const seen = chunksOf(bytes('*1\r\n$1')).flatMap((chunk) => {
        reader.feed(chunk);
        return drain(reader);
      });
      expect(seen).to.deep.equal([closed('TOO_LARGE', 'resp')]);
      expect(readChunks(chunksOf(bytes('*1\r\n$')), headers)).to.deep.equal([]);
    });
  }

  it('IsTakenWith64MiBAnd128KiBAndNotWithOneByteMore', () => {
    const bound = 64 * MIB + 128 * KIB;
    const lengths = (valueBytes: number): unknown => {
      const whole = encodeRespRequest([bytes('PUT'), bytes('k'), Buffer.alloc(valueBytes, 'v')]);
      const reader = new RequestReader(grammarWith());
      for (let at = 0; at < whole.length; at += 64 * KIB) {
        reader.feed(whole.subarray(at, at + 64 * KIB));
        for (
          let outcome = reader.next();
          reader.isUnfinished || outcome !== undefined;
          outcome = reader.next()
        ) {
          if (outcome === undefined) continue;
          if (isViolation(outcome)) return outcome.refusal.code;
          return [whole.length, ...outcome.words.map(({ start, end }) => end - start)];
        }
      }
      return 'nothing';
    };
    const framingBytes = '*3\r\n$3\r\nPUT\r\n$1\r\nk\r\n$67239936\r\n\r\n'.length;
    expect(lengths(bound - framingBytes)).to.deep.equal([bound, 3, 1, bound - framingBytes]);
    expect(lengths(bound - framingBytes + 1)).to.equal('TOO_LARGE');
  });

  it('IsTakenWith1048576Words', () => {
    const { wordsMax } = DEFAULT_REQUEST_LIMITS;
    expect(wordsMax).to.equal(1_048_576);
    const whole = bytes(`*${String(wordsMax)}\r\n$4\r\nMGET\r\n${'$1\r\nk\r\n'.repeat(wordsMax - 1)}${ping}`);
    const [taken, after] = readChunks([whole]);
    expect(taken !== undefined && 'words' in taken ? taken.words.length : taken).to.equal(wordsMax);
    expect(after).to.deep.equal(array('PING'));
    expect(readChunks([bytes(`*${String(wordsMax + 1)}\r\n`)])).to.deep.equal([closed('TOO_LARGE', 'resp')]);
  });

  it('TakesMemoryForWhatCameAndNotForWhatWasAnnounced', () => {
    for (const announced of [
      `*3\r\n$3\r\nPUT\r\n$1\r\nk\r\n$${String(64 * MIB)}\r\nv`,
      '*1048576\r\n$4\r\nMGET\r\n$1\r\n',
    ]) {
      const reader = new RequestReader(grammarWith());
      const { allocated } = countBytes(() => {
        reader.feed(bytes(announced));
        drain(reader);
      });
      expect(allocated, announced).to.be.at.most(16 * KIB);
      expect(reader.partialBytes).to.be.at.most(announced.length + 2 * WORD_BYTES);
    }
  });

  it('CountsItsBytesAndItsWordsWhileItIsIncomplete', () => {
    const reader = new RequestReader(grammarWith());
    const counted: number[] = [];
    for (const chunk of ['*3\r\n$3\r\n', 'PUT\r\n$1\r\n', 'k', '\r', '\n$2\r\n']) {
      reader.feed(bytes(chunk));
      drain(reader);
      counted.push(reader.partialBytes);
    }
    expect(counted).to.deep.equal([
      8,
      17 + WORD_BYTES,
      18 + WORD_BYTES,
      19 + WORD_BYTES,
      24 + 2 * WORD_BYTES,
    ]);
    reader.feed(bytes('vv\r\n'));
    drain(reader);
    expect(reader.partialBytes).to.equal(0);
  });

  it('IsForgottenWhenTheStreamEndsBeforeIt', () => {
    const reader = new RequestReader(grammarWith());
    reader.feed(bytes('*2\r\n$3\r\nGET\r\n'));
    reader.end();
    expect(drain(reader)).to.deep.equal([]);
    expect(reader.partialBytes).to.equal(0);
  });
});

describe('One call of next', () => {
  const { wordsMax } = DEFAULT_REQUEST_LIMITS;
  const line = (start: string, piece: string, times: number): Buffer =>
    bytes(`${start}${piece.repeat(times)}\n`);
  const LONG: readonly [name: string, whole: () => Buffer][] = [
    ['ALineOfAMillionWords', () => line('MGET', ' k', wordsMax - 1)],
    ['ALineOfAMillionQuotedWords', () => line('MGET', ' "\\n"', wordsMax - 1)],
    ['ALineOfOneWord', () => line('GET ', 'k', 8 * MIB)],
    ['ALineOfBlanks', () => line('GET ', ' ', 8 * MIB)],
    ['AQuotedValue', () => line('PUT k "', 'v', 8 * MIB)],
    ['AnEscapedValue', () => line('PUT k "', '\\x00', 2 * MIB)],
    ['BlanksBehindAValue', () => line('PUT k "v"', ' ', 8 * MIB)],
    ['AnArrayOfAMillionWords', () => bytes(`*${String(wordsMax)}\r\n${'$1\r\nk\r\n'.repeat(wordsMax)}`)],
    ['ABulkOf8MiB', () => encodeRespRequest([bytes('PUT'), bytes('k'), Buffer.alloc(8 * MIB, 'v')])],
    ['AFloodOfEmptyArrays', () => bytes('*0\r\n*-1\r\n'.repeat(200_000))],
    ['AFloodOfEmptyLinesBehindAnArray', () => bytes(`*0\r\n${'\r\n'.repeat(400_000)}`)],
  ];
  for (const [name, whole] of LONG) {
    for (const [way, size] of [
      ['InOneChunk', Infinity],
      ['InChunks', 64 * KIB],
    ] as const) {
      it(`DoesABoundedPieceOfWorkFor${name}${way}`, () => {
        const sent = whole();
        const reader = new RequestReader(grammarWith());
        const most = { copied: 0, words: 0 };
        let calls = 0;
        for (let at = 0; at < sent.length; at += size) {
          const chunk = sent.subarray(at, Math.min(sent.length, at + size));
          reader.feed(chunk);
          do {
            const before = reader.partialBytes;
            const { copied } = countBytes(() => reader.next());
            calls++;
            most.copied = Math.max(most.copied, copied - chunk.length);
            if (chunk.length <= TURN_BYTES)
              most.words = Math.max(most.words, (reader.partialBytes - before) / WORD_BYTES);
          } while (reader.hasUnread);
        }
        // A bulk is not looked at.
        if (name !== 'ABulkOf8MiB') expect(calls).to.be.at.least(sent.length / (2 * TURN_BYTES));
        expect(most.copied, 'bytes copied beside the chunk').to.be.at.most(2 * MIB);
        expect(most.words, 'words').to.be.at.most((3 * TURN_BYTES) / WORD_BYTES);
      });
    }
  }
});
