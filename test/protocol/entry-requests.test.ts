import { expect } from 'chai';
import fc from 'fast-check';
import { BATCH_KEYS_MAX, EntryBatch } from '../../src/engine.js';
import { EntryRequests } from '../../src/protocol/entry-requests.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { pairsIn } from '../entry-batch.js';
import { array, bytes, drain, encodeArray, grammarWith } from './reading.js';
import type { Seen } from './reading.js';

const LIMITS = { keyBytesMax: 12, valueBytesMax: 110, requestBytesMax: 138, wordsMax: 5 };
const GRAMMAR = grammarWith(LIMITS);
const ROW = encodeArray('SET', 'a', 'one') + encodeArray('set', 'bb', '') + encodeArray('SeT', 'ccc', '3');
const PAIRS = [
  ['a', 'one'],
  ['bb', ''],
  ['ccc', '3'],
];

function found(stream: string, countMax = Infinity): [string, string][] {
  const entries = new EntryBatch();
  const requests = new EntryRequests('SET', GRAMMAR.limits);
  requests.find({ bytes: bytes(stream), at: 0, isLent: false }, entries, countMax);
  return pairsIn(entries);
}

/** What a reader answers that looks for rows first, as long as there are some. */
function readInRows(stream: string, most: number): Seen[] {
  const reader = new RequestReader(GRAMMAR);
  const requests = new EntryRequests('SET', GRAMMAR.limits);
  const entries = new EntryBatch();
  const all: Seen[] = [];
  reader.feed(bytes(stream));
  for (;;) {
    reader.findEntries(requests, entries, most);
    const pairs = pairsIn(entries);
    if (pairs.length === 0) return [...all, ...drain(reader)];
    all.push(...pairs.map((pair) => array('SET', ...pair)));
    reader.takeUpTo(entries.valueEnds[pairs.length - 1]!);
  }
}

const anyKey = fc.stringMatching(/^[a-c*$\r\n0-9]{0,14}$/);
const anyValue = fc.stringMatching(/^[a-c*$\r\n0-9]{0,115}$/);
const anyRequest = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(anyKey, anyValue).map((pair) => encodeArray('SET', ...pair)) },
  fc.constantFrom('sEt', 'GET', 'SETS', 'SE').map((name) => encodeArray(name, 'k', 'v')),
  fc.constantFrom(
    encodeArray('SET'),
    encodeArray('SET', 'a'),
    encodeArray('SET', 'a', 'b', 'c'),
    'PUT a b\n',
    '*3\r\n$3\r\nSET\r\n$01\r\nk\r\n$1\r\nv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$01\r\nv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$-1\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n:1\r\nv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\rxv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\rxk\r\n$1\r\nv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nvv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nkk\r\n$1\r\nv\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99999999\r\nv\r\n',
  ),
);

describe('Requests that set one key each', () => {
  it('AreFoundUpToTheFirstOtherThing', () => {
    expect(found(ROW)).to.deep.equal(PAIRS);
    for (const other of [
      encodeArray('GET', 'a'),
      encodeArray('SET', 'a'),
      encodeArray('SET', 'a', 'b', 'c'),
      encodeArray('SET', '', 'v'),
      encodeArray('SET', 'x'.repeat(13), 'v'),
      encodeArray('SET', 'k', 'v'.repeat(111)),
      'PUT d 1\n',
    ]) {
      expect(found(ROW + other + ROW), other).to.deep.equal(PAIRS);
      expect(found(other), other).to.deep.equal([]);
    }
  });

  it('AreTakenUpToTheirBoundsAndNoFurther', () => {
    expect(found(encodeArray('SET', 'x'.repeat(12), 'v'))).to.have.length(1);
    expect(found(encodeArray('SET', 'k', 'v'.repeat(110)))).to.have.length(1);
    const [longest, tooLong] = [
      encodeArray('SET', 'kk', 'v'.repeat(109)),
      encodeArray('SET', 'kk', 'v'.repeat(110)),
    ];
    expect([longest.length, tooLong.length]).to.deep.equal([
      LIMITS.requestBytesMax,
      LIMITS.requestBytesMax + 1,
    ]);
    expect(found(longest)).to.have.length(1);
    expect(found(tooLong)).to.have.length(0);
  });

  it('AreOnlyFoundWhole', () => {
    const first = encodeArray('SET', 'a', 'one').length;
    const second = first + encodeArray('set', 'bb', '').length;
    for (let length = 0; length < ROW.length; length++) {
      const whole = length < first ? 0 : length < second ? 1 : 2;
      expect(found(ROW.slice(0, length)), String(length)).to.deep.equal(PAIRS.slice(0, whole));
    }
  });

  it('AreNoMoreThanABatchHoldsOrIsAskedFor', () => {
    const row = encodeArray('SET', 'k', 'v').repeat(BATCH_KEYS_MAX + 1);
    expect(found(row)).to.have.length(BATCH_KEYS_MAX);
    expect(found(row, 5)).to.have.length(5);
    expect(found(row, 0)).to.have.length(0);
  });

  it('AreReadAsTheyAreOneByOneHoweverManyOfThemAreTaken', () => {
    fc.assert(
      fc.property(fc.array(anyRequest, { maxLength: 90 }), fc.nat(70), (parts, most) => {
        const stream = parts.join('');
        const reader = new RequestReader(GRAMMAR);
        reader.feed(bytes(stream));
        // A name in other capitals is the same command.
        const named = (all: Seen[]): Seen[] =>
          all.map((one) =>
            'words' in one
              ? { ...one, words: one.words.map((word, at) => (at === 0 ? word.toUpperCase() : word)) }
              : one,
          );
        expect(named(readInRows(stream, most))).to.deep.equal(named(drain(reader)));
      }),
      { numRuns: 1000 },
    );
  });
});
