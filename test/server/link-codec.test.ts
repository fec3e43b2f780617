import { expect } from 'chai';
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import type { Index, Term } from '../../src/engine.js';
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

/** A message with a head of another form than JSON. */
function withHead(form: number, head: Uint8Array, content = Buffer.alloc(0)): Buffer {
  const front = Buffer.alloc(12);
  front.writeUInt32LE(12 + head.length + content.length, 4);
  front.writeUIntLE(head.length, 8, 3);
  front[11] = form;
  front.writeUInt32LE(crc32(Buffer.concat([front.subarray(4), head])), 0);
  return Buffer.concat([front, head, content]);
}

/** The head of a message, and its form. */
function headOf(message: Message): { form: number; head: Buffer } {
  const [front] = encodeMessage(message);
  return { form: front![11]!, head: Buffer.from(front!.subarray(12)) };
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
      fc.constantFrom('"left out answer"', '1', '-1', '1.5', 'null', '[]'),
    );
    const head = fc.dictionary(
      fc.constantFrom('kind', 'term', 'round', 'frames', 'bytes', '__proto__'),
      anyField,
    );
    const property = fc.property(head, (fields) => {
      const pairs = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
      const outcome = decodeMessage(handMade(`{${pairs.join(',')}}`));
      if (!isMessageFault(outcome)) expect(outcome.kind).to.equal('left out answer');
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
    [
      'a kind whose head is never JSON',
      { kind: 'append answer', term: 1, matched: 1, durable: 1, sentMs: 1 },
    ],
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
    expect(detailOf(handMade(json.padEnd(JSON_BYTES_MAX + 1)))).to.equal('the head is too long');
  });

  it('BytesBehindAMessageThatHasNoneAreRefused', () => {
    expect(detailOf(handMade(JSON.stringify(survey), Buffer.from('x')))).to.equal('bytes follow the message');
    const supply = JSON.stringify({ kind: 'supply', term: 1, frames: 0 });
    expect(detailOf(handMade(supply))).to.equal('a message');
    expect(detailOf(handMade(supply, Buffer.from('x')))).to.equal('bytes follow the last frame');
  });
});

describe('The head of a frequent message', () => {
  const end = { term: 3 as Term, index: 4 as Index, checksum: 5 };
  const standing = { isServing: true, isMember: false, echoMs: 6 } as const;
  const append: Message = {
    ...{ kind: 'append', term: 7 as Term, previous: end, frames: [], commit: 2 as Index },
    ...standing,
  };
  const heartbeat: Message = {
    ...{ kind: 'heartbeat', term: 7 as Term, last: end, commit: 2 as Index, round: 8, leaseMs: 9.5 },
    ...standing,
  };
  const acknowledged: Message = {
    ...{ kind: 'append answer', term: 7 as Term, matched: 4 as Index, durable: 3 as Index, sentMs: 1.5 },
  };
  const answer: Message = { kind: 'heartbeat answer', term: 7 as Term, round: 8, sentMs: 1.5, leaseMs: 9.5 };
  /** Where the numbers begin, how many there are, and at which places fractions are times. */
  const layouts = [
    { message: append, at: 9, count: 5, times: [4] },
    { message: acknowledged, at: 0, count: 4, times: [3] },
    { message: heartbeat, at: 5, count: 7, times: [5, 6] },
    { message: answer, at: 0, count: 4, times: [2, 3] },
  ] as const;

  for (const { message, at, count, times } of layouts) {
    const changed = (place: number, number: number): string => {
      const { form, head } = headOf(message);
      head.writeDoubleLE(number, at + 8 * place);
      return detailOf(withHead(form, head));
    };

    it(`HasEachNumberChecked: ${message.kind}`, () => {
      for (let place = 0; place < count; place++) {
        const isTime = (times as readonly number[]).includes(place);
        for (const number of [-1, NaN, Infinity, -Infinity, 2 ** 53]) {
          expect(changed(place, number), `${String(number)} at ${String(place)}`).to.match(
            /a number of the head/,
          );
        }
        expect(changed(place, 1.5)).to.match(isTime ? /a message/ : /a number of the head/);
        expect(changed(place, 2 ** 53 - 1)).to.equal('a message');
      }
    });

    it(`IsExactlyAsLongAsItsForm: ${message.kind}`, () => {
      const { form, head } = headOf(message);
      expect(detailOf(withHead(form, head))).to.equal('a message');
      for (const other of [head.subarray(1), Buffer.concat([head, Buffer.alloc(1)]), Buffer.alloc(0)]) {
        expect(detailOf(withHead(form, other))).to.match(/not as long/);
      }
      const behind = message.kind === 'append' ? 'bytes follow the last frame' : 'bytes follow the message';
      expect(detailOf(withHead(form, head, Buffer.from('x')))).to.equal(behind);
    });
  }

  it('HasNoFlagThatThereIsNotAndNoTimeBesideTheFlagThatItHasNone', () => {
    for (const message of [append, heartbeat]) {
      const { form, head } = headOf(message);
      head[0]! |= 8;
      expect(detailOf(withHead(form, head))).to.match(/the flags/);
      head[0] = 3;
      expect(detailOf(withHead(form, head))).to.match(/the flags/);
    }
  });

  it('SaysHowManyFramesThereAreAndNoMoreThanThereCanBe', () => {
    const { form, head } = headOf(append);
    for (const [frames, detail] of [
      [1, 'frame 1: cut short'],
      [1_048_576, 'frame 1: cut short'],
      [1_048_577, 'a number of the head is not one of its field'],
    ] as const) {
      head.writeUInt32LE(frames, 5);
      expect(detailOf(withHead(form, head))).to.equal(detail);
    }
  });

  it('IsOfAFormThatThereIs', () => {
    for (const form of [5, 255])
      expect(detailOf(withHead(form, Buffer.alloc(32)))).to.match(/no head of this form/);
  });

  it('OfAnyBytesIsAMessageOrAFault', () => {
    const property = fc.property(fc.nat({ max: 5 }), fc.uint8Array({ maxLength: 80 }), (form, head) => {
      expect(decodeMessage(withHead(form, head))).to.be.an('object');
    });
    fc.assert(property, { numRuns: 300 });
  });
});
