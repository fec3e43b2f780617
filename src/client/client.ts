import * as answers from './answers.js';
import type { PromotionReport, StatusReport } from './answers.js';
import type { Address } from './address.js';
import type { CallOptions } from './call.js';
import { Caller } from './caller.js';
import type { CallerSettings, Conversation } from './caller.js';
import { KvError } from './errors.js';
import { readAddress, readOptions } from './options.js';
import type { ClientOptions, ValueKind } from './options.js';
import type { KvReply } from './reply.js';
import * as requests from './requests.js';
import type { Bytes } from './requests.js';
import { scanKeys } from './scan.js';
import type { ScanOptions } from './scan.js';
import { DECODERS } from './values.js';
import type { Decode } from './values.js';

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
 * A client of one server, or of the servers of one cluster. `Value` is what keys and values are answered as: `Buffer`, or
 * `string` where the client was made with `values: 'string'`.
 *
 * Connections are made when they are first needed, and made anew after they were lost. Calls made together travel
 * together. Writes take effect in the order in which they were begun, and go to the primary, wherever it is.
 *
 * Every call ends within its deadline. It fails with a {@link KvError} and nothing else; a failure that nobody awaits is
 * dropped and never ends the process. An idle client does not keep the process alive.
 */
export interface KvClient<Value extends Buffer | string = Buffer> {
  /** The value of the key, or undefined when there is no such key. */
  get(key: Bytes, options?: CallOptions): Promise<Value | undefined>;
  /** Resolves once the write is safe, as far as the cluster promises it. */
  put(key: Bytes, value: Bytes, options?: CallOptions): Promise<void>;
  /** Whether there was such a key. */
  delete(key: Bytes, options?: CallOptions): Promise<boolean>;
  /** Whether there is such a key. */
  exists(key: Bytes, options?: CallOptions): Promise<boolean>;
  /** All keys, or those that match a glob, in no promised order. Too many for one answer fail: then use `scan`. */
  keys(glob?: Bytes, options?: CallOptions): Promise<Value[]>;
  /**
   * Walks over all keys, or those that match, in pages: `for await (const key of client.scan())`. The deadline and the
   * signal are those of each page. Each loop over what this answers is a walk of its own.
   */
  scan(options?: ScanOptions): AsyncIterable<Value>;
  /** The values of several keys at one state of the map, in the order asked; undefined where there is no such key. */
  mget(keys: readonly Bytes[], options?: CallOptions): Promise<(Value | undefined)[]>;
  /** Sets several keys at once: all of them or none. */
  mset(pairs: Iterable<readonly [Bytes, Bytes]>, options?: CallOptions): Promise<void>;
  /** How many keys there are. */
  count(options?: CallOptions): Promise<number>;
  /** How the server is that answers reads, and how its members do. */
  status(options?: CallOptions): Promise<StatusReport>;
  /** What the server says about itself in one line: role, term, index, commit. */
  heartbeat(options?: CallOptions): Promise<Map<string, string>>;
  /** Resolves when the server answers. */
  ping(options?: CallOptions): Promise<void>;
  /** Writes the server's JSON file now; answers its position, `term:index`. */
  snapshot(options?: CallOptions): Promise<string>;
  /** Makes a node a backup of this primary. Resolves once it is known and on its way to be a member. */
  addBackup(address: string | Address, options?: CallOptions): Promise<void>;
  /** Has a backup of this primary take part no more. */
  removeBackup(address: string | Address, options?: RemovalOptions): Promise<void>;
  /** Makes the one server that the client was made with the primary; answers what was found and decided. */
  promote(options?: PromotionOptions): Promise<PromotionReport>;
  /**
   * Sends any command and answers whatever the server answers, with bytes as they are. Commands that this library knows to
   * be reads or writes are treated as such; any other is sent once, to one node.
   */
  command(words: readonly Bytes[], options?: CallOptions): Promise<KvReply>;
  /** Fails what is under way and lets go of the connections. Safe to call twice. */
  close(): void;
  /** The same as `close`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Makes a client. Nothing is sent before the first call.
 *
 * @throws KvError with the code `BAD_OPTION` when an option makes no sense.
 */
export function createClient(
  options: ClientOptions<'string'> & { readonly values: 'string' },
): KvClient<string>;
export function createClient(options?: ClientOptions): KvClient;
export function createClient(options: ClientOptions<ValueKind> = {}): KvClient<string> | KvClient {
  const settings = readOptions(options, process.env);
  return options.values === 'string'
    ? clientOf(settings, DECODERS.string)
    : clientOf(settings, DECODERS.buffer);
}

function clientOf<Value extends Buffer | string>(
  settings: CallerSettings,
  decode: Decode<Value>,
): KvClient<Value> {
  const caller = new Caller(settings);
  const { call } = caller;
  return {
    get: (key, options) =>
      call(
        () => requests.get(key),
        (reply) => answers.valueOrNothing(decode, reply),
        options,
      ),
    put: (key, value, options) => call(() => requests.put(key, value), answers.done, options),
    delete: (key, options) => call(() => requests.remove(key), answers.found, options),
    exists: (key, options) => call(() => requests.exists(key), answers.isOne, options),
    keys: (glob, options) =>
      call(
        () => requests.keys(glob),
        (reply) => answers.keys(decode, reply),
        options,
      ),
    scan: (options) => scanWith(caller, decode, options),
    mget: (keys, options) =>
      call(
        () => requests.getMany(keys),
        (reply) => answers.values(decode, reply),
        options,
      ),
    mset: (pairs, options) => call(() => requests.putMany(pairs), answers.done, options),
    count: (options) => call(() => requests.bare('reads', 'DBSIZE'), answers.integer, options),
    ping: (options) => call(() => requests.bare('reads', 'PING'), answers.pong, options),
    command: (words, options) => call(() => requests.command(words), answers.anything, options),
    ...operatorsCalls(caller, settings),
    close: () => {
      caller.close();
    },
    [Symbol.dispose]: () => {
      caller.close();
    },
  };
}

type OperatorsCalls = Pick<
  KvClient,
  'status' | 'heartbeat' | 'snapshot' | 'addBackup' | 'removeBackup' | 'promote'
>;

function operatorsCalls({ call }: Caller, settings: CallerSettings): OperatorsCalls {
  return {
    status: (options) => call(() => requests.bare('reads', 'STATUS'), answers.status, options),
    heartbeat: (options) => call(() => requests.bare('reads', 'HEARTBEAT'), answers.fields, options),
    snapshot: (options) => call(() => requests.bare('manages', 'SNAPSHOT'), answers.position, options),
    addBackup: (address, options) =>
      call(() => requests.addBackup(readAddress(address)), answers.done, options),
    removeBackup: (address, options = {}) =>
      call(
        () => requests.removeBackup(readAddress(address), options.backupIsDown === true),
        answers.done,
        options,
      ),
    promote: (options = {}) =>
      call(
        () => {
          checkOneAddress(settings);
          return requests.promote(options.othersAreDown === true, options.acceptDataLoss === true);
        },
        answers.promotion,
        options,
      ),
  };
}

/** A promotion is about one node, and the others of a cluster are not asked to stand in for it. */
function checkOneAddress({ addresses, reads }: CallerSettings): void {
  if (addresses.length === 1 && reads === 'given') return;
  throw new KvError('BAD_OPTION', 'promote is about one server: make a client with its address alone');
}

/** A page of so many keys takes the server well under a millisecond, and is worth the way. */
const PAGE_KEYS = 1_000;

function scanWith<Value>(
  { call }: Caller,
  decode: Decode<Value>,
  { match, count = PAGE_KEYS, ...options }: ScanOptions = {},
): AsyncIterable<Value> {
  return scanKeys(() => {
    const conversation: Conversation = { with: undefined };
    return (cursor) =>
      call(
        () => requests.scan(cursor, match, count),
        (reply) => answers.scanPage(decode, reply),
        options,
        conversation,
      );
  });
}
