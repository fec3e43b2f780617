import { expect } from 'chai';
import fc from 'fast-check';
import { BATCH_KEYS_MAX, KeyBatch } from '../../src/engine.js';
import { OneKeyRequests } from '../../src/protocol/one-key-requests.js';
import type { RequestReader } from '../../src/protocol/request-reader.js';
import { keysIn } from '../entry-batch.js';
import { array, bytes, encodeArray, grammarWith } from './reading.js';
import type { Seen } from './reading.js';
import { expectReadAsOneByOne } from './rows.js';

const LIMITS = { keyBytesMax: 12, requestBytesMax: 100, wordsMax: 4 };
const GRAMMAR = grammarWith(LIMITS);
const REQUESTS = new OneKeyRequests('GET', GRAMMAR.limits);

/** The keys that are found at the beginning. */
function found(stream: string, countMax = Infinity): string[] {
  const keys = new KeyBatch();
  REQUESTS.find({ bytes: bytes(stream), at: 0, isLent: false }, keys, countMax);
  return keysIn(keys);
}

/** Fewer are taken than are found, as where the engine answers not all of them. */
function takeRow(reader: RequestReader, countMax: number): Seen[] {
  const keys = new KeyBatch();
  reader.findKeys(REQUESTS, keys, 2 * countMax);
  const taken = keysIn(keys).slice(0, countMax);
  if (taken.length > 0) reader.takeUpTo(keys.ends[taken.length - 1]!);
  return taken.map((key) => array('GET', key));
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
    expectReadAsOneByOne(anyRequest, GRAMMAR, takeRow);
  });
});
