import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { AUTOMATIC, untilWhole } from './automatic.js';
import { ClientLoad } from './client-load.js';
import { clusters } from './cluster.js';

const WORKERS = 8;
/** As it is where nobody says anything. */
const TIMEOUT_MS = 5000;
/** For a long run by hand. */
const ROUNDS = Number(process.env.KV_ROLLING_ROUNDS ?? '1');

describe('A rolling restart of a cluster that makes its own primary', () => {
  const nodes = clusters();
  let client: KvClient | undefined;

  afterEach(() => client?.close());

  it('FailsNoCallOfTheClientLibrary', async function () {
    this.timeout(30_000 + ROUNDS * 60_000);
    const cluster = await nodes.of(3, AUTOMATIC);
    await untilWhole(cluster);
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
