import { expect } from 'chai';
import type { KvClient } from '../../src/client/client.js';
import { ClientLoad } from './client-load.js';
import { clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { addressesOf, libraryClients, pausedAndPromoted } from './library.js';

const WORKERS = 16;
/** Far beyond what any of the changes takes, so that no call has a reason to fail. */
const TIMEOUT_MS = 15_000;

describe('The client library with sessions', () => {
  const nodes = clusters();
  const open = libraryClients();

  function clientOf(servers: readonly ClusterNode[]): KvClient {
    return open({ timeoutMs: TIMEOUT_MS, addresses: addressesOf(servers) });
  }

  /** Every key is put once and deleted once: a delete done twice finds nothing, and a put done twice leaves its key. */
  function loadOf(servers: readonly ClusterNode[]): ClientLoad {
    const load = new ClientLoad(clientOf(servers), TIMEOUT_MS, 'load', { deletesOneOf: 1 });
    load.start(WORKERS);
    return load;
  }

  /** Every call was answered as if nothing had happened, and the store has what the answers say. */
  async function expectEachCallDoneOnce(load: ClientLoad, node: ClusterNode): Promise<void> {
    await load.stop();
    expect(load.failures.map(({ message, outcomeUnknown }) => [message, outcomeUnknown])).to.deep.equal([]);
    load.check(new Set((await clientOf([node]).keys()).map(String)));
  }

  it('DoesEachWriteOnceAndFailsNoneWhileItsServerIsKilledAndPaused', async function () {
    this.timeout(90_000);
    const node = await nodes.node('node1');
    await node.start();
    const load = loadOf([node]);
    for (let round = 0; round < 2; round++) {
      await load.acknowledged(300);
      await node.kill();
      await node.start();
    }
    await load.acknowledged(300);
    node.process.signal('SIGSTOP');
    // Longer than an attempt may take, so that what was sent is sent again beside what the server has yet to read.
    await eventually('the client has tried again', () => process.uptime(), after(TIMEOUT_MS / 3_000 + 1));
    node.process.signal('SIGCONT');
    await load.acknowledged(300);
    await expectEachCallDoneOnce(load, node);
  });

  it('DoesEachWriteOnceAndFailsNoneWhenThePrimaryIsKilledAndAnotherOneIsPromoted', async function () {
    this.timeout(90_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const load = loadOf(cluster);
    await load.acknowledged(300);
    await first.kill();
    await promote(second);
    await load.acknowledged(300);
    await expectEachCallDoneOnce(load, second);
  });

  it('DoesEachWriteOnceAndFailsNoneWhenThePrimaryIsPausedAndAnotherOneIsPromoted', async function () {
    this.timeout(120_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const load = loadOf(cluster);
    await pausedAndPromoted(first, second, load, 300);
    await untilMember(second, first);
    await expectEachCallDoneOnce(load, second);
  });

  it('DoesEachWriteOnceAndFailsNoneWhenThePrimaryHandsOverAgainAndAgain', async function () {
    this.timeout(90_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const load = loadOf(cluster);
    for (const [from, to] of [
      [first, second],
      [second, first],
      [first, second],
    ] as const) {
      await load.acknowledged(300);
      expect(await promote(to)).to.include(`handed_over_by=${from.address}`);
      await untilMember(to, from);
    }
    await load.acknowledged(300);
    await expectEachCallDoneOnce(load, second);
  });
});

/** Until so many seconds are over. */
function after(seconds: number): (uptime: number) => boolean {
  const end = process.uptime() + seconds;
  return (uptime) => uptime >= end;
}
