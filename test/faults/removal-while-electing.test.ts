import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { AUTOMATIC, holdsFor, untilSuccessor, untilWhole } from './automatic.js';
import type { Office } from './automatic.js';
import { ClientLoad } from './client-load.js';
import { addBackup, clusters, eventually } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { expectNothingFailed } from './library.js';

/** Longer than anybody waits before an election. */
const LONG_MS = 1600;
const WORKERS = 8;
const TIMEOUT_MS = 5000;

describe('A node that is removed from a cluster that makes its own primary', function () {
  this.timeout(60_000);
  const nodes = clusters();
  let client: KvClient | undefined;

  afterEach(() => {
    client?.close();
    client = undefined;
  });

  function loadOn(cluster: readonly ClusterNode[]): ClientLoad {
    client = createClient({ addresses: cluster.map(({ address }) => address), timeoutMs: TIMEOUT_MS });
    const load = new ClientLoad(client, TIMEOUT_MS, 'load');
    load.start(WORKERS);
    return load;
  }

  /** A change that somebody forces opens a term of its own. */
  async function removeAsDown(
    primary: ClusterNode,
    removed: ClusterNode,
    left: readonly ClusterNode[],
  ): Promise<Office> {
    await eventually(
      `${removed.name} is not heard, and removed`,
      () => primary.ask(`REMOVE_BACKUP ${removed.advertised} BACKUP_IS_DOWN`),
      (answer) => answer === 'OK',
    );
    const office = await untilWhole(left);
    expect(office.node).to.equal(primary);
    return office;
  }

  async function expectUndisturbed(office: Office, removed: ClusterNode): Promise<void> {
    await holdsFor(LONG_MS, async () => {
      expect(Number(await office.node.fact('term'))).to.equal(office.term);
      expect(await office.node.fact('service')).to.equal('serving');
      expect(await removed.fact('role')).to.equal('backup');
    });
  }

  it('IsThePrimaryItselfAndHandsOverAndDisturbsNobodyNeitherThenNorAfterARestart', async () => {
    const cluster = await nodes.of(3, AUTOMATIC);
    const [old, ...others] = cluster as [ClusterNode, ...ClusterNode[]];
    const before = await untilWhole(cluster);
    expect(before.node).to.equal(old);
    const load = loadOn(cluster);
    await load.acknowledged(50);
    expect(await old.ask(`REMOVE_BACKUP ${old.advertised}`)).to.equal('OK');
    await untilSuccessor(others, before);
    const after = await untilWhole(others);
    await load.acknowledged(50);
    expect((await after.node.status()).members.has(old.advertised)).to.equal(false);
    await expectUndisturbed(after, old);
    await old.stop();
    await old.start();
    await expectUndisturbed(after, old);
    expect(await old.fact('service')).to.equal('left-out');
    await addBackup(after.node, old);
    await expectNothingFailed(load, cluster);
  });

  it('StoodStillThenAndDisturbsNobodyWhenItGoesOnNorAfterARestart', async () => {
    const cluster = await nodes.of(3, AUTOMATIC);
    const [primary, other, removed] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    await untilWhole(cluster);
    const load = loadOn([primary, other]);
    await load.acknowledged(50);
    removed.process.signal('SIGSTOP');
    const office = await removeAsDown(primary, removed, [primary, other]);
    // It takes itself for a member still, and hears no primary any more.
    removed.process.signal('SIGCONT');
    await expectUndisturbed(office, removed);
    await removed.kill();
    await removed.start();
    await expectUndisturbed(office, removed);
    await expectNothingFailed(load, [primary, other]);
  });

  it('WasDeadThenAndDisturbsNobodyWhenItIsStartedAsBefore', async () => {
    const cluster = await nodes.of(3, AUTOMATIC);
    const [primary, other, removed] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    await untilWhole(cluster);
    await removed.kill();
    const office = await removeAsDown(primary, removed, [primary, other]);
    await removed.start();
    await expectUndisturbed(office, removed);
    // Two are left, and neither of them is a majority alone: what the third one says does not count.
    await primary.kill();
    await holdsFor(LONG_MS, async () => {
      for (const node of [other, removed]) expect(await node.fact('role')).to.equal('backup');
    });
    await primary.start();
    await untilWhole([primary, other]);
  });
});
