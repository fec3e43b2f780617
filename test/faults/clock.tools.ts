import { expect } from 'chai';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { testSeed, withSeed } from '../random.js';
import { clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';
import { RecordedClient, Recording } from './recording.js';

/** Debian's package `faketime`, wherever the architecture puts it. */
function fakeTimeLibrary(): string {
  const found = readdirSync('/usr/lib')
    .map((name) => path.join('/usr/lib', name, 'faketime', 'libfaketime.so.1'))
    .find((name) => existsSync(name));
  if (found === undefined) throw new Error('libfaketime is not there: install the Debian package faketime');
  return found;
}

describe('A wall clock that is set', () => {
  const nodes = clusters();
  let fabric: Fabric | undefined;
  let clients: RecordedClient[] = [];

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    clients = [];
    await fabric?.close();
  });

  /** Three nodes whose wall clocks can each be set; their monotonic clocks go on. */
  async function three(): Promise<{ all: ClusterNode[]; set: (node: ClusterNode, offset: string) => void }> {
    const library = fakeTimeLibrary();
    const between = (fabric = proxyFabric());
    const fileOf = (name: string): string => path.join(nodes.servers.directory, `${name}.clock`);
    const all = await nodes.of(3, [], {
      async place(name) {
        writeFileSync(fileOf(name), '+0');
        const settings = [`LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${fileOf(name)}`];
        const under = ['env', ...settings, 'FAKETIME_NO_CACHE=1', 'DONT_FAKE_MONOTONIC=1'];
        return { ...(await between.place(name)), under };
      },
    });
    return { all, set: (node, offset) => writeFileSync(fileOf(node.name), offset) };
  }

  /** Waits until clients were told of so many reads and writes more. */
  async function moreOf(recording: Recording, reads: number, writes: number): Promise<void> {
    const [readsBefore, writesBefore] = [recording.reads, recording.acknowledged];
    await eventually(
      'service goes on',
      () => ({ reads: recording.reads - readsBefore, writes: recording.acknowledged - writesBefore }),
      (more) => more.reads >= reads && more.writes >= writes,
    );
  }

  /** What the last event of a node says of the time. */
  function saidTimeMs(node: ClusterNode): number {
    return Date.parse(String(node.process.events.at(-1)!.time));
  }

  it('AnHourBackAndForwardUnderThePrimaryAndAVoterCostsNoWriteAndNoOldValueIsRead', async function () {
    this.timeout(120_000);
    await withSeed(testSeed(), async (random) => {
      const { all, set } = await three();
      const recording = new Recording();
      const addresses = all.map(({ address }) => address);
      clients = [...addresses.map((address) => [address]), addresses, addresses, addresses].map(
        (reached, at) => {
          return new RecordedClient(`client${String(at)}`, reached, recording, random);
        },
      );
      let [primary] = all as [ClusterNode];
      for (const offset of ['-3600', '+3600', '+0']) {
        for (const node of [primary, random.pick(all.filter((each) => each !== primary))]) {
          set(node, offset);
          await moreOf(recording, 100, 100);
        }
        // The primary that is cut off keeps to its lease, whatever its own clock or a voter's says by then.
        const old = primary;
        const others = all.filter((node) => node !== old);
        for (const other of others) {
          await fabric!.cutOneWay(old.name, other.name, 'held');
          await fabric!.cutOneWay(other.name, old.name, 'held');
        }
        set(old, random.pick(['-3600', '+3600', '+1']));
        primary = random.pick(others);
        set(primary, random.pick(['-3600', '+3600', '+1']));
        await promote(primary);
        await moreOf(recording, 0, 50);
        await fabric!.heal();
        for (const node of all) if (node !== primary) await untilMember(primary, node);
      }
      await Promise.all(clients.map((client) => client.stop()));
      await recording.readAll((command) => primary.ask(command));
      recording.check();
      expect(recording.acknowledged).to.be.above(600);
    });
  });

  it('IsSeenByTheNodesOfThisTest', async () => {
    const { all, set } = await three();
    const [primary, backup] = all as [ClusterNode, ClusterNode];
    set(primary, '-3600');
    await promote(backup);
    await primary.process.until(() => primary.process.hasEvent('following a primary'));
    expect(Date.now() - saidTimeMs(primary)).to.be.within(3_500_000, 3_700_000);
  });
});
