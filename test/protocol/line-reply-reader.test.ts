import { expect } from 'chai';
import fc from 'fast-check';
import { LineReplyReader } from '../../src/protocol/line-reply-reader.js';
import type { ParsedReply, ReplyShape } from '../../src/protocol/line-reply-reader.js';
import type { LineReply } from '../../src/protocol/line-reply.js';
import { lineReply } from './replying.js';

/** Parses bytes that arrive in these chunks as replies of these shapes; the last shape stands for all that follow. */
function parse(chunks: readonly Buffer[], shapes: readonly ReplyShape[]): ParsedReply[] {
  const reader = new LineReplyReader();
  const replies: ParsedReply[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (;;) {
      const reply = reader.next(shapes[replies.length] ?? 'single');
      if (reply === undefined) break;
      replies.push(reply);
    }
  }
  return replies;
}

function single(text: string): ParsedReply | undefined {
  return parse([Buffer.from(text, 'latin1')], ['single'])[0];
}

function list(text: string): ParsedReply | undefined {
  return parse([Buffer.from(text, 'latin1')], ['list'])[0];
}

const anyBytes = fc
  .oneof(
    fc.uint8Array({ maxLength: 30 }),
    fc
      .constantFrom('OK', 'NULL', 'END 1', 'ERROR X y', '"', ' ', 'OKAY', '5', 'END', 'Ärger')
      .map((text) => Buffer.from(text)),
  )
  .map((bytes) => Buffer.from(bytes));

interface Written {
  shape: ReplyShape;
  write: (reply: LineReply) => void;
  parsed: ParsedReply;
}

const anyReply: fc.Arbitrary<Written> = fc.oneof(
  anyBytes.map((bytes): Written => ({
    shape: 'single',
    write: (reply) => reply.hit(bytes, 0, bytes.length),
    parsed: { kind: 'value', bytes },
  })),
  fc.array(fc.option(anyBytes, { nil: undefined }), { maxLength: 4 }).map((items): Written => ({
    shape: 'list',
    write: (reply) => {
      reply.beginList();
      for (const item of items) {
        if (item === undefined) reply.miss();
        else reply.key(item, 0, item.length);
      }
      reply.endList();
    },
    parsed: { kind: 'list', items },
  })),
  fc.constantFrom<Written>(
    { shape: 'single', write: (reply) => reply.ok(), parsed: { kind: 'ok', fields: '' } },
    { shape: 'single', write: (reply) => reply.ok('a=1 b=2'), parsed: { kind: 'ok', fields: 'a=1 b=2' } },
    { shape: 'single', write: (reply) => reply.miss(), parsed: { kind: 'null' } },
    {
      shape: 'list',
      write: (reply) => reply.error({ code: 'BUSY', message: 'try again' }),
      parsed: { kind: 'error', code: 'BUSY', message: 'try again' },
    },
  ),
);

describe('line reply reader', () => {
  it('WhateverTheServerWritesIsReadBackHoweverItIsCut', () => {
    fc.assert(
      fc.property(fc.array(anyReply, { maxLength: 6 }), fc.array(fc.nat({ max: 300 })), (written, cuts) => {
        const { reply, said } = lineReply();
        for (const one of written) one.write(reply);
        const bytes = said();
        const shapes = written.map((one) => one.shape);
        const expected = written.map((one) => one.parsed);
        const edges = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((edge, at) => bytes.subarray(edges[at], edge));
        expect(parse([bytes], shapes)).to.deep.equal(expected);
        expect(parse(chunks, shapes)).to.deep.equal(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('EveryCutAndByteByByteGiveTheSameReplies', () => {
    const text =
      'OK\nOK a=1\nNULL\nERROR BUSY try again\n"a\\n\\"b\\xff"\nhello world\na\nNULL\n"END 1"\nEND 3\n7\n';
    const shapes: ReplyShape[] = [
      'single',
      'single',
      'single',
      'single',
      'single',
      'single',
      'list',
      'single',
    ];
    const whole = parse([Buffer.from(text)], shapes);
    expect(whole.map((reply) => reply.kind)).to.deep.equal([
      'ok',
      'ok',
      'null',
      'error',
      'value',
      'value',
      'list',
      'value',
    ]);
    for (let cut = 0; cut <= text.length; cut++) {
      const halves = [Buffer.from(text.slice(0, cut)), Buffer.from(text.slice(cut))];
      expect(parse(halves, shapes)).to.deep.equal(whole);
    }
    expect(
      parse(
        [...Buffer.from(text)].map((byte) => Buffer.from([byte])),
        shapes,
      ),
    ).to.deep.equal(whole);
  });

  it('AnErrorEndsAList', () => {
    expect(list('a\nb\nERROR TOO_LARGE use SCAN\n')).to.deep.equal({
      kind: 'error',
      code: 'TOO_LARGE',
      message: 'use SCAN',
    });
  });

  it('WhatIsNoReplyIsMalformedAndNothingIsReadAfterIt', () => {
    for (const text of [
      '\n',
      '"open\n',
      '"a" b\n',
      '"\\q"\n',
      'END 0\n',
      'ERROR\n',
      'ERROR lower x\n',
      'HTTP/1.1 400 Bad Request\r\n',
      '\r\n',
    ]) {
      expect(single(text)?.kind, text).to.equal('malformed');
    }
    for (const text of ['OK\n', 'a\nEND 2\n', 'END\n', 'END x\n']) {
      expect(list(text)?.kind, text).to.equal('malformed');
    }
    expect(parse([Buffer.from('"open\nOK\n'), Buffer.from('OK\n')], ['single'])).to.have.length(1);
  });

  it('AReplyAtTheBoundIsReadAndOnePastItIsMalformed', () => {
    const limits = { replyBytesMax: 10, itemsMax: 2 };
    const read = (text: string, shape: ReplyShape, size: number): string | undefined => {
      const reader = new LineReplyReader(limits);
      for (let at = 0; at < text.length; at += size) {
        reader.feed(Buffer.from(text.slice(at, at + size)));
        const reply = reader.next(shape);
        if (reply !== undefined) return reply.kind;
      }
      return undefined;
    };
    for (const size of [1, 3, 100]) {
      expect(read('123456789\n', 'single', size)).to.equal('value');
      expect(read('1234567890\n', 'single', size)).to.equal('malformed');
      expect(read('12345678901', 'single', size), 'no line end in sight').to.equal('malformed');
      expect(read('a\nb\nEND 2\n', 'list', size)).to.equal('list');
      expect(read('a\nb\nc\nEND 3\n', 'list', size)).to.equal('malformed');
    }
  });

  it('ALargeValueInManyChunksTakesLinearTime', () => {
    const value = Buffer.alloc(64 * 1024 * 1024, 'x');
    const reader = new LineReplyReader();
    for (let at = 0; at < value.length; at += 16_384) {
      reader.feed(value.subarray(at, at + 16_384));
      expect(reader.next('single')).to.equal(undefined);
    }
    reader.feed(Buffer.from('\n'));
    const reply = reader.next('single');
    expect(reply?.kind === 'value' && reply.bytes.equals(value)).to.equal(true);
  });

  it('ArbitraryBytesNeverThrow', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.constantFrom<ReplyShape>('single', 'list'),
        (parts, shape) => {
          const reader = new LineReplyReader();
          for (const part of parts) {
            reader.feed(Buffer.from(part));
            while (reader.next(shape) !== undefined);
          }
        },
      ),
    );
  });
});
