import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { seededRandom, testSeed } from '../random.js';
import { ClientLoad } from './client-load.js';
import { clusters, eventually, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const WORKERS = 16;
/** Far beyond what an election takes, so that no call has a reason to fail. */
const TIMEOUT_MS = 25_000;
/** For long runs by hand. */
const ROUNDS = Number(process.env.KV_CLIENT_ROUNDS ?? '4');

const LOSSES = ['killed', 'paused', 'stopped'] as const;

describe('A client of members that make their own primary', () => {
  const nodes = clusters();
  const clients: KvClient[] = [];

  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  function clientOf(servers: readonly ClusterNode[]): KvClient {
    const addresses = servers.map(({ address }) => address);
    const client = createClient({ timeoutMs: TIMEOUT_MS, addresses });
    clients.push(client);
    return client;
  }

  async function primaryOf(candidates: readonly ClusterNode[]): Promise<ClusterNode> {
    const found = await eventually(
      'one of them serves',
      async () => {
        for (const node of candidates) {
          const { facts } = await node.status();
          if (facts.get('role') === 'primary' && facts.get('service') === 'serving') return node;
        }
        return undefined;
      },
      (node) => node !== undefined,
      30_000,
    );
    return found!;
  }

  it('HasEachWriteDoneOnceAndNoCallFailHoweverThePrimaryIsLost', async function () {
    this.timeout(60_000 + ROUNDS * 30_000);
    const seed = testSeed();
    const random = seededRandom(seed);
    const cluster = await nodes.of(3, ['--failover', 'auto']);
    // Every key is put once and deleted once: a delete done twice finds nothing, and a put done twice leaves its key.
    const load = new ClientLoad(clientOf(cluster), TIMEOUT_MS, 'load', { deletesOneOf: 1 });
    load.start(WORKERS);
    let story = '';
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await load.acknowledged(random.below(300));
        const primary = await primaryOf(cluster);
        const others = cluster.filter((node) => node !== primary);
        const loss = random.pick(LOSSES);
        story += ` ${primary.name} ${loss},`;
        if (loss === 'killed') await primary.kill();
        else if (loss === 'stopped') await primary.stop();
        else primary.process.signal('SIGSTOP');
        await load.acknowledged(200);
        const next = await primaryOf(others);
        if (loss === 'paused') primary.process.signal('SIGCONT');
        else await primary.start();
        await untilMember(next, primary, 30_000);
      }
      await load.acknowledged(200);
      await load.stop();
      expect(load.failures.map(({ code, message }) => [code, message])).to.deep.equal([]);
      load.check(new Set((await clientOf(cluster).keys()).map(String)));
    } catch (error) {
      throw new Error(`failed with KV_SEED=${String(seed)} after${story}`, { cause: error });
    }
  });
});
