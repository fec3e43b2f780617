import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { WORD_BYTES } from '../../src/protocol/request.js';
import { encodeRespRequest } from '../../src/protocol/resp-request.js';
import { countBytes } from './byte-counts.js';
import type { ByteCounts } from './byte-counts.js';
import { bytes, closed, drain, encodeArray, grammarWith } from './reading.js';
import { lineReply } from './replying.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Memory is taken, copied and searched at most this often for each byte that is sent. */
const PER_BYTE_MAX = 5;

function expectLinear(counts: ByteCounts, sentBytes: number): void {
  const bound = PER_BYTE_MAX * sentBytes;
  expect(counts.allocated, 'bytes allocated').to.be.at.most(bound);
  expect(counts.copied, 'bytes copied').to.be.at.most(bound);
  expect(counts.searched, 'bytes searched').to.be.at.most(bound);
}

/** What it costs to read these chunks, and how many requests they are. */
function costOf(chunks: Iterable<Buffer>): { counts: ByteCounts; requests: number } {
  let requests = 0;
  const counts = countBytes(() => {
    const reader = new RequestReader(grammarWith());
    for (const chunk of chunks) {
      reader.feed(chunk);
      for (;;) {
        if (reader.next() !== undefined) requests++;
        else if (!reader.isUnfinished) break;
      }
    }
  });
  return { counts, requests };
}

function pieces(whole: Buffer, size: number): Buffer[] {
  const count = Math.ceil(whole.length / size);
  return Array.from({ length: count }, (_, at) => whole.subarray(at * size, (at + 1) * size));
}

describe('the cost of reading requests is linear', () => {
  it('for 64 MiB that come in chunks of 64 KiB', () => {
    const line = Buffer.alloc(64 * MIB, 'v');
    line.write('PUT k ');
    line[line.length - 1] = 0x0a;
    const { counts, requests } = costOf(pieces(line, 64 * KIB));
    expect(requests).to.equal(1);
    expectLinear(counts, line.length);
  });

  it('for a line that comes byte by byte', () => {
    const line = bytes(`PUT k ${'v'.repeat(256 * KIB)}\n`);
    const { counts, requests } = costOf(pieces(line, 1));
    expect(requests).to.equal(1);
    expectLinear(counts, line.length);
  });

  it('for an array of 64 MiB that comes in chunks of 64 KiB', () => {
    const whole = encodeRespRequest([bytes('PUT'), bytes('k'), Buffer.alloc(64 * MIB, 'v')]);
    const { counts, requests } = costOf(pieces(whole, 64 * KIB));
    expect(requests).to.equal(1);
    expectLinear(counts, whole.length);
  });

  const arrays: readonly [name: string, array: Buffer][] = [
    ['of one long word', bytes(encodeArray('PUT', 'k', 'v'.repeat(256 * KIB)))],
    ['of many words', bytes(encodeArray('MGET', ...new Array<string>(20_000).fill('k')))],
    [
      'of many words that are longer',
      bytes(encodeArray('MGET', ...new Array<string>(500).fill('k'.repeat(500)))),
    ],
  ];
  for (const [name, whole] of arrays) {
    for (const size of [1, 7, 1000, 64 * KIB]) {
      it(`for an array ${name} in chunks of ${String(size)} bytes`, () => {
        const { counts, requests } = costOf(pieces(whole, size));
        expect(requests).to.equal(1);
        expectLinear(counts, whole.length);
      });
    }
  }

  const lines: readonly [name: string, line: string][] = [
    ['short arrays', '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'],
    ['short lines', 'GET key\n'],
    ['short quoted lines', 'GET "a key"\n'],
    ['short lines with escapes', 'PUT "\\x00" "\\"\\n"\n'],
    ['lines with an open quote', 'GET "a key\n'],
    ['lines with an unknown escape', 'GET "\\q"\n'],
    ['empty lines', '\n'],
  ];
  for (const [name, line] of lines) {
    it(`for one chunk of many pipelined ${name}`, () => {
      const count = 20_000;
      const chunk = bytes(line.repeat(count));
      const { counts, requests } = costOf([chunk]);
      expect(requests).to.equal(count);
      expectLinear(counts, chunk.length);
    });
  }

  it('of a lent chunk for what is cut alone: the requests behind it stay where they are', () => {
    const put = encodeRespRequest([bytes('SET'), bytes('k'), Buffer.alloc(KIB, 'v')]);
    const whole = Buffer.concat(new Array<Buffer>(200).fill(put));
    const chunks = pieces(whole, 64 * KIB - 100);
    let requests = 0;
    const counts = countBytes(() => {
      const reader = new RequestReader(grammarWith());
      for (const chunk of chunks) {
        reader.feed(chunk, true);
        while (reader.next() !== undefined) requests++;
        reader.keepUnread();
      }
    });
    expect(requests).to.equal(200);
    expect(counts.copied).to.be.at.most(2 * (chunks.length - 1) * put.length);
    expect(counts.allocated).to.be.at.most(2 * (chunks.length - 1) * put.length);
  });

  const words: readonly [name: string, word: string][] = [
    ['bare words', 'key '],
    ['quoted words', '"a key" '],
    ['quoted words with escapes', '"a\\tkey" '],
    ['words of one escaped quote', '"\\"" '],
  ];
  for (const [name, word] of words) {
    it(`for one line of many ${name}`, () => {
      const line = bytes(`MGET ${word.repeat(20_000)}\n`);
      const { counts, requests } = costOf([line]);
      expect(requests).to.equal(1);
      expectLinear(counts, line.length);
    });
  }
});

describe('the cost of writing replies is linear', () => {
  it('for many values in one buffer', () => {
    const value = bytes('a value');
    const count = 20_000;
    let length = 0;
    const counts = countBytes(() => {
      const { reply } = lineReply();
      for (let at = 0; at < count; at++) reply.hit(value, 0, value.length);
      length = reply.length;
    });
    expect(length).to.equal(count * (value.length + 1));
    expectLinear(counts, length);
  });
});

describe('the memory of a RequestReader', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  /** Collects until nothing more is let go: one collection may leave freed memory to the next one to sweep. */
  const held = (): number => {
    for (let least = Infinity; ;) {
      collectGarbage();
      collectGarbage();
      const now = process.memoryUsage().arrayBuffers;
      if (now >= least) return now;
      least = now;
    }
  };
  const chunk = Buffer.alloc(64 * KIB, 'v');
  const { requestBytesMax } = DEFAULT_REQUEST_LIMITS;

  it('stays within the bound of a request while the request is incomplete', () => {
    const before = held();
    const reader = new RequestReader(grammarWith());
    for (let sent = 0; sent + chunk.length <= requestBytesMax; sent += chunk.length) {
      reader.feed(chunk);
      expect(drain(reader)).to.deep.equal([]);
    }
    expect(reader.partialBytes).to.equal(requestBytesMax);
    expect(held() - before).to.be.within(requestBytesMax, requestBytesMax + 2 * MIB);
  });

  it('stays within that bound, and what is kept about its words, while an array is incomplete', () => {
    const before = held();
    const reader = new RequestReader(grammarWith());
    const word = '$1\r\nk\r\n';
    const words = bytes(word.repeat((64 * KIB) / word.length));
    reader.feed(bytes('*1048576\r\n'));
    let sent = 0;
    while (sent < 4 * MIB) {
      drain(reader);
      reader.feed(words);
      sent += words.length;
    }
    expect(drain(reader)).to.deep.equal([]);
    expect(reader.partialBytes).to.be.within(sent, sent + (sent / word.length) * WORD_BYTES + 11);
    expect(held() - before).to.be.at.most(2 * sent);
  });

  it('is let go when the request is past its bound, however much follows', () => {
    const before = held();
    const reader = new RequestReader(grammarWith());
    const answers = [];
    for (let sent = 0; sent < 2 * requestBytesMax; sent += chunk.length) {
      reader.feed(chunk);
      answers.push(...drain(reader));
    }
    expect(answers).to.deep.equal([closed('TOO_LARGE')]);
    expect(held() - before).to.be.at.most(2 * MIB);
    expect(reader.hasUnread).to.equal(false);
  });

  it('is let go when the request was read', () => {
    const before = held();
    const reader = new RequestReader(grammarWith());
    for (let sent = 0; sent < 32 * MIB; sent += chunk.length) {
      reader.feed(chunk);
      drain(reader);
    }
    reader.feed(bytes('\n'));
    expect(drain(reader)).to.have.length(1);
    expect(held() - before).to.be.at.most(2 * MIB);
    expect(reader.partialBytes).to.equal(0);
  });
});
