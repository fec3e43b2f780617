import { expect } from 'chai';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { Conversation, talk } from '../server/conversation.js';
import { serverFixture } from '../server/running-server.js';
import { residentBytes } from './memory.js';
import { serverProcesses } from './server-process.js';

const MIB = 1024 * 1024;

describe('A server with a client that misbehaves', () => {
  const servers = serverProcesses();
  const fixture = serverFixture();

  it('keeps its memory bounded when a client never takes what it asks for, and serves the others', async () => {
    const server = await servers.start();
    await talk(server.address, `PUT large ${'x'.repeat(4 * MIB)}\n`);
    const greedy = await Promise.all(Array.from({ length: 4 }, () => Conversation.open(server.address)));
    const other = await Conversation.open(server.address);
    const before = residentBytes(server.processId);
    for (const client of greedy) client.socket.pause();
    let most = 0;
    for (let round = 1; round <= 100; round++) {
      for (const client of greedy) client.send('GET large\n'.repeat(500));
      other.send('GET nothing\n');
      await other.lines(round);
      most = Math.max(most, residentBytes(server.processId));
    }
    // What was asked for is 800 GiB. One reply may wait in each connection, and the copies on its way there.
    expect(most - before).to.be.lessThan(160 * MIB);
    for (const client of greedy) client.socket.resetAndDestroy();
    expect(await talk(server.address, 'PUT a 1\nGET a\n')).to.equal('OK\n1\n');
  });

  it('keeps its memory bounded when a client pipelines writes and never takes the answers', async () => {
    const server = await servers.start({ options: ['--fsync', 'off'] });
    const greedy = await Conversation.open(server.address);
    const other = await Conversation.open(server.address);
    greedy.socket.pause();
    const before = residentBytes(server.processId);
    let most = 0;
    for (let round = 1; round <= 100; round++) {
      greedy.send(`PUT a ${'y'.repeat(500)}\n`.repeat(4000));
      other.send('GET nothing\n');
      await other.lines(round);
      most = Math.max(most, residentBytes(server.processId));
    }
    expect(most - before).to.be.lessThan(160 * MIB);
    greedy.socket.resetAndDestroy();
  });

  it('goes on when clients reset in the middle of their requests, and does whole requests only', async () => {
    const { address } = await fixture.start();
    for (let round = 0; round < 20; round++) {
      const client = await Conversation.open(address);
      client.send(`${`PUT a ${'z'.repeat(300)}\nGET a\n`.repeat(200)}MSET b 1 c 2\nPUT a tor`);
      await client.lines(1 + round * 10);
      client.socket.resetAndDestroy();
    }
    const left = await talk(address, 'MGET a b c\n');
    expect(left).to.be.oneOf([
      `${'z'.repeat(300)}\n1\n2\nEND 3\n`,
      `${'z'.repeat(300)}\nNULL\nNULL\nEND 3\n`,
    ]);
  });

  it('closes on a request that stays half, and not on a client that only waits', async () => {
    const limits = { ...DEFAULT_SERVER_LIMITS, incompleteRequestMs: 200 };
    const { address } = await fixture.start({ limits });
    const idle = await Conversation.open(address);
    const half = await Conversation.open(address);
    half.send('PUT a 1\nPUT a tor');
    const received = await half.toTheEnd();
    expect(received).to.equal('OK\nERROR SYNTAX the request was not complete after 0.2 s\n');
    idle.send('GET a\n');
    expect(await idle.lines(1)).to.deep.equal(['1']);
    expect(idle.isClosed).to.equal(false);
  });

  it('closes on a request that comes too slowly, byte by byte', async () => {
    const limits = { ...DEFAULT_SERVER_LIMITS, incompleteRequestMs: 200 };
    const { address } = await fixture.start({ limits });
    const slow = await Conversation.open(address);
    const drip = setInterval(() => slow.send('x'), 10);
    const received = await slow.toTheEnd().finally(() => {
      clearInterval(drip);
    });
    expect(received).to.equal('ERROR SYNTAX the request was not complete after 0.2 s\n');
  });

  it('tells one client too many that it is busy, and takes it when another has left', async () => {
    const limits = { ...DEFAULT_SERVER_LIMITS, connectionsMax: 3 };
    const node = await fixture.start({ limits });
    const { address } = node;
    const clients = await Promise.all([1, 2, 3].map(() => Conversation.open(address)));
    for (const client of clients) client.send('PING\n');
    for (const client of clients) await client.lines(1);
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await talk(address, '')).to.equal('ERROR BUSY 3 clients are connected: try again later\n');
    }
    expect(await talk(address, 'PUT a 1\n')).to.equal(
      'ERROR BUSY 3 clients are connected: try again later\n',
    );
    const stubborn = await Conversation.open(address);
    await stubborn.lines(1);
    clients[0]!.end();
    await clients[0]!.toTheEnd();
    expect(await talk(address, 'GET a\n')).to.equal('NULL\n');
    // The one that was turned away keeps its side open, and that keeps nobody.
    await node.stop();
  });

  it('answers thousands of pipelined requests in order, with few of them pending at once', async () => {
    for (const pendingRequestsMax of [1, 2, 7]) {
      const limits = { ...DEFAULT_SERVER_LIMITS, pendingRequestsMax };
      const node = await fixture.start({ limits, fsync: 'off' });
      const { address } = node;
      let sent = '';
      let expected = '';
      for (let at = 0; at < 2000; at++) {
        sent += `PUT a ${String(at)}\nGET a\n${at % 100 === 0 ? 'KEYS\n' : ''}`;
        expected += `OK\n${String(at)}\n${at % 100 === 0 ? 'a\nEND 1\n' : ''}`;
      }
      expect(await talk(address, sent)).to.equal(expected);
      await node.stop();
    }
  });
});
