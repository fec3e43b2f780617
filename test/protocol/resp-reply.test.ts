import { expect } from 'chai';
import { refusal } from '../../src/engine.js';
import type { RespReply, RespVersion } from '../../src/protocol/resp-reply.js';
import { respReply } from './replying.js';

/** What these calls send. */
function replied(call: (reply: RespReply) => void, version: RespVersion = 2): string {
  const { reply, said } = respReply();
  reply.version = version;
  call(reply);
  return said().toString('latin1');
}

function hit(reply: RespReply, latin1: string): void {
  const bytes = Buffer.from(latin1, 'latin1');
  reply.hit(bytes, 0, bytes.length);
}

describe('RespReply', () => {
  it('SaysOKWithFieldsWhereThereAreSome', () => {
    expect(replied((reply) => reply.ok())).to.equal('+OK\r\n');
    expect(replied((reply) => reply.ok('role=primary term=3'))).to.equal('+OK role=primary term=3\r\n');
  });

  it('SaysNullAsEachVersionDoes', () => {
    expect(replied((reply) => reply.miss())).to.equal('$-1\r\n');
    expect(replied((reply) => reply.miss(), 3)).to.equal('_\r\n');
  });

  it('WritesCountsAndShortTexts', () => {
    expect(replied((reply) => reply.integer(1_048_576))).to.equal(':1048576\r\n');
    expect(replied((reply) => reply.text('PONG'))).to.equal('+PONG\r\n');
  });

  it('WritesValuesWithTheirLengthWhateverTheyHold', () => {
    expect(replied((reply) => hit(reply, ''))).to.equal('$0\r\n\r\n');
    expect(replied((reply) => hit(reply, 'a\r\nb\x00\xff'))).to.equal('$6\r\na\r\nb\x00\xff\r\n');
    expect(replied((reply) => reply.hit(Buffer.from('abcdef'), 2, 4))).to.equal('$2\r\ncd\r\n');
  });

  it('WritesARefusalUnderItsCode', () => {
    const said = replied((reply) => reply.error(refusal('BUSY', 'try again')));
    expect(said).to.equal('-BUSY try again\r\n');
  });

  it('CallsWhatOnlyAPrimaryDoesREADONLYSoThatRedisClientsKnowIt', () => {
    const said = replied((reply) => reply.error(refusal('NOT_PRIMARY', '127.0.0.1:7001 is the primary')));
    expect(said).to.equal('-READONLY 127.0.0.1:7001 is the primary\r\n');
  });

  it('SaysWhatRedisSaysWhereClientsLookForThat', () => {
    const told = { ...refusal('SYNTAX', 'ours'), redisError: 'ERR wrong number of arguments' };
    expect(replied((reply) => reply.error(told))).to.equal('-ERR wrong number of arguments\r\n');
  });

  it('StaysOnOneLineWhenAMessageHoldsALineFeed', () => {
    const said = replied((reply) => reply.error(refusal('INTERNAL', 'no such file a\r\n+OK')));
    expect(said).to.equal('-INTERNAL no such file a +OK\r\n');
  });

  it('BeginsAListWithItsLengthAlsoWhenNobodyKnewItBeforehand', () => {
    for (const count of [3, undefined]) {
      const said = replied((reply) => {
        reply.ok();
        reply.beginList(count);
        hit(reply, 'a');
        reply.miss();
        reply.item('b');
        reply.endList();
        reply.ok();
      });
      expect(said).to.equal('+OK\r\n*3\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n+OK\r\n');
    }
  });

  it('PutsListsIntoLists', () => {
    for (const counts of [
      [2, 1],
      [undefined, undefined],
    ]) {
      const said = replied((reply) => {
        reply.beginList(counts[0]);
        reply.item('0');
        reply.beginList(counts[1]);
        reply.item('k');
        reply.endList();
        reply.endList();
      });
      expect(said).to.equal('*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n');
    }
  });

  it('WritesAMapAsEachVersionDoes', () => {
    const map = (reply: RespReply): void => {
      reply.beginMap(1);
      reply.item('proto');
      reply.integer(3);
      reply.endList();
    };
    expect(replied(map)).to.equal('*2\r\n$5\r\nproto\r\n:3\r\n');
    expect(replied(map, 3)).to.equal('%1\r\n$5\r\nproto\r\n:3\r\n');
  });

  it('WritesADocumentAsEachVersionDoes', () => {
    const document = (reply: RespReply): void => reply.document(['# A', 'b:ü']);
    expect(Buffer.from(replied(document), 'latin1').toString()).to.equal('$11\r\n# A\r\nb:ü\r\n\r\n');
    expect(Buffer.from(replied(document, 3), 'latin1').toString()).to.equal('=15\r\ntxt:# A\r\nb:ü\r\n\r\n');
  });

  it('TakesBackWhatWasBegun', () => {
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
    expect(said).to.equal('+OK\r\n-BUSY try again\r\n*0\r\n');
  });

  it('IsFullOnceAListWouldPassTheBoundAndKeepsNoMoreOfIt', () => {
    const { reply } = respReply(100);
    reply.beginList();
    hit(reply, 'v'.repeat(60));
    expect(reply.isFull).to.equal(false);
    const { length } = reply;
    hit(reply, 'v'.repeat(20));
    expect(reply.isFull).to.equal(true);
    hit(reply, '');
    expect(reply.length).to.equal(length);
    reply.rollBack(0);
    expect(reply.isFull).to.equal(false);
    expect(reply.length).to.equal(0);
  });

  for (const [name, add] of Object.entries<(reply: RespReply) => void>({
    Nulls: (reply) => reply.miss(),
    Integers: (reply) => reply.integer(1),
  })) {
    it(`${name}CountInAListAsItsOtherItemsDo`, () => {
      const { reply } = respReply(100);
      reply.beginList();
      for (let item = 0; item < 1000; item++) add(reply);
      expect(reply.isFull).to.equal(true);
      expect(reply.length).to.be.at.most(100);
    });
  }

  it('TakesAValueThatStandsAloneWhateverItsLength', () => {
    const { reply } = respReply(10);
    hit(reply, 'v'.repeat(20_000));
    expect(reply.isFull).to.equal(false);
    expect(reply.length).to.equal(20_010);
  });
});
