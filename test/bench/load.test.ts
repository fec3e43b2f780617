import { expect } from 'chai';
import { choiceOf } from '../../bench/load/conversation.js';
import type { Choice, LoadPlan } from '../../bench/load/conversation.js';
import { EtcdConversation } from '../../bench/load/etcd-conversation.js';
import { FLAG, FRAME_TYPE, FrameReader, frame, literal } from '../../bench/load/http2-frames.js';
import type { Frame } from '../../bench/load/http2-frames.js';
import { LatencyCounts } from '../../bench/load/latency-counts.js';
import { TextConversation, memcachedForms, respForms } from '../../bench/load/text-conversation.js';

const PLAN: LoadPlan = {
  host: '127.0.0.1',
  port: 2379,
  protocol: 'resp',
  clients: 1,
  pipeline: 1,
  readsPercent: 50,
  keys: 1000,
  valueBytes: 8,
};

/** Makes these choices, one after the other. */
function choosing(...requests: readonly ('get' | 'set')[]): Choice {
  let at = 0;
  return { isRead: () => requests[at % requests.length] === 'get', key: () => 40 + at++ };
}

describe('Latencies that processes add up', () => {
  it('HaveThePercentilesOfAllOfThemToAHundredthAndNeverTooShort', () => {
    const [one, other, sum] = [new LatencyCounts(), new LatencyCounts(), new LatencyCounts()];
    for (let at = 1; at <= 1000; at++) (at % 2 === 0 ? one : other).record(at / 10, 3);
    for (const each of [one, other]) sum.add(each.pairs());
    for (const [share, exact] of [
      [0.5, 50],
      [0.99, 99],
      [0.999, 99.9],
      [1, 100],
    ] as const) {
      expect(sum.percentileMs(share)).to.be.within(exact, exact * 1.011);
    }
  });

  it('AreNoneBeforeTheFirstAndOnceTheyAreForgotten', () => {
    const latencies = new LatencyCounts();
    expect(latencies.percentileMs(0.5)).to.equal(0);
    latencies.record(5, 1);
    latencies.forget();
    expect(latencies.pairs()).to.deep.equal([]);
  });

  it('KeepTheirShortestAndTheirLongestHoweverFarOutTheyAre', () => {
    const latencies = new LatencyCounts();
    latencies.record(0, 1);
    latencies.record(1e9, 1);
    expect(latencies.pairs().map(([, count]) => count)).to.deep.equal([1, 1]);
  });
});

describe('The choices of a load', () => {
  it('ReadAsOftenAsWasAskedAndStayAmongTheKeys', () => {
    const choice = choiceOf({ ...PLAN, readsPercent: 90 }, 1);
    const reads = Array.from({ length: 10_000 }, () => choice.isRead()).filter(Boolean);
    expect(reads.length).to.be.within(8800, 9200);
    const keys = Array.from({ length: 1000 }, () => choice.key());
    expect(Math.max(...keys)).to.be.below(PLAN.keys);
    expect(Math.min(...keys)).to.be.at.least(0);
  });

  it('TakeEveryKeyOnceWhereTheyAreInOrder', () => {
    const choice = choiceOf({ ...PLAN, keys: 3, isInOrder: true }, 1);
    expect(Array.from({ length: 5 }, () => choice.key())).to.deep.equal([0, 1, 2, 0, 1]);
  });
});

describe('A load in RESP', () => {
  it('AsksInOneBatchAndIsAnsweredHoweverTheAnswerIsCut', () => {
    const plan = { ...PLAN, pipeline: 3 };
    const conversation = new TextConversation(respForms(plan), plan, choosing('get', 'set', 'get'));
    const asked = conversation.ask().toString('latin1');
    expect(asked).to.match(
      /^\*2\r\n\$3\r\nGET\r\n\$16\r\nkey:000000000040\r\n\*3\r\n\$3\r\nSET\r\n\$16\r\nkey:000000000041\r\n\$8\r\n.{8}\r\n\*2\r\n\$3\r\nGET\r\n\$16\r\nkey:000000000042\r\n$/,
    );
    const answer = Buffer.from('$8\r\nabcdefgh\r\n+OK\r\n$8\r\nabcdefgh\r\n');
    for (let cut = 1; cut < answer.length; cut++) {
      expect(conversation.take(answer.subarray(0, cut)), String(cut)).to.equal(false);
      expect(conversation.take(answer.subarray(cut)), String(cut)).to.equal(true);
      conversation.ask();
    }
  });

  it('WaitsForAReplicaBehindEachBatch', () => {
    const plan = { ...PLAN, pipeline: 2, isWaitedFor: true };
    const conversation = new TextConversation(respForms(plan), plan, choosing('set'));
    expect(conversation.ask().toString('latin1')).to.match(
      /\r\n\*3\r\n\$4\r\nWAIT\r\n\$1\r\n1\r\n\$1\r\n0\r\n$/,
    );
    expect(conversation.take(Buffer.from('+OK\r\n+OK\r\n'))).to.equal(false);
    expect(conversation.take(Buffer.from(':1\r\n'))).to.equal(true);
  });

  it('TakesNothingElseForAnAnswer', () => {
    const answered = (answer: string, pipeline = 1): (() => boolean) => {
      const plan = { ...PLAN, pipeline };
      const conversation = new TextConversation(respForms(plan), plan, choosing('set'));
      conversation.ask();
      return () => conversation.take(Buffer.from(answer));
    };
    expect(answered('-NO_QUORUM too few\r\n')).to.throw('-NO_QUORUM');
    expect(answered('$-1\r\n')).to.throw('$-1');
    expect(answered('+OK\r\n+OK\r\n')).to.throw('something else');
    expect(answered('+OK\r\n-BUSY try again\r\n', 2)).to.throw('something else');
    expect(answered('+OK\r\n', 2)()).to.equal(false);
  });
});

describe('A load for memcached', () => {
  it('SpeaksItsTextProtocol', () => {
    const conversation = new TextConversation(memcachedForms(PLAN), PLAN, choosing('set', 'get'));
    expect(conversation.ask().toString('latin1')).to.match(/^set key:000000000040 0 0 8\r\n.{8}\r\n$/);
    expect(conversation.take(Buffer.from('STORED\r\n'))).to.equal(true);
    expect(conversation.ask().toString('latin1')).to.equal('get key:000000000041\r\n');
    const answer = 'VALUE key:000000000041 0 8\r\nabcdefgh\r\nEND\r\n';
    expect(conversation.take(Buffer.from(answer))).to.equal(true);
    conversation.ask();
    expect(() => conversation.take(Buffer.from('SERVER_ERROR out of memory\r\n'))).to.throw('out of memory');
  });
});

function framesOf(bytes: Buffer): Frame[] {
  const reader = new FrameReader();
  reader.feed(bytes);
  const frames: Frame[] = [];
  for (let each = reader.next(); each !== undefined; each = reader.next()) frames.push(each);
  return frames;
}

describe('A load for etcd', () => {
  const plan: LoadPlan = { ...PLAN, protocol: 'etcd' };
  let said: Frame[];
  let conversation: EtcdConversation;

  beforeEach(() => {
    said = [];
    conversation = new EtcdConversation(plan, choosing('set', 'get'), (bytes) =>
      said.push(...framesOf(bytes)),
    );
  });

  const headers = (stream: number, flags: number = FLAG.endHeaders): Buffer =>
    frame(FRAME_TYPE.headers, flags, stream, Buffer.from([0x88]));
  const data = (stream: number, bytes: number): Buffer =>
    frame(FRAME_TYPE.data, 0, stream, Buffer.alloc(bytes));
  const trailers = (stream: number): Buffer => headers(stream, FLAG.endHeaders | FLAG.endStream);

  it('CallsPutAndRangeEachOnAStreamOfItsOwn', () => {
    const [head, body] = framesOf(conversation.ask());
    expect(head).to.include({ type: FRAME_TYPE.headers, flags: FLAG.endHeaders, stream: 1 });
    expect(head!.payload.toString('latin1'))
      .to.contain('/etcdserverpb.KV/Put')
      .and.contain('application/grpc');
    expect(body).to.include({ type: FRAME_TYPE.data, flags: FLAG.endStream, stream: 1 });
    const message = body!.payload.subarray(5);
    expect(body!.payload.readUInt32BE(1)).to.equal(message.length);
    const put = '\n\x10key:000000000040\x12\b';
    expect(message.toString('latin1', 0, put.length)).to.equal(put);
    expect(message).to.have.length(put.length + plan.valueBytes);
    conversation.take(Buffer.concat([headers(1), data(1, 30), trailers(1)]));
    const [next, range] = framesOf(conversation.ask());
    expect(next!.stream).to.equal(3);
    expect(next!.payload.toString('latin1')).to.contain('/etcdserverpb.KV/Range');
    expect(range!.payload.subarray(5).toString('latin1')).to.equal('\n\x10key:000000000041');
  });

  it('IsAnsweredByTheEndOfItsStreamHoweverTheFramesAreCut', () => {
    const answer = (stream: number): Buffer =>
      Buffer.concat([headers(stream), data(stream, 30), trailers(stream)]);
    for (let cut = 1; cut < answer(1).length; cut++) {
      conversation.ask();
      const bytes = answer(2 * cut - 1);
      expect(conversation.take(bytes.subarray(0, cut)), String(cut)).to.equal(false);
      expect(conversation.take(bytes.subarray(cut)), String(cut)).to.equal(true);
    }
  });

  it('TakesNoRefusalForAnAnswerNorOneWithoutTheValue', () => {
    conversation.ask();
    expect(() => conversation.take(trailers(1))).to.throw('refused');
    conversation.ask();
    const empty = Buffer.concat([headers(3), data(3, 7), trailers(3)]);
    expect(() => conversation.take(empty)).to.throw('did not have the value');
    const ends = (type: number, stream: number): (() => boolean) => {
      return () => conversation.take(frame(type, 0, stream, Buffer.alloc(8)));
    };
    expect(ends(FRAME_TYPE.resetStream, 3)).to.throw('gave the call up');
    expect(ends(FRAME_TYPE.goAway, 0)).to.throw('ends the connection');
  });

  it('AnswersWhatTheServerAsksInBetween', () => {
    conversation.ask();
    const payload = Buffer.from('12345678');
    conversation.take(frame(FRAME_TYPE.settings, 0, 0, Buffer.alloc(0)));
    conversation.take(frame(FRAME_TYPE.ping, 0, 0, payload));
    for (const type of [FRAME_TYPE.settings, FRAME_TYPE.ping]) {
      conversation.take(frame(type, FLAG.acknowledged, 0, Buffer.alloc(8)));
    }
    expect(said.map(({ type, flags }) => [type, flags])).to.deep.equal([
      [FRAME_TYPE.settings, FLAG.acknowledged],
      [FRAME_TYPE.ping, FLAG.acknowledged],
    ]);
    expect(said[1]!.payload.equals(payload)).to.equal(true);
  });

  it('SendsNoMoreThanTheServerLetsItUntilItIsToldThatItMay', () => {
    const bytesEach = framesOf(conversation.ask())[1]!.payload.length;
    const window = Buffer.alloc(4);
    window.writeUInt32BE(100 * bytesEach);
    conversation.take(frame(FRAME_TYPE.windowUpdate, 0, 0, window));
    const untilItThrows = (): number => {
      for (let calls = 1; ; calls++) {
        try {
          conversation.ask();
        } catch (error) {
          expect(String(error)).to.contain('lets nothing be sent');
          return calls;
        }
      }
    };
    // Every other call is a GET, which is shorter.
    expect(untilItThrows()).to.be.within(65_535 / bytesEach + 99, (2 * 65_535) / bytesEach + 200);
  });

  it('RefusesAPipelineAndFramesThatAreNone', () => {
    expect(() => new EtcdConversation({ ...plan, pipeline: 2 }, choosing('get'), () => undefined)).to.throw();
    expect(() => framesOf(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).to.throw('no frame');
  });

  it('WritesHeadersOfTheStaticTableAndWithNamesOfTheirOwn', () => {
    expect(literal(4, '/a').toString('hex')).to.equal('04022f61');
    expect(literal(31, 'b').toString('hex')).to.equal('0f100162');
    expect(literal('te', 'c').toString('hex')).to.equal('000274650163');
    expect(() => literal(4, 'x'.repeat(127))).to.throw('short');
  });
});
