import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { DEFAULT_ADDRESS, parseAddress, showAddress } from './address.js';
import type { Address } from './address.js';
import * as answers from './answers.js';
import type { PromotionReport, StatusReport } from './answers.js';
import type { CallOptions } from './call.js';
import { Caller } from './caller.js';
import { KvError } from './errors.js';
import type { KvReply } from './reply.js';
import * as requests from './requests.js';
import type { Bytes } from './requests.js';

export interface ClientOptions {
  /** `HOST:PORT`, an IPv6 host in brackets. 127.0.0.1:7001 when not given. */
  readonly address?: string | Address;
  /** How long a call may take, the way to the server included. 5,000 when not given. */
  readonly timeoutMs?: number;
  /** Calls under way at once; one more is refused with `BUSY`. 10,000 when not given. */
  readonly callsMax?: number;
  /** Bytes of requests under way at once; past it a call is refused with `BUSY`. 256 MiB when not given. */
  readonly requestBytesMax?: number;
  readonly clock?: Clock;
}

/** What an operator vouches for when a backup is removed. */
export interface RemovalOptions extends CallOptions {
  /** It is stopped, and stays so until the call is answered. */
  readonly backupIsDown?: boolean;
}

/** What an operator vouches for when a backup is made the primary. */
export interface PromotionOptions extends CallOptions {
  /** The members that do not answer are stopped, and stay so until the call is answered. */
  readonly othersAreDown?: boolean;
  /** Goes on whatever is missing. Only with `othersAreDown`. */
  readonly acceptDataLoss?: boolean;
}

/**
 * A client of one server. Calls made together travel together on one connection, which is made when it is
 * first needed and made anew after it was lost.
 *
 * When that server is a backup, it answers reads itself and names its primary for writes: those are sent there then, over a
 * second connection, in the order made. Once that one is lost, writes begin at the configured server again.
 *
 * Every call fails with a {@link KvError} and nothing else. A failure that nobody awaits is dropped and
 * never ends the process.
 */
export interface KvClient {
  /** The value of the key, or undefined when there is no such key. */
  get(key: Bytes, options?: CallOptions): Promise<Buffer | undefined>;
  /** Resolves once the write is safe, as far as the cluster promises it. */
  put(key: Bytes, value: Bytes, options?: CallOptions): Promise<void>;
  /** Whether there was such a key. */
  delete(key: Bytes, options?: CallOptions): Promise<boolean>;
  exists(key: Bytes, options?: CallOptions): Promise<boolean>;
  /** All keys, or those that match a glob, in no promised order. */
  keys(glob?: Bytes, options?: CallOptions): Promise<Buffer[]>;
  /** The values of several keys at one state of the map, in the order asked. */
  mget(keys: readonly Bytes[], options?: CallOptions): Promise<(Buffer | undefined)[]>;
  /** Sets several keys at once: all of them or none. */
  mset(pairs: Iterable<readonly [Bytes, Bytes]>, options?: CallOptions): Promise<void>;
  /** How many keys there are. */
  count(options?: CallOptions): Promise<number>;
  status(options?: CallOptions): Promise<StatusReport>;
  /** What the server says about itself in one line: role, term, index, commit. */
  heartbeat(options?: CallOptions): Promise<Map<string, string>>;
  ping(options?: CallOptions): Promise<void>;
  /** Writes the server's JSON file now; answers its position, `term:index`. */
  snapshot(options?: CallOptions): Promise<string>;
  /** Makes a node a backup of this primary. Resolves once it is known and on its way to be a member. */
  addBackup(address: string | Address, options?: CallOptions): Promise<void>;
  removeBackup(address: string | Address, options?: RemovalOptions): Promise<void>;
  /** Makes this node the primary; answers what was found and decided. */
  promote(options?: PromotionOptions): Promise<PromotionReport>;
  /**
   * Sends any command and answers whatever the server answers, with bytes as they are. Commands that this library knows to
   * be reads or writes are treated as such; any other is sent once, to one node.
   */
  command(words: readonly Bytes[], options?: CallOptions): Promise<KvReply>;
  /** Fails what is under way and lets go of the connection. Safe to call twice. */
  close(): void;
}

const TIMEOUT_MS = 5_000;
const CALLS_MAX = 10_000;
const REQUEST_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Makes a client. Nothing is sent before the first call.
 *
 * @throws KvError with the code `BAD_OPTION` when an option makes no sense.
 */
export function createClient(options: ClientOptions = {}): KvClient {
  const caller = new Caller({
    address: readAddress(options.address ?? DEFAULT_ADDRESS),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    callsMax: options.callsMax ?? CALLS_MAX,
    requestBytesMax: options.requestBytesMax ?? REQUEST_BYTES_MAX,
    clock: options.clock ?? systemClock,
  });
  return {
    get: (key, call) => caller.call(() => requests.get(key), answers.valueOrNothing, call),
    put: (key, value, call) => caller.call(() => requests.put(key, value), answers.done, call),
    delete: (key, call) => caller.call(() => requests.remove(key), answers.found, call),
    exists: (key, call) => caller.call(() => requests.exists(key), answers.isOne, call),
    keys: (glob, call) => caller.call(() => requests.keys(glob), answers.keys, call),
    mget: (keys, call) => caller.call(() => requests.getMany(keys), answers.values, call),
    mset: (pairs, call) => caller.call(() => requests.putMany(pairs), answers.done, call),
    count: (call) => caller.call(() => requests.bare('reads', 'DBSIZE'), answers.integer, call),
    status: (call) => caller.call(() => requests.bare('reads', 'STATUS'), answers.status, call),
    heartbeat: (call) => caller.call(() => requests.bare('reads', 'HEARTBEAT'), answers.fields, call),
    ping: (call) => caller.call(() => requests.bare('reads', 'PING'), answers.pong, call),
    snapshot: (call) => caller.call(() => requests.bare('manages', 'SNAPSHOT'), answers.position, call),
    addBackup: (address, call) =>
      caller.call(() => requests.addBackup(readAddress(address)), answers.done, call),
    removeBackup: (address, call = {}) =>
      caller.call(
        () => requests.removeBackup(readAddress(address), call.backupIsDown === true),
        answers.done,
        call,
      ),
    promote: (call = {}) =>
      caller.call(
        () => requests.promote(call.othersAreDown === true, call.acceptDataLoss === true),
        answers.promotion,
        call,
      ),
    command: (words, call) => caller.call(() => requests.command(words), answers.anything, call),
    close: () => caller.close(),
  };
}

function readAddress(address: string | Address): Address {
  const parsed = parseAddress(typeof address === 'string' ? address : showAddress(address));
  if ('invalid' in parsed) throw new KvError('BAD_OPTION', parsed.invalid);
  if (parsed.port === 0)
    throw new KvError('BAD_OPTION', 'nobody can be reached at port 0: name the real port');
  return parsed;
}
