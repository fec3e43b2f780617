import { expect } from 'chai';
import tls from 'node:tls';
import { testSeed, withSeed } from '../random.js';
import { Conversation, talk } from '../server/conversation.js';
import { serverFixture } from '../server/running-server.js';
import { FRAMINGS, REPLIES, framed } from './bounded-server.js';
import type { Framing } from './bounded-server.js';
import { eventually, inTime } from './cluster.js';
import { residentBytes } from './memory.js';
import { serverProcesses } from './server-process.js';

const MIB = 1024 * 1024;
const NAMES: Readonly<Record<Framing, string>> = { line: 'Lines', resp: 'Arrays' };
const KEYS = ['a', 'b', 'c', 'd'];

/** Sends the pieces one by one, each in a turn of its own, and resolves with all that came back. */
async function drip(address: string, pieces: readonly Buffer[]): Promise<string> {
  const client = await Conversation.open(address);
  for (const piece of pieces) {
    if (client.isClosed || client.socket.destroyed) break;
    await new Promise<void>((resolve) => client.socket.write(piece, () => setImmediate(resolve)));
  }
  client.end();
  return inTime('the close', client.toTheEnd());
}

function byteByByte(whole: Buffer): Buffer[] {
  return Array.from(whole, (byte) => Buffer.from([byte]));
}

/** Writes of all keys at once, each with a value that tells which of the writes it was. */
function writes(framing: Framing, count: number): { bytes: Buffer[]; states: string[] } {
  const bytes: Buffer[] = [];
  const states = ['NULL,NULL,NULL,NULL'];
  for (let at = 1; at <= count; at++) {
    const values = KEYS.map((key) => `${key}${'v'.repeat(at % 50)}${String(at)}`);
    bytes.push(framed(framing, ['MSET', ...KEYS.flatMap((key, index) => [key, values[index]!])]));
    states.push(values.join());
  }
  return { bytes, states };
}

async function state(address: string): Promise<string> {
  const list = await talk(address, `MGET ${KEYS.join(' ')}\n`);
  return list.split('\n').slice(0, KEYS.length).join();
}

const FOREIGN: readonly (readonly [name: string, bytes: string])[] = [
  ['a GET of HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a PUT of HTTP', 'PUT /path HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nPUT evil evil\n'],
  ['a PUT of HTTP 1.0', 'PUT /path HTTP/1.0\r\n\r\nPUT evil evil\n'],
  [
    'a POST of HTTP',
    'POST / HTTP/1.1\r\nHost: a\r\n\r\nPUT evil evil\r\n*3\r\n$3\r\nSET\r\n$4\r\nevil\r\n$1\r\n1\r\n',
  ],
  ['headers of HTTP', 'Host: a\r\nPUT evil evil\r\n'],
  ['a TLS hello', '\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03\nPUT evil evil\n'],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\nPUT evil evil\r\n'],
];

describe('The first words of another protocol', () => {
  const fixture = serverFixture();

  for (const [name, text] of FOREIGN) {
    it(`AreAnsweredWithAnErrorAndACloseAndNeverWrite: ${name}`, async () => {
      const { address } = await fixture.start();
      const whole = Buffer.from(text, 'latin1');
      const pieces = [[whole], byteByByte(whole), [whole.subarray(0, 5), whole.subarray(5)]];
      for (const cut of pieces) {
        expect(await drip(address, cut)).to.match(/^ERROR SYNTAX this looks like (HTTP|TLS|SSH)[^\n]*\n$/);
      }
      expect(await talk(address, 'DBSIZE\n')).to.equal('0\n');
    });
  }

  it('AreSaidByRealClientsOfThemWhichGoAway', async () => {
    const { address } = await fixture.start();
    for (const method of ['GET', 'PUT', 'POST', 'OPTIONS']) {
      const body = method === 'PUT' || method === 'POST' ? { body: 'PUT evil evil\n' } : {};
      const answer = await fetch(`http://${address}/path`, { method, ...body }).then(
        ({ status }) => `status ${String(status)}`,
        () => 'refused',
      );
      expect(answer, method).to.equal('refused');
    }
    const [host, port] = address.split(':');
    const secure = tls.connect({ host, port: Number(port) });
    await inTime('the end of TLS', new Promise((resolve) => secure.on('error', resolve)));
    expect(await talk(address, 'DBSIZE\n')).to.equal('0\n');
  });
});

describe('A client that leaves in the middle', () => {
  const fixture = serverFixture();

  for (const framing of FRAMINGS) {
    it(`HasExactlyItsWhole${NAMES[framing]}DoneWhenItEndsItsSideAnywhere`, async () => {
      const { address } = await fixture.start({ fsync: 'off' });
      const { bytes, states } = writes(framing, 3);
      const whole = Buffer.concat(bytes);
      const ends = bytes.map((_, at) => Buffer.concat(bytes.slice(0, at + 1)).length);
      for (let length = 0; length <= whole.length; length++) {
        const received = await inTime('the answers', talk(address, whole.subarray(0, length)));
        const done = ends.filter((end) => end <= length).length;
        expect(received, String(length)).to.match(new RegExp(`^(?:${REPLIES[framing].ok}){${String(done)}}`));
        expect(await state(address), String(length)).to.equal(states[done]);
        await talk(address, `DEL ${KEYS.join(' ')}\n`);
      }
    });

    it(`HasNothingDoneInPartWhenItResetsAmongPipelined${NAMES[framing]}`, async () => {
      await withSeed(testSeed(), async (random) => {
        const { address } = await fixture.start({ fsync: 'off' });
        const { bytes, states } = writes(framing, 400);
        const whole = Buffer.concat(bytes);
        const possible = new Set(states);
        for (let round = 0; round < 30; round++) {
          const client = await Conversation.open(address);
          const length = random.below(whole.length);
          client.send(whole.subarray(0, length));
          const isWaiting = random.below(2) === 0;
          // What is cut in the first of them is not answered.
          if (isWaiting && length >= bytes[0]!.length) await inTime('an answer', client.lines(1));
          client.socket.resetAndDestroy();
          // Whatever of it is done, now or while it is done: all keys are of the same write.
          for (let look = 0; look < 3; look++)
            expect(possible.has(await inTime('a read', state(address)))).to.equal(true);
        }
        expect(await talk(address, 'PUT e 1\nGET e\n')).to.equal('OK\n1\n');
      });
    });
  }
});

describe('Clients that are slow', () => {
  const fixture = serverFixture();

  it('AreServedByteByByteInBothFramingsBesideOneAnother', async () => {
    const { address } = await fixture.start({ fsync: 'off' });
    const slow = Array.from({ length: 40 }, async (_, at) => {
      const framing = FRAMINGS[at % 2]!;
      const key = `key${String(at)}`;
      const requests = [framed(framing, ['PUT', key, 'two words']), framed(framing, ['EXISTS', key])];
      const received = await drip(address, byteByByte(Buffer.concat(requests)));
      expect(received).to.match(new RegExp(`^${REPLIES[framing].ok}${REPLIES[framing].integer(1)}$`));
    });
    const quick = await Conversation.open(address);
    for (let asked = 1; asked <= 20; asked++) {
      quick.send('PING\n');
      await quick.lines(asked);
    }
    quick.end();
    await Promise.all(slow);
    expect(await talk(address, 'DBSIZE\n')).to.equal('40\n');
  });
});

describe('Clients that never read', () => {
  const servers = serverProcesses();
  const ROUNDS = 25;
  const REQUESTS_A_ROUND = 200;
  /** One reply may wait in each connection, and the copies on its way there; what was asked for is many GiB. */
  const GROWTH_BYTES_MAX = 200 * MIB;
  const ASKED: readonly (readonly string[])[] = [
    ['GET', 'large'],
    ['MGET', ...Array<string>(8).fill('large')],
    ['KEYS'],
    ['SCAN', '0', 'COUNT', '10000'],
  ];

  for (const framing of FRAMINGS) {
    it(`CostBoundedMemoryWhatever${NAMES[framing]}AskForAndNobodyElseWaits`, async function () {
      this.timeout(60_000);
      const server = await servers.start({ options: ['--fsync', 'off'] });
      const { address, processId } = server;
      const names = Array.from({ length: 20_000 }, (_, at) => `PUT ${'k'.repeat(90)}${String(at)} v\n`);
      await talk(address, `PUT large ${'x'.repeat(MIB)}\n${names.join('')}`);
      const other = await Conversation.open(address);
      const before = residentBytes(processId);
      const greedy = await Promise.all(ASKED.map(() => Conversation.open(address)));
      for (const client of greedy) client.socket.pause();
      let most = 0;
      for (let round = 1; round <= ROUNDS; round++) {
        for (const [at, words] of ASKED.entries()) {
          greedy[at]!.send(Buffer.concat(Array<Buffer>(REQUESTS_A_ROUND).fill(framed(framing, words))));
        }
        other.send('GET nothing\n');
        await inTime('another client', other.lines(round));
        most = Math.max(most, residentBytes(processId));
      }
      expect(most - before).to.be.lessThan(GROWTH_BYTES_MAX);
      for (const client of greedy) client.socket.resetAndDestroy();
      await eventually(
        'others are served',
        () => talk(address, 'PUT a 1\nGET a\n'),
        (answer) => answer === 'OK\n1\n',
      );
      expect(server.hasEnded).to.equal(false);
      expect(server.stderr).not.to.include('a defect ended a connection');
    });
  }
});
