import { expect } from 'chai';
import { failureOf } from './client-fixture.js';
import { OK, refused } from './resp-answers.js';
import { useScriptedNodes } from './scripted-store.js';
import type { ScriptedNode } from './scripted-store.js';

type Three = [ScriptedNode, ScriptedNode, ScriptedNode];

/** From here to there the machine may do something else. */
const TOLERANCE_MS = 400;

describe('a client during an election', () => {
  const { startNode, clientOf, store } = useScriptedNodes();

  /** The first one is the primary. */
  async function startThree(): Promise<Three> {
    const nodes = [await startNode(), await startNode(), await startNode()] as Three;
    for (const backup of nodes.slice(1)) {
      backup.isPrimary = false;
      backup.primary = nodes[0].server.address;
    }
    return nodes;
  }

  function elect(node: ScriptedNode): number {
    node.term++;
    node.isPrimary = true;
    return performance.now();
  }

  function questions({ server }: ScriptedNode): number {
    return server.lines.filter((line) => line === 'STATUS').length;
  }

  /** Resolves once so many questions more have reached the node. */
  async function asked(node: ScriptedNode, more: number): Promise<void> {
    const enough = questions(node) + more;
    await node.server.until(() => questions(node) >= enough);
  }

  it('SendsWhatThePrimaryDidAndDidNotAnswerToTheNextOneSoonAfterItServes', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third]);
    await kv.put('a', '1');
    let arrived = 0;
    first.fateOf = (line) => {
      arrived++;
      return line === 'DELETE a' ? 'done in silence' : 'ignored';
    };
    const calls = Promise.all([kv.delete('a'), kv.put('a', '2'), kv.put('a', '3')]);
    await first.server.until(() => arrived === 3);
    await first.server.close();
    await Promise.all([asked(second, 12), asked(third, 12)]);
    const servesMs = elect(second);
    expect((await calls)[0], 'as it was answered the first time').to.equal(true);
    expect(performance.now() - servesMs).to.be.below(150 + TOLERANCE_MS);
    expect(store().applied).to.deep.equal(['PUT a 1', 'DELETE a', 'PUT a 2', 'PUT a 3']);
  });

  it('LeavesAPausedPrimaryAsSoonAsAnotherOneServes', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third], { timeoutMs: 60_000 });
    await kv.put('a', '1');
    first.isPaused = true;
    const [write, read] = [kv.put('a', '2'), kv.get('a')];
    await asked(second, 4);
    expect(first.server.openConnections(), 'it may go on').to.equal(1);
    const servesMs = elect(second);
    await Promise.all([write, read]);
    expect(performance.now() - servesMs).to.be.below(200 + TOLERANCE_MS);
    await first.server.until(() => first.server.openConnections() === 0);
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 2']);
  });

  it('GoesOnWithAPrimaryThatWasPausedForAMomentAndAsksNobodyAnyMore', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third], { timeoutMs: 60_000 });
    await kv.put('a', '1');
    const before = first.server.connections();
    let goOn: (() => void) | undefined;
    first.fateOf = (line, _connection, socket) => {
      if (line !== 'PUT a 2') return undefined;
      goOn = () => socket.write(OK);
      return 'done in silence';
    };
    const write = kv.put('a', '2');
    await asked(second, 3);
    goOn?.();
    await write;
    expect(first.server.connections()).to.equal(before);
    await second.server.until(() => second.server.openConnections() === 0);
  });

  it('FollowsAHandOverAndSendsNothingTwiceThatWasRefused', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third]);
    await kv.put('a', '1');
    first.isPrimary = false;
    first.primary = second.server.address;
    const calls = Promise.all([kv.put('a', '2'), kv.put('a', '3'), kv.get('b')]);
    await second.server.until(() => second.server.lines.some((line) => line.startsWith('PUT')));
    elect(second);
    await calls;
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
  });

  it('WaitsOutRefusalsOfAllAndAsksMoreAndMoreSlowly', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third], { random: () => 1 });
    await kv.put('a', '1');
    const noQuorum = { answered: refused('NO_QUORUM', 'the others are gone') };
    first.fateOf = () => noQuorum;
    let early = await failureOf(kv.put('a', '2', { timeoutMs: 1_000 }));
    // After delays of 50 ms and a little more each time.
    const attempts = first.server.lines.filter((line) => line === 'PUT a 2').length;
    expect(attempts).to.be.within(3, 20);
    // Its last attempt was under way at that moment.
    while (early.outcomeUnknown) early = await failureOf(kv.put('a', '2', { timeoutMs: 1_000 }));
    expect([early.code, early.outcomeUnknown, early.answered]).to.deep.equal(['NO_QUORUM', false, true]);
    const write = kv.put('a', '3');
    first.fateOf = () => undefined;
    await write;
    expect(store().applied).to.deep.equal(['PUT a 1', 'PUT a 3']);
  });

  it('FindsTheOneThatServesWhenAllRefusedConnectionsOrOffice', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third], { timeoutMs: 15_000 });
    first.isPrimary = false;
    first.primary = 'unknown';
    await second.server.close();
    const calls = Promise.all([kv.put('a', '1'), kv.get('b')]);
    await asked(first, 10);
    const again = await startNode(second.server.port);
    const servesMs = performance.now();
    await calls;
    expect(performance.now() - servesMs).to.be.below(300 + TOLERANCE_MS);
    expect(again.server.lines).to.include('PUT a 1');
  });

  it('SendsReadsAgainThatNobodyAnsweredYet', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third]);
    await kv.put('a', '1');
    first.isPrimary = false;
    first.primary = 'unknown';
    const read = kv.get('a');
    await asked(second, 3);
    elect(third);
    expect(String(await read)).to.equal('1');
  });

  it('TellsWhatItDoesNotKnowWhenTheDeadlineEndsTheSearch', async () => {
    const [first, second, third] = await startThree();
    const kv = clientOf([first, second, third], { timeoutMs: 700 });
    await kv.put('a', '1');
    first.fateOf = () => 'done and broken';
    const sent = kv.put('a', '2');
    await first.server.until(() => store().applied.length === 2);
    first.isPrimary = false;
    first.primary = 'unknown';
    const failure = await failureOf(sent);
    expect([failure.code, failure.outcomeUnknown, failure.retryable]).to.deep.equal([
      'UNREACHABLE',
      true,
      true,
    ]);
    expect(failure.message).to.match(
      /^no answer within 0\.7 s: no primary was found: .*; the write may have taken effect/,
    );
    const unsent = await failureOf(kv.put('a', '3'));
    expect([unsent.code, unsent.outcomeUnknown]).to.deep.equal(['UNREACHABLE', false]);
  });
});
