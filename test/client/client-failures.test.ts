import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import { KvError } from '../../src/client/errors.js';
import { failureOf, useScriptedServers } from './client-fixture.js';
import { OK, refused, text, value } from './resp-answers.js';
import { startScriptedServer } from './scripted-server.js';
import type { ClientOptions } from '../../src/client/options.js';
import type { Script } from './scripted-server.js';

describe('client failures', () => {
  const start = useScriptedServers();

  it('ARefusalCarriesItsCode', async () => {
    const [kv] = await start((line) => refused(line.slice(4), 'the reason'));
    const busy = await failureOf(kv.get('BUSY'));
    expect([busy.code, busy.retryable, busy.outcomeUnknown]).to.deep.equal(['BUSY', true, false]);
    expect(busy.message).to.equal('the reason');
    const newer = await failureOf(kv.get('SOMETHING_NEW'));
    expect([newer.code, newer.retryable]).to.deep.equal(['SOMETHING_NEW', false]);
  });

  it('OnlyUnconfirmedLeavesARefusedWriteOpen', async () => {
    const [kv] = await start((line) =>
      line.includes('x') ? refused('UNCONFIRMED', 'at 1:7') : refused('NO_QUORUM', 'b is down'),
    );
    expect((await failureOf(kv.put('x', '1'))).outcomeUnknown).to.equal(true);
    expect((await failureOf(kv.delete('x'))).outcomeUnknown).to.equal(true);
    expect((await failureOf(kv.get('x'))).outcomeUnknown).to.equal(false);
    expect((await failureOf(kv.put('y', '1'))).outcomeUnknown).to.equal(false);
  });

  it('AnOutcomeIsUnknownWhenTheConnectionBreaksAfterAWrite', async () => {
    const [kv] = await start(
      (line, socket) => {
        if (line === 'GET b') socket.destroy();
        return undefined;
      },
      { whenUnreachable: 'fail' },
    );
    const failures = await Promise.all(
      [kv.put('a', '1'), kv.get('a'), kv.delete('a'), kv.get('b')].map(failureOf),
    );
    expect(failures.map((failure) => failure.code)).to.deep.equal(Array(4).fill('CONNECTION_LOST'));
    expect(failures.map((failure) => failure.outcomeUnknown)).to.deep.equal([true, false, true, false]);
    expect(failures.every((failure) => failure.retryable)).to.equal(true);
  });

  it('TheNextCallAfterALostConnectionConnectsAnew', async () => {
    const [kv, remote] = await start((_line, socket, connection) => {
      if (connection > 1) return OK;
      socket.destroy();
      return undefined;
    });
    expect((await failureOf(kv.put('a', '1'))).code).to.equal('CONNECTION_LOST');
    await kv.put('b', '2');
    expect(remote.connections()).to.equal(2);
    expect(remote.lines).to.deep.equal(['PUT a 1', 'PUT b 2']);
  });

  it('AServerThatIsNotThereIsUnreachableAndNothingIsUnknown', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    for (const options of [{ whenUnreachable: 'fail' }, { timeoutMs: 200 }] as const) {
      const client = createClient({ address: gone.address, ...options });
      const failures = await Promise.all([client.put('a', '1'), client.get('a')].map(failureOf));
      for (const failure of failures) {
        expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
          'UNREACHABLE',
          true,
          false,
        ]);
        expect(failure.message).to.include(`nothing listens at ${gone.address}`);
      }
    }
  });

  it('ALateReplyIsNeverTakenForAnotherCalls', async () => {
    let late: (() => void) | undefined;
    const [kv, remote] = await start((line, socket) => {
      if (line === 'PING') return text('PONG');
      if (line !== 'GET slow') return value('fast');
      late = () => socket.write(value('slow'));
      return undefined;
    });
    await kv.ping();
    const failure = await failureOf(kv.get('slow', { timeoutMs: 20 }));
    expect([failure.code, failure.retryable]).to.deep.equal(['TIMEOUT', true]);
    await remote.until(() => late !== undefined);
    late?.();
    expect(String(await kv.get('other'))).to.equal('fast');
    expect(remote.connections()).to.equal(1);
  });

  it('AWriteThatTimesOutAfterItWasSentIsUnknown', async () => {
    const [kv, remote] = await start((line) => (line === 'PING' ? text('PONG') : undefined));
    await kv.ping();
    const failure = await failureOf(kv.put('a', '1', { timeoutMs: 20 }));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['TIMEOUT', true]);
    expect(remote.lines).to.include('PUT a 1');
  });

  it('AConnectionThatOwesRepliesAndStaysSilentIsGivenUp', async () => {
    const silent: Script = (line, _socket, connection) => {
      if (line === 'PING') return text('PONG');
      return connection === 1 ? undefined : value('here');
    };
    const [kv, remote] = await start(silent, { timeoutMs: 300 });
    await kv.ping();
    expect((await failureOf(kv.get('a'))).code).to.equal('TIMEOUT');
    expect(String(await kv.get('a'))).to.equal('here');
    expect(remote.connections()).to.equal(2);
  });

  it('ACallThatMayTakeLongerKeepsTheConnectionWhenAnotherTimesOut', async () => {
    let answer: (() => void) | undefined;
    const [kv, remote] = await start(
      (line, socket) => {
        if (line === 'PING') return text('PONG');
        if (line.startsWith('PUT')) answer = () => socket.write(OK + value('late'));
        return undefined;
      },
      { timeoutMs: 100 },
    );
    await kv.ping();
    const patient = kv.put('a', '1', { timeoutMs: 15_000 });
    expect((await failureOf(kv.get('b'))).code).to.equal('TIMEOUT');
    await remote.until(() => answer !== undefined);
    answer?.();
    await patient;
    expect(remote.connections()).to.equal(1);
  });

  it('AnAbortedCallFailsAtOnceAndTheOthersGoOn', async () => {
    let answer: (() => void) | undefined;
    const [kv, remote] = await start((line, socket) => {
      if (line === 'GET b') answer = () => socket.write(value('a') + value('b'));
      return undefined;
    });
    const abort = new AbortController();
    const aborted = failureOf(kv.get('a', { signal: abort.signal }));
    const other = kv.get('b');
    await remote.until(() => answer !== undefined);
    abort.abort();
    expect((await aborted).code).to.equal('ABORTED');
    answer?.();
    expect(String(await other)).to.equal('b');
    expect((await failureOf(kv.get('a', { signal: abort.signal }))).code).to.equal('ABORTED');
  });

  it('ManyCallsMayShareASignal', async () => {
    const [kv] = await start((line) => (line === 'PING' ? text('PONG') : undefined));
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    const [abort, other] = [new AbortController(), new AbortController()];
    await Promise.all(Array.from({ length: 50 }, () => kv.ping({ signal: abort.signal })));
    const calls = Array.from({ length: 50 }, () => failureOf(kv.get('a', { signal: abort.signal })));
    const stays = failureOf(kv.get('a', { signal: other.signal, timeoutMs: 100 }));
    abort.abort();
    for (const { code } of await Promise.all(calls)) expect(code).to.equal('ABORTED');
    expect((await stays).code).to.equal('TIMEOUT');
    process.off('warning', note);
    expect(warnings).to.deep.equal([]);
  });

  it('CallsPastTheBoundAreRefusedAndTheirPlacesComeBack', async () => {
    const [kv] = await start(() => value('x'), { callsMax: 2 });
    const first = kv.get('a');
    const second = kv.get('b');
    const third = await failureOf(kv.put('c', '1'));
    expect([third.code, third.retryable, third.outcomeUnknown]).to.deep.equal(['BUSY', true, false]);
    await Promise.all([first, second]);
    expect(String(await kv.get('c'))).to.equal('x');
  });

  it('BytesPastTheBoundAreRefusedAndTheirPlacesComeBack', async () => {
    const [kv] = await start(() => OK, { requestBytesMax: 1000 });
    const first = kv.put('a', 'x'.repeat(600));
    expect((await failureOf(kv.put('b', 'x'.repeat(600)))).code).to.equal('BUSY');
    await first;
    await kv.put('b', 'x'.repeat(600));
  });

  it('WhatCannotBeAskedIsRefusedBeforeItIsSent', async () => {
    const [kv, remote] = await start(() => OK);
    expect((await failureOf(kv.get(''))).code).to.equal('SYNTAX');
    expect((await failureOf(kv.put('', 'x'))).code).to.equal('SYNTAX');
    expect((await failureOf(kv.get('k'.repeat(65_537)))).code).to.equal('TOO_LARGE');
    expect((await failureOf(kv.put('k', Buffer.alloc(64 * 1024 * 1024 + 1)))).code).to.equal('TOO_LARGE');
    expect((await failureOf(kv.get('k', { timeoutMs: 0 }))).code).to.equal('BAD_OPTION');
    expect(remote.connections()).to.equal(0);
  });

  it('WhatIsOfNoRightTypeIsRefusedInWords', async () => {
    const [kv, remote] = await start(() => OK);
    const untyped = kv as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const cases: [string, unknown[], string][] = [
      ['get', [5], 'the key is of type number: give a string, or bytes as a Uint8Array'],
      ['put', ['k', undefined], 'the value is undefined: give a string, or bytes as a Uint8Array'],
      ['put', ['k', null], 'the value is null: give a string, or bytes as a Uint8Array'],
      ['put', ['k', ['v']], 'the value is an array: give a string, or bytes as a Uint8Array'],
      ['put', ['k', { v: 1 }], 'the value is of type object: give a string, or bytes as a Uint8Array'],
      ['mget', ['k'], 'the keys are of type string: give an array'],
      ['command', ['PING'], 'the words are of type string: give an array'],
      ['mset', [{ k: 'v' }], 'the pairs are of type object: give an array or a Map of keys and values'],
      ['get', ['k', { timeoutMs: '5' }], 'timeoutMs is a number above 0 and at most 2147483647'],
      ['get', ['k', 5], 'the options of a call are an object, such as { timeoutMs: 1000 }'],
    ];
    for (const [call, given, message] of cases) {
      const failure = await failureOf(untyped[call]?.(...given) ?? Promise.resolve());
      expect([failure.code, failure.message], call).to.deep.equal(['BAD_OPTION', message]);
    }
    expect(remote.connections()).to.equal(0);
  });

  it('WhatIsNoReplyEndsTheConnection', async () => {
    const [kv, remote] = await start((_line, _socket, connection) =>
      connection === 1 ? 'HTTP/1.1 400 Bad Request' : OK,
    );
    const failures = await Promise.all([kv.put('a', '1'), kv.get('a')].map(failureOf));
    expect(failures.map((failure) => failure.code)).to.deep.equal(['BAD_REPLY', 'BAD_REPLY']);
    expect(failures.map((failure) => failure.outcomeUnknown)).to.deep.equal([true, false]);
    await kv.put('a', '1');
    expect(remote.connections()).to.equal(2);
  });

  it('AReplyThatDoesNotFitIsNoAnswer', async () => {
    const [kv] = await start(() => value('surprise'));
    const failure = await failureOf(kv.put('a', '1'));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['BAD_REPLY', true]);
    expect((await failureOf(kv.count())).code).to.equal('BAD_REPLY');
  });

  it('ClosingFailsWhatIsUnderWayAndRefusesWhatFollows', async () => {
    const [kv, remote] = await start(() => undefined);
    const write = failureOf(kv.put('a', '1'));
    await remote.until(() => remote.lines.length === 1);
    kv.close();
    const failure = await write;
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['CLOSED', true]);
    expect((await failureOf(kv.get('a'))).code).to.equal('CLOSED');
    await remote.until(() => remote.openConnections() === 0);
    kv.close();
  });

  it('AFailureThatNobodyAwaitsIsDropped', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const [kv, remote] = await start((_line, socket) => {
        socket.destroy();
        return undefined;
      });
      void kv.put('a', '1');
      void kv.get('a', { timeoutMs: 1 });
      void kv.scan()[Symbol.asyncIterator]().next();
      await failureOf(kv.put('b', '2'));
      await remote.until(() => remote.openConnections() === 0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('WhatTheServerSaysBeforeItHangsUpIsTheReason', async () => {
    const [kv] = await start(
      (_line, socket) => {
        socket.end(refused('BUSY', 'too many connections: try again'));
        return undefined;
      },
      { whenUnreachable: 'fail' },
    );
    const failures = await Promise.all([kv.get('a'), kv.get('b')].map(failureOf));
    expect(failures.map((failure) => failure.code)).to.deep.equal(['BUSY', 'CONNECTION_LOST']);
  });

  it('OptionsThatMakeNoSenseAreRefused', () => {
    for (const options of [
      { address: 'nowhere' },
      { address: '127.0.0.1:0' },
      { timeoutMs: 0 },
      { timeoutMs: NaN },
      { timeoutMs: 2 ** 31 },
      { callsMax: 0 },
      { requestBytesMax: 1.5 },
      { connectionsMax: 0 },
      { addresses: [] },
      { addresses: ['a:1', 'b'] },
      { url: 'http://a:1' },
      { url: 'kv://a:1', address: 'a:1' },
      { reconnectDelayMinMs: 0 },
      { reconnectDelayMinMs: 10, reconnectDelayMaxMs: 9 },
      { reads: 'backup' },
      { values: 'text' },
      { whenUnreachable: 'never' },
    ]) {
      expect(() => createClient(options as ClientOptions), JSON.stringify(options)).to.throw(KvError);
    }
  });
});
