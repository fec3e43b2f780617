import { expect } from 'chai';
import fc from 'fast-check';
import { refusal } from '../../src/engine.js';
import type { LineReply } from '../../src/protocol/line-reply.js';
import { bytes, readChunks, request } from './reading.js';
import { lineReply } from './replying.js';
import { anyBytes } from './streams.js';

/** What these calls send. */
function replied(call: (reply: LineReply) => void): string {
  const { reply, said } = lineReply();
  call(reply);
  return said().toString('latin1');
}

function value(latin1: string): string {
  return replied((reply) => {
    reply.hit(bytes(latin1), 0, latin1.length);
  });
}

function key(latin1: string): string {
  return replied((reply) => {
    reply.key(bytes(latin1), 0, latin1.length);
  });
}

describe('LineReply', () => {
  it('says OK, with fields where there are some', () => {
    expect(replied((reply) => reply.ok())).to.equal('OK\n');
    expect(replied((reply) => reply.ok('role=primary term=3'))).to.equal('OK role=primary term=3\n');
  });

  it('says NULL for a key that is not there', () => {
    expect(replied((reply) => reply.miss())).to.equal('NULL\n');
  });

  it('writes counts and short texts as they are', () => {
    expect(replied((reply) => reply.integer(0))).to.equal('0\n');
    expect(replied((reply) => reply.integer(1_048_576))).to.equal('1048576\n');
    expect(replied((reply) => reply.text('PONG'))).to.equal('PONG\n');
  });

  it('writes a refusal as ERROR, its code and its message', () => {
    const said = replied((reply) => {
      reply.error(refusal('NOT_PRIMARY', 'write to 127.0.0.1:7001'));
    });
    expect(said).to.equal('ERROR NOT_PRIMARY write to 127.0.0.1:7001\n');
  });

  it('writes a value bare, so that GET mykey prints myvalue', () => {
    expect(value('myvalue')).to.equal('myvalue\n');
    expect(value('hello world')).to.equal('hello world\n');
  });

  it('quotes a value that could be taken for something else', () => {
    expect(value('')).to.equal('""\n');
    expect(value('NULL')).to.equal('"NULL"\n');
    expect(value('END 3')).to.equal('"END 3"\n');
    expect(value('"')).to.equal('"\\""\n');
    expect(value('two\nlines')).to.equal('"two\\nlines"\n');
    expect(value('\xff')).to.equal('"\\xff"\n');
  });

  it('quotes a key also when it holds a blank', () => {
    expect(key('mykey')).to.equal('mykey\n');
    expect(key('my key')).to.equal('"my key"\n');
    expect(key('my\tkey')).to.equal('"my\\tkey"\n');
    expect(key('OK')).to.equal('"OK"\n');
  });

  it('writes a part of a larger buffer', () => {
    const larger = bytes('"OK"');
    const said = replied((reply) => {
      reply.hit(larger, 1, 2);
      reply.hit(larger, 1, 3);
      reply.hit(larger, 2, 2);
    });
    expect(said).to.equal('O\n"OK"\n""\n');
  });

  it('ends a list with the number of its items, of whatever kind', () => {
    const said = replied((reply) => {
      reply.beginList();
      reply.hit(bytes('a'), 0, 1);
      reply.miss();
      reply.key(bytes('b c'), 0, 3);
      reply.item('role=primary');
      reply.endList();
    });
    expect(said).to.equal('a\nNULL\n"b c"\nrole=primary\nEND 4\n');
  });

  it('counts the items of each list anew', () => {
    const said = replied((reply) => {
      reply.hit(bytes('a'), 0, 1);
      for (let list = 0; list < 2; list++) {
        reply.beginList();
        reply.item('x');
        reply.endList();
      }
      reply.beginList();
      reply.endList();
    });
    expect(said).to.equal('a\nx\nEND 1\nx\nEND 1\nEND 0\n');
  });

  it('takes back what was written since a mark', () => {
    const said = replied((reply) => {
      reply.ok();
      const mark = reply.length;
      reply.beginList();
      reply.item('half a list');
      reply.rollBack(mark);
      reply.error(refusal('BUSY', 'try again'));
      reply.beginList();
      reply.endList();
    });
    expect(said).to.equal('OK\nERROR BUSY try again\nEND 0\n');
  });

  it('is full once a list would pass the bound, and keeps no more of it', () => {
    const { reply } = lineReply(10);
    const value = Buffer.from('1234');
    reply.beginList();
    reply.hit(value, 0, 4);
    reply.hit(value, 0, 4);
    expect(reply.isFull).to.equal(false);
    expect(reply.length).to.equal(10);
    reply.hit(value, 0, 1);
    expect(reply.isFull).to.equal(true);
    expect(reply.length).to.equal(10);
    reply.rollBack(0);
    expect(reply.isFull).to.equal(false);
  });

  it('takes a value that stands alone whatever its length', () => {
    const { reply, said } = lineReply(10);
    reply.hit(Buffer.alloc(20_000, 1), 0, 20_000);
    expect(reply.isFull).to.equal(false);
    expect(reply.length).to.equal(20_001);
    expect(said()).to.have.length(80_003);
  });

  it('stays on one line when a message holds a line feed', () => {
    const { reply, said } = lineReply();
    reply.error({ code: 'INTERNAL', message: 'no such file a\nOK b' });
    expect(said().toString()).to.equal('ERROR INTERNAL no such file a OK b\n');
  });

  it('keeps earlier replies whole while its buffer grows', () => {
    const large = Buffer.alloc(100_000, 'v');
    const said = replied((reply) => {
      for (let at = 0; at < 5; at++) {
        reply.integer(at);
        reply.hit(large, 0, large.length);
      }
    });
    expect(said).to.equal([0, 1, 2, 3, 4].map((at) => `${String(at)}\n${large.toString()}\n`).join(''));
  });
});

describe('what GET prints', () => {
  // The first line of a connection is held against other protocols, so PING stands before it.
  const givenBack = (line: Buffer): unknown => readChunks([bytes('PING\n'), line])[1];

  it('is one line, and can be given back to PUT', () => {
    fc.assert(
      fc.property(anyBytes, (word) => {
        const printed = bytes(value(word.toString('latin1')));
        expect(printed.indexOf('\n')).to.equal(printed.length - 1);
        const line = Buffer.concat([bytes('PUT k '), printed]);
        expect(givenBack(line)).to.deep.equal(request('PUT', 'k', word.toString('latin1')));
      }),
      { numRuns: 5000 },
    );
  });

  it('is never the same for two values, nor what is printed for no value', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (one, other) => {
        const [printedOne, printedOther] = [one, other].map((word) => value(word.toString('latin1')));
        expect(printedOne === printedOther).to.equal(one.equals(other));
        expect(printedOne).to.not.match(/^(OK|NULL|END|ERROR)[ \n]/);
      }),
    );
  });
});

describe('a key that a list shows', () => {
  it('is one line, and can be given back to GET and to PUT', () => {
    fc.assert(
      fc.property(anyBytes, (word) => {
        const printed = bytes(key(word.toString('latin1')));
        const shown = printed.subarray(0, -1);
        const lines = Buffer.concat([bytes('PING\nGET '), shown, bytes('\nPUT '), shown, bytes(' v\n')]);
        const latin1 = word.toString('latin1');
        expect(readChunks([lines])).to.deep.equal([
          request('PING'),
          request('GET', latin1),
          request('PUT', latin1, 'v'),
        ]);
      }),
      { numRuns: 5000 },
    );
  });
});
