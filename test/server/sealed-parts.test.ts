import { expect } from 'chai';
import type { Message } from '../../src/replication/message.js';
import { linkKey, linkKeys } from '../../src/server/handshake-proofs.js';
import { decodeMessage } from '../../src/server/link-codec.js';
import { PART_BYTES_MAX, PartReader } from '../../src/server/link-parts.js';
import type { PartSink } from '../../src/server/link-parts.js';
import { PartSeal } from '../../src/server/part-seal.js';
import { testSeed, withSeed } from '../random.js';
import { Conversation } from './conversation.js';
import { SECRET, parts, sealOf, shakeHands } from './hand-shake.js';
import type { Shaken } from './hand-shake.js';
import { STRANGER, snapshotPart, LIMITS, heartbeat, linkFixture, nodeId } from './linked-node.js';
import type { LinkedNode } from './linked-node.js';

const B = nodeId('b');
const KEYS = linkKeys(linkKey(SECRET), 'said', true);

class Sink implements PartSink {
  readonly messages: Buffer[] = [];
  isClosed = false;

  message(bytes: Buffer): void {
    this.messages.push(bytes);
  }

  asked(): void {
    this.messages.push(Buffer.from('asked'));
  }
}

/** Each message in parts of its own, sealed one behind the other. */
function sealed(...messages: Message[]): Buffer[] {
  const seal = new PartSeal(KEYS.sending);
  return messages.flatMap((message) => parts(seal, message));
}

function read(pieces: readonly Buffer[]): { sink: Sink; fault: string | undefined } {
  const reader = new PartReader(LIMITS.messageBytesMax, { seal: new PartSeal(KEYS.sending) });
  const sink = new Sink();
  for (const piece of pieces) {
    const fault = reader.read(piece, sink);
    if (fault !== undefined) return { sink, fault };
  }
  return { sink, fault: undefined };
}

/** However a length was changed, the part ends in it. */
const ENOUGH = Buffer.alloc(2 * PART_BYTES_MAX);

describe('Sealed parts', () => {
  const messages = [heartbeat(1), heartbeat(2), heartbeat(3)];

  it('ComeThroughHoweverTheyAreCut', async () => {
    const all = Buffer.concat(sealed(...messages, snapshotPart(3 * PART_BYTES_MAX), heartbeat(4)));
    await withSeed(testSeed(), (random) => {
      for (let round = 0; round < 20; round++) {
        const pieces: Buffer[] = [];
        for (let at = 0; at < all.length;) {
          const length = round === 0 ? 1 + random.below(40) : 1 + random.below(100_000);
          pieces.push(all.subarray(at, at + length));
          at += length;
        }
        const { sink, fault } = read(pieces);
        expect(fault).to.equal(undefined);
        expect(sink.messages.map((bytes) => decodeMessage(bytes))).to.have.length(5);
      }
    });
  });

  it('AFlippedBitInAnyByteEndsTheLinkBeforeItsMessageIsTold', () => {
    const original = sealed(...messages);
    const all = Buffer.concat(original);
    for (let at = 0; at < all.length; at++) {
      const changed = Buffer.from(all);
      changed[at]! ^= 1 << (at % 8);
      const { sink, fault } = read([changed, ENOUGH]);
      expect(fault, `byte ${String(at)}`).to.be.a('string');
      const whole = Math.floor(at / original[0]!.length);
      expect(
        sink.messages.map((bytes) => decodeMessage(bytes)),
        `byte ${String(at)}`,
      ).to.deep.equal(messages.slice(0, whole));
    }
  });

  const [first, second, third] = sealed(...messages) as [Buffer, Buffer, Buffer];
  const disorders: readonly (readonly [string, readonly Buffer[], number])[] = [
    ['the first is left out', [second, third], 0],
    ['one is left out', [first, third], 1],
    ['one is repeated', [first, first, second, third], 1],
    ['two are swapped', [first, third, second], 1],
    ['one is taken from another link', [first, sealedBy('other')], 1],
    ['one came from this end', [first, sealedBy('said', false)], 1],
    ['there are no tags', parts(undefined, ...messages), 0],
  ];
  for (const [what, pieces, before] of disorders) {
    it(`EndTheLinkWhen ${what}`, () => {
      const { sink, fault } = read([...pieces, ENOUGH]);
      expect(fault).to.match(/wrong tag|malformed|impossible|unknown/);
      expect(sink.messages).to.have.length(before);
    });
  }

  it('AQuestionHasATagToo', () => {
    const key = KEYS.sending;
    const seal = new PartSeal(key);
    const head = Buffer.from([0, 0, 0, 0, 2, 1, 0, 0]);
    seal.begin();
    seal.add(head);
    const tag = seal.end();
    expect(read([head, tag]).sink.messages).to.have.length(1);
    tag[3]! ^= 1;
    const { sink, fault } = read([head, tag]);
    expect(sink.messages).to.have.length(0);
    expect(fault).to.match(/wrong tag/);
  });

  it('NeverHaveTheSameTagTwice', () => {
    const seal = new PartSeal(KEYS.sending);
    const tags = new Set<string>();
    for (let count = 0; count < 1000; count++) {
      seal.begin();
      seal.add(Buffer.from('same'));
      tags.add(seal.end().toString('hex'));
    }
    expect(tags.size).to.equal(1000);
  });

  function sealedBy(said: string, isOpener = true): Buffer {
    const seal = new PartSeal(linkKeys(linkKey(SECRET), said, isOpener).sending);
    const [, one] = messages.flatMap((message) => parts(seal, message));
    return one!;
  }
});

describe('A link with sealed parts', () => {
  const fixture = linkFixture();

  async function stranger(node: LinkedNode, digit = '5'): Promise<[Conversation, Shaken]> {
    const count = node.count('up');
    const conversation = await Conversation.open(node.address);
    const me = { ...STRANGER, node: nodeId(digit) };
    const shaken = await shakeHands(conversation, me, node.id, { secret: SECRET });
    await node.link(count);
    return [conversation, shaken];
  }

  it('IsClosedAfterAWrongOneAndThatIsSaidOnce', async () => {
    const b = await fixture.node({ id: B, secret: SECRET });
    for (let round = 1; round <= 3; round++) {
      const [conversation, { keys }] = await stranger(b);
      const [one, two, three] = parts(sealOf(keys), heartbeat(1), heartbeat(2), heartbeat(3)).flatMap(
        (taken) => thirds(taken),
      );
      conversation.send(one!);
      conversation.send(round === 1 ? three! : round === 2 ? one! : flipped(two!));
      conversation.send(two!);
      await b.until(() => b.count('down') === round);
      await conversation.toTheEnd();
      expect(b.messages).to.have.length(round);
    }
    expect(b.warnings).to.have.length(1);
    expect(b.warnings[0]).to.match(/its link was closed: it carried a part with a wrong tag/);
  });

  it('HoldsNoMoreOfMessagesThatAreNotWholeThanAllLinksMay', async () => {
    const limits = { ...LIMITS, assemblyBytesMax: 8 * PART_BYTES_MAX };
    const b = await fixture.node({ id: B, secret: SECRET, limits });
    const long = (keys: Shaken['keys'], count: number): Buffer[] =>
      parts(sealOf(keys), snapshotPart(count * PART_BYTES_MAX - 1000));
    const [first, firstShaken] = await stranger(b, '1');
    const firstParts = long(firstShaken.keys, 5);
    first.send(Buffer.concat(firstParts.slice(0, 3)));
    const [second, secondShaken] = await stranger(b, '2');
    second.send(Buffer.concat(long(secondShaken.keys, 9)));
    await b.until(() => b.count('down') === 1);
    expect(b.warnings).to.have.length(1);
    expect(b.warnings[0]).to.include('more than all links together may have');
    await second.toTheEnd();
    first.send(Buffer.concat(firstParts.slice(3)));
    await b.until(() => b.messages.length === 1);
    const [third, thirdShaken] = await stranger(b, '3');
    third.send(Buffer.concat(long(thirdShaken.keys, 5)));
    await b.until(() => b.messages.length === 2);
    expect(b.count('down')).to.equal(1);
    for (const conversation of [first, third]) conversation.end();
  });
});

/** Three messages of the same length, one behind the other. */
function thirds(bytes: Buffer): Buffer[] {
  const length = bytes.length / 3;
  return [0, 1, 2].map((at) => bytes.subarray(at * length, (at + 1) * length));
}

function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[changed.length - 1]! ^= 1;
  return changed;
}
