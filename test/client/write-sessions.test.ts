import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { failureOf } from './client-fixture.js';
import { notPrimary, refused } from './resp-answers.js';
import { useScriptedNodes } from './scripted-store.js';

describe('numbered writes', () => {
  const { startNode, clientOf, store } = useScriptedNodes();

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

  it('AreRefusedAtOnceByTheOnlyServerWhenTheyWereNotSentBefore', async () => {
    const node = await startNode();
    node.isPrimary = false;
    const kv = clientOf(node, { timeoutMs: 60_000 });
    for (const code of ['NOT_PRIMARY', 'NO_QUORUM'] as const) {
      node.fateOf = () => ({ answered: refused(code, 'unknown') });
      const failure = await failureOf(kv.put('a', '1'));
      expect([failure.code, failure.outcomeUnknown]).to.deep.equal([code, false]);
    }
    expect(store().applied).to.deep.equal([]);
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
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
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
    expect(store().applied).to.have.length(3_000);
  });

  it('GoOnInANewSessionWhenTheOldOneIsOver', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    store().expireSessions();
    await Promise.all([kv.put('a', '2'), kv.put('a', '3')]);
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
    expect(node.server.lines.slice(-5)).to.deep.equal([
      'SESSION',
      'SESSION 8 1 1',
      'PUT a 2',
      'SESSION 8 2 1',
      'PUT a 3',
    ]);
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

  it('AreRefusedWithoutASessionThatNobodyOpens', async () => {
    const node = await startNode();
    node.isPrimary = false;
    node.primary = 'unknown';
    const failure = await failureOf(clientOf(node, { timeoutMs: 60_000 }).put('a', '1'));
    expect([failure.code, failure.message]).to.deep.equal(['NOT_PRIMARY', 'unknown']);
    expect(notPrimary('unknown')).to.include(failure.message);
  });
});
