import dns from 'node:dns';
import { once } from 'node:events';
import net from 'node:net';
import { showAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import { isLoopbackAddress } from '../server/loopback.js';
import { StorageFault } from '../storage/fault.js';
import { errorCode } from '../storage/files.js';
import { StartFault } from './start-options.js';
import type { StartOptions } from './start-options.js';

/** Refuses what would fail or harm later, before any data is touched. */
export async function checkAddress(options: StartOptions): Promise<void> {
  const { address } = options;
  if (options.allowUnauthenticated !== true && !(await isLoopback(address.host))) {
    throw new StartFault(
      `${showAddress(address)} can be reached from other machines, and clients are not asked who they are: ` +
        'everybody there could read and change everything. Use 127.0.0.1, or give --allow-unauthenticated if you trust the whole network',
    );
  }
  if (address.port !== 0) await probe(address);
}

async function isLoopback(host: string): Promise<boolean> {
  let found: dns.LookupAddress[];
  try {
    found = await dns.promises.lookup(host, { all: true });
  } catch (error) {
    const reason = errorCode(error) ?? String(error);
    throw new StartFault(`${host} is not an address of this machine (${reason}): try 127.0.0.1`);
  }
  return found.every(({ address }) => isLoopbackAddress(address));
}

/**
 * Finds out early whether the port can be had: recovering a large store first would waste the user's time.
 *
 * A client's socket has to have the port too, and takes no connections, as a listening one would that is closed again:
 * whoever waits for the port must not be let in and thrown out. It goes to port 0, where nobody is.
 */
async function probe(address: Address): Promise<void> {
  const { address: host } = await dns.promises.lookup(address.host);
  const socket = net.connect({ host, port: 0, localAddress: host, localPort: address.port });
  try {
    // It has its own port by then, or has failed.
    await once(socket, 'connectionAttempt');
  } catch (error) {
    throw listenFault(address, error);
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

/** What a failure to listen means for whoever starts the server. */
export function listenFault(address: Address, error: unknown): unknown {
  if (error instanceof StorageFault || error instanceof StartFault) return error;
  const shown = showAddress(address);
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new StartFault(
        `something listens at ${shown} already, perhaps another server: stop it, or give another --address`,
      );
    case 'EACCES':
      return new StartFault(
        `${shown} may not be used by this user: give an --address with a port above 1023`,
      );
    case 'EADDRNOTAVAIL':
      return new StartFault(`${shown} is not an address of this machine: try 127.0.0.1`);
    default:
      return error;
  }
}
