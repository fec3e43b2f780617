import { expect } from 'chai';
import { refusal } from '../../src/engine.js';
import type { ClusterId } from '../../src/engine.js';
import { openingText } from '../../src/server/handshake.js';
import { Conversation } from './conversation.js';
import { NONCE_A, knockByHand, shakeHands } from './hand-shake.js';
import { LIMITS, STRANGER, heartbeat, linkFixture, nodeId } from './linked-node.js';

const OTHER_CLUSTER = 'd'.repeat(32) as ClusterId;
const B = nodeId('b');

describe('Links to peers', () => {
  const fixture = linkFixture();

  it('AreOpenedAgainWhenThePeerIsBack', async () => {
    const a = await fixture.node();
    const b = await fixture.node({ id: B });
    a.links.reach([b.peer]);
    await a.link();
    const { port } = b;
    await b.stop();
    await b.until(() => b.count('down') === 1);
    const refused = await a.refusal();
    expect(refused.code).to.equal('UNREACHABLE');
    const again = await fixture.node({ id: B, port });
    const link = await a.link(1);
    link.send(heartbeat(7));
    await again.until(() => again.messages.length === 1);
    expect([a.count('up'), a.count('down')]).to.deep.equal([2, 1]);
  });

  it('FollowAPeerToItsNewAddress', async () => {
    const a = await fixture.node();
    const before = await fixture.node({ id: B });
    const after = await fixture.node({ id: B });
    a.links.reach([before.peer]);
    await a.link();
    a.links.reach([after.peer]);
    const link = await a.link(1);
    expect(link.peer.address).to.equal(after.address);
    await before.until(() => before.count('down') === 1);
    expect(a.told.map((event) => event.kind)).to.deep.equal(['up', 'down', 'up']);
  });

  it('StayWhenThePeersAreNamedAgainAndEndWhenTheyAreNotWanted', async () => {
    const a = await fixture.node();
    const b = await fixture.node({ id: B });
    a.links.reach([b.peer]);
    await a.link();
    a.links.reach([b.peer]);
    expect(a.count('down')).to.equal(0);
    a.links.reach([]);
    expect(a.count('down'), 'told within the call').to.equal(0);
    await a.until(() => a.count('down') === 1);
    await b.until(() => b.count('down') === 1);
    expect([a.count('up'), b.count('up')]).to.deep.equal([1, 1]);
  });

  it('AreNotOpenedOnceThePeerIsNotWanted', async () => {
    const a = await fixture.node();
    a.links.reach([{ node: B, address: '127.0.0.1:1' }]);
    await a.refusal();
    const b = await fixture.node({ id: B });
    a.links.reach([b.peer]);
    a.links.reach([]);
    expect(await a.links.identify(b.address)).to.deep.equal(b.identity());
    expect(b.count('up')).to.equal(0);
  });

  it('EndTogetherAndEachIsToldOnce', async () => {
    const a = await fixture.node();
    const others = [await fixture.node({ id: B }), await fixture.node({ id: nodeId('c') })];
    a.links.reach(others.map((other) => other.peer));
    for (const other of others) other.links.reach([a.peer]);
    await a.until(() => a.count('up') === 4);
    a.links.close();
    a.links.close();
    await a.until(() => a.count('down') === 4);
    for (const other of others) await other.until(() => other.count('unreachable') > 0);
    expect(new Set(a.told.flatMap((event) => (event.kind === 'down' ? [event.link] : []))).size).to.equal(4);
  });

  it('OutliveTheServerThatTookThem', async () => {
    const a = await fixture.node();
    const b = await fixture.node({ id: B });
    a.links.reach([b.peer]);
    const link = await a.link();
    await b.stopServer();
    link.send(heartbeat(1));
    await b.until(() => b.messages.length === 1);
  });

  it('AnotherLinkFromTheSameNodeTakesThePlaceOfTheFirst', async () => {
    const b = await fixture.node({ id: B, limits: { ...LIMITS, incomingMax: 1 } });
    const conversations: Conversation[] = [];
    for (let round = 1; round <= 3; round++) {
      const conversation = await Conversation.open(b.address);
      await shakeHands(conversation, STRANGER, b.id);
      conversations.push(conversation);
    }
    for (const replaced of conversations.slice(0, 2)) await replaced.toTheEnd();
    expect(b.told.map((event) => event.kind)).to.deep.equal(['up', 'down', 'up', 'down', 'up']);
    conversations[2]!.end();
    await b.until(() => b.count('down') >= 3);
    await conversations[2]!.toTheEnd();
    expect(b.count('down')).to.equal(3);
  });

  it('OthersOpenAreBounded', async () => {
    const b = await fixture.node({ id: B, limits: { ...LIMITS, incomingMax: 2 } });
    const [first, second, third] = [
      await fixture.node({ id: nodeId('1') }),
      await fixture.node({ id: nodeId('2') }),
      await fixture.node({ id: nodeId('3') }),
    ];
    for (const node of [first, second]) {
      node.links.reach([b.peer]);
      await node.link();
    }
    third.links.reach([b.peer]);
    expect(await third.refusal()).to.have.property('code', 'BUSY');
    first.links.close();
    await third.link();
  });

  it('ThatFailForOneReasonAreLoggedOnce', async () => {
    const a = await fixture.node();
    a.links.reach([{ node: B, address: '127.0.0.1:1' }]);
    await a.until(() => a.count('unreachable') === 3);
    expect(a.logged.filter((line) => line.includes('not reached'))).to.have.length(1);
  });

  it('AreNotMadeByAskingWhoIsThere', async () => {
    const a = await fixture.node({ cluster: undefined });
    const b = await fixture.node({ id: B });
    expect(await a.links.identify(b.address)).to.deep.equal(b.identity());
    expect(await b.links.identify(a.address)).to.deep.equal(a.identity());
    expect([a.told, b.told]).to.deep.equal([[], []]);
  });

  describe('are refused', () => {
    const soon = { ...LIMITS, handshakeMs: 150 };

    it('ToTheNodeItself', async () => {
      const a = await fixture.node();
      const found = await a.links.identify(a.address);
      expect(found).to.have.property('code', 'NOT_A_PEER');
      expect(found).to.have.property('message').that.includes('the node itself');
      const twin = await fixture.node({ id: a.id });
      expect(await a.links.identify(twin.address)).to.have.property('code', 'NOT_A_PEER');
    });

    it('ToAnotherNodeThanTheOneThatIsWanted', async () => {
      const a = await fixture.node();
      const b = await fixture.node({ id: B });
      a.links.reach([{ node: nodeId('c'), address: b.address }]);
      const refused = await a.refusal();
      expect(refused.code).to.equal('NOT_A_PEER');
      expect(refused.message).to.include(B);
      expect(b.count('up')).to.equal(0);
    });

    it('ToAnotherClusterEvenIfItsNodeWouldTakeThem', async () => {
      const a = await fixture.node();
      const b = await fixture.node({ id: B, cluster: OTHER_CLUSTER });
      a.links.reach([b.peer]);
      expect(await a.refusal()).to.have.property('code', 'WRONG_CLUSTER');
      a.links.reach([{ node: nodeId('c'), address: b.address }]);
      await a.until(() => a.refusals.length > 1 && a.refusals.at(-1)!.message.includes(b.address));
      expect(a.refusals.at(-1)).to.have.property('code', 'WRONG_CLUSTER');
      expect(a.count('up')).to.equal(0);
    });

    it('WhenTheNodeThereDoesNotAdmitThem', async () => {
      const a = await fixture.node();
      const reason = refusal('NOT_A_PEER', 'only the primary may add this node');
      const admit = (peer: { node: string }): typeof reason | undefined =>
        peer.node === a.id ? reason : undefined;
      const b = await fixture.node({ id: B, admit });
      expect(await a.links.identify(b.address)).to.deep.equal(reason);
      a.links.reach([b.peer]);
      expect(await a.refusal()).to.deep.equal(reason);
      expect(b.told).to.deep.equal([]);
    });

    it('WhileTheNodeStops', async () => {
      const a = await fixture.node();
      const b = await fixture.node({ id: B });
      b.links.close();
      expect(await a.links.identify(b.address)).to.have.property('code', 'BUSY');
    });

    const answers: readonly (readonly [string, string, string, RegExp])[] = [
      ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1\r\n', 'NOT_A_PEER', /an SSH server answers at/],
      ['a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'NOT_A_PEER', /a web server answers at/],
      ['a Redis server', "-ERR unknown command 'REPLICATE'\r\n", 'NOT_A_PEER', /something like a Redis/],
      ['bytes', '\x15\x03\x01\x00\x02\x02\x0a', 'NOT_A_PEER', /something else than a node answers/],
      ['a line without an end', 'x'.repeat(1024), 'NOT_A_PEER', /something else than a node answers/],
      ['an older server', 'ERROR UNKNOWN_COMMAND no such command\n', 'NOT_A_PEER', /no such command/],
    ];
    for (const [what, bytes, code, message] of answers) {
      it(`By ${what}`, async () => {
        const a = await fixture.node();
        const there = await fixture.listener((socket) => socket.write(Buffer.from(bytes, 'latin1')));
        a.links.reach([{ node: B, address: there.address }]);
        const refused = await a.refusal();
        expect(refused).to.have.property('code', code);
        expect(refused).to.have.property('message').that.matches(message);
      });
    }

    it('ByAPortThatSaysNothing', async () => {
      const a = await fixture.node({ limits: soon });
      const there = await fixture.listener(() => undefined);
      a.links.reach([{ node: B, address: there.address }]);
      const refused = await a.refusal();
      expect(refused.code).to.equal('UNREACHABLE');
      expect(refused.message).to.include('did not answer as a node');
      expect(there.sockets).to.have.length(1);
    });

    it('ByWhoeverHangsUp', async () => {
      for (const hangUp of ['end', 'destroy', 'resetAndDestroy'] as const) {
        const a = await fixture.node();
        const there = await fixture.listener((socket) => void socket.once('data', () => socket[hangUp]()));
        a.links.reach([{ node: B, address: there.address }]);
        const refused = await a.refusal();
        expect(refused.code).to.equal('UNREACHABLE');
        expect(refused.message).to.include('closed the connection');
      }
    });

    const addresses: readonly (readonly [string, RegExp])[] = [
      ['127.0.0.1:1', /nothing listens at/],
      ['no-such-host.invalid:7001', /cannot be resolved/],
      ['127.0.0.1:0', /port 0/],
      ['nowhere', /is no address/],
    ];
    for (const [address, message] of addresses) {
      it(`ByNobody at ${address}`, async () => {
        const a = await fixture.node();
        a.links.reach([{ node: B, address }]);
        expect(a.told, 'told within the call').to.have.length(0);
        const refused = await a.refusal();
        expect(refused.code).to.equal('UNREACHABLE');
        expect(refused.message).to.match(message);
      });
    }
  });

  describe('as a server sees them', () => {
    it('BeginWithTheFirstRequestOnly', async () => {
      const node = await fixture.node();
      for (const before of ['PING\n', 'NOTHING\n', '\n']) {
        const client = await Conversation.open(node.address);
        client.send(`${before}${openingText(NONCE_A, 'none')}\nPING\n`);
        const lines = await client.lines(3);
        expect(lines[1]).to.match(/^ERROR NOT_A_PEER /);
        expect(lines[2]).to.equal('PONG');
        client.end();
        await client.toTheEnd();
      }
      expect([node.told, node.warnings]).to.deep.equal([[], []]);
    });

    it('AreRefusedWhenTheyAreMalformed', async () => {
      const node = await fixture.node();
      const opening = openingText(NONCE_A, 'none');
      const filled = (length: number): string => `${opening} more=`.padEnd(length - 1, 'x');
      for (const line of ['REPLICATE', 'REPLICATE x', opening.replace('auth=', 'with='), filled(1025)]) {
        const client = await Conversation.open(node.address);
        client.send(`${line}\nPING\n`);
        const lines = await client.lines(2);
        expect(lines[0]).to.match(/^ERROR NOT_A_PEER /);
        expect(lines[1]).to.equal('PONG');
        client.end();
        await client.toTheEnd();
      }
      const client = await Conversation.open(node.address);
      client.send(`${filled(1024)}\n`);
      expect((await client.lines(1))[0]).to.match(/^CHALLENGE version=3 /);
      client.end();
      await client.toTheEnd();
    });

    it('ARefusalIsSaidAndTheConnectionCloses', async () => {
      const node = await fixture.node({ admit: () => refusal('WRONG_CLUSTER', 'it is of another cluster') });
      const client = await Conversation.open(node.address);
      await knockByHand(client, STRANGER, node.id);
      const [, answer] = (await client.toTheEnd()).split('\n');
      expect(answer).to.equal('ERROR WRONG_CLUSTER it is of another cluster proof=none');
    });
  });
});
