import { expect } from 'chai';
import net from 'node:net';
import { openingText } from '../../src/server/handshake.js';
import { Conversation } from './conversation.js';
import { NONCE_A, SECRET, answerByHand, knockByHand } from './hand-shake.js';
import { CLUSTER, STRANGER, expectRefusedOnce, heartbeat, linkFixture, nodeId } from './linked-node.js';

const A = nodeId('a');
const B = nodeId('b');

describe('Links that somebody without the secret wants', () => {
  const fixture = linkFixture();

  it('AreNotMadeByAReplayOfWhatAnOpenerSaid', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const a = await fixture.node({ id: A, secret: SECRET });
    let recorded = Buffer.alloc(0);
    const relay = await fixture.listener((socket) => {
      const onward = net.connect(b.port, '127.0.0.1');
      onward.on('error', () => undefined);
      socket.on('data', (chunk) => (recorded = Buffer.concat([recorded, chunk])));
      socket.pipe(onward).pipe(socket);
    });
    a.links.reach([{ node: B, address: relay.address }]);
    (await a.link()).send(heartbeat(1));
    await b.until(() => b.messages.length === 1);
    const before = b.told.length;
    for (const isAtOnce of [true, false]) {
      const client = await Conversation.open(b.address);
      const [opening, proof, behind] = splitLines(recorded);
      if (isAtOnce) {
        client.send(recorded);
      } else {
        client.send(opening);
        await client.lines(1);
        client.send(proof);
        await client.lines(2);
        client.send(behind);
      }
      expect(await client.toTheEnd()).to.match(/\nERROR NOT_A_PEER /);
    }
    expect(b.told).to.have.length(before);
    expect(b.warnings).to.have.length(2);
    expect(b.warnings[0]).to.match(/bytes came behind the handshake/);
    expect(b.warnings[1]).to.match(/the proof does not hold/);
  });

  it('AreNotMadeByAReplayOfWhatAListenerSaid', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    let said: readonly string[] = [];
    const real = await fixture.listener((socket) => {
      answerByHand(socket, STRANGER, { secret: SECRET }, ({ lines }) => (said = lines));
    });
    a.links.reach([{ node: STRANGER.node, address: real.address }]);
    await a.link();
    const fake = await fixture.listener((socket) => {
      socket.once('data', () => socket.write(`${said[1]!}\n`));
    });
    a.links.reach([{ node: STRANGER.node, address: fake.address }]);
    await a.until(() => a.count('unreachable') === 2);
    expect(a.count('up')).to.equal(1);
    expect(a.warnings).to.have.length(1);
    expect(a.warnings[0]).to.match(/has another secret, or is none/);
  });

  it('AreNotMadeBySendingTheChallengeBack', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    const there = await fixture.listener((socket) => {
      socket.once('data', (chunk) => {
        const nonce = /nonce=(\w+)/.exec(chunk.toString())![1]!;
        answerByHand(socket, STRANGER, { secret: SECRET, nonce });
        socket.emit('data', chunk);
      });
    });
    a.links.reach([{ node: STRANGER.node, address: there.address }]);
    await a.until(() => a.count('unreachable') === 2);
    expectRefusedOnce(a, /what was said to it came back/);
  });

  it('AreNotMadeWithProofsThatTheListenerGivesOnASecondConnection', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const first = await Conversation.open(b.address);
    first.send(`${openingText(NONCE_A, 'secret')}\n`);
    const [challenge] = await first.lines(1);
    const nonce = /nonce=(\w+)/.exec(challenge!)![1]!;
    const second = await Conversation.open(b.address);
    second.send(`${openingText(nonce, 'secret')}\n`);
    const [reflected] = await second.lines(1);
    const proof = /proof=(\w+)/.exec(reflected!)![1]!;
    const who = `cluster=${CLUSTER} node=${STRANGER.node} address=127.0.0.1:1 fsync=always role=backup`;
    first.send(`PROVE ${who} to=${B} proof=${proof}\n`);
    expect(await first.toTheEnd()).to.match(/\nERROR NOT_A_PEER the proof does not hold/);
    second.end();
    expectRefusedOnce(b, /the proof does not hold/);
  });

  it('AreNotMadeOfANodeWithItself', async () => {
    const a = await fixture.node({ id: A, secret: SECRET });
    const mirror = await fixture.listener((socket) => {
      const onward = net.connect(a.port, '127.0.0.1');
      onward.on('error', () => undefined);
      socket.pipe(onward).pipe(socket);
    });
    a.links.reach([{ node: B, address: mirror.address }]);
    expect(await a.refusal())
      .to.have.property('message')
      .that.includes('the node itself');
    // It is both ends of it, and each has its side to tell.
    expect(a.warnings).to.have.length(2);
    for (const warning of a.warnings) expect(warning).to.match(/this is the node itself/);
    expect(a.count('up')).to.equal(0);
  });

  it('AreNotMadeWithoutAProof', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const client = await Conversation.open(b.address);
    const tamper = (line: string): string => line.replace(/proof=\w+/, 'proof=none');
    await knockByHand(client, STRANGER, B, { secret: SECRET, tamper });
    await client.toTheEnd();
    expectRefusedOnce(b, /the proof does not hold/);
  });
});

/** The first two lines, and what is behind them. */
function splitLines(bytes: Buffer): [Buffer, Buffer, Buffer] {
  const first = bytes.indexOf('\n') + 1;
  const second = bytes.indexOf('\n', first) + 1;
  return [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
}
