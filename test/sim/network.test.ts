import { expect } from 'chai';
import { refusal } from '../../src/engine.js';
import type { ClusterId, Index, NodeId, Refusal, Term } from '../../src/engine.js';
import type { Link, Network } from '../../src/node/ports.js';
import type { Message } from '../../src/replication/message.js';
import { frameOf, range } from '../log/frames.js';
import { seededRandom } from '../random.js';
import { CALM, SimulatedNetwork } from './network.js';
import { Process, Scheduler } from './scheduler.js';

const TERM = 1 as Term;

/** A node that does nothing but note what the network tells it. */
class Listener {
  readonly process: Process;
  readonly network: Network;
  readonly told: string[] = [];
  readonly messages: Message[] = [];
  links: Link[] = [];
  refuses: Refusal | undefined;

  constructor(world: World, name: string) {
    this.process = new Process(world.scheduler, name);
    this.network = world.network.join(this.process, name);
    const cluster = 'c' as ClusterId;
    this.network.observe({
      identity: () => ({
        node: `id of ${name}` as NodeId,
        cluster,
        address: name,
        fsync: 'always',
        role: 'backup',
      }),
      admit: () => this.refuses,
      up: (link) => {
        this.links.push(link);
        this.told.push(`up ${link.peer.address} ${link.isOutgoing ? 'out' : 'in'}`);
      },
      received: (_link, message) => {
        this.messages.push(message);
        this.told.push(message.kind === 'append answer' ? String(message.durable) : message.kind);
      },
      down: (link) => {
        this.links = this.links.filter((other) => other !== link);
        this.told.push(`down ${link.peer.address}`);
      },
      unreachable: (peer, reason) => this.told.push(`unreachable ${peer.address} ${reason.code}`),
    });
  }
}

class World {
  readonly scheduler = new Scheduler();
  readonly network = new SimulatedNetwork(this.scheduler, seededRandom(1));
  readonly a = new Listener(this, 'a');
  readonly b = new Listener(this, 'b');

  run(ms: number): Promise<void> {
    return this.scheduler.run(this.scheduler.nowMs + ms);
  }

  async connected(): Promise<this> {
    this.a.network.reach([peer('b')]);
    await this.run(100);
    return this;
  }
}

function peer(name: string, node = `id of ${name}`): { node: NodeId; address: string } {
  return { node: node as NodeId, address: name };
}

function numbered(durable: number): Message {
  const index = durable as Index;
  return { kind: 'append answer', term: TERM, matched: index, durable: index, sentMs: 1 };
}

describe('the simulated network', () => {
  it('OpensALinkBothWays', async () => {
    const { a, b, ...world } = await new World().connected();
    expect(a.told).to.deep.equal(['up b out']);
    expect(b.told).to.deep.equal(['up a in']);
    a.links[0]?.send(numbered(1));
    b.links[0]?.send(numbered(2));
    await world.scheduler.run(200);
    expect(a.told).to.deep.equal(['up b out', '2']);
    expect(b.told).to.deep.equal(['up a in', '1']);
  });

  it('KeepsTheOrderOfALinkWhenItIsCalm', async () => {
    const world = await new World().connected();
    for (let at = 0; at < 50; at++) world.a.links[0]?.send(numbered(at));
    await world.run(100);
    expect(world.b.told.slice(1)).to.deep.equal(Array.from({ length: 50 }, (_, at) => String(at)));
  });

  it('LosesDoublesAndReordersMessages', async () => {
    const world = await new World().connected();
    world.network.temper = { ...CALM, lossRate: 0.2, duplicateRate: 0.2, reorderRate: 0.2 };
    for (let at = 0; at < 200; at++) world.a.links[0]?.send(numbered(at));
    await world.run(1000);
    const numbers = world.b.told.slice(1).map(Number);
    expect(new Set(numbers).size).to.be.within(100, 199);
    expect(numbers.length).to.be.greaterThan(new Set(numbers).size);
    expect(numbers).to.not.deep.equal([...numbers].sort((x, y) => x - y));
  });

  it('SharesNoBytesBetweenNodes', async () => {
    const world = await new World().connected();
    const frame = frameOf([{ kind: 'put', key: range('k'), value: range('v') }]);
    const previous = { term: 0 as Term, index: 0 as Index, checksum: 0 };
    const standing = { isServing: true, isMember: true, echoMs: undefined };
    const facts = { term: TERM, commit: 0 as Index, ...standing };
    // The first of a kind goes through the codec, the next one does not: what arrives is the same.
    for (let count = 0; count < 2; count++) {
      world.a.links[0]?.send({ kind: 'append', previous, frames: [frame], ...facts });
    }
    await world.run(100);
    expect(world.b.messages).to.have.length(2);
    for (const message of world.b.messages) {
      const copy = message.kind === 'append' ? message.frames[0] : undefined;
      expect(copy?.checksum).to.equal(frame.checksum);
      expect(copy?.bytes.buffer).to.not.equal(frame.bytes.buffer);
      expect(copy?.bytes.subarray(copy.start, copy.end)).to.deep.equal(
        frame.bytes.subarray(frame.start, frame.end),
      );
    }
    expect(world.b.messages[1]).to.deep.equal(world.b.messages[0]);
    expect(world.b.messages[1]).to.not.equal(world.b.messages[0]);
  });

  it('TellsWhenBytesChangeUnderWay', async () => {
    const world = await new World().connected();
    const frame = frameOf([{ kind: 'put', key: range('k'), value: range('v') }]);
    let changed = 0;
    world.network.changedUnderWay = () => changed++;
    world.a.links[0]?.send({ kind: 'supply', term: TERM, previous: undefined, frames: [frame] });
    frame.bytes[frame.end - 1]! ^= 1;
    await world.run(100);
    expect(changed).to.equal(1);
  });

  it('SaysThatAnotherNodeStandsAtTheAddress', async () => {
    const world = new World();
    world.a.network.reach([peer('b', 'somebody else')]);
    await world.run(20);
    expect(world.a.told[0]).to.equal('unreachable b UNREACHABLE');
    expect(world.b.told).to.deep.equal([]);
  });

  it('SaysWhyANodeIsNotLetIn', async () => {
    const world = new World();
    world.b.refuses = refusal('WRONG_CLUSTER', 'no');
    world.a.network.reach([peer('b')]);
    await world.run(20);
    expect(world.a.told[0]).to.equal('unreachable b WRONG_CLUSTER');
  });

  it('TellsTheOtherSideWhenAProcessEnds', async () => {
    const world = await new World().connected();
    world.a.links[0]?.send(numbered(1));
    world.b.process.end();
    await world.run(15_000);
    expect(world.a.told.slice(0, 2)).to.deep.equal(['up b out', 'down b']);
    expect(world.a.told[2]).to.equal('unreachable b UNREACHABLE');
    expect(world.b.told).to.deep.equal(['up a in']);
  });

  it('NeverReachesALaterProcessOnAnOldLink', async () => {
    const world = await new World().connected();
    const [old] = world.a.links;
    world.b.process.end();
    const next = new Listener(world, 'b');
    old?.send(numbered(1));
    await world.run(15_000);
    expect(next.told).to.deep.equal(['up a in']);
  });

  it('OpensALinkAgainThatBroke', async () => {
    const world = await new World().connected();
    world.network.temper = { ...CALM, breakRate: 1 };
    world.a.links[0]?.send(numbered(1));
    world.network.temper = { ...CALM };
    await world.run(5000);
    expect(world.a.told).to.deep.equal(['up b out', 'down b', 'up b out']);
    expect(world.b.told).to.deep.equal(['up a in', 'down a', 'up a in']);
  });

  it('ClosesTheLinkToWhomIsNotReachedAnyMore', async () => {
    const world = await new World().connected();
    world.a.network.reach([]);
    await world.run(5000);
    expect(world.a.told).to.deep.equal(['up b out', 'down b']);
    expect(world.b.told).to.deep.equal(['up a in', 'down a']);
  });

  it('TellsBothSidesOnceWhenOneClosesALinkAndNeverDuringTheCall', async () => {
    const world = await new World().connected();
    const [link] = world.b.links;
    link?.close();
    link?.close();
    expect(world.b.told).to.deep.equal(['up a in']);
    await world.run(30);
    expect(world.b.told).to.deep.equal(['up a in', 'down a']);
    expect(world.a.told).to.deep.equal(['up b out', 'down b']);
  });

  it('TakesANewLinkInPlaceOfAnEarlierOneOfTheSameNode', async () => {
    const world = await new World().connected();
    world.network.block('a', 'b');
    world.network.block('b', 'a');
    world.a.network.reach([]);
    world.network.unblockAll();
    world.a.network.reach([peer('b')]);
    await world.run(5000);
    expect(world.b.told).to.deep.equal(['up a in', 'down a', 'up a in']);
    expect(world.b.links).to.have.length(1);
  });

  it('HoldsUpOneDirectionWhileThatIsCut', async () => {
    const world = await new World().connected();
    world.network.block('a', 'b');
    world.a.links[0]?.send(numbered(1));
    world.b.links[0]?.send(numbered(2));
    await world.run(2000);
    expect([world.a.told.at(-1), world.b.told.at(-1)]).to.deep.equal(['2', 'up a in']);
    world.network.unblock('a', 'b');
    await world.run(2000);
    expect(world.b.told.at(-1)).to.equal('1');
  });

  it('CarriesOneMessageAfterTheOtherOnAThinLink', async () => {
    const world = await new World().connected();
    world.network.thin('b', 1);
    for (const durable of [1, 2]) world.a.links[0]?.send(numbered(durable));
    await world.run(140);
    expect(world.b.told.slice(1)).to.deep.equal([]);
    await world.run(40);
    expect(world.b.told.slice(1)).to.deep.equal(['1']);
    world.a.links[0]?.send(numbered(3));
    world.network.widen('b');
    // What crawled does not take the time any longer that it would have taken.
    await world.run(5);
    expect(world.b.told.slice(1)).to.deep.equal(['1', '2', '3']);
  });

  it('BreaksAllLinksOfANodeAndLetsThemComeBack', async () => {
    const world = await new World().connected();
    world.network.breakAll('b');
    await world.run(5000);
    expect(world.a.told).to.deep.equal(['up b out', 'down b', 'up b out']);
    expect(world.b.told).to.deep.equal(['up a in', 'down a', 'up a in']);
  });

  it('GivesALinkUpThatIsCutForLong', async () => {
    const world = await new World().connected();
    world.network.block('a', 'b');
    world.a.links[0]?.send(numbered(1));
    await world.run(15_000);
    expect(world.a.told).to.include('down b');
    expect(world.b.told).to.deep.equal(['up a in', 'down a']);
  });

  it('IdentifiesWhoeverAnswersAtAnAddress', async () => {
    const world = new World();
    const answers: unknown[] = [];
    for (const address of ['b', 'nobody']) {
      void world.a.network.identify(address).then((answer) => answers.push(answer));
    }
    world.scheduler.after(1, 'something', () => undefined);
    await world.run(5000);
    expect(answers).to.have.length(2);
    expect(answers.some((answer) => (answer as { node?: string }).node === 'id of b')).to.equal(true);
    expect(answers.some((answer) => (answer as { code?: string }).code === 'UNREACHABLE')).to.equal(true);
  });
});
