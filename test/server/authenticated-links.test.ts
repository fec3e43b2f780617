import { expect } from 'chai';
import type { ClusterId } from '../../src/engine.js';
import { openingText } from '../../src/server/handshake.js';
import { strangerAt } from '../../src/server/knock.js';
import { testSeed, withSeed } from '../random.js';
import { Conversation } from './conversation.js';
import { NONCE_A, SECRET, answerByHand, knockByHand, shakeHands, signed } from './hand-shake.js';
import {
  CLUSTER,
  STRANGER,
  expectRefusedOnce,
  TickedClock,
  heartbeat,
  linkFixture,
  nodeId,
} from './linked-node.js';

const OTHER_SECRET = 'another secret of 16 bytes';
const A = nodeId('a');
const B = nodeId('b');

describe('Links between nodes with a secret', () => {
  const fixture = linkFixture();

  it('CarryMessagesInBothDirections', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    const b = await fixture.node({ id: B, secret: SECRET });
    a.links.reach([b.peer]);
    const [toB, toA] = [await a.link(), await b.link()];
    expect([toB.peer, toA.peer]).to.deep.equal([b.identity(), a.identity()]);
    const sent = Array.from({ length: 300 }, (_, round) => heartbeat(round));
    for (const message of sent) {
      toB.send(message);
      toA.send(message);
    }
    await a.until(() => a.messages.length === sent.length);
    await b.until(() => b.messages.length === sent.length);
    expect([a.messages, b.messages]).to.deep.equal([sent, sent]);
    expect([a.warnings, b.warnings]).to.deep.equal([[], []]);
  });

  it('AreNotMadeWithAnotherSecretAndBothEndsSayItOnce', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    const b = await fixture.node({ id: B, secret: OTHER_SECRET });
    a.links.reach([b.peer]);
    await a.until(() => a.count('unreachable') === 3);
    await b.until(() => b.logged.length >= 3);
    expectRefusedOnce(a, /has another secret, or is none: give every node .* the same --cluster-secret-file/);
    expectRefusedOnce(b, /left before it had proved to be a node: .*--cluster-secret-file/);
  });

  for (const opener of [SECRET, undefined]) {
    const listener = opener === undefined ? SECRET : undefined;
    it(`AreNotMadeWithANodeThatHasNone: ${opener === undefined ? 'it opens' : 'it is asked'}`, async () => {
      const a = await fixture.node({ id: A, ...(opener === undefined ? {} : { secret: opener }) });
      const b = await fixture.node({ id: B, ...(listener === undefined ? {} : { secret: listener }) });
      a.links.reach([b.peer]);
      await a.until(() => a.count('unreachable') === 3);
      const [has, hasNone] = [
        /has a secret .* the other one has none/,
        /has no secret .* the other one has one/,
      ];
      expectRefusedOnce(a, opener === undefined ? has : hasNone);
      expectRefusedOnce(b, opener === undefined ? has : hasNone);
    });
  }

  for (const own of [SECRET, undefined]) {
    it(`AreNotMadeWithAListenerThatSaysThatIt ${own === undefined ? 'has a secret' : 'has none'}`, async () => {
      const a = await fixture.node({ id: A, ...(own === undefined ? {} : { secret: own }) });
      let heard = '';
      const there = await fixture.listener((socket) => {
        socket.on('data', (chunk) => (heard += chunk.toString()));
        answerByHand(socket, STRANGER, { secret: own === undefined ? SECRET : undefined });
      });
      a.links.reach([{ node: STRANGER.node, address: there.address }]);
      await a.until(() => a.count('unreachable') === 2);
      expect(heard).to.not.include('PROVE');
      expectRefusedOnce(a, own === undefined ? /has a secret, and this one has none/ : /there has no secret/);
    });
  }

  it('AreNotMadeWithAnotherReleaseAndItIsSaidOnce', async () => {
    const node = await fixture.node({ id: A, secret: SECRET });
    for (let round = 0; round < 3; round++) {
      const client = await Conversation.open(node.address);
      client.send(`REPLICATE version=1 cluster=${CLUSTER} node=${B} address=127.0.0.1:1\n`);
      expect((await client.lines(1))[0]).to.match(
        /^ERROR NOT_A_PEER .*version 3 here and in version 1 there/,
      );
      client.end();
    }
    expectRefusedOnce(node, /version 3 here and in version 1 there/);
  });

  it('GiveAwayNothingBeforeTheOtherEndHasProvedItself', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    let heard = '';
    const there = await fixture.listener((socket) => {
      socket.on('data', (chunk) => (heard += chunk.toString()));
      answerByHand(socket, STRANGER, { secret: OTHER_SECRET });
    });
    a.links.reach([{ node: B, address: there.address }]);
    await a.refusal();
    expect(heard).to.match(/^REPLICATE version=3 nonce=[0-9a-f]{32} auth=secret\n$/);
    const client = await Conversation.open(a.address);
    client.send(`${openingText(NONCE_A, 'secret')}\n`);
    expect(await client.lines(1)).to.match(
      /^CHALLENGE version=3 nonce=[0-9a-f]{32} auth=secret proof=[0-9a-f]{64}$/,
    );
    client.end();
  });

  it('HaveANonceOfTheirOwnEachTime', async () => {
    const node = await fixture.node({ id: A, secret: SECRET });
    const challenges = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const client = await Conversation.open(node.address);
      client.send(`${openingText(NONCE_A, 'secret')}\n`);
      challenges.add((await client.lines(1))[0]!);
      client.end();
    }
    expect(challenges.size).to.equal(5);
  });

  describe('of which something is changed on the way', () => {
    const fields: readonly (readonly [string, string])[] = [
      ['role=backup', 'role=primary'],
      [`node=${STRANGER.node}`, `node=${nodeId('6')}`],
      [`cluster=${CLUSTER}`, 'cluster=none'],
      [`cluster=${CLUSTER}`, `cluster=${'d'.repeat(32)}`],
      ['address=127.0.0.1:1', 'address=127.0.0.1:2'],
      ['fsync=always', 'fsync=off'],
      ['the proof', 'proof='],
    ];
    for (const [from, to] of fields) {
      const change =
        (start: string) =>
        (line: string): string => {
          if (!line.startsWith(start)) return line;
          if (to !== 'proof=') return line.replace(from, to);
          const [text, proof] = line.split(' proof=') as [string, string];
          return `${text} proof=${proof.startsWith('0') ? '1' : '0'}${proof.slice(1)}`;
        };

      it(`TheListenerTakesNo ${to} for ${from}`, async () => {
        const b = await fixture.node({ id: B, secret: SECRET });
        for (const target of [B, undefined]) {
          const client = await Conversation.open(b.address);
          await knockByHand(client, STRANGER, target, { secret: SECRET, tamper: change('PROVE ') });
          const [, answer] = (await client.toTheEnd()).split('\n');
          expect(answer).to.match(/^ERROR NOT_A_PEER the proof does not hold[^=]*$/);
        }
        expectRefusedOnce(b, /the proof does not hold/);
      });

      it(`TheOpenerTakesNo ${to} for ${from}`, async () => {
        const a = await fixture.node({ id: A, secret: SECRET });
        const tamper = change('OK ');
        const there = await fixture.listener((socket) => {
          answerByHand(socket, STRANGER, { secret: SECRET, tamper });
        });
        a.links.reach([{ node: STRANGER.node, address: there.address }]);
        await a.until(() => a.count('unreachable') === 2);
        expectRefusedOnce(a, /the answer is not the one that the node there gave/);
      });
    }

    it('TheListenerTakesNoOtherTarget', async () => {
      const b = await fixture.node({ id: B, secret: SECRET });
      for (const [to, changed] of [
        [undefined, B],
        [B, 'any'],
      ] as const) {
        const client = await Conversation.open(b.address);
        const tamper = (line: string): string => line.replace(/ to=\w+/, ` to=${changed}`);
        await knockByHand(client, STRANGER, to, { secret: SECRET, tamper });
        await client.toTheEnd();
      }
      expectRefusedOnce(b, /the proof does not hold/);
    });

    it('NoOpeningAndNoChallengeIsTaken', async () => {
      const b = await fixture.node({ id: B, secret: SECRET });
      const client = await Conversation.open(b.address);
      const tamper = (line: string): string =>
        line.startsWith('REPLICATE') ? line.replace(NONCE_A, NONCE_A.replace('0', '1')) : line;
      await knockByHand(client, STRANGER, B, { secret: SECRET, tamper });
      await client.toTheEnd();
      expectRefusedOnce(b, /the proof does not hold/);
      const a = await fixture.node({ id: A, secret: SECRET });
      const there = await fixture.listener((socket) => {
        answerByHand(socket, STRANGER, {
          secret: SECRET,
          tamper: (line) => line.replace('nonce=0b', 'nonce=0c'),
        });
      });
      a.links.reach([{ node: STRANGER.node, address: there.address }]);
      await a.refusal();
      expectRefusedOnce(a, /has another secret, or is none/);
    });

    it('NoErrorIsBelievedThatTheNodeDidNotGive', async () => {
      const a = await fixture.node({ id: A, secret: SECRET });
      const tamper = (line: string): string =>
        line.startsWith('OK ') ? `ERROR WRONG_CLUSTER no proof=${'0'.repeat(64)}` : line;
      const there = await fixture.listener((socket) => {
        answerByHand(socket, STRANGER, { secret: SECRET, tamper });
      });
      a.links.reach([{ node: STRANGER.node, address: there.address }]);
      expect(await a.refusal()).to.have.property('code', 'NOT_A_PEER');
      expectRefusedOnce(a, /the answer is not the one that the node there gave/);
    });
  });

  it('AreMadeHoweverTheLinesAreCut', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 6; round++) {
        const client = await Conversation.open(b.address);
        client.socket.setNoDelay(true);
        const send = async (line: string): Promise<void> => {
          for (let rest = Buffer.from(`${line}\n`); rest.length > 0;) {
            const length = round === 0 ? 1 : round === 1 ? rest.length : 1 + random.below(rest.length);
            client.send(rest.subarray(0, length));
            rest = rest.subarray(length);
            await new Promise((resolve) => setImmediate(resolve));
          }
        };
        const opening = openingText(NONCE_A, 'secret');
        await send(opening);
        const [challenge] = await client.lines(1);
        const who = `cluster=${CLUSTER} node=${STRANGER.node} address=127.0.0.1:1 fsync=always role=backup`;
        await send(signed(`PROVE ${who} to=${B}`, 'opener', `${opening}\n${challenge!}\n`, SECRET));
        expect((await client.lines(2))[1]).to.match(/^OK cluster=/);
        client.end();
        await client.toTheEnd();
      }
    });
    expect(b.count('up')).to.equal(6);
    expect(b.warnings).to.deep.equal([]);
  });

  it('AreAnsweredByAMemberOfAnotherClusterWithAProofToo', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    const b = await fixture.node({ id: B, secret: SECRET, cluster: 'd'.repeat(32) as ClusterId });
    a.links.reach([{ node: nodeId('c'), address: b.address }]);
    expect(await a.refusal()).to.have.property('code', 'WRONG_CLUSTER');
  });

  it('AreToldAgainWhenTheyAreRefusedOnceMoreAfterOneHasWorkedForAWhile', async () => {
    const clock = new TickedClock();
    const b = await fixture.node({ id: B, secret: SECRET, clock });
    const refuse = async (): Promise<void> => {
      const client = await Conversation.open(b.address);
      await knockByHand(client, STRANGER, B, { secret: OTHER_SECRET });
      await client.toTheEnd();
    };
    await refuse();
    await refuse();
    expectRefusedOnce(b, /the proof does not hold/);
    const client = await Conversation.open(b.address);
    await shakeHands(client, STRANGER, B, { secret: SECRET });
    clock.tick(9);
    await refuse();
    expect(b.warnings, 'one that opens may close at once').to.have.length(1);
    clock.tick(1);
    await refuse();
    await refuse();
    expect(b.warnings).to.have.length(2);
    client.end();
  });

  it('AreNotNeededOnOneMachineAndCannotBeDoneWithoutBeyondIt', () => {
    const without = { nonce: NONCE_A, auth: 'none', line: '' } as const;
    for (const host of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
      expect(strangerAt(host, without, false), host).to.equal(undefined);
    }
    for (const host of ['10.0.0.1', '192.0.2.1', '::', '::ffff:10.0.0.1', 'fe80::1', '', undefined]) {
      expect(strangerAt(host, without, false)?.message, host).to.include('--cluster-secret-file');
      expect(strangerAt(host, { ...without, auth: 'secret' }, true), host).to.equal(undefined);
    }
  });
});
