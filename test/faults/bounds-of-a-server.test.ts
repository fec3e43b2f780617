import { expect } from 'chai';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { Conversation, talk } from '../server/conversation.js';
import { serverFixture } from '../server/running-server.js';
import { FRAMINGS, REPLIES, framed, serverOptions } from './bounded-server.js';
import type { Framing } from './bounded-server.js';
import { eventually, inTime } from './cluster.js';
import { asArray, asLine } from './hostile-bytes.js';

const MIB = 1024 * 1024;
const NAMES: Readonly<Record<Framing, string>> = { line: 'Lines', resp: 'Arrays' };

function ping(framing: Framing): Buffer {
  return framed(framing, ['PING']);
}

/** Sends, and resolves once what came matches in full. */
async function exchange(client: Conversation, bytes: Buffer, pattern: string): Promise<void> {
  const before = client.received.length;
  client.send(bytes);
  const whole = new RegExp(`^${pattern}$`);
  await inTime(
    `an answer like ${JSON.stringify(pattern)}`,
    client.until((received) => whole.test(received.slice(before))),
  );
}

describe('The bound on connections', () => {
  const fixture = serverFixture();

  for (const framing of FRAMINGS) {
    it(`IsSaidToOneClientTooManyOf${NAMES[framing]}WhichIsTakenOnceAnotherHasLeft`, async () => {
      const node = await fixture.start(serverOptions('--connections-max 3'));
      const { address } = node;
      const clients = await Promise.all([1, 2, 3].map(() => Conversation.open(address)));
      for (const client of clients) await exchange(client, ping(framing), REPLIES[framing].pong);
      const refusal = new RegExp(`^${REPLIES[framing].error('BUSY')}$`);
      for (let attempt = 0; attempt < 3; attempt++) {
        const put = framed(framing, ['PUT', 'a', '1']);
        expect(await inTime('the refusal', talk(address, put))).to.match(refusal);
      }
      // Those that are there notice nothing, and one that leaves makes room.
      for (const client of clients) {
        await exchange(client, framed(framing, ['GET', 'a']), REPLIES[framing].null);
      }
      clients[0]!.end();
      await clients[0]!.toTheEnd();
      const taken = await eventually(
        'a place',
        () => talk(address, ping(framing)),
        (answer) => new RegExp(`^${REPLIES[framing].pong}$`).test(answer),
      );
      expect(taken).to.match(new RegExp(REPLIES[framing].pong));
      for (const client of clients) client.end();
    });
  }

  it('IsSaidToAClientThatSaysNothing', async () => {
    const { address } = await fixture.start(serverOptions('--connections-max 1'));
    const client = await Conversation.open(address);
    await exchange(client, ping('line'), REPLIES.line.pong);
    const silent = await Conversation.open(address);
    expect(await inTime('the refusal', silent.toTheEnd())).to.match(/^ERROR BUSY [^\n]+\n$/);
    client.end();
  });
});

describe('The bound on the time of an incomplete request', () => {
  const fixture = serverFixture();

  for (const framing of FRAMINGS) {
    it(`ClosesOn${NAMES[framing]}ThatStayHalfAndNotOnWhatIsCompleteInTime`, async () => {
      const { address } = await fixture.start(serverOptions('--incomplete-request-timeout 1'));
      const replies = REPLIES[framing];
      const put = framed(framing, ['PUT', 'a', 'some value']);
      const others = Buffer.concat([ping(framing), framed(framing, ['GET', 'b'])]);
      const othersReply = `${replies.pong}${replies.null}`;
      const error = replies.error('SYNTAX');

      const idle = await Conversation.open(address);
      const whole = await Conversation.open(address);
      await exchange(whole, others, othersReply);
      whole.send(put.subarray(0, 9));
      const ends: Promise<void>[] = [];
      // In the middle of the head and of the value, as the first request and behind others.
      for (const [before, reply] of [
        [Buffer.alloc(0), ''],
        [others, othersReply],
      ] as const) {
        for (const sent of [1, 3, put.length - 5, put.length - 1]) {
          const half = await Conversation.open(address);
          half.send(Buffer.concat([before, put.subarray(0, sent)]));
          const ended = half.toTheEnd().then((received) => {
            expect(received).to.match(new RegExp(`^${reply}${error}$`));
          });
          ends.push(ended);
        }
      }
      await exchange(whole, put.subarray(9), replies.ok);
      await inTime('the ends of the others', Promise.all(ends));
      await exchange(
        idle,
        framed(framing, ['GET', 'a']),
        framing === 'line' ? 'some value\n' : '\\$10\r\nsome value\r\n',
      );
      await exchange(whole, ping(framing), replies.pong);
      idle.end();
      whole.end();
    });
  }
});

describe('The bound on unread replies', () => {
  const fixture = serverFixture();
  const OPTIONS =
    '--value-bytes-max 4KiB --request-bytes-max 128KiB --unread-reply-bytes-max 2MiB --buffer-bytes-max 64MiB';
  /** Bytes of a value so that with what stands around it, it takes 2 KiB of a reply. */
  const VALUE_BYTES: Readonly<Record<Framing, number>> = { line: 2047, resp: 2039 };
  const COUNT = 1024;

  for (const framing of FRAMINGS) {
    it(`AnswersAListUpToItAndRefusesALongerOneTo${NAMES[framing]}AloneAndBetweenOthers`, async () => {
      const { address } = await fixture.start(serverOptions(OPTIONS));
      const replies = REPLIES[framing];
      const value = 'v'.repeat(VALUE_BYTES[framing]);
      const setting = await Conversation.open(address);
      await exchange(setting, framed(framing, ['PUT', 'k', value]), replies.ok);
      setting.end();
      const mget = (count: number): Buffer =>
        framed(framing, ['MGET', ...Array.from({ length: count }, () => 'k')]);
      const ask = async (bytes: Buffer): Promise<string> => inTime('the answer', talk(address, bytes));
      const item = framing === 'line' ? `${value}\n` : `$${String(value.length)}\r\n${value}\r\n`;
      // A list has a head or an end of its own: one item fewer makes room for it.
      for (const count of [COUNT - 1, COUNT + 1]) {
        const list =
          framing === 'line'
            ? `${item.repeat(count)}END ${String(count)}\n`
            : `*${String(count)}\r\n${item.repeat(count)}`;
        const alone = await ask(mget(count));
        const between = await ask(Buffer.concat([ping(framing), mget(count), ping(framing)]));
        const pong = replies.pong.replace('\\', '');
        if (count < COUNT) {
          expect(alone === list).to.equal(true);
          // The first PONG may wait beside it: then there is no room for all of it, and it is said so.
          expect(between === `${pong}${list}${pong}`, between.slice(0, 200)).to.equal(true);
        } else {
          expect(alone).to.match(new RegExp(`^${replies.error('TOO_LARGE')}$`));
          expect(between).to.match(
            new RegExp(`^${replies.pong}${replies.error('TOO_LARGE')}${replies.pong}$`),
          );
        }
      }
    });
  }
});

describe('The bound on all buffers', () => {
  const fixture = serverFixture();
  const OPTIONS =
    '--value-bytes-max 600KiB --request-bytes-max 1MiB --unread-reply-bytes-max 2MiB --buffer-bytes-max 2MiB';
  const BOUND = 2 * MIB;
  const PIECE = 600_000;
  /** What is kept about the two words in front of a value that has not come in full. */
  const BESIDE: Readonly<Record<Framing, number>> = { line: 0, resp: 2 * 64 };

  for (const framing of FRAMINGS) {
    it(`HoldsUnfinished${NAMES[framing]}UpToItTurnsTheOneAwayThatPassesItAndServesTheRest`, async () => {
      const { address } = await fixture.start(serverOptions(OPTIONS));
      const replies = REPLIES[framing];
      const valueBytes = 614_400;
      const put = framed(framing, ['PUT', 'k', 'v'.repeat(valueBytes)]);
      const clients: Conversation[] = [];
      const others = Buffer.concat([ping(framing), framed(framing, ['GET', 'nothing'])]);
      let counted = 0;
      for (let at = 0; at < 4; at++) {
        const client = await Conversation.open(address);
        // Every other one has asked for something before.
        if (at % 2 === 0) await exchange(client, others, `${replies.pong}${replies.null}`);
        const sent = Math.min(PIECE, BOUND - counted - BESIDE[framing]);
        client.send(put.subarray(0, sent));
        counted += sent + BESIDE[framing];
        clients.push(client);
        await exchange(await Conversation.open(address), ping(framing), replies.pong);
      }
      expect(counted).to.equal(BOUND);
      const last = clients[3]!;
      for (const client of clients) expect(client.isClosed).to.equal(false);
      // All of it lies there, and nobody is turned away for it; one byte more is too much.
      last.send('v');
      const received = await inTime('the refusal', last.toTheEnd());
      expect(received).to.match(new RegExp(`^${replies.error('BUSY')}$`));
      expect(await talk(address, 'GET k\n')).to.equal('NULL\n');
      for (const client of clients.slice(0, 3)) {
        await exchange(client, put.subarray(PIECE), replies.ok);
        client.end();
      }
      expect(await talk(address, 'DBSIZE\n')).to.equal('1\n');
    });
  }
});

describe('The bounds that a server has by itself', () => {
  const fixture = serverFixture();

  for (const [framing, frame] of [
    ['line', asLine],
    ['resp', asArray],
  ] as const) {
    it(`HoldFor${NAMES[framing]}`, async function () {
      this.timeout(120_000);
      const { keyBytesMax, valueBytesMax, requestBytesMax, wordsMax } = DEFAULT_REQUEST_LIMITS;
      const { address } = await fixture.start({ fsync: 'off' });
      const replies = REPLIES[framing];
      const word = (text: string): Buffer => Buffer.from(text);
      const value = Buffer.alloc(valueBytesMax + 1, 'v');
      const key = (past: number): Buffer => Buffer.alloc(keyBytesMax + past, 'k');
      const request = (past: number): Buffer => {
        const words = [word('MSET'), word('a'), value.subarray(1), word('b'), word('')];
        // Three bytes more in the head of the last word: its length has six digits then.
        const missing = requestBytesMax - frame(words).length - (framing === 'resp' ? 5 : -2);
        words[4] = value.subarray(0, missing + past);
        return frame(words);
      };
      expect(request(0).length).to.equal(requestBytesMax);
      const dels = (past: number): Buffer[] => [
        word('EXISTS'),
        ...Array<Buffer>(wordsMax - 1 + past).fill(word('n')),
      ];
      const refused = new RegExp(`^${replies.error('TOO_LARGE')}$`);
      const cases: readonly (readonly [Buffer, RegExp])[] = [
        [frame([word('PUT'), key(0), word('v')]), new RegExp(`^${replies.ok}$`)],
        [frame([word('PUT'), key(1), word('v')]), refused],
        // With a value at its bound.
        [request(0), new RegExp(`^${replies.ok}$`)],
        [request(1), refused],
        [frame([word('PUT'), word('a'), value]), refused],
        [frame([word('DEL'), word('a')]), new RegExp(`^${replies.integer(1)}$`)],
        [frame(dels(0)), new RegExp(`^${replies.integer(0)}$`)],
        [frame(dels(1)), refused],
      ];
      for (const [at, [bytes, reply]] of cases.entries()) {
        expect(await inTime(`case ${String(at)}`, talk(address, bytes), 30_000), String(at)).to.match(reply);
      }
    });
  }
});
