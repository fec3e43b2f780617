import { expect } from 'chai';
import { failureOf } from './client-fixture.js';
import { ManualClock } from './manual-clock.js';
import { OK, refused } from './resp-answers.js';
import { befall, useScriptedNodes } from './scripted-store.js';

describe('numbered writes that are sent again', () => {
  const { startNode, clientOf, store } = useScriptedNodes();

  for (const fate of ['broken', 'done and broken'] as const) {
    it(`AreDoneOnceAndAnsweredAsTheFirstTimeWhenTheConnectionIs ${fate}`, async () => {
      const node = await startNode();
      const kv = clientOf(node);
      await kv.put('a', '1');
      befall(node, fate);
      expect(await kv.delete('a')).to.equal(true);
      expect(store().applied).to.deep.equal(['PUT a 1', 'DELETE a']);
      expect(node.server.lines.filter((line) => line === 'DELETE a')).to.have.length(2);
    });
  }

  it('KeepTheirOrderWhenTheyAreSentAgain', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, undefined, 'done in silence', 'done in silence', 'done and broken');
    await Promise.all(['1', '2', '3', '4', '5', '6'].map((text) => kv.put('a', text)));
    expect(store().applied).to.deep.equal(['0', '1', '2', '3', '4', '5', '6'].map((text) => `PUT a ${text}`));
  });

  it('KeepTheirOrderWhenTheOneThatGoesFirstComesBackAgain', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '0');
    befall(node, 'ignored', 'ignored', 'broken', { answered: refused('UNCONFIRMED', 'at 3:2') }, 'broken');
    await Promise.all(['1', '2', '3', '4'].map((text) => kv.put('a', text)));
    expect(store().applied).to.deep.equal(['0', '1', '2', '3', '4'].map((text) => `PUT a ${text}`));
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
    await node.server.until(() => store().applied.length === 2);
    while (node.server.connections() < 2 && clock.nowMs() < 6_000) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    // The third of the deadline, and the delay before connecting.
    expect(clock.nowMs() - startMs).to.be.within(2_000, 2_400);
    clock.advance(100);
    expect(await write, 'as it was answered the first time').to.equal(true);
    expect(await read).to.equal(undefined);
    expect(store().applied).to.deep.equal(['PUT a 1', 'DELETE a']);
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
    expect(store().applied).to.deep.equal(['PUT a 1', 'DELETE a']);
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

  it('AreNeverDoneInANewSessionWhenTheyWereSentInTheOldOne', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    node.fateOf = (line) => {
      if (line !== 'PUT a 2') return undefined;
      store().expireSessions();
      node.fateOf = () => undefined;
      return 'broken';
    };
    const [second, third] = [failureOf(kv.put('a', '2')), failureOf(kv.put('a', '3'))];
    for (const failure of await Promise.all([second, third])) {
      expect([failure.code, failure.outcomeUnknown, failure.retryable]).to.deep.equal([
        'SESSION_EXPIRED',
        true,
        true,
      ]);
    }
    await kv.put('a', '4');
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 4']);
  });

  it('LeaveBehindWhatWasGivenUpSoThatItIsNotDoneLater', async () => {
    const node = await startNode();
    const kv = clientOf(node);
    await kv.put('a', '1');
    befall(node, 'ignored');
    const failure = await failureOf(kv.put('a', 'late', { timeoutMs: 50 }));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['TIMEOUT', true]);
    const again = failureOf(kv.put('a', '3', { timeoutMs: 50 }));
    await node.server.until(() => store().applied.includes('PUT a 3'));
    await again;
    expect(node.server.lines.at(-2)).to.equal('SESSION 7 3 3');
    expect(store().write(['PUT', 'a', 'late'], [7, 2, 2])).to.equal(
      refused('SESSION_EXPIRED', 'open another one'),
    );
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 3']);
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
    expect(store().applied).to.deep.equal(['PUT a 0', 'PUT a 2']);
  });
});
