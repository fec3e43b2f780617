import { expect } from 'chai';
import fc from 'fast-check';
import type { ByteRange } from '../../src/engine.js';
import { WORD_BYTES, cloneRequest, requestBytes } from '../../src/protocol/request.js';
import type { Request } from '../../src/protocol/request.js';
import { countBytes } from './byte-counts.js';

function requestOf(words: readonly ByteRange[]): Request {
  return { words, terminated: true, framing: 'resp', isLent: true };
}

function texts({ words }: Request): string[] {
  return words.map(({ bytes, start, end }) => bytes.toString('latin1', start, end));
}

/** Words of this length with as much between one and the next. */
function spread(count: number, length: number, between: number): Request {
  const bytes = Buffer.alloc(count * (length + between), 'w');
  const starts = Array.from({ length: count }, (_, at) => at * (length + between));
  return requestOf(starts.map((start) => ({ bytes, start, end: start + length })));
}

describe('A request that is cloned', () => {
  it('HasTheSameWordsWhereverTheyLieAndLastsLongerThanTheirMemory', () => {
    const memories = fc.constantFrom(0, 0, 0, 1);
    const word = fc.record({ memory: memories, from: fc.nat(100), length: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), fc.boolean(), (drawn, isInOrder) => {
        const memory = [0, 1].map((each) => Buffer.from(Array.from({ length: 130 }, (_, at) => at + each)));
        const order = isInOrder ? [...drawn].sort((a, b) => a.from - b.from) : drawn;
        const request = requestOf(
          order.map((each) => ({
            bytes: memory[each.memory]!,
            start: each.from,
            end: each.from + each.length,
          })),
        );
        const before = texts(request);
        const clone = cloneRequest(request);
        for (const bytes of memory) bytes.fill(0xff);
        expect(texts(clone)).to.deep.equal(before);
        expect(clone.isLent).to.equal(undefined);
      }),
    );
  });

  it('IsCopiedInOnePieceWhereItsWordsLieSideBySide', () => {
    const request = spread(1000, 8, 6);
    let clone = request;
    const { copied } = countBytes(() => (clone = cloneRequest(request)));
    expect(copied).to.equal(1000 * 14 - 6);
    expect(new Set(clone.words.map(({ bytes }) => bytes)).size).to.equal(1);
  });

  it('TakesNoMoreMemoryThanIsCountedForIt', () => {
    for (const between of [WORD_BYTES, WORD_BYTES + 1, 5000]) {
      const request = spread(100, 8, between);
      const { allocated } = countBytes(() => cloneRequest(request));
      expect(allocated, String(between)).to.be.at.most(requestBytes(request) + 100 * WORD_BYTES);
    }
  });
});
