import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { Conversation } from '../server/conversation.js';
import { AUTOMATIC, holdsFor, untilOffice, untilSuccessor, untilWhole } from './automatic.js';
import type { Office } from './automatic.js';
import { ClientLoad } from './client-load.js';
import { clusters, eventually, inTime, promote } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { expectNothingFailed } from './library.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';

/** Longer than anybody waits before an election. */
const AWAY_MS = 2000;
const WORKERS = 8;
const TIMEOUT_MS = 5000;
type Three = [ClusterNode, ClusterNode, ClusterNode];

describe('A cluster that makes its own primary', function () {
  this.timeout(60_000);
  const nodes = clusters();
  let fabric: Fabric | undefined;
  let client: KvClient | undefined;

  afterEach(async () => {
    client?.close();
    await fabric?.close();
    client = fabric = undefined;
  });

  async function three(between?: Fabric): Promise<Three> {
    fabric = between;
    return (await nodes.of(3, AUTOMATIC, between)) as Three;
  }

  function loadOn(cluster: readonly ClusterNode[]): ClientLoad {
    client = createClient({ addresses: cluster.map(({ address }) => address), timeoutMs: TIMEOUT_MS });
    const load = new ClientLoad(client, TIMEOUT_MS, 'load');
    load.start(WORKERS);
    return load;
  }

  async function silentMs(node: ClusterNode, of: ClusterNode): Promise<number> {
    const { members } = await node.status();
    return Number(members.get(of.advertised)?.get('silent_ms') ?? 0);
  }

  async function expectSame(office: Office, cluster: readonly ClusterNode[]): Promise<void> {
    const { node, term } = await untilWhole(cluster);
    expect([node.name, term]).to.deep.equal([office.node.name, office.term]);
    for (const each of cluster) expect(Number(await each.fact('term'))).to.equal(office.term);
  }

  it('KeepsItsPrimaryWhileABackupHearsNobodyOrIsNotHeard', async () => {
    const cluster = await three(proxyFabric());
    const [primary, lonely, other] = cluster;
    const office = await untilWhole(cluster);
    const load = loadOn(cluster);
    for (const way of ['hears nobody', 'is not heard'] as const) {
      for (const node of [primary, other]) {
        const [from, to] = way === 'hears nobody' ? [node, lonely] : [lonely, node];
        await fabric!.cutOneWay(from.name, to.name, 'swallowed');
      }
      await eventually(
        `${lonely.name} ${way} for longer than an election takes`,
        async () =>
          way === 'hears nobody'
            ? Number(await lonely.fact('primary_silent_ms'))
            : await silentMs(primary, lonely),
        (ms) => ms > AWAY_MS,
      );
      await load.acknowledged(50);
      await fabric!.heal();
      await expectSame(office, cluster);
    }
    await expectNothingFailed(load, cluster);
  });

  it('KeepsItsPrimaryWhenABackupGoesOnThatStoodStill', async () => {
    const cluster = await three();
    const [primary, , paused] = cluster;
    const office = await untilWhole(cluster);
    const load = loadOn(cluster);
    paused.process.signal('SIGSTOP');
    await eventually(
      `${paused.name} stands still for longer than an election takes`,
      () => silentMs(primary, paused),
      (ms) => ms > AWAY_MS,
    );
    paused.process.signal('SIGCONT');
    await expectSame(office, cluster);
    await expectNothingFailed(load, cluster);
    await expectSame(office, cluster);
  });

  for (const [killed, name] of [
    ['its backups', 'RefusesWritesAndSaysWhatToDoWhileBothBackupsAreDownAndGoesOnByItself'],
    ['its primary', 'HasNoPrimaryAndSaysSoWhilePrimaryAndBackupAreDownAndGoesOnByItself'],
  ] as const) {
    it(name, async () => {
      const cluster = await three();
      const [first, second, third] = cluster;
      expect(await first.ask('PUT k before')).to.equal('OK');
      const [left, ...gone] = killed === 'its backups' ? [first, second, third] : [second, first, third];
      await left.untilCaughtUpWith(first);
      const term = Number(await left.fact('term'));
      await Promise.all(gone.map((node) => node.kill()));
      const refused = await eventually(
        `${left.name} knows that it has no primary`,
        () => left.ask('PUT k lost'),
        (answer) => /^ERROR (NO_QUORUM|NOT_PRIMARY unknown)/.test(answer),
      );
      expect(refused).to.include('start what is down');
      // However long it stays so, nobody is made primary by one of three.
      await holdsFor(AWAY_MS, async () => {
        const { facts } = await left.status();
        expect([facts.get('role'), Number(facts.get('term'))]).to.deep.equal(['backup', term]);
        expect(await left.ask('PUT k lost')).to.equal(refused);
      });
      await gone[1].start();
      const two = [left, gone[1]];
      await untilOffice(two);
      client = createClient({ addresses: cluster.map(({ address }) => address) });
      await client.put('k', 'after');
      expect(String(await client.get('k'))).to.equal('after');
      await gone[0].start();
      const { node } = await untilWhole(cluster);
      expect(await node.ask('GET k')).to.equal('after');
    });
  }

  it('GoesOnUnderAPrimaryThatAnOperatorChoseAndReplacesThatOneToo', async () => {
    const cluster = await three();
    const [first, second] = cluster;
    const load = loadOn(cluster);
    await load.acknowledged(50);
    expect(await promote(second)).to.include(`handed_over_by=${first.address}`);
    await load.acknowledged(50);
    const chosen = await untilWhole(cluster);
    expect(chosen.node).to.equal(second);
    await second.kill();
    await untilSuccessor(cluster, chosen);
    await load.acknowledged(50);
    await second.start();
    await untilWhole(cluster);
    await expectNothingFailed(load, cluster);
  });

  for (const [links, name] of [
    ['open', 'IsNotDisturbedByAPrimaryThatGoesOnWithReadsAndWritesInItsSockets'],
    ['cut', 'HearsNothingWrongFromAPrimaryThatGoesOnWithReadsAndWritesInItsSockets'],
  ] as const) {
    it(name, async () => {
      const cluster = await three(proxyFabric());
      const [old] = cluster;
      const before = await untilWhole(cluster);
      expect(await old.ask('MSET k old gone old')).to.equal('OK');
      const open = await Promise.all(Array.from({ length: 8 }, () => Conversation.open(old.address)));
      old.process.signal('SIGSTOP');
      for (const [at, each] of open.entries()) {
        if (at % 2 === 0) each.send(`PUT waited-${String(at)} x\nPUT k waited\n`);
        else each.send('HEARTBEAT\nGET k\nHEARTBEAT\nEXISTS k gone\n');
      }
      if (links === 'cut') await cutOff(old, cluster);
      const { node: successor } = await untilSuccessor(cluster, before);
      expect(await successor.ask('PUT k new')).to.equal('OK');
      expect(await successor.ask('DELETE gone')).to.equal('OK');
      old.process.signal('SIGCONT');
      for (const [at, each] of open.entries()) {
        const answers = await inTime('the answers', each.lines(at % 2 === 0 ? 2 : 4));
        if (at % 2 === 0) {
          for (const answer of answers)
            expect(answer).to.match(/^ERROR (NOT_PRIMARY|NO_QUORUM|UNCONFIRMED) /);
        } else {
          // What it answers as a primary it answers with what is true, and it does not know what that is.
          for (const [role = '', read] of [answers.slice(0, 2), answers.slice(2)])
            if (role.includes('role=primary')) expect(read).to.match(/^ERROR (NOT_PRIMARY|NO_QUORUM) /);
        }
        each.socket.destroy();
      }
      await fabric!.heal();
      await untilWhole(cluster);
      for (const node of cluster) {
        await node.untilCaughtUpWith(successor);
        expect(await node.ask('GET k')).to.equal('new');
        expect(await node.ask('EXISTS gone waited-0 waited-2 waited-4 waited-6')).to.equal('0');
      }
    });
  }

  async function cutOff(node: ClusterNode, cluster: readonly ClusterNode[]): Promise<void> {
    for (const other of cluster.filter((each) => each !== node)) {
      await fabric!.cutOneWay(node.name, other.name, 'swallowed');
      await fabric!.cutOneWay(other.name, node.name, 'swallowed');
    }
  }
});
