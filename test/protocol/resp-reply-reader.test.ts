import { expect } from 'chai';
import fc from 'fast-check';
import { DEFAULT_RESP_REPLY_LIMITS, RespReplyReader } from '../../src/protocol/resp-reply-reader.js';
import type { MalformedReply, RespReply, RespReplyLimits } from '../../src/protocol/resp-reply-reader.js';
import { byteByByte, bytes, cut } from './reading.js';
import { anyBytes } from './streams.js';

type Read = RespReply | MalformedReply;

function readChunks(chunks: readonly Buffer[], limits?: Partial<RespReplyLimits>): Read[] {
  const reader = new RespReplyReader({ ...DEFAULT_RESP_REPLY_LIMITS, ...limits });
  const replies: Read[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (let reply = reader.next(); reply !== undefined; reply = reader.next()) replies.push(reply);
  }
  return replies;
}

function read(latin1: string, limits?: Partial<RespReplyLimits>): Read[] {
  return readChunks([bytes(latin1)], limits);
}

/** What a reply looks like on the wire. */
function written(reply: RespReply): Buffer {
  switch (reply.kind) {
    case 'simple':
      return Buffer.from(`+${reply.text}\r\n`);
    case 'error':
      return Buffer.from(`-${reply.text}\r\n`);
    case 'integer':
      return Buffer.from(`:${String(reply.value)}\r\n`);
    case 'null':
      return Buffer.from('$-1\r\n');
    case 'bulk':
      return Buffer.concat([
        Buffer.from(`$${String(reply.bytes.length)}\r\n`),
        reply.bytes,
        Buffer.from('\r\n'),
      ]);
    case 'array':
      return Buffer.concat([
        Buffer.from(`*${String(reply.items.length)}\r\n`),
        ...reply.items.map((item) => written(item)),
      ]);
  }
}

const text = fc.string({ maxLength: 20 }).map((line) => line.replace(/[\r\n]/g, ' '));
const anyReply = fc.letrec<{ reply: RespReply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text.map((line): RespReply => ({ kind: 'simple', text: line })),
    text.map((line): RespReply => ({ kind: 'error', text: line })),
    fc.maxSafeInteger().map((value): RespReply => ({ kind: 'integer', value })),
    fc.constant<RespReply>({ kind: 'null' }),
    anyBytes.map((value): RespReply => ({ kind: 'bulk', bytes: value })),
    fc.array(tie('reply'), { maxLength: 4 }).map((items): RespReply => ({ kind: 'array', items })),
  ),
})).reply;

describe('RESP reply reader', () => {
  const EVERY_KIND =
    '+OK\r\n-BUSY try\r\n:-7\r\n$-1\r\n*-1\r\n$0\r\n\r\n$4\r\n\xff\r\n\0\r\n*0\r\n*2\r\n*1\r\n:1\r\n$1\r\na\r\n';

  it('EveryKindIsRead', () => {
    expect(read(EVERY_KIND)).to.deep.equal([
      { kind: 'simple', text: 'OK' },
      { kind: 'error', text: 'BUSY try' },
      { kind: 'integer', value: -7 },
      { kind: 'null' },
      { kind: 'null' },
      { kind: 'bulk', bytes: Buffer.alloc(0) },
      { kind: 'bulk', bytes: bytes('\xff\r\n\0') },
      { kind: 'array', items: [] },
      {
        kind: 'array',
        items: [
          { kind: 'array', items: [{ kind: 'integer', value: 1 }] },
          { kind: 'bulk', bytes: bytes('a') },
        ],
      },
    ]);
  });

  it('EveryCutAndByteByByteGiveTheSameReplies', () => {
    const whole = read(EVERY_KIND);
    const all = bytes(EVERY_KIND);
    for (let at = 0; at <= all.length; at++) expect(readChunks(cut(all, [at]))).to.deep.equal(whole);
    expect(readChunks(byteByByte(all))).to.deep.equal(whole);
  });

  it('AnyRepliesAreReadBackHoweverTheyAreCut', () => {
    fc.assert(
      fc.property(fc.array(anyReply, { maxLength: 5 }), fc.array(fc.nat({ max: 300 })), (replies, cuts) => {
        const whole = Buffer.concat(replies.map(written));
        expect(readChunks(cut(whole, cuts))).to.deep.equal(replies);
      }),
      { numRuns: 1000 },
    );
  });

  it('WhatIsNoReplyIsMalformedAndNothingIsReadAfterIt', () => {
    for (const stream of [
      'HTTP/1.1 400 Bad Request\r\n',
      'OK\r\n',
      '\r\n',
      '\n',
      '+OK\n',
      '+a\nb\r\n',
      ':\r\n',
      ':1.5\r\n',
      ':9007199254740992\r\n',
      '$\r\n',
      '$-2\r\n',
      '$1x\r\n',
      '$1\r\nab\r\n',
      '$1\r\na\n\n',
      '*-2\r\n',
      '*x\r\n',
      '*1\r\nx',
      '_\r\n',
      '%1\r\n',
      '\x15\x03\x01',
    ]) {
      const replies = readChunks([bytes(stream), bytes('+OK\r\n')]);
      expect(
        replies.map(({ kind }) => kind),
        JSON.stringify(stream),
      ).to.deep.equal(['malformed']);
    }
  });

  it('WhatIsNoReplyIsKnownByItsFirstByte', () => {
    expect(read('H')).to.deep.equal([{ kind: 'malformed', message: 'a reply begins with "H"' }]);
    expect(read('\x15')).to.deep.equal([{ kind: 'malformed', message: 'a reply begins with the byte 21' }]);
  });

  it('AReplyAtABoundIsReadAndOnePastItIsMalformed', () => {
    const cases: [Partial<RespReplyLimits>, string, string][] = [
      [{ replyBytesMax: 10 }, '$4\r\nabcd\r\n', '$5\r\n'],
      [{ replyBytesMax: 14 }, '*1\r\n$4\r\nabcd\r\n', '*1\r\n$5\r\n'],
      [{ replyBytesMax: 12 }, '*2\r\n:1\r\n:2\r\n', '*2\r\n:1\r\n:12\r\n'],
      [{ itemsMax: 2 }, '*2\r\n:1\r\n:2\r\n', '*3\r\n'],
      [{ itemsMax: 2 }, '*1\r\n*1\r\n:1\r\n', '*1\r\n*2\r\n'],
      [{ depthMax: 2 }, '*1\r\n*1\r\n:1\r\n', '*1\r\n*1\r\n*1\r\n'],
      [{ lineBytesMax: 5 }, '+abc\r\n', '+abcde'],
    ];
    for (const [limits, atBound, pastIt] of cases) {
      for (const chunked of [byteByByte, (whole: Buffer) => [whole]]) {
        const kinds = (stream: string): string[] =>
          readChunks(chunked(bytes(stream)), limits).map(({ kind }) => kind);
        expect(kinds(atBound), atBound).to.have.length(1).and.to.not.include('malformed');
        expect(kinds(atBound + atBound), 'the next one counts anew').to.not.include('malformed');
        expect(kinds(pastIt), pastIt).to.deep.equal(['malformed']);
      }
    }
  });

  it('ALargeValueInManyChunksTakesLinearTime', () => {
    const value = Buffer.alloc(64 * 1024 * 1024, 'x');
    const reader = new RespReplyReader();
    reader.feed(Buffer.from(`$${String(value.length)}\r\n`));
    for (let at = 0; at < value.length; at += 16_384) {
      expect(reader.next()).to.equal(undefined);
      reader.feed(value.subarray(at, at + 16_384));
    }
    expect(reader.next()).to.equal(undefined);
    expect(reader.partialBytes).to.be.at.least(value.length);
    reader.feed(Buffer.from('\r\n'));
    const reply = reader.next();
    expect(reply?.kind === 'bulk' && reply.bytes.equals(value)).to.equal(true);
    expect([reader.partialBytes, reader.hasUnread]).to.deep.equal([0, false]);
  });

  it('AReplyIsItsOwnWhenTheChunkIsUsedAgain', () => {
    const chunk = bytes('$3\r\nabc\r\n');
    const reader = new RespReplyReader();
    reader.feed(chunk);
    const reply = reader.next();
    chunk.fill(0);
    expect(reply).to.deep.equal({ kind: 'bulk', bytes: bytes('abc') });
  });

  it('ArbitraryBytesNeverThrow', () => {
    const pieces = fc.constantFrom('*', '$', '+', ':', '-', '1', '2', '-1', '\r\n', '\r', '\n', 'a');
    const stream = fc.array(
      fc.oneof(
        pieces.map(bytes),
        fc.uint8Array({ maxLength: 5 }).map((b) => Buffer.from(b)),
      ),
    );
    fc.assert(
      fc.property(stream, (parts) => {
        readChunks(parts);
      }),
      { numRuns: 5000 },
    );
  });
});
