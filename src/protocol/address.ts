/** Where a node listens, or is to listen. */
export interface Address {
  /** A name or an IP address; IPv6 stands without its brackets. */
  readonly host: string;
  /** 0 to 65535. To listen on 0 is to let the system choose; nobody can be reached there. */
  readonly port: number;
}

/** A text that names no address. The message says why and how one is written, on one line. */
export interface InvalidAddress {
  readonly invalid: string;
}

export function isInvalid(address: Address | InvalidAddress): address is InvalidAddress {
  return 'invalid' in address;
}

/** Where a server listens, and a client asks, when nothing else is said. */
export const DEFAULT_ADDRESS = '127.0.0.1:7001';

const PORT_MAX = 65_535;
const ADDRESS_LENGTH_MAX = 300;

/** Reads `HOST:PORT`, where an IPv6 host stands in brackets: `[::1]:7001`. */
export function parseAddress(text: string): Address | InvalidAddress {
  const shown = JSON.stringify(text.slice(0, ADDRESS_LENGTH_MAX));
  if (text.length > ADDRESS_LENGTH_MAX) return { invalid: `${shown} is too long for an address` };
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (match === null) {
    if (isIPv6(text)) return { invalid: `${shown} has no port: write [${text}]:7001` };
    const brackets = text.split(':').length > 2 ? ', with an IPv6 host in brackets: [::1]:7001' : '';
    return { invalid: `${shown} is no address: write HOST:PORT, for example ${DEFAULT_ADDRESS}${brackets}` };
  }
  const [, bracketed, bare = '', digits = ''] = match;
  if (!/^\d{1,5}$/.test(digits) || Number(digits) > PORT_MAX) {
    return { invalid: `${shown} has no valid port: it is a number from 0 to ${String(PORT_MAX)}` };
  }
  const port = Number(digits);
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) return { invalid: `${shown} has no IPv6 address in its brackets` };
    return { host: bracketed, port };
  }
  if (!isHost(bare)) return { invalid: `${shown} has no valid host: it is a name or an IP address` };
  return { host: bare, port };
}

/** Writes an address as `parseAddress` reads it. */
export function showAddress(address: Address): string {
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `${host}:${String(address.port)}`;
}

function isHost(text: string): boolean {
  if (/^[\d.]*$/.test(text)) return isIPv4(text);
  return /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(text);
}

/** The system's own tests of addresses come with its sockets, and none are needed to read a text. */
function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** A zone may stand behind a percent sign: `fe80::1%eth0`. */
function isIPv6(text: string): boolean {
  const [address = '', zone, ...more] = text.split('%');
  if (more.length > 0 || (zone !== undefined && !/^[0-9A-Za-z.:_-]+$/.test(zone))) return false;
  return address.includes(':') && /^[0-9A-Fa-f:.]+$/.test(address) && URL.canParse(`http://[${address}]/`);
}
