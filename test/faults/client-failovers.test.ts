import { expect } from 'chai';
import type { KvClient } from '../../src/client/client.js';
import { seededRandom, testSeed } from '../random.js';
import { untilOffice } from './automatic.js';
import { ClientLoad } from './client-load.js';
import { clusters, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { addressesOf, libraryClients } from './library.js';

const WORKERS = 16;
/** Far beyond what an election takes, so that no call has a reason to fail. */
const TIMEOUT_MS = 25_000;
/** For long runs by hand. */
const ROUNDS = Number(process.env.KV_CLIENT_ROUNDS ?? '4');

const LOSSES = ['killed', 'paused', 'stopped'] as const;

describe('A client of members that make their own primary', () => {
  const nodes = clusters();
  const open = libraryClients();

  function clientOf(servers: readonly ClusterNode[]): KvClient {
    return open({ timeoutMs: TIMEOUT_MS, addresses: addressesOf(servers) });
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
        const primary = (await untilOffice(cluster)).node;
        const others = cluster.filter((node) => node !== primary);
        const loss = random.pick(LOSSES);
        story += ` ${primary.name} ${loss},`;
        if (loss === 'killed') await primary.kill();
        else if (loss === 'stopped') await primary.stop();
        else primary.process.signal('SIGSTOP');
        await load.acknowledged(200);
        const next = (await untilOffice(others)).node;
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
