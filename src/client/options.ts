import type { Clock } from '../clock.js';
import { systemClock } from '../clock.js';
import { DEFAULT_ADDRESS, isInvalid, parseAddress, showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { TIMEOUT_MS_MAX, checkTimeout } from './caller.js';
import type { CallerSettings } from './caller.js';
import { KvError } from './errors.js';
import { parseUrl } from './url.js';

/** How keys and values are answered: as they are, or as text. */
export type ValueKind = 'buffer' | 'string';

/** What a client is made with. All of it may be left out. */
export interface ClientOptions<Kind extends ValueKind = 'buffer'> {
  /** `HOST:PORT`, an IPv6 host in brackets. Reads go to this server; writes go to the primary that it names. */
  readonly address?: string | Address;
  /** Several servers of one cluster. The client finds out which of them is the primary. */
  readonly addresses?: readonly (string | Address)[];
  /**
   * `kv://host1:7001,host2:7002`; 7001 is the port of an address without one. At most one of `address`, `addresses` and
   * `url` is given. With none of them the environment says it, `KV_URL` or else `KV_ADDRESS`, and otherwise the
   * address is 127.0.0.1:7001.
   */
  readonly url?: string;
  /**
   * Where reads go. `primary`: to the primary, so that they show every acknowledged write. `any`: to any server that
   * can be reached; it may be behind, but never goes back in time for as long as the connection to it holds. When
   * it is not given: to the one server that was named, or, when several were, to the primary.
   */
  readonly reads?: 'primary' | 'any';
  /** Whether keys and values are answered as `Buffer` (when not given) or as `string`. */
  readonly values?: Kind;
  /** How long a call may take, everything included: waiting, connecting, being sent again. 5,000 when not given. */
  readonly timeoutMs?: number;
  /** Calls under way at once, those that wait included; one more fails with `BUSY`. 10,000 when not given. */
  readonly callsMax?: number;
  /** Bytes of requests under way at once; past it a call fails with `BUSY`. 256 MiB when not given. */
  readonly requestBytesMax?: number;
  /**
   * Connections to one server. Everything shares the first one; while more than 256 KiB are under way on it, reads use
   * the others. 2 when not given.
   */
  readonly connectionsMax?: number;
  /**
   * What calls do while no server can be reached. `wait` (when not given): until there is one, or their deadline is
   * over. `fail`: with the first attempt that fails, and reads are not sent again.
   */
  readonly whenUnreachable?: 'wait' | 'fail';
  /**
   * Whether a write is sent again whose answer did not come. It is sent under a number of a session that the servers keep
   * track of, and so never done twice. Opening the session takes one commit before the first write. true when not given;
   * with `whenUnreachable: 'fail'` nothing is sent again.
   */
  readonly retryWrites?: boolean;
  /** The most that the first delay before connecting again can be; it grows from attempt to attempt. 50 when not given. */
  readonly reconnectDelayMinMs?: number;
  /** No delay before connecting again is longer. 2,000 when not given. */
  readonly reconnectDelayMaxMs?: number;
  /** For tests: what tells the time. */
  readonly clock?: Clock;
  /** For tests: draws numbers of at least 0 and below 1, for the delays before connecting again. */
  readonly random?: () => number;
}

const TIMEOUT_MS = 5_000;
const CALLS_MAX = 10_000;
const REQUEST_BYTES_MAX = 256 * 1024 * 1024;
const CONNECTIONS_MAX = 2;
const RECONNECT_DELAY_MIN_MS = 50;
const RECONNECT_DELAY_MAX_MS = 2_000;
/**
 * Of several servers some are there and answer at little cost, and soon another one is the primary: the delays stay below a
 * tenth of the time for which it has been searched.
 */
const GROWTH_OF_SEVERAL = 1.05;

/** All of them, as the compiler sees to. */
const OPTION_NAMES = Object.keys({
  address: true,
  addresses: true,
  url: true,
  reads: true,
  values: true,
  timeoutMs: true,
  callsMax: true,
  requestBytesMax: true,
  connectionsMax: true,
  whenUnreachable: true,
  retryWrites: true,
  reconnectDelayMinMs: true,
  reconnectDelayMaxMs: true,
  clock: true,
  random: true,
} satisfies Record<keyof ClientOptions, true>);

/** @throws KvError with the code `BAD_OPTION`. */
export function readOptions(
  options: ClientOptions<ValueKind>,
  environment: NodeJS.ProcessEnv,
): CallerSettings {
  checkNames(options);
  const addresses = readAddresses(options, environment);
  const { timeoutMs = TIMEOUT_MS, callsMax = CALLS_MAX, requestBytesMax = REQUEST_BYTES_MAX } = options;
  checkTimeout(timeoutMs);
  checkChoice('reads', options.reads, ['primary', 'any']);
  checkChoice('values', options.values, ['buffer', 'string']);
  checkChoice('whenUnreachable', options.whenUnreachable, ['wait', 'fail']);
  const waits = options.whenUnreachable !== 'fail';
  return {
    addresses,
    reads: options.reads ?? (addresses.length === 1 ? 'given' : 'primary'),
    waits,
    retriesWrites: readRetryWrites(options, waits),
    timeoutMs,
    callsMax: checkBound('callsMax', callsMax),
    requestBytesMax: checkBound('requestBytesMax', requestBytesMax),
    connectionsMax: checkBound('connectionsMax', options.connectionsMax ?? CONNECTIONS_MAX),
    backoff: readBackoff(options, addresses.length),
    clock: options.clock ?? systemClock,
    // Nothing but the moment of an attempt depends on it.
    random: options.random ?? Math.random,
  };
}

/** An address at which a server can be reached. */
export function readAddress(address: string | Address): Address {
  const parsed = parseAddress(typeof address === 'string' ? address : showAddress(address));
  if (isInvalid(parsed)) throw new KvError('BAD_OPTION', parsed.invalid);
  return checkPort(parsed);
}

function readAddresses(
  options: ClientOptions<ValueKind>,
  environment: NodeJS.ProcessEnv,
): readonly Address[] {
  const { address, addresses, url } = options;
  if ([address, addresses, url].filter((given) => given !== undefined).length > 1) {
    throw new KvError('BAD_OPTION', 'give one of address, addresses and url');
  }
  if (address !== undefined) return [readAddress(address)];
  if (addresses !== undefined) return distinct(addresses.map(readAddress));
  if (url !== undefined) return readUrl(url, '');
  if (isGiven(environment.KV_URL)) return readUrl(environment.KV_URL, 'KV_URL: ');
  return [readAddress(isGiven(environment.KV_ADDRESS) ? environment.KV_ADDRESS : DEFAULT_ADDRESS)];
}

function readUrl(url: string, source: string): readonly Address[] {
  const addresses = parseUrl(url);
  if ('invalid' in addresses) throw new KvError('BAD_OPTION', `${source}${addresses.invalid}`);
  return distinct(addresses.map(checkPort));
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function checkPort(address: Address): Address {
  if (address.port !== 0) return address;
  throw new KvError('BAD_OPTION', 'nobody can be reached at port 0: name the real port');
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  if (addresses.length === 0) throw new KvError('BAD_OPTION', 'addresses is empty: name a server');
  return [...new Map(addresses.map((address) => [showAddress(address), address])).values()];
}

function readRetryWrites({ retryWrites }: ClientOptions<ValueKind>, waits: boolean): boolean {
  if (retryWrites !== undefined && typeof retryWrites !== 'boolean') {
    throw new KvError('BAD_OPTION', 'retryWrites is true or false');
  }
  if (retryWrites === true && !waits) {
    throw new KvError(
      'BAD_OPTION',
      "with whenUnreachable: 'fail' nothing is sent again: leave retryWrites out",
    );
  }
  return retryWrites ?? waits;
}

function readBackoff(options: ClientOptions<ValueKind>, servers: number): CallerSettings['backoff'] {
  const delayMinMs = options.reconnectDelayMinMs ?? RECONNECT_DELAY_MIN_MS;
  const delayMaxMs = options.reconnectDelayMaxMs ?? Math.max(RECONNECT_DELAY_MAX_MS, delayMinMs);
  const areNumbers = [delayMinMs, delayMaxMs].every(Number.isFinite);
  if (areNumbers && delayMinMs > 0 && delayMinMs <= delayMaxMs && delayMaxMs <= TIMEOUT_MS_MAX) {
    return servers === 1 ? { delayMinMs, delayMaxMs } : { delayMinMs, delayMaxMs, growth: GROWTH_OF_SEVERAL };
  }
  const order = 'reconnectDelayMinMs is above 0 and at most reconnectDelayMaxMs';
  throw new KvError('BAD_OPTION', `${order}, and that is at most ${String(TIMEOUT_MS_MAX)}`);
}

function checkBound(name: string, bound: number): number {
  if (Number.isSafeInteger(bound) && bound > 0) return bound;
  throw new KvError('BAD_OPTION', `${name} is a whole number above 0`);
}

/**
 * For callers that no compiler has looked at. A misspelt option that is passed over would be worse than a failure: without
 * its address, a client writes to the server at the default one.
 */
function checkNames(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new KvError(
      'BAD_OPTION',
      "createClient takes an object of options, such as { address: 'HOST:PORT' }",
    );
  }
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown === undefined) return;
  const shown = JSON.stringify(unknown.slice(0, 100));
  throw new KvError('BAD_OPTION', `there is no option ${shown}: there are ${OPTION_NAMES.join(', ')}`);
}

/** For callers that no compiler has looked at. */
function checkChoice(name: string, choice: string | undefined, choices: readonly string[]): void {
  if (choice === undefined || choices.includes(choice)) return;
  throw new KvError('BAD_OPTION', `${name} is one of ${choices.join(', ')}`);
}
