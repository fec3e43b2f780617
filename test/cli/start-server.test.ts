import { expect } from 'chai';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { freePort } from '../free-port.js';
import { talk } from '../server/conversation.js';
import { serverFixture } from '../server/running-server.js';

/** Published by Node whenever a socket of this process begins to listen. */
const LISTENS = 'tracing:net.server.listen:asyncStart';

async function listener(host: string): Promise<{ port: number; close: () => Promise<void> }> {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

describe('The port of a server that starts', () => {
  const fixture = serverFixture();
  let ports: number[] = [];
  const note = (message: unknown): void => {
    ports.push((message as { options: { port: number } }).options.port);
  };
  beforeEach(() => {
    ports = [];
    subscribe(LISTENS, note);
  });
  afterEach(() => unsubscribe(LISTENS, note));

  it('TakesNobodyInBeforeTheServerServesSoNobodyIsThrownOutAgain', async () => {
    const port = await freePort();
    ports = [];
    const { address } = await fixture.start({ address: { host: '127.0.0.1', port } });
    expect(ports).to.deep.equal([port]);
    expect(await talk(address, 'PING\n')).to.equal('PONG\n');
  });

  it('TakesNobodyInWhenItsDataCannotBeHad', async () => {
    const port = await freePort();
    ports = [];
    const dbPath = path.join(fixture.directory, 'file', 'kv-store.json');
    writeFileSync(path.dirname(dbPath), '');
    const refused = await fixture.start({ address: { host: '127.0.0.1', port }, dbPath }).catch(String);
    expect(refused).to.match(/cannot be made/);
    expect(ports).to.deep.equal([]);
  });

  it('MayBeGivenWithTheNameOfItsHost', async () => {
    const port = await freePort();
    const { address } = await fixture.start({ address: { host: 'localhost', port } });
    expect(await talk(address.replace(/^\[(.*)\]/, '$1'), 'PING\n')).to.equal('PONG\n');
  });

  it('IsRefusedBeforeTheDataIsTouchedWhenItCannotBeHad', async () => {
    // The data could not be had either: whatever looked at it first would say that.
    const dbPath = path.join(fixture.directory, 'file', 'kv-store.json');
    writeFileSync(path.dirname(dbPath), '');
    const taken = await listener('127.0.0.1');
    const cases: readonly (readonly [host: string, reason: string])[] = [
      ['127.0.0.1', 'something listens at'],
      ['192.0.2.1', 'is not an address of this machine'],
    ];
    for (const [host, reason] of cases) {
      const address = { host, port: taken.port };
      const refused = await fixture.start({ address, dbPath, allowUnauthenticated: true }).catch(String);
      expect(refused, host)
        .to.match(/^StartFault: /)
        .and.to.include(reason);
    }
    await taken.close();
  });
});
