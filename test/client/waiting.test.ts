import { expect } from 'chai';
import type { Socket } from 'node:net';
import { createClient } from '../../src/client/client.js';
import { freePort } from '../free-port.js';
import { failureOf, useScriptedServers } from './client-fixture.js';
import { ManualClock } from './manual-clock.js';
import { OK, text, value } from './resp-answers.js';
import { startScriptedServer } from './scripted-server.js';

const MIB = 1024 * 1024;

describe('calls to a server out of reach', () => {
  const start = useScriptedServers();

  it('WaitForItAndTheWritesGoThereInOrder', async () => {
    const port = await freePort();
    const kv = createClient({ address: { host: '127.0.0.1', port }, timeoutMs: 15_000, retryWrites: false });
    const calls = Promise.all([kv.put('a', '1'), kv.get('a'), kv.put('a', '2')]);
    await failureOf(kv.get('b', { timeoutMs: 50 }));
    const server = await startScriptedServer((line) => (line.startsWith('GET') ? value('x') : OK), port);
    await calls;
    expect(server.lines.filter((line) => line !== 'GET a')).to.deep.equal(['PUT a 1', 'PUT a 2']);
    kv.close();
    await server.close();
  });

  it('AreAsManyAsTheBoundAndOneMoreIsRefusedAtOnce', async () => {
    const kv = createClient({
      address: `127.0.0.1:${String(await freePort())}`,
      callsMax: 3,
      retryWrites: false,
    });
    const waiting = [failureOf(kv.put('a', '1', { timeoutMs: 30 })), kv.put('b', '2'), kv.get('c')];
    const refused = await failureOf(kv.put('d', '4'));
    expect([refused.code, refused.retryable, refused.outcomeUnknown]).to.deep.equal(['BUSY', true, false]);
    expect((await failureOf(waiting[0]!.then((failure) => Promise.reject(failure as Error)))).code).to.equal(
      'UNREACHABLE',
    );
    // Its place is free as soon as nobody waits for it.
    waiting.push(kv.put('e', '5'));
    expect((await failureOf(kv.put('f', '6'))).code).to.equal('BUSY');
    kv.close();
    for (const call of waiting.slice(1)) expect((await failureOf(call)).code).to.equal('CLOSED');
  });

  it('AreBoundedInBytesToo', async () => {
    const kv = createClient({ address: `127.0.0.1:${String(await freePort())}`, requestBytesMax: 1000 });
    void kv.put('a', 'x'.repeat(900));
    expect((await failureOf(kv.put('b', 'x'.repeat(100)))).code).to.equal('BUSY');
    kv.close();
  });

  it('ConnectAgainAfterDelaysThatGrowUpToTheirBound', async () => {
    const clock = new ManualClock();
    const kv = createClient({
      address: `127.0.0.1:${String(await freePort())}`,
      timeoutMs: 1_000_000,
      reconnectDelayMinMs: 10,
      reconnectDelayMaxMs: 100,
      random: () => 1,
      clock,
    });
    const call = failureOf(kv.get('a'));
    const delays: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const seen = clock.waits.length;
      // The wait for the connection, and once that is refused the wait for the next attempt.
      while (clock.waits.length < (attempt === 0 ? 3 : seen + 1)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      delays.push(clock.waits.at(-1) ?? NaN);
      clock.advance(delays.at(-1) ?? NaN);
    }
    expect(delays).to.deep.equal([10, 20, 40, 80, 100, 100, 100]);
    clock.advance(1_000_000);
    const failure = await call;
    expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
      'UNREACHABLE',
      true,
      false,
    ]);
    kv.close();
  });

  it('AreSentAgainWhenTheyReadAndNeverWhenTheyWrite', async () => {
    const [kv, remote] = await start((line, socket, connection) => {
      if (connection > 1) return line.startsWith('GET') ? value('x') : OK;
      if (line === 'GET b') socket.destroy();
      return undefined;
    });
    const write = failureOf(kv.put('a', '1'));
    const read = kv.get('b');
    const failure = await write;
    expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
      'CONNECTION_LOST',
      true,
      true,
    ]);
    expect(String(await read)).to.equal('x');
    expect(remote.lines).to.deep.equal(['PUT a 1', 'GET b', 'GET b']);
  });

  it('AreNotSaidToBeUnsentWhenTheyWereLostOnTheirWay', async () => {
    const server = await startScriptedServer((_line, socket) => {
      void server.close();
      socket.destroy();
      return undefined;
    });
    const kv = createClient({ address: server.address, timeoutMs: 300 });
    const failure = await failureOf(kv.get('a'));
    expect(failure.code).to.equal('UNREACHABLE');
    expect(failure.message).to.match(/^no answer within 0\.3 s: /);
    expect((await failureOf(kv.get('a'))).message).to.match(/^not sent within 0\.3 s: /);
    kv.close();
  });

  it('AreNotSentForeverWhenEachTimeTheConnectionBreaks', async () => {
    const [kv, remote] = await start((_line, socket) => {
      socket.destroy();
      return undefined;
    });
    const failure = await failureOf(kv.get('a'));
    expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
      'CONNECTION_LOST',
      true,
      false,
    ]);
    expect(remote.lines).to.deep.equal(Array(4).fill('GET a'));
  });

  it('CountAsNotSentWhenTheNetworkHadNoRoomForThem', async () => {
    const sockets: Socket[] = [];
    const [kv] = await start((_line, socket) => {
      sockets.push(socket);
      socket.pause();
      return text('PONG');
    });
    await kv.ping();
    const writes = Array.from({ length: 60 }, (_, at) =>
      failureOf(kv.put(`k${String(at)}`, Buffer.alloc(MIB), { timeoutMs: 1_000 })),
    );
    const failures = await Promise.all(writes);
    const unknown = failures.map(({ outcomeUnknown }) => outcomeUnknown);
    expect([unknown[0], unknown.at(-1)]).to.deep.equal([true, false]);
    expect(unknown.lastIndexOf(true), 'in order').to.equal(unknown.indexOf(false) - 1);
    expect(sockets).to.have.length(1);
  });
});

describe('large values', () => {
  const start = useScriptedServers();

  it('DoNotHoldUpReads', async () => {
    let answer: (() => void) | undefined;
    const [kv, remote] = await start((line, socket) => {
      if (line.startsWith('GET')) return value(line);
      answer = () => socket.write(OK);
      return undefined;
    });
    const large = kv.put('a', Buffer.alloc(MIB));
    expect(String(await kv.get('b'))).to.equal('GET b');
    expect(String(await kv.get('c'))).to.equal('GET c');
    expect(remote.connections()).to.equal(2);
    await remote.until(() => answer !== undefined);
    answer?.();
    await large;
    await kv.get('d');
    expect(remote.connections()).to.equal(2);
  });

  it('DoNotMakeMoreConnectionsThanTheBound', async () => {
    const [kv, remote] = await start((line) => (line === 'GET z' ? value('z') : undefined), {
      connectionsMax: 3,
      timeoutMs: 300,
    });
    for (let at = 0; at < 5; at++)
      void kv.mget([Buffer.alloc(60_000, 'k'), ...Array<string>(60).fill('k'.repeat(60_000))]);
    await failureOf(kv.put('a', Buffer.alloc(MIB)));
    expect(remote.connections()).to.equal(3);
  });

  it('AreNeededForASecondConnection', async () => {
    const [kv, remote] = await start((line) => (line.startsWith('GET') ? value('x') : OK));
    await Promise.all(Array.from({ length: 500 }, (_, at) => (at % 2 ? kv.get('a') : kv.put('a', '1'))));
    expect(remote.connections()).to.equal(1);
  });
});
