import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { untilOffice } from './automatic.js';
import type { ClientLoad } from './client-load.js';
import { eventually } from './cluster.js';
import type { ClusterNode } from './cluster.js';

/** What tests of the client library do with real servers. */

/** Clients for the tests of the enclosing suite, closed when each is over. */
export function libraryClients(): (options: ClientOptions) => KvClient {
  const clients: KvClient[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  return (options) => {
    const client = createClient(options);
    clients.push(client);
    return client;
  };
}

export function addressesOf(servers: readonly ClusterNode[]): string[] {
  return servers.map(({ address }) => address);
}

/** The primary stands still, another one is promoted, and the first one goes on, with so many calls acknowledged in between. */
export async function pausedAndPromoted(
  first: ClusterNode,
  second: ClusterNode,
  load: ClientLoad,
  calls: number,
): Promise<void> {
  await load.acknowledged(calls);
  first.process.signal('SIGSTOP');
  await eventually(
    `${second.name} is promoted`,
    () => second.ask('PROMOTE'),
    (answer) => answer.startsWith('OK role=primary '),
    30_000,
  );
  await load.acknowledged(calls);
  first.process.signal('SIGCONT');
  await load.acknowledged(calls);
}

/** Ends the load, which no call of may have failed, and looks at each node for what was lost or done twice. */
export async function expectNothingFailed(load: ClientLoad, cluster: readonly ClusterNode[]): Promise<void> {
  await load.acknowledged(100);
  await load.stop();
  expect(
    load.failures.map(({ message }) => message),
    JSON.stringify(load.figures),
  ).to.deep.equal([]);
  const { node: primary } = await untilOffice(cluster);
  for (const node of cluster) {
    await node.untilCaughtUpWith(primary);
    const [, ...keys] = (await node.ask('SCAN 0 COUNT 1000000')).split('\n').slice(0, -1);
    load.check(new Set(keys));
  }
}
