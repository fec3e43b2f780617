import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { encodePut, encodeRequest } from '../../src/protocol/line-request.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { isViolation } from '../../src/protocol/request.js';

const grammar = {
  limits: DEFAULT_REQUEST_LIMITS,
  takesRest: (name: { bytes: Buffer; start: number; end: number }) =>
    name.bytes.toString('latin1', name.start, name.end).toUpperCase() === 'PUT',
};

/** The words that the server finds when this is the first line of a connection. */
function wordsOf(request: Buffer): Buffer[] {
  const reader = new RequestReader(grammar);
  reader.feed(request);
  const found = reader.next();
  if (found === undefined || isViolation(found)) throw new Error(`refused: ${JSON.stringify(found)}`);
  expect(reader.hasUnread).to.equal(false);
  expect(found.terminated).to.equal(true);
  return found.words.map((word) => Buffer.from(word.bytes.subarray(word.start, word.end)));
}

/** Bytes that lean towards those that the framing gives a meaning to. */
const anyBytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.constantFrom(...Buffer.from('" \\\r\n\t\0*aHTP/1.0\xff', 'latin1')), { maxLength: 12 }),
    fc
      .constantFrom('HTTP/1.1', 'x HTTP/1.0', 'GET / HTTP/1.1', ' HTTP/1.1', '"', '-5', '__proto__', '')
      .map((text) => Buffer.from(text)),
  )
  .map((bytes) => Buffer.from(bytes));
const anyKey = anyBytes.filter((bytes) => bytes.length > 0);

describe('line request', () => {
  it('AnyWordsArriveExactly', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 5 }), (words) => {
        expect(wordsOf(encodeRequest('MGET', words))).to.deep.equal([Buffer.from('MGET'), ...words]);
      }),
      { numRuns: 2000 },
    );
  });

  it('AnyKeyAndValueArriveExactly', () => {
    fc.assert(
      fc.property(anyKey, anyBytes, (key, value) => {
        expect(wordsOf(encodePut(key, value))).to.deep.equal([Buffer.from('PUT'), key, value]);
      }),
      { numRuns: 2000 },
    );
  });

  it('PlainWordsTravelAsTheyAre', () => {
    expect(encodeRequest('GET', [Buffer.from('mykey')]).toString()).to.equal('GET mykey\n');
    expect(encodePut(Buffer.from('k'), Buffer.from(' two  words "x" \r y ')).toString()).to.equal(
      'PUT k  two  words "x" \r y \n',
    );
  });

  it('OnlyWhatMustBeEscapedIsEscaped', () => {
    const value = Buffer.from('"\0\xff\t\r\n\\', 'latin1');
    expect(encodePut(Buffer.from('k'), value).toString('latin1')).to.equal('PUT k "\\"\0\xff\t\\r\\n\\\\"\n');
  });

  it('BinaryValuesTravelAtAboutTheirOwnSize', () => {
    const value = Buffer.alloc(100_000);
    for (let at = 0; at < value.length; at++) value[at] = (at * 7) & 255;
    expect(encodePut(Buffer.from('k'), value).length).to.be.below(102_000);
  });

  it('AValueThatLooksLikeHttpIsNotTakenForIt', () => {
    const value = Buffer.from('GET / HTTP/1.1');
    expect(wordsOf(encodePut(Buffer.from('k'), value))[2]).to.deep.equal(value);
    expect(wordsOf(encodeRequest('GET', [Buffer.from('HTTP/1.1')]))[1]?.toString()).to.equal('HTTP/1.1');
  });
});
