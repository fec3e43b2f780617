import { expect } from 'chai';
import { refusal } from '../../src/engine.js';
import type { Refusal } from '../../src/engine.js';
import { openingText, proveText, withProof } from '../../src/server/handshake.js';
import { Conversation } from './conversation.js';
import { NONCE_A, SECRET, knockByHand, shakeHands } from './hand-shake.js';
import { STRANGER, LIMITS, linkFixture, nodeId } from './linked-node.js';
import type { LinkedNode } from './linked-node.js';

const B = nodeId('b');

describe('Who has knocked and not proved to be a node', () => {
  const fixture = linkFixture();

  async function knocking(node: LinkedNode): Promise<Conversation> {
    const client = await Conversation.open(node.address);
    client.send(`${openingText(NONCE_A, 'secret')}\n`);
    return client;
  }

  async function challenged(node: LinkedNode): Promise<Conversation> {
    const client = await knocking(node);
    expect((await client.lines(1))[0]).to.match(/^CHALLENGE /);
    return client;
  }

  it('IsOneOfAsManyAsTheBoundAndAnotherIsTold', async () => {
    expect([LIMITS.handshakesMax, LIMITS.handshakeMs]).to.deep.equal([128, 3000]);
    const b = await fixture.node({ id: B, secret: SECRET, limits: { ...LIMITS, handshakesMax: 3 } });
    const waiting = [await challenged(b), await challenged(b), await challenged(b)];
    const late = await knocking(b);
    expect(await late.toTheEnd()).to.match(/^ERROR BUSY 3 handshakes are under way/);
    waiting[0]!.end();
    await waiting[0]!.toTheEnd();
    const next = await challenged(b);
    for (const client of [...waiting, next]) client.end();
    expect(b.told).to.deep.equal([]);
  });

  it('IsNotEvenToldPastTwiceTheBound', async () => {
    const b = await fixture.node({ id: B, secret: SECRET, limits: { ...LIMITS, handshakesMax: 2 } });
    const waiting = [await challenged(b), await challenged(b)];
    // These are told, and do not let go of the connection.
    const told: Conversation[] = [];
    for (let count = 0; count < 2; count++) {
      const client = await knocking(b);
      await client.lines(1);
      told.push(client);
    }
    const late = await knocking(b);
    expect(await late.toTheEnd()).to.equal('');
    for (const client of [...waiting, ...told]) client.end();
  });

  it('IsCountedUntilItIsGoneAlsoWhenItProvedToBeANodeAndIsNotLetIn', async () => {
    const admit = (): Refusal => refusal('WRONG_CLUSTER', 'it is of another cluster');
    const b = await fixture.node({ id: B, secret: SECRET, admit, limits: { ...LIMITS, handshakesMax: 1 } });
    const told: Conversation[] = [];
    for (let count = 0; count < 2; count++) {
      const client = await Conversation.open(b.address);
      await knockByHand(client, STRANGER, B, { secret: SECRET });
      expect((await client.lines(2))[1]).to.match(/^ERROR WRONG_CLUSTER /);
      told.push(client);
    }
    expect(await (await knocking(b)).toTheEnd()).to.equal('');
    for (const client of told) client.end();
    for (const client of told) await client.toTheEnd();
    (await challenged(b)).end();
  });

  it('DoesNotStandInTheWayOfLinks', async () => {
    const limits = { ...LIMITS, handshakesMax: 1 };
    const b = await fixture.node({ id: B, secret: SECRET, limits });
    const links: Conversation[] = [];
    for (const digit of ['1', '2', '3']) {
      const client = await Conversation.open(b.address);
      await shakeHands(client, { ...STRANGER, node: nodeId(digit) }, B, { secret: SECRET });
      links.push(client);
    }
    expect(b.count('up')).to.equal(3);
    for (const client of links) client.end();
  });

  it('HoldsALineOfBytesAtMost', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const patient = await challenged(b);
    patient.send('x'.repeat(1023));
    // Whoever comes later is answered later.
    const witness = await challenged(b);
    expect(patient.isClosed).to.equal(false);
    patient.send('x');
    expect(await patient.toTheEnd()).to.match(/\nERROR NOT_A_PEER it sent more than a handshake may have\n$/);
    const large = await challenged(b);
    large.send('x'.repeat(1_000_000));
    await large.toTheEnd();
    const longest = await challenged(b);
    const line = withProof(`${proveText(STRANGER, B)} more=`, 'a'.repeat(64));
    longest.send(`${line.replace('more=', 'more='.padEnd(5 + 1023 - line.length, 'x'))}\n`);
    expect(await longest.toTheEnd()).to.match(/\nERROR NOT_A_PEER the proof does not hold/);
    witness.end();
    expect(b.told).to.deep.equal([]);
  });

  it('IsLetGoAfterATime', async () => {
    const b = await fixture.node({ id: B, secret: SECRET, limits: { ...LIMITS, handshakeMs: 100 } });
    const silent = await challenged(b);
    const slow = await challenged(b);
    const drip = setInterval(() => slow.send('P'), 10);
    for (const client of [silent, slow]) {
      expect(await client.toTheEnd()).to.match(
        /\nERROR NOT_A_PEER it did not prove to be a node within 0.1 s\n$/,
      );
    }
    clearInterval(drip);
    expect(b.warnings).to.have.length(1);
  });

  it('SaysNothingMoreBeforeItIsAnswered', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const client = await Conversation.open(b.address);
    await knockByHand(client, STRANGER, B, {
      secret: SECRET,
      tamper: (line) => (line.startsWith('PROVE') ? `${line}\nGET key` : line),
    });
    expect(await client.toTheEnd()).to.match(/\nERROR NOT_A_PEER bytes came behind the handshake/);
    expect(b.told).to.deep.equal([]);
  });

  it('IsNoClientAnyMore', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const client = await challenged(b);
    client.send('PING\n');
    expect(await client.toTheEnd()).to.match(
      /\nERROR NOT_A_PEER what came is not how a node proves who it is\n$/,
    );
  });

  it('IsLetGoWhenTheNodeStops', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    const client = await challenged(b);
    b.links.close();
    await client.toTheEnd();
  });
});
