import { expect } from 'chai';
import fc from 'fast-check';
import { BATCH_KEYS_MAX, EntryBatch } from '../../src/engine.js';
import { EntryRequests } from '../../src/protocol/entry-requests.js';
import type { RequestReader } from '../../src/protocol/request-reader.js';
import { pairsIn } from '../entry-batch.js';
import { array, bytes, encodeArray, grammarWith } from './reading.js';
import type { Seen } from './reading.js';
import { expectReadAsOneByOne } from './rows.js';

const LIMITS = { keyBytesMax: 12, valueBytesMax: 110, requestBytesMax: 138, wordsMax: 5 };
const GRAMMAR = grammarWith(LIMITS);
const REQUESTS = new EntryRequests('SET', GRAMMAR.limits);
const ROW = encodeArray('SET', 'a', 'one') + encodeArray('set', 'bb', '') + encodeArray('SeT', 'ccc', '3');
const PAIRS = [
  ['a', 'one'],
  ['bb', ''],
  ['ccc', '3'],
];

function found(stream: string, countMax = Infinity): [string, string][] {
  const entries = new EntryBatch();
  REQUESTS.find({ bytes: bytes(stream), at: 0, isLent: false }, entries, countMax);
  return pairsIn(entries);
}

function takeRow(reader: RequestReader, countMax: number): Seen[] {
  const entries = new EntryBatch();
  reader.findEntries(REQUESTS, entries, countMax);
  const { count } = entries.keys;
  if (count > 0) reader.takeUpTo(entries.valueEnds[count - 1]!);
  return pairsIn(entries).map((pair) => array('SET', ...pair));
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
    expectReadAsOneByOne(anyRequest, GRAMMAR, takeRow);
  });
});
