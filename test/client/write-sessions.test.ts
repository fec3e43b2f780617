import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { failureOf } from './client-fixture.js';
import { ManualClock } from './manual-clock.js';
import { OK, notPrimary, refused } from './resp-answers.js';
import { ScriptedStore, startScriptedNode } from './scripted-store.js';
import type { Fate, ScriptedNode } from './scripted-store.js';

describe('numbered writes', () => {
  const ends: (() => void | Promise<void>)[] = [];
  let store: ScriptedStore;

  beforeEach(() => {
    store = new ScriptedStore();
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function startNode(): Promise<ScriptedNode> {
    const node = await startScriptedNode(store);
    ends.push(() => node.server.close());
    return node;
  }

  function clientOf(node: ScriptedNode, options: ClientOptions = {}): KvClient {
    const client = createClient({ address: node.server.address, ...options });
    ends.unshift(() => {
      client.close();
    });
    return client;
  }

  /** These fates befall the writes that arrive, one after the other, and then nothing does. Sessions open as usual. */
  function befall(node: ScriptedNode, ...fates: (Fate | undefined)[]): void {
    node.fateOf = (line) => (line === 'SESSION' ? undefined : fates.shift());
  }

  it('BeginWithASessionAndSayTheLowestNumberThatIsWaitedFor', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    await Promise.all([kv.put('b', '2'), kv.delete('c'), kv.mset([['d', '4']])]);
    await kv.put('e', '5');
    expect(node.server.lines).to.deep.equal([
      'SESSION',
      'SESSION 7 1 1',
      'PUT a 1',
      'SESSION 7 2 2',
      'PUT b 2',
      'SESSION 7 3 2',
      'DELETE c',
      'SESSION 7 4 2',
      'MSET d 4',
      'SESSION 7 5 5',
      'PUT e 5',
    ]);
    expect(node.server.chunks, 'each number in one piece with its write').to.have.length(4);
  });

  it('AreNotToBeHadWhereNothingWaits', () => {
    const contradiction = { whenUnreachable: 'fail', retryWrites: true } as const;
    expect(() => createClient(contradiction)).to.throw(/nothing is sent again/);
    const untyped = { retryWrites: 'no' } as unknown as ClientOptions;
    expect(() => createClient(untyped)).to.throw(/true or false/);
  });

  it('OpenNoSessionForReadsAndNoneWhenToldNotTo', async () => {
    const node = await startNode();
    const reader = clientOf(node);
    await reader.get('a');
    const plain = clientOf(node, { retryWrites: false });
    await plain.put('a', '1');
    const impatient = clientOf(node, { whenUnreachable: 'fail' });
    await impatient.put('a', '2');
    expect(node.server.lines).to.deep.equal(['GET a', 'PUT a 1', 'PUT a 2']);
  });

  for (const fate of ['broken', 'done and broken'] as const) {
    it(`AreDoneOnceAndAnsweredAsTheFirstTimeWhenTheConnectionIs ${fate}`, async () => {
      const node = await startNode();
      const kv = clientOf(node);
      await kv.put('a', '1');
      befall(node, fate);
      expect(await kv.delete('a')).to.equal(true);
      expect(store.applied).to.deep.equal(['PUT a 1', 'DELETE a']);
      expect(node.server.lines.filter((line) => line === 'DELETE a')).to.have.length(2);
    });
  }

  it('KeepTheirOrderWhenTheyAreSentAgain', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, undefined, 'done in silence', 'done in silence', 'done and broken');
    await Promise.all(['1', '2', '3', '4', '5', '6'].map((text) => kv.put('a', text)));
    expect(store.applied).to.deep.equal(['0', '1', '2', '3', '4', '5', '6'].map((text) => `PUT a ${text}`));
  });

  it('KeepTheirOrderWhenTheOneThatGoesFirstComesBackAgain', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, 'ignored', 'ignored', 'broken', { answered: refused('UNCONFIRMED', 'at 3:2') }, 'broken');
    await Promise.all(['1', '2', '3', '4'].map((text) => kv.put('a', text)));
    expect(store.applied).to.deep.equal(['0', '1', '2', '3', '4'].map((text) => `PUT a ${text}`));
  });

  it('GoFirstAloneOverANewConnection', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, 'broken', 'ignored', { answered: OK });
    const writes = ['1', '2', '3'].map((text) => kv.put('a', text));
    await node.server.until(() => node.server.connections() === 2);
    befall(node);
    await Promise.all(writes);
    const [first = NaN, second = NaN, third = NaN] = ['1', '2', '3'].map((text) =>
      node.server.lines.lastIndexOf(`PUT a ${text}`),
    );
    expect([second - first, third - second]).to.deep.equal([2, 2]);
    const [alone = NaN, together] = node.server.chunks.slice(-2);
    expect(together).to.equal(2 * alone);
  });

  it('GoOverAnotherConnectionWhenTheirsIsSilentForTheirShareOfTheDeadline', async () => {
    const clock = new ManualClock();
    const node = await startNode();
    const kv = clientOf(node, { timeoutMs: 6_000, clock });
    await kv.put('a', '1');
    befall(node, 'done in silence');
    const [write, read, startMs] = [kv.delete('a'), kv.get('b'), clock.nowMs()];
    await node.server.until(() => store.applied.length === 2);
    while (node.server.connections() < 2) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    // The third of the deadline, and the delay before connecting.
    expect(clock.nowMs() - startMs).to.be.within(2_000, 2_400);
    clock.advance(100);
    expect(await write, 'as it was answered the first time').to.equal(true);
    expect(await read).to.equal(undefined);
    expect(store.applied).to.deep.equal(['PUT a 1', 'DELETE a']);
  });

  it('HaveTheirWholeTimeWhenTheyAreLong', async () => {
    const clock = new ManualClock();
    const node = await startNode();
    const kv = clientOf(node, { timeoutMs: 6_000, clock });
    await kv.put('a', '1');
    node.fateOf = () => 'ignored';
    const failure = failureOf(kv.put('a', 'x'.repeat(1024 * 1024)));
    await node.server.until(() => node.server.lines.length === 5);
    for (let passedMs = 0; passedMs < 5_900; passedMs += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    expect(node.server.connections()).to.equal(1);
    clock.advance(100);
    expect((await failure).code).to.equal('TIMEOUT');
  });

  it('AreSentAgainWhenTheyAreNotConfirmed', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    const unconfirmed = refused('UNCONFIRMED', 'the write at 3:2 may still take effect');
    befall(node, { doneAndAnswered: unconfirmed }, { answered: unconfirmed });
    expect(await kv.delete('a')).to.equal(true);
    expect(store.applied).to.deep.equal(['PUT a 1', 'DELETE a']);
    expect(node.server.lines.slice(-2)).to.deep.equal(['SESSION 7 2 2', 'DELETE a']);
  });

  it('StayOpenWhenARefusalAnswersWhatWasSentBefore', async () => {
    const node = await startNode();
    const kv = clientOf(node, { timeoutMs: 400 });
    await kv.put('a', '1');
    node.fateOf = (_line, connection) =>
      connection === 1 ? 'done and broken' : { answered: refused('DISK_FULL', 'make room') };
    const failure = await failureOf(kv.put('a', '2'));
    expect([failure.code, failure.outcomeUnknown, failure.answered]).to.deep.equal(['DISK_FULL', true, true]);
    node.fateOf = () => ({ answered: refused('DISK_FULL', 'make room') });
    const other = await failureOf(kv.put('a', '3'));
    expect([other.code, other.outcomeUnknown]).to.deep.equal(['DISK_FULL', false]);
  });

  it('AreRefusedAtOnceByTheOnlyServerWhenTheyWereNotSentBefore', async () => {
    const node = await startNode();
    node.isPrimary = false;
    const kv = clientOf(node, { timeoutMs: 60_000 });
    for (const code of ['NOT_PRIMARY', 'NO_QUORUM'] as const) {
      node.fateOf = () => ({ answered: refused(code, 'unknown') });
      const failure = await failureOf(kv.put('a', '1'));
      expect([failure.code, failure.outcomeUnknown]).to.deep.equal([code, false]);
    }
    expect(store.applied).to.deep.equal([]);
  });

  it('FollowTheNamedPrimaryWithTheirSession', async () => {
    const [backup, primary] = [await startNode(), await startNode()];
    backup.isPrimary = false;
    backup.primary = primary.server.address;
    const kv = clientOf(backup);
    await kv.put('a', '1');
    expect(backup.server.lines).to.deep.equal(['SESSION']);
    expect(primary.server.lines).to.deep.equal(['SESSION', 'SESSION 7 1 1', 'PUT a 1']);
    primary.isPrimary = false;
    primary.primary = backup.server.address;
    backup.isPrimary = true;
    await Promise.all([kv.put('a', '2'), kv.put('a', '3')]);
    expect(store.applied).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
  });

  it('AreNoMoreThanTheServersKeepTheAnswersOf', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', 'first');
    let arrived = 0;
    node.fateOf = () => {
      arrived++;
      return 'ignored';
    };
    const writes = Array.from({ length: 1_026 }, (_, at) => failureOf(kv.put('a', String(at))));
    await node.server.until(() => arrived === 1_024);
    await failureOf(kv.get('a', { timeoutMs: 50 }));
    expect(arrived).to.equal(1_024);
    kv.close();
    const unknown = (await Promise.all(writes)).map(({ outcomeUnknown }) => outcomeUnknown);
    expect(unknown).to.deep.equal(writes.map((_, at) => at < 1_024));
  });

  it('TakeTheRoomThatAnswersMake', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await Promise.all(Array.from({ length: 3_000 }, (_, at) => kv.put('a', String(at))));
    const prefaces = node.server.lines.filter((line) => line.startsWith('SESSION 7 '));
    const numbers = prefaces.map((line) => line.split(' ').slice(2).map(Number));
    expect(numbers.map(([number]) => number)).to.deep.equal(numbers.map((_, at) => at + 1));
    for (const [number = NaN, lowest = NaN] of numbers) {
      expect(lowest).to.be.at.most(number);
      expect(number).to.be.below(lowest + 1_024);
    }
    expect(store.applied).to.have.length(3_000);
  });

  it('GoOnInANewSessionWhenTheOldOneIsOver', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    store.expireSessions();
    await Promise.all([kv.put('a', '2'), kv.put('a', '3')]);
    expect(store.applied).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
    expect(node.server.lines.slice(-5)).to.deep.equal([
      'SESSION',
      'SESSION 8 1 1',
      'PUT a 2',
      'SESSION 8 2 1',
      'PUT a 3',
    ]);
  });

  it('AreNeverDoneInANewSessionWhenTheyWereSentInTheOldOne', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    node.fateOf = (line) => {
      if (line !== 'PUT a 2') return undefined;
      store.expireSessions();
      node.fateOf = () => undefined;
      return 'broken';
    };
    const [second, third] = [failureOf(kv.put('a', '2')), failureOf(kv.put('a', '3'))];
    for (const failure of await Promise.all([second, third])) {
      expect([failure.code, failure.outcomeUnknown, failure.retryable]).to.deep.equal([
        'SESSION_EXPIRED',
        true,
        false,
      ]);
    }
    await kv.put('a', '4');
    expect(store.applied).to.deep.equal(['PUT a 1', 'PUT a 4']);
  });

  it('GoWithoutNumbersToAServerThatKnowsNoSessionsOrHasNoRoom', async () => {
    for (const knowsSessions of [false, true]) {
      const node = await startNode();
      node.knowsSessions = knowsSessions;
      node.fateOf = (line) =>
        line === 'SESSION' ? { answered: refused('BUSY', 'too many sessions') } : undefined;
      const kv = clientOf(node);
      await Promise.all([kv.put('a', '1'), kv.put('a', '2')]);
      await kv.put('a', '3');
      expect(node.server.lines).to.deep.equal(['SESSION', 'PUT a 1', 'PUT a 2', 'PUT a 3']);
      node.fateOf = () => 'done and broken';
      const failure = await failureOf(kv.put('a', '4'));
      expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['CONNECTION_LOST', true]);
      // Another process may be there now.
      node.knowsSessions = true;
      node.fateOf = () => undefined;
      await kv.put('a', '5');
      expect(
        node.server.lines.slice(-2).map((line) => line.replace(/^SESSION \d+/, 'SESSION n')),
      ).to.deep.equal(['SESSION n 1 1', 'PUT a 5']);
    }
  });

  it('OpenAnotherSessionWhenTheAnswerToTheFirstOpeningIsLost', async () => {
    const node = await startNode();
    node.fateOf = (_line, connection) => (connection === 1 ? 'done and broken' : undefined);
    const kv = clientOf(node);
    await kv.put('a', '1');
    expect(node.server.lines).to.deep.equal(['SESSION', 'SESSION', 'SESSION 8 1 1', 'PUT a 1']);
  });

  it('LeaveBehindWhatWasGivenUpSoThatItIsNotDoneLater', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    befall(node, 'ignored');
    const failure = await failureOf(kv.put('a', 'late', { timeoutMs: 50 }));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['TIMEOUT', true]);
    const again = failureOf(kv.put('a', '3', { timeoutMs: 50 }));
    await node.server.until(() => store.applied.includes('PUT a 3'));
    await again;
    expect(node.server.lines.at(-2)).to.equal('SESSION 7 3 3');
    expect(store.write(['PUT', 'a', 'late'], [7, 2, 2])).to.equal(
      refused('SESSION_EXPIRED', 'open another one'),
    );
    expect(store.applied).to.deep.equal(['PUT a 1', 'PUT a 3']);
  });

  it('AreNotSentForeverWhenEachTimeTheConnectionBreaks', async () => {
    const node = await startNode();
    const kv = clientOf(node, { timeoutMs: 60_000, reconnectDelayMaxMs: 50 });
    await kv.put('a', '1');
    node.fateOf = () => 'broken';
    const failure = await failureOf(kv.put('a', '2'));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['CONNECTION_LOST', true]);
    expect(node.server.lines.filter((line) => line === 'PUT a 2')).to.have.length(16);
  });

  it('EndWithTheirRefusalWhenALaterOneTookEffectBefore', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, { answered: refused('UNCONFIRMED', 'at 3:2') });
    const [first, second] = [failureOf(kv.put('a', '1')), kv.put('a', '2')];
    await second;
    const failure = await first;
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['UNCONFIRMED', true]);
    expect(store.applied).to.deep.equal(['PUT a 0', 'PUT a 2']);
  });

  it('AreRefusedWithoutASessionThatNobodyOpens', async () => {
    const node = await startNode();
    node.isPrimary = false;
    node.primary = 'unknown';
    const failure = await failureOf(clientOf(node, { timeoutMs: 60_000 }).put('a', '1'));
    expect([failure.code, failure.message]).to.deep.equal(['NOT_PRIMARY', 'unknown']);
    expect(notPrimary('unknown')).to.include(failure.message);
  });
});
