import { expect } from 'chai';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { ClientLoad } from './client-load.js';
import { clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { addressesOf, libraryClients, pausedAndPromoted } from './library.js';

const WORKERS = 16;
const TIMEOUT_MS = 3_000;
/** For long runs by hand. */
const ROUNDS = Number(process.env.KV_CLIENT_ROUNDS ?? '2');

describe('The client library without sessions', () => {
  const nodes = clusters();
  const open = libraryClients();

  function clientOf(options: ClientOptions): KvClient {
    return open({ timeoutMs: TIMEOUT_MS, retryWrites: false, ...options });
  }

  function loadOf(options: ClientOptions, prefix = 'load', readsAreCurrent = true): ClientLoad {
    return new ClientLoad(clientOf(options), TIMEOUT_MS, prefix, { readsAreCurrent });
  }

  async function keysOf(node: ClusterNode): Promise<Set<string>> {
    return new Set((await clientOf({ address: node.address }).keys()).map(String));
  }

  function report(what: string, load: ClientLoad): void {
    if (process.env.KV_CLIENT_ROUNDS === undefined) return;
    process.stdout.write(`      ${what}: ${JSON.stringify(load.figures)}\n`);
  }

  async function one(): Promise<ClusterNode> {
    const node = await nodes.node('node1');
    await node.start();
    return node;
  }

  async function indexOf(node: ClusterNode): Promise<number> {
    return Number((await node.fact('position'))?.split(':')[1]);
  }

  /** The log holds one entry for each change, and one for each start. */
  async function expectEachChangeOnce(
    load: ClientLoad,
    node: ClusterNode,
    indexBefore: number,
    starts: number,
  ): Promise<void> {
    const changes = load.check(await keysOf(node));
    expect((await indexOf(node)) - indexBefore - starts).to.equal(changes);
  }

  it('AppliesNothingTwiceAndKnowsWhatItDoesNotKnowWhenTheServerIsKilled', async function () {
    this.timeout(40_000 + ROUNDS * 20_000);
    const node = await one();
    const load = loadOf({ address: node.address });
    const indexBefore = await indexOf(node);
    load.start(WORKERS);
    for (let round = 0; round < ROUNDS; round++) {
      await load.acknowledged(300);
      await node.kill();
      await node.start();
    }
    await load.acknowledged(300);
    await load.stop();
    report('killed', load);
    await expectEachChangeOnce(load, node, indexBefore, ROUNDS);
    expect(load.figures.unknown, 'each kill leaves something open').to.be.greaterThan(0);
    for (const { code, retryable, outcomeUnknown, message } of load.failures) {
      expect([code, retryable], message).to.deep.equal([
        outcomeUnknown ? 'CONNECTION_LOST' : 'UNREACHABLE',
        true,
      ]);
    }
  });

  it('FailsInTimeAndLeavesNothingOpenWhileTheServerIsGone', async function () {
    this.timeout(60_000);
    const node = await one();
    const client = clientOf({ address: node.address, timeoutMs: 500 });
    await client.put('before', 'x');
    await node.kill();
    await eventually(
      'the client knows that the server is gone',
      () => client.put('probe', 'x').catch((error: unknown) => error as { code: string }),
      (outcome) => outcome?.code === 'UNREACHABLE',
    );
    const startMs = performance.now();
    const keys = Array.from({ length: 50 }, (_, at) => `gone-${String(at)}`);
    const failures = await Promise.all(
      keys.map((key) => client.put(key, 'x').catch((error: unknown) => error as Record<string, unknown>)),
    );
    expect(performance.now() - startMs).to.be.within(450, 2500);
    for (const failure of failures) {
      expect([failure?.code, failure?.retryable, failure?.outcomeUnknown]).to.deep.equal([
        'UNREACHABLE',
        true,
        false,
      ]);
      expect(failure?.message).to.include(`nothing listens at ${node.address}`);
    }
    // What begins before the server is back waits for it.
    const waiting = client.put('after', 'x', { timeoutMs: 15_000 });
    await node.start();
    await waiting;
    expect(await keysOf(node)).to.deep.equal(new Set(['before', 'after']));
  });

  it('AppliesNothingTwiceWhenTheServerIsPaused', async function () {
    this.timeout(60_000 + ROUNDS * 20_000);
    const node = await one();
    const load = loadOf({ address: node.address });
    const indexBefore = await indexOf(node);
    load.start(WORKERS);
    for (let round = 0; round < ROUNDS; round++) {
      await load.acknowledged(300);
      const before = load.figures.unknown;
      node.process.signal('SIGSTOP');
      await eventually(
        'calls that were under way end',
        () => load.figures.unknown,
        (unknown) => unknown > before,
      );
      node.process.signal('SIGCONT');
    }
    await load.acknowledged(300);
    await load.stop();
    report('paused', load);
    // What was sent before the pause may still take effect, until the server has read all of it.
    await eventually(
      'the server has done what it was sent',
      () => node.fact('waiting_bytes'),
      (waiting) => waiting === '0',
    );
    await expectEachChangeOnce(load, node, indexBefore, 0);
  });

  it('LosesNothingWhenTheServerIsStoppedInOrderAndStarted', async function () {
    this.timeout(40_000 + ROUNDS * 20_000);
    const node = await one();
    const load = loadOf({ address: node.address });
    const indexBefore = await indexOf(node);
    load.start(WORKERS);
    for (let round = 0; round < ROUNDS; round++) {
      await load.acknowledged(300);
      await node.stop();
      await node.start();
    }
    await load.acknowledged(300);
    await load.stop();
    report('stopped', load);
    await expectEachChangeOnce(load, node, indexBefore, ROUNDS);
  });

  it('FindsThePrimaryThatWasPromotedAfterAKill', async function () {
    this.timeout(90_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const load = loadOf({ addresses: addressesOf(cluster) });
    load.start(WORKERS);
    await load.acknowledged(300);
    await first.kill();
    await promote(second);
    await load.acknowledged(300);
    await load.stop();
    report('promoted', load);
    load.check(await keysOf(second));
  });

  it('FollowsAHandOver', async function () {
    this.timeout(90_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const several = loadOf({ addresses: addressesOf(cluster) }, 'several');
    // Its reads stay with the given node, which is a backup for a while.
    const single = loadOf({ address: first.address }, 'single', false);
    several.start(WORKERS);
    single.start(WORKERS);
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      await Promise.all([several.acknowledged(200), single.acknowledged(200)]);
      expect(await promote(to)).to.include(`handed_over_by=${from.address}`);
      await untilMember(to, from);
    }
    await Promise.all([several.acknowledged(200), single.acknowledged(200)]);
    await Promise.all([several.stop(), single.stop()]);
    report('handed over, several addresses', several);
    report('handed over, one address', single);
    const keys = await keysOf(first);
    several.check(keys);
    single.check(keys);
  });

  it('GoesOnElsewhereWhenThePrimaryIsPausedAndAnotherOneIsPromoted', async function () {
    this.timeout(120_000);
    const cluster = await nodes.of(3);
    const [first, second] = cluster as [ClusterNode, ClusterNode, ClusterNode];
    const load = loadOf({ addresses: addressesOf(cluster) });
    load.start(WORKERS);
    await pausedAndPromoted(first, second, load, 300);
    await untilMember(second, first);
    await load.stop();
    report('paused and promoted away', load);
    load.check(await keysOf(second));
  });
});
