import { isInvalid, parseAddress } from '../protocol/address.js';
import type { Address, InvalidAddress } from '../protocol/address.js';

/** The port of an address in a URL that names none. */
const DEFAULT_PORT = 7001;
const SCHEME = 'kv://';
const URL_LENGTH_MAX = 16_384;

/**
 * Reads the addresses of a `kv://` URL: `kv://host1:7001,host2:7002`. An address without a port has 7001, and an IPv6 host
 * stands in brackets.
 */
export function parseUrl(text: string): readonly Address[] | InvalidAddress {
  const shown = JSON.stringify(text.slice(0, 300));
  const form = `write ${SCHEME}host1:7001,host2:7002`;
  if (text.length > URL_LENGTH_MAX) return { invalid: `${shown} is too long for a URL` };
  if (!text.toLowerCase().startsWith(SCHEME)) {
    return { invalid: `${shown} does not begin with ${SCHEME}: ${form}` };
  }
  const rest = text.slice(SCHEME.length).replace(/\/$/, '');
  if (/[/?#@]/.test(rest)) {
    return { invalid: `${shown} has more than addresses behind ${SCHEME}: ${form}` };
  }
  const addresses: Address[] = [];
  for (const part of rest.split(',')) {
    if (part === '') return { invalid: `${shown} has an empty address: ${form}` };
    const address = parseAddress(hasPort(part) ? part : `${part}:${String(DEFAULT_PORT)}`);
    if (isInvalid(address)) return { invalid: `${shown}: ${address.invalid}` };
    addresses.push(address);
  }
  return addresses;
}

function hasPort(part: string): boolean {
  return part.startsWith('[') ? !part.endsWith(']') : part.includes(':');
}
