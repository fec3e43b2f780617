import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { testSeed, withSeed } from '../random.js';
import { Asking } from './asking.js';
import { addBackup, clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';

/** Writes ever new keys to one node, whatever it says, and knows which were acknowledged. */
class Stubborn {
  readonly acknowledged: string[] = [];
  #count = 0;
  #isStopped = false;
  readonly #work: Promise<void>;

  constructor(node: ClusterNode) {
    this.#work = this.#run(node);
    this.#work.catch(() => undefined);
  }

  get sent(): number {
    return this.#count;
  }

  async stop(): Promise<string[]> {
    this.#isStopped = true;
    await this.#work;
    return this.acknowledged;
  }

  async #run(node: ClusterNode): Promise<void> {
    let asking: Asking | undefined;
    while (!this.#isStopped) {
      if (asking === undefined || asking.isBroken) asking = await Asking.open(node.address, 5000);
      const key = `${node.name}-${String(this.#count++)}`;
      const answers = await asking?.ask([`PUT ${key} x`], 10_000);
      if (answers?.[0] === 'OK') this.acknowledged.push(key);
    }
    asking?.close();
  }
}

describe('Both nodes of a pair, promoted by hand', () => {
  const nodes = clusters();
  let fabric: Fabric | undefined;
  let writers: Stubborn[] = [];

  afterEach(async () => {
    await Promise.all(writers.map((writer) => writer.stop()));
    writers = [];
    await fabric?.close();
  });

  async function pair(): Promise<[ClusterNode, ClusterNode, Fabric]> {
    fabric = proxyFabric();
    const [a, b] = (await nodes.of(2, [], fabric)) as [ClusterNode, ClusterNode];
    writers = [new Stubborn(a), new Stubborn(b)];
    return [a, b, fabric];
  }

  /** Everything that either of them acknowledged is on the one that is the primary. */
  async function expectAllOn(primary: ClusterNode): Promise<number> {
    const keys = (await Promise.all(writers.map((writer) => writer.stop()))).flat();
    for (let at = 0; at < keys.length; at += 1000) {
      const some = keys.slice(at, at + 1000);
      expect(await primary.ask(`EXISTS ${some.join(' ')}`)).to.equal(String(some.length));
    }
    return keys.length;
  }

  async function moreFrom(writer: Stubborn, count: number): Promise<void> {
    const enough = writer.acknowledged.length + count;
    await eventually(
      `${String(count)} writes more`,
      () => writer.acknowledged.length,
      (done) => done >= enough,
    );
  }

  /** The one that serves. The other one never does at the same time, or what it acknowledges would be missed at the end. */
  function theOneThatServes(all: readonly ClusterNode[]): Promise<ClusterNode | undefined> {
    return eventually(
      'one serves',
      async () => {
        const services = await Promise.all(all.map((node) => node.fact('service')));
        return services.filter((service) => service === 'serving').length === 1
          ? all[services.indexOf('serving')]
          : undefined;
      },
      (node) => node !== undefined,
    );
  }

  it('InTurnTakeOverFromEachOtherAndLoseNothing', async function () {
    this.timeout(60_000);
    const [a, b] = await pair();
    for (let round = 0; round < 6; round++) {
      const [old, next] = round % 2 === 0 ? [a, b] : [b, a];
      await moreFrom(writers[round % 2]!, 20);
      expect(await promote(next)).to.include(`handed_over_by=${old.advertised}`);
      await untilMember(next, old);
    }
    expect(await expectAllOn(a)).to.be.above(100);
  });

  it('AtOnceHaveOnePrimaryAndLoseNothing', async function () {
    this.timeout(60_000);
    const [a, b] = await pair();
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 6; round++) {
        const primary = (await theOneThatServes([a, b]))!;
        await moreFrom(writers[primary === a ? 0 : 1]!, 20);
        const [one, other] = random.below(2) === 0 ? [a, b] : [b, a];
        const word = random.pick(['', ' OTHERS_ARE_DOWN']);
        const first = one.ask(`PROMOTE${word}`);
        for (let turn = random.below(30); turn > 0; turn--)
          await new Promise((resolve) => setImmediate(resolve));
        const answers = await Promise.all([first, other.ask(`PROMOTE${word}`)]);
        for (const answer of answers)
          expect(answer)
            .to.match(/^(OK role=primary|ERROR (NO_QUORUM|BUSY|UNREACHABLE|UNCONFIRMED)) /)
            .and.not.include('left_out');
      }
      const primary = (await theOneThatServes([a, b]))!;
      await untilMember(primary, primary === a ? b : a);
      expect(await expectAllOn(primary)).to.be.above(100);
    });
  });

  it('WhileTheOneSaidToBeDownRunsCutOffNeverBothAcknowledgeAndTheLoserKeepsWhatItHadAlone', async function () {
    this.timeout(60_000);
    const [a, b, between] = await pair();
    await moreFrom(writers[0]!, 20);
    await between.cutOneWay(a.name, b.name, 'swallowed');
    await between.cutOneWay(b.name, a.name, 'swallowed');
    // What the old primary takes from now on it has alone, and tells nobody that it is done.
    expect(await a.ask('PUT had-alone 1')).to.match(/^ERROR (UNCONFIRMED|NO_QUORUM) /);
    const before = writers[0]!.acknowledged.length;
    expect(await promote(b, 'OTHERS_ARE_DOWN')).to.include(`left_out=${a.advertised}`);
    await moreFrom(writers[1]!, 50);
    expect(await a.fact('role')).to.equal('primary');
    expect(writers[0]!.acknowledged.length).to.equal(before);
    await between.heal();
    await a.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out', 30_000);
    expect(await a.ask('GET had-alone')).to.match(/^ERROR NOT_PRIMARY .*add-backup/);
    await addBackup(b, a);
    await a.untilCaughtUpWith(b);
    expect(await a.ask('EXISTS had-alone')).to.equal('0');
    const kept = readdirSync(a.directory).filter((name) => name.startsWith('lost-'));
    expect(kept).to.have.length(1);
    expect(readFileSync(path.join(a.directory, kept[0]!)).includes('had-alone')).to.equal(true);
    expect(a.process.stderr).to.include(kept[0]!);
    expect(await expectAllOn(b)).to.be.above(70);
    await promote(a);
  });
});
