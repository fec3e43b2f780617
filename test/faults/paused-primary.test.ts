import { expect } from 'chai';
import { Conversation } from '../server/conversation.js';
import { clusters, inTime, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const CLIENTS = 8;

describe('A primary that is paused while a backup is promoted', () => {
  const nodes = clusters();
  let open: Conversation[] = [];

  afterEach(() => {
    for (const { socket } of open) socket.destroy();
    open = [];
  });

  async function connectedTo(node: ClusterNode, count: number): Promise<Conversation[]> {
    const made = await Promise.all(Array.from({ length: count }, () => Conversation.open(node.address)));
    open.push(...made);
    return made;
  }

  it('AcknowledgesNoneOfTheWritesThatWaitedInItsSocketsAndAnswersNoOldValue', async function () {
    this.timeout(60_000);
    const [old, successor, other] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    expect(await old.ask('MSET k old gone old')).to.equal('OK');
    const [writers, readers] = [await connectedTo(old, CLIENTS), await connectedTo(old, CLIENTS)];
    old.process.signal('SIGSTOP');
    for (const [at, writer] of writers.entries()) writer.send(`PUT waited-${String(at)} x\nPUT k waited\n`);
    for (const [at, reader] of readers.entries()) {
      reader.send(`HEARTBEAT\n${at % 2 === 0 ? 'GET k' : 'EXISTS k gone'}\n`);
    }
    await promote(successor);
    expect(await successor.ask('PUT k new')).to.equal('OK');
    expect(await successor.ask('DELETE gone')).to.equal('OK');
    old.process.signal('SIGCONT');
    for (const writer of writers) {
      const answers = await inTime('the answers to writes', writer.lines(2));
      for (const answer of answers) expect(answer).to.match(/^ERROR (NOT_PRIMARY|NO_QUORUM|UNCONFIRMED) /);
    }
    for (const reader of readers) {
      const [heartbeat = '', answer = ''] = await inTime('the answers to reads', reader.lines(2));
      // What it took up as the primary it answers as one, or not at all.
      if (heartbeat.includes('role=primary')) expect(answer).to.match(/^ERROR (NOT_PRIMARY|NO_QUORUM) /);
    }
    await untilMember(successor, old);
    await old.untilCaughtUpWith(successor);
    expect(await old.fact('role')).to.equal('backup');
    const waited = writers.map((_, at) => `waited-${String(at)}`).join(' ');
    for (const node of [successor, old, other]) {
      expect(await node.ask('GET k')).to.equal('new');
      expect(await node.ask(`EXISTS ${waited}`)).to.equal('0');
    }
    await promote(old);
    expect(await old.ask('GET k')).to.equal('new');
  });
});
