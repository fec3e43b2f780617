import { freePort } from '../free-port.js';
import type { Place, Surroundings } from './cluster.js';
import { LinkProxy } from './link-proxy.js';

/** So that what goes over the links is sealed, as it is between machines. */
export const TEST_SECRET = 'a secret of nobody but these tests';

/** What lies between the nodes of a cluster, and can be broken. */
export interface Fabric extends Surroundings {
  readonly kind: 'proxy' | 'namespaces';
  /** Nothing arrives this way. `held` and `swallowed` differ in a proxy alone: packets that are lost are always sent again. */
  cutOneWay(from: string, to: string, flow: 'held' | 'swallowed'): Promise<void>;
  /** What else it can do to what goes this way: delay it, cut it into pieces, break the connection. */
  readonly impair?: (from: string, to: string, change: { delayMs?: number; pieceBytesMax?: number }) => void;
  readonly reset?: (one: string, other: string) => void;
  heal(): Promise<void>;
  close(): Promise<void>;
}

/** A proxy of our own between nodes on loopback: needs no rights. */
export function proxyFabric(): Fabric {
  const proxy = new LinkProxy();
  return {
    kind: 'proxy',
    async place(name): Promise<Place> {
      const address = `127.0.0.1:${String(await freePort())}`;
      return { address, advertised: await proxy.listen(name, address), secret: TEST_SECRET };
    },
    cutOneWay: (from, to, flow) => {
      proxy.impair(from, to, { flow });
      return Promise.resolve();
    },
    impair: (from, to, change) => proxy.impair(from, to, change),
    reset: (one, other) => void proxy.reset(one, other),
    heal: () => {
      proxy.heal();
      return Promise.resolve();
    },
    close: () => {
      proxy.close();
      return Promise.resolve();
    },
  };
}
