import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { AUTOMATIC, untilWhole } from './automatic.js';
import { ClientLoad } from './client-load.js';
import { clusters } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const WORKERS = 8;
/** As it is where nobody says anything. */
const TIMEOUT_MS = 5000;
/** For a long run by hand. */
const ROUNDS = Number(process.env.KV_ROLLING_ROUNDS ?? '1');

describe('A rolling restart of a cluster that makes its own primary', () => {
  const nodes = clusters();
  let client: KvClient | undefined;

  afterEach(() => client?.close());

  /** Each of them is started again with the same words. */
  async function threeCommands(): Promise<ClusterNode[]> {
    const first = await nodes.node('node1', { options: AUTOMATIC });
    await first.start();
    const join = { options: ['--join', first.advertised] };
    const others = [await nodes.node('node2', join), await nodes.node('node3', join)];
    for (const node of others) await node.start();
    await untilWhole([first, ...others]);
    return [first, ...others];
  }

  it('FailsNoCallOfTheClientLibrary', async function () {
    this.timeout(30_000 + ROUNDS * 60_000);
    const cluster = await threeCommands();
    client = createClient({ addresses: cluster.map(({ address }) => address) });
    const load = new ClientLoad(client, TIMEOUT_MS, 'load', { deletesOneOf: 1 });
    load.start(WORKERS);
    const offices = new Set<number>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const node of cluster) {
        await load.acknowledged(100);
        await node.stop();
        await node.start();
        offices.add((await untilWhole(cluster)).term);
      }
    }
    await load.acknowledged(100);
    await load.stop();
    if (process.env.KV_ROLLING_ROUNDS !== undefined)
      process.stdout.write(`      ${String(offices.size)} terms, ${JSON.stringify(load.figures)}\n`);
    expect(load.failures.map(({ message }) => message)).to.deep.equal([]);
    // The first node was the primary, so that somebody took over, and nobody needed an operator.
    expect(Math.max(...offices)).to.be.above(1);
    const { node: primary } = await untilWhole(cluster);
    for (const node of cluster) {
      await node.untilCaughtUpWith(primary);
      const reader = createClient({ address: node.address, values: 'string' });
      load.check(new Set(await reader.keys()));
      reader.close();
    }
  });
});
