import { expect } from 'chai';
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { FRAME_ROOM_BYTES } from '../../src/log/frame.js';
import type { Message } from '../../src/replication/message.js';
import { JSON_BYTES_MAX, decodeMessage, encodeMessage, isMessageFault } from '../../src/server/link-codec.js';
import { KINDS, anyMessage, anyMessageOf, plain } from './any-message.js';

function bytesOf(message: Message): Buffer {
  return Buffer.concat(encodeMessage(message));
}

function decoded(bytes: Buffer): Message {
  const message = decodeMessage(bytes);
  if (isMessageFault(message)) throw new Error(message.detail);
  return message;
}

/** A message with this JSON, whatever it says, under a checksum that holds. */
function handMade(json: string, content = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(12 + Buffer.byteLength(json) + content.length, 4);
  head.writeUInt32LE(Buffer.byteLength(json), 8);
  head.writeUInt32LE(crc32(Buffer.concat([head.subarray(4), Buffer.from(json)])), 0);
  return Buffer.concat([head, Buffer.from(json), content]);
}

function detailOf(bytes: Buffer): string {
  const outcome = decodeMessage(bytes);
  return isMessageFault(outcome) ? outcome.detail : 'a message';
}

const IDENTITY = '0123456789abcdef'.repeat(2);

describe('A message as bytes', () => {
  for (const kind of KINDS) {
    it(`ComesBackAsItWas: ${kind}`, () => {
      const property = fc.property(anyMessageOf(kind), (message) => {
        expect(plain(decoded(bytesOf(message)))).to.deep.equal(plain(message));
      });
      fc.assert(property, { numRuns: 40 });
    });
  }

  it('ReceivedFramesHaveRoomInFrontAndHoldOnToNothingElse', () => {
    const property = fc.property(anyMessageOf('append'), (message) => {
      const bytes = bytesOf(message);
      const received = decoded(bytes);
      bytes.fill(0);
      expect(plain(received)).to.deep.equal(plain(message));
      if (!('frames' in received)) throw new Error('not an append');
      for (const frame of received.frames) {
        expect(frame.start).to.equal(FRAME_ROOM_BYTES);
        expect(frame.bytes).to.have.length(frame.end);
      }
    });
    fc.assert(property, { numRuns: 30 });
  });

  it('BytesOfFramesAreSentFromWhereTheyLie', () => {
    const [message] = fc.sample(
      anyMessageOf('append').filter((append) => 'frames' in append && append.frames.length > 0),
      { numRuns: 1, seed: 1 },
    );
    if (message?.kind !== 'append') throw new Error('not an append');
    const [, first] = encodeMessage(message);
    expect(first!.buffer).to.equal(message.frames[0]!.bytes.buffer);
  });

  it('AFlippedBitIsNoticedWhereverItLies', () => {
    const property = fc.property(anyMessage, fc.nat(), fc.nat({ max: 7 }), (message, at, bit) => {
      const bytes = bytesOf(message);
      bytes[at % bytes.length]! ^= 1 << bit;
      expect(decodeMessage(bytes)).to.have.property('fault');
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('WhatIsCutShortOrGoesOnIsNoMessage', () => {
    const property = fc.property(anyMessage, fc.nat(), (message, at) => {
      const bytes = bytesOf(message);
      expect(decodeMessage(bytes.subarray(0, at % bytes.length))).to.have.property('fault');
      expect(decodeMessage(Buffer.concat([bytes, Buffer.from('x')]))).to.have.property('fault');
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('ArbitraryBytesAreNoMessage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        expect(decodeMessage(Buffer.from(array))).to.have.property('fault');
      }),
    );
  });

  it('AnyJsonUnderAChecksumThatHoldsIsAMessageOrAFault', () => {
    const anyField = fc.oneof(
      fc.json(),
      fc.constantFrom('"heartbeat answer"', '1', '-1', '1.5', 'null', '[]'),
    );
    const head = fc.dictionary(
      fc.constantFrom('kind', 'term', 'round', 'frames', 'bytes', '__proto__'),
      anyField,
    );
    const property = fc.property(head, (fields) => {
      const pairs = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
      const outcome = decodeMessage(handMade(`{${pairs.join(',')}}`));
      if (!isMessageFault(outcome)) expect(outcome.kind).to.equal('heartbeat answer');
    });
    fc.assert(property, { numRuns: 500 });
  });

  const survey = { kind: 'survey', term: 1, attempt: 2 };
  const refused: readonly (readonly [string, unknown])[] = [
    ['no record', 1],
    ['null', null],
    ['a list', []],
    ['no kind', { term: 1 }],
    ['an unknown kind', { kind: 'gossip', term: 1 }],
    ['a kind of another table', { kind: 'constructor' }],
    ['a field missing', { kind: 'survey', term: 1 }],
    ['a field too many', { ...survey, more: 1 }],
    ['a negative number', { ...survey, attempt: -1 }],
    ['a fraction', { ...survey, attempt: 1.5 }],
    ['a number past the exact ones', { ...survey, term: 2 ** 53 }],
    ['a text for a number', { ...survey, term: '1' }],
    ['null for a field', { ...survey, term: null }],
    [
      'a number for a flag',
      {
        kind: 'snapshot answer',
        term: 1,
        end: { term: 1, index: 1, checksum: 1 },
        offset: 0,
        isInstalled: 1,
      },
    ],
    ['a checksum past 32 bits', { kind: 'probe', term: 1, end: { term: 1, index: 1, checksum: 2 ** 32 } }],
    [
      'a field too many further in',
      { kind: 'probe', term: 1, end: { term: 1, index: 1, checksum: 1, x: 1 } },
    ],
    [
      'an identity of another form',
      { kind: 'fence', term: 1, attempt: 1, isHandOver: true, down: ['A'.repeat(32)] },
    ],
    [
      'a list too long',
      { kind: 'fence', term: 1, attempt: 1, isHandOver: true, down: Array(1025).fill(IDENTITY) },
    ],
    ['a list with a hole', { kind: 'fence', term: 1, attempt: 1, isHandOver: true, down: [null] }],
    [
      'a reason too long',
      { kind: 'hand over answer', term: 1, attempt: 1, isReady: true, reason: 'x'.repeat(16_385) },
    ],
    ['frames that are not there', { kind: 'supply', term: 1, frames: 1 }],
    ['frames without end', { kind: 'supply', term: 1, frames: 2 ** 40 }],
    ['negative frames', { kind: 'supply', term: 1, frames: -1 }],
  ];
  for (const [what, head] of refused) {
    it(`IsRefusedWith ${what}`, () => {
      expect(decodeMessage(handMade(JSON.stringify(head)))).to.have.property('fault', 'malformed');
    });
  }

  it('AListAtItsBoundIsTaken', () => {
    const fence = { kind: 'fence', term: 1, attempt: 1, isHandOver: true, down: Array(1024).fill(IDENTITY) };
    expect(detailOf(handMade(JSON.stringify(fence)))).to.equal('a message');
  });

  it('JsonIsTakenUpToItsBound', () => {
    const json = JSON.stringify(survey);
    expect(detailOf(handMade(json.padEnd(JSON_BYTES_MAX)))).to.equal('a message');
    expect(detailOf(handMade(json.padEnd(JSON_BYTES_MAX + 1)))).to.equal('the JSON is too long');
  });

  it('BytesBehindAMessageThatHasNoneAreRefused', () => {
    expect(detailOf(handMade(JSON.stringify(survey), Buffer.from('x')))).to.equal('bytes follow the message');
    const supply = JSON.stringify({ kind: 'supply', term: 1, frames: 0 });
    expect(detailOf(handMade(supply))).to.equal('a message');
    expect(detailOf(handMade(supply, Buffer.from('x')))).to.equal('bytes follow the last frame');
  });
});
