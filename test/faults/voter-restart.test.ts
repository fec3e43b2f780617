import { expect } from 'chai';
import { freePort } from '../free-port.js';
import { clusters, promote, untilMember } from './cluster.js';
import type { ClusterNode, Surroundings } from './cluster.js';
import { Asking } from './asking.js';
import { LinkProxy } from './link-proxy.js';

/** What a reader at one node was told, and when it had asked. */
interface Read {
  readonly askedMs: number;
  readonly answer: string;
}

/** Reads one key again and again from a node that takes itself for the primary. */
class Reader {
  readonly reads: Read[] = [];
  #isStopped = false;
  readonly #work: Promise<void>;

  constructor(node: ClusterNode, key: string) {
    this.#work = this.#run(node, key);
    this.#work.catch(() => undefined);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#work;
  }

  async #run(node: ClusterNode, key: string): Promise<void> {
    const asking = (await Asking.open(node.address, 5000))!;
    while (!this.#isStopped) {
      const askedMs = performance.now();
      const answers = await asking.ask([`GET ${key}`], 10_000);
      this.reads.push({ askedMs, answer: answers?.[0] ?? 'broken' });
    }
    asking.close();
  }
}

describe('Voters that restart while the primary that they gave a lease to is cut off', () => {
  const nodes = clusters();
  let proxy: LinkProxy;

  beforeEach(() => {
    proxy = new LinkProxy();
  });
  afterEach(() => proxy.close());

  function behindProxy(): Surroundings {
    return {
      async place(name) {
        const address = `127.0.0.1:${String(await freePort())}`;
        return { address, advertised: await proxy.listen(name, address) };
      },
    };
  }

  it('AgreeToNobodyForTheLengthOfALeaseSoThatNoOldValueIsReadBehindANewOne', async function () {
    this.timeout(60_000);
    const [old, one, other] = (await nodes.of(3, [], behindProxy())) as [
      ClusterNode,
      ClusterNode,
      ClusterNode,
    ];
    expect(await old.ask('PUT k old')).to.equal('OK');
    for (const voter of [one, other]) {
      proxy.cut(old.name, voter.name);
      // Whoever looks for it learns at once that it is not there, and waits for nothing else than the lease.
      proxy.refuse(old.name, voter.name);
    }
    const cutMs = performance.now();
    const reader = new Reader(old, 'k');
    await Promise.all([one.kill(), other.kill()]);
    await Promise.all([one.start(), other.start()]);
    const restartedMs = performance.now();
    await promote(one);
    const promotedMs = performance.now();
    expect(await one.ask('PUT k new')).to.equal('OK');
    const writtenMs = performance.now();
    // It has been silent for so long that it knows: a round trip or a lease is what it would need.
    const silent = await old.untilStatus('misses both', ({ facts }) => facts.get('advice') !== 'none');
    expect(silent.facts.get('advice')).to.include(one.advertised);
    await reader.stop();
    const values = reader.reads.filter(({ answer }) => !answer.startsWith('ERROR NO_QUORUM '));
    expect(values.every(({ answer }) => answer === 'old')).to.equal(true);
    expect(values.filter(({ askedMs }) => askedMs > writtenMs)).to.deep.equal([]);
    // It went on reading under its lease, and the promotion waited for that to pass.
    const lastMs = values.at(-1)!.askedMs;
    expect(lastMs).to.be.above(cutMs);
    expect(promotedMs - restartedMs).to.be.above(1500);
    proxy.heal();
    await untilMember(one, old);
    await old.untilCaughtUpWith(one);
    expect(await old.ask('GET k')).to.equal('new');
  });
});
