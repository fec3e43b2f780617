import { expect } from 'chai';
import type { Index, NodeId, Term } from '../../src/engine.js';
import { wholeRange } from '../../src/engine.js';
import type { Link } from '../../src/node/ports.js';
import type { Append, Message } from '../../src/replication/message.js';
import { encodeMessage } from '../../src/server/link-codec.js';
import { frameOf } from '../log/frames.js';
import { plain } from './any-message.js';
import { Conversation } from './conversation.js';
import { answerByHand, parts, shakeHands } from './hand-shake.js';
import {
  STRANGER,
  snapshotPart,
  LIMITS,
  TickedClock,
  heartbeat,
  linkFixture,
  nodeId,
} from './linked-node.js';
import type { LinkedNode } from './linked-node.js';

/** A message in the parts in which it travels. */
function inParts(...messages: Message[]): Buffer {
  return Buffer.concat(parts(undefined, ...messages));
}

function append(value: Buffer): Append {
  const key = wholeRange(Buffer.from('key'));
  const at = { term: 1 as Term, index: 1 as Index, checksum: 0 };
  const frame = frameOf([{ kind: 'put', key, value: wholeRange(value) }], { term: 1, index: 2 });
  return {
    kind: 'append',
    term: at.term,
    previous: at,
    frames: [frame],
    commit: at.index,
    isServing: true,
    isMember: true,
    echoMs: undefined,
  };
}

function lengthOf(message: Message): number {
  return encodeMessage(message).reduce((sum, piece) => sum + piece.length, 0);
}

/** Somebody who speaks the handshake by hand, and reads what it is told to. */
async function stranger(node: LinkedNode, node_: NodeId = STRANGER.node): Promise<[Conversation, Link]> {
  const count = node.upLinks.length;
  const conversation = await Conversation.open(node.address);
  await shakeHands(conversation, { ...STRANGER, node: node_ }, node.id);
  return [conversation, await node.link(count)];
}

describe('A link', () => {
  const fixture = linkFixture();

  async function pair(options = {}): Promise<[LinkedNode, LinkedNode, Link, Link]> {
    const a = await fixture.node({ id: nodeId('a'), ...options });
    const b = await fixture.node({ id: nodeId('b'), ...options });
    a.links.reach([b.peer]);
    return [a, b, await a.link(), await b.link()];
  }

  it('CarriesMessagesInBothDirectionsInTheirOrder', async () => {
    const [a, b, toB, toA] = await pair();
    expect([toB.isOutgoing, toA.isOutgoing]).to.deep.equal([true, false]);
    expect([toB.peer, toA.peer]).to.deep.equal([b.identity(), a.identity()]);
    const sent = Array.from({ length: 500 }, (_, round) => heartbeat(round));
    for (const message of sent) {
      toB.send(message);
      toA.send(message);
    }
    await a.until(() => a.messages.length === sent.length);
    await b.until(() => b.messages.length === sent.length);
    expect(a.messages).to.deep.equal(sent);
    expect(b.messages).to.deep.equal(sent);
  });

  it('HeartbeatsPassAFrameOfTheLargestValue', async () => {
    const [a, b, toB] = await pair();
    const value = Buffer.alloc(64 * 1024 * 1024, 'v');
    value.writeUInt32LE(0xdeadbeef, value.length - 4);
    const large = append(value);
    toB.send(large);
    // The next one once the one before has arrived: they cannot all stand in front of the large one.
    for (let round = 0; round < 3; round++) {
      toB.send(heartbeat(round));
      await b.until(() => b.messages.length > round);
    }
    await b.until(() => b.messages.length === 4);
    expect(b.messages.map((message) => message.kind)).to.deep.equal([
      'heartbeat',
      'heartbeat',
      'heartbeat',
      'append',
    ]);
    const arrived = b.messages[3] as Append;
    const [sentFrame, frame] = [large.frames[0]!, arrived.frames[0]!];
    const sentBytes = sentFrame.bytes.subarray(sentFrame.start, sentFrame.end);
    expect(frame.bytes.subarray(frame.start, frame.end).equals(sentBytes)).to.equal(true);
    expect(a.count('down')).to.equal(0);
  });

  it('WhatWaitsForAPeerIsBounded', async () => {
    const part = snapshotPart(100_000);
    const queuedBytesMax = 10 * lengthOf(part);
    const [a, b, toB] = await pair({ limits: { ...LIMITS, queuedBytesMax } });
    // Nothing leaves within one turn.
    for (let count = 0; count < 10; count++) toB.send(part);
    await b.until(() => b.messages.length === 10);
    expect(a.count('down')).to.equal(0);
    for (let count = 0; count < 10; count++) toB.send(part);
    toB.send(heartbeat(1));
    expect(a.count('down'), 'told within the call').to.equal(0);
    await a.until(() => a.count('down') === 1);
    expect(a.logged.join('\n')).to.include('reads too slowly');
    expect(b.messages).to.have.length(10);
  });

  it('APeerThatReadsNothingIsLetGo', async () => {
    const node = await fixture.node({ limits: { ...LIMITS, queuedBytesMax: 4 * 1024 * 1024 } });
    const [conversation, link] = await stranger(node);
    conversation.socket.pause();
    const part = snapshotPart(1024 * 1024);
    // However much the kernel takes, it is not a gigabyte.
    for (let count = 0; count < 1024 && node.count('down') === 0; count++) {
      link.send(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(node.count('down')).to.equal(1);
  });

  it('AMessagePastTheBoundIsNotSent', async () => {
    const part = snapshotPart(100_000);
    const [a, b, toB] = await pair({ limits: { ...LIMITS, messageBytesMax: lengthOf(part) } });
    toB.send(part);
    await b.until(() => b.messages.length === 1);
    toB.send(snapshotPart(100_001));
    await a.until(() => a.count('down') === 1);
    expect(a.logged.join('\n')).to.match(/a message of \d+ bytes/);
  });

  for (const [what, bytes] of [
    ['garbage', Buffer.from('PUT key value\nGET key\n')],
    [
      'a part that holds no message',
      Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 1, 0, 0]), Buffer.from('abc')]),
    ],
  ] as const) {
    it(`IsClosedAfter ${what}`, async () => {
      const node = await fixture.node();
      const [conversation] = await stranger(node);
      conversation.send(inParts(heartbeat(1)));
      conversation.send(bytes);
      conversation.send(inParts(heartbeat(2)));
      await node.until(() => node.count('down') === 1);
      expect(node.messages).to.deep.equal([heartbeat(1)]);
      await conversation.toTheEnd();
    });
  }

  it('NothingArrivesOnItOnceItIsClosed', async () => {
    const a = await fixture.node({ id: nodeId('a') });
    const b = await fixture.node({ id: nodeId('b'), received: (link) => link.close() });
    a.links.reach([b.peer]);
    const toB = await a.link();
    for (let round = 0; round < 3; round++) toB.send(heartbeat(round));
    await b.until(() => b.count('down') === 1);
    await a.until(() => a.count('down') === 1);
    expect(b.told.slice(0, 3).map((event) => event.kind)).to.deep.equal(['up', 'received', 'down']);
  });

  it('WhatWasSentBeforeItWasClosedStillLeaves', async () => {
    const [, b, toB] = await pair();
    toB.send(heartbeat(1));
    toB.close();
    toB.send(heartbeat(2));
    await b.until(() => b.count('down') === 1);
    expect(b.messages).to.deep.equal([heartbeat(1)]);
  });

  it('IsDownWhenTheOtherEndEndsItsSide', async () => {
    const node = await fixture.node();
    const [conversation] = await stranger(node);
    conversation.end();
    await node.until(() => node.count('down') === 1);
    await conversation.toTheEnd();
  });

  it('BytesRightBehindTheHandshakeAreNotLost', async () => {
    const node = await fixture.node();
    const large = append(Buffer.alloc(300_000, 'v'));
    const behind = inParts(large, heartbeat(1)).toString('latin1');
    const answering = await fixture.listener((socket) => {
      const tamper = (line: string): string => (line.startsWith('OK ') ? `${line}\n${behind}` : line);
      socket.setDefaultEncoding('latin1');
      // The line ending that is written behind is the beginning of the next part.
      answerByHand(socket, STRANGER, { tamper });
    });
    node.links.reach([{ node: STRANGER.node, address: answering.address }]);
    await node.until(() => node.messages.length === 2);
    expect(node.messages.map(plain)).to.have.deep.members([plain(large), heartbeat(1)]);
  });

  describe('that is silent', () => {
    const ASK = Buffer.from([0, 0, 0, 0, 2, 1, 0, 0]);
    const ANSWER = Buffer.from([0, 0, 0, 0, 3, 1, 0, 0]);

    it('IsGivenUpAfterAWhile', async () => {
      const clock = new TickedClock();
      const node = await fixture.node({ clock });
      const [conversation] = await stranger(node);
      clock.tick(14);
      conversation.send(inParts(heartbeat(1)));
      await node.until(() => node.messages.length === 1);
      clock.tick(14);
      conversation.send(inParts(heartbeat(2)));
      await node.until(() => node.messages.length === 2);
      clock.tick(14);
      expect(node.logged.join('\n')).to.not.include('is down');
      clock.tick(1);
      await node.until(() => node.count('down') === 1);
      expect(node.logged.join('\n')).to.include('nothing was heard');
      await conversation.toTheEnd();
    });

    it('IsAskedByWhoeverOpenedIt', async () => {
      const clock = new TickedClock();
      const node = await fixture.node({ clock });
      let received = Buffer.alloc(0);
      let asked: () => void = () => undefined;
      const answering = await fixture.listener((socket) => {
        answerByHand(socket, STRANGER, {}, () => {
          socket.on('data', (chunk) => {
            received = Buffer.concat([received, chunk]);
            asked();
          });
        });
      });
      node.links.reach([{ node: STRANGER.node, address: answering.address }]);
      await node.link();
      clock.tick(4);
      const isAsked = new Promise<void>((resolve) => (asked = resolve));
      clock.tick(1);
      await isAsked;
      expect(received).to.deep.equal(ASK);
    });

    it('AnswersWhenItIsAsked', async () => {
      const node = await fixture.node();
      const [conversation] = await stranger(node);
      conversation.send(ASK);
      const all = await conversation.until((received) => received.endsWith(ANSWER.toString('latin1')));
      expect(all.split('\n')[2]).to.equal(ANSWER.toString('latin1'));
      conversation.end();
    });
  });
});
