import dns from 'node:dns';
import net from 'node:net';
import type { LookupFunction } from 'node:net';

const LOOPBACK = new net.BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** What `lookUpLoopback` fails with where a name leads elsewhere. */
export const NOT_LOOPBACK = 'ENOTLOOPBACK';

/** Whether only this machine can be at this IP address. An IPv4 address may be written as an IPv6 one. */
export function isLoopbackAddress(address: string): boolean {
  const family = net.isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Resolves a name for a connection, and only to addresses of this machine. */
export const lookUpLoopback: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    const first = error === null ? found.filter(({ address }) => isLoopbackAddress(address)) : [];
    const [one] = first;
    if (error !== null) callback(error, []);
    else if (one === undefined) callback(notLoopback(hostname), []);
    else if (options.all === true) callback(null, first);
    else callback(null, one.address, one.family);
  });
};

function notLoopback(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} is not this machine`), { code: NOT_LOOPBACK });
}
