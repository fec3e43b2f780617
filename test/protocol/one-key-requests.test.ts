import { expect } from 'chai';
import fc from 'fast-check';
import { BATCH_KEYS_MAX, KeyBatch } from '../../src/engine.js';
import { OneKeyRequests } from '../../src/protocol/one-key-requests.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { keysIn } from '../entry-batch.js';
import { array, bytes, drain, encodeArray, grammarWith } from './reading.js';
import type { Seen } from './reading.js';

const LIMITS = { keyBytesMax: 12, requestBytesMax: 100, wordsMax: 4 };
const GRAMMAR = grammarWith(LIMITS);

/** The keys that are found at the beginning. */
function found(stream: string, countMax = Infinity): string[] {
  const keys = new KeyBatch();
  const requests = new OneKeyRequests('GET', GRAMMAR.limits);
  requests.find({ bytes: bytes(stream), at: 0, isLent: false }, keys, countMax);
  return keysIn(keys);
}

/** What a reader answers that looks for rows first, as long as there are some. */
function readInRows(stream: string, most: number): Seen[] {
  const reader = new RequestReader(GRAMMAR);
  const requests = new OneKeyRequests('GET', GRAMMAR.limits);
  const keys = new KeyBatch();
  const all: Seen[] = [];
  reader.feed(bytes(stream));
  for (;;) {
    reader.findKeys(requests, keys, most);
    const found = keysIn(keys);
    if (found.length === 0) return [...all, ...drain(reader)];
    all.push(...found.map((key) => array('GET', key)));
    reader.takeUpTo(keys.ends[found.length - 1]!);
  }
}

const anyKey = fc.stringMatching(/^[a-c*$\r\n0-9]{0,14}$/);
const anyRequest = fc.oneof(
  { weight: 6, arbitrary: anyKey.map((key) => encodeArray('GET', key)) },
  { weight: 1, arbitrary: fc.constantFrom('gEt', 'SET', 'GETS', 'GE').map((name) => encodeArray(name, 'k')) },
  fc.constantFrom(
    encodeArray('GET'),
    encodeArray('GET', 'a', 'b'),
    'GET a\n',
    '*2\r\n$3\r\nGET\r\n$01\r\nk\r\n',
    '*2\r\n$3\r\nGET\r\n$-1\r\n',
    '*2\r\n$3\r\nGET\r\n$1\rxk\r\n',
    '*2\r\n$3\r\nGET\r\n$1\r\nkk\r\n',
    '*2\r\n$3\r\nGET\r\n$1\r\nk\r',
    '*2\r\n$3\r\nGET\r\n$99999999\r\nk\r\n',
  ),
);

describe('Requests for one key each', () => {
  it('AreFoundUpToTheFirstOtherThing', () => {
    const row = encodeArray('GET', 'a') + encodeArray('get', 'bb') + encodeArray('GeT', 'ccc');
    expect(found(row)).to.deep.equal(['a', 'bb', 'ccc']);
    for (const other of [
      encodeArray('SET', 'a', 'b'),
      'GET d\n',
      encodeArray('GET', ''),
      encodeArray('GET', 'x'.repeat(13)),
    ]) {
      expect(found(row + other + row), other).to.deep.equal(['a', 'bb', 'ccc']);
      expect(found(other), other).to.deep.equal([]);
    }
    expect(found(encodeArray('GET', 'x'.repeat(12)))).to.have.length(1);
  });

  it('AreOnlyFoundWhole', () => {
    const row = encodeArray('GET', 'a') + encodeArray('GET', 'bb');
    for (let length = 0; length < row.length; length++) {
      const whole = length < encodeArray('GET', 'a').length ? [] : ['a'];
      expect(found(row.slice(0, length)), String(length)).to.deep.equal(whole);
    }
  });

  it('AreNoMoreThanABatchHoldsOrIsAskedFor', () => {
    const row = encodeArray('GET', 'k').repeat(BATCH_KEYS_MAX);
    expect(found(row)).to.have.length(BATCH_KEYS_MAX);
    expect(found(row + row)).to.have.length(BATCH_KEYS_MAX);
    expect(found(row.slice(0, -1))).to.have.length(BATCH_KEYS_MAX - 1);
    expect(found(row, 5)).to.have.length(5);
    expect(found(row, 1)).to.have.length(1);
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
        const expected = named(drain(reader));
        expect(named(readInRows(stream, most))).to.deep.equal(expected);
      }),
      { numRuns: 1000 },
    );
  });
});
