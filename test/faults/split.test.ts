import { expect } from 'chai';
import { seededRandom, testSeed, withSeed } from '../random.js';
import { AUTOMATIC, untilSuccessor, untilWhole } from './automatic.js';
import { clusters, eventually } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';
import { namespaceFabric } from './namespaces.js';
import { RecordedClient, Recording } from './recording.js';

/** A primary that hears no majority for so long is none any more. */
const CHECK_QUORUM_MS = 1200;
/** For a machine that does other things too, and the question that finds it out. */
const TOLERANCE_MS = 1500;

/** Where the machine lets nobody make networks, it is the proxy again. */
const FABRICS = [
  { name: 'RefusesInTimeOnTheSmallSideOfASplitWhereNoStaleReadIsSeen', make: proxyFabric },
  {
    name: 'RefusesInTimeOnTheSmallSideOfASplitOfNetworksWhereNoStaleReadIsSeen',
    make: (): Fabric => namespaceFabric() ?? proxyFabric(),
  },
];

describe('A primary without the others', function () {
  this.timeout(60_000);
  const nodes = clusters();
  let fabric: Fabric | undefined;
  let clients: RecordedClient[] = [];

  afterEach(async () => {
    for (const client of clients) void client.stop().catch(() => undefined);
    await fabric?.close();
    clients = [];
    fabric = undefined;
  });

  for (const { name, make } of FABRICS) {
    it(name, async () => {
      fabric = make();
      const cluster = await nodes.of(3, AUTOMATIC, fabric);
      const before = await untilWhole(cluster);
      const { node: old } = before;
      const others = cluster.filter((node) => node !== old);
      await withSeed(testSeed(), async (random) => {
        const recording = new Recording();
        const addresses = cluster.map(({ address }) => address);
        // The readers stay where they are, on either side.
        const reached = [...[old, old, ...others].map(({ address }) => [address]), addresses, addresses];
        clients = reached.map((each, at) => {
          return new RecordedClient(
            `client${String(at)}`,
            each,
            recording,
            seededRandom(random.below(2 ** 31)),
          );
        });
        const more = async (): Promise<void> => {
          const enough = recording.acknowledged + 30;
          await eventually(
            'more writes',
            () => recording.acknowledged,
            (count) => count >= enough,
          );
        };
        await more();
        const cutMs = performance.now();
        for (const other of others) {
          await fabric!.cutOneWay(old.name, other.name, 'swallowed');
          await fabric!.cutOneWay(other.name, old.name, 'swallowed');
        }
        await old.untilStatus('gives up its office', ({ facts }) => facts.get('service') !== 'serving');
        expect(performance.now() - cutMs).to.be.below(CHECK_QUORUM_MS + TOLERANCE_MS);
        expect(await old.ask('GET k')).to.match(/^ERROR NO_QUORUM |^NULL$/);
        expect(await old.ask('PUT k stale')).to.match(/^ERROR (NO_QUORUM|NOT_PRIMARY) /);
        await untilSuccessor(cluster, before);
        await more();
        await fabric!.heal();
        const { node: primary } = await untilWhole(cluster);
        await more();
        await Promise.all(clients.map((client) => client.stop()));
        await recording.readAll((command) => primary.ask(command));
        recording.check();
        expect(recording.reads).to.be.above(30);
        expect(await primary.ask('GET k')).to.equal('NULL');
      });
    });
  }
});
