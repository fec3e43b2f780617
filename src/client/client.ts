import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { DEFAULT_ADDRESS, parseAddress, showAddress } from './address.js';
import type { Address } from './address.js';
import { Call } from './call.js';
import type { CallOutcome, CallReply, CallRequest } from './call.js';
import { Connection } from './connection.js';
import { KvError } from './errors.js';
import * as answers from './answers.js';
import type { StatusReport } from './answers.js';
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

export interface CallOptions {
  /** How long this call may take, instead of what the client was made with. */
  readonly timeoutMs?: number;
  /** Gives the call up when it fires. A write that was sent may then still take effect. */
  readonly signal?: AbortSignal;
}

/**
 * A client of one server. Calls made together travel together on one connection, which is made when it is
 * first needed and made anew after it was lost.
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
  /** Fails what is under way and lets go of the connection. Safe to call twice. */
  close(): void;
}

const TIMEOUT_MS = 5_000;
/** The longest delay that a timer of the system can hold. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const CALLS_MAX = 10_000;
const REQUEST_BYTES_MAX = 256 * 1024 * 1024;

interface Settings {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly callsMax: number;
  readonly requestBytesMax: number;
  readonly clock: Clock;
}

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
    count: (call) => caller.call(() => requests.read('DBSIZE', 'single'), answers.integer, call),
    status: (call) => caller.call(() => requests.read('STATUS', 'list'), answers.status, call),
    heartbeat: (call) => caller.call(() => requests.read('HEARTBEAT', 'single'), answers.fields, call),
    ping: (call) => caller.call(() => requests.read('PING', 'single'), answers.pong, call),
    snapshot: (call) => caller.call(() => requests.read('SNAPSHOT', 'single'), answers.position, call),
    close: () => caller.close(),
  };
}

/** What both ends of every call have in common: bounds, deadlines, and the connection. */
class Caller {
  readonly #settings: Settings;
  #connection: Connection | undefined;
  #closed = false;
  /** Calls that hold a place in a queue, given up or not, and the bytes of their requests. */
  #queued = 0;
  #queuedBytes = 0;
  /** Calls that somebody waits for. */
  #awaited = 0;

  constructor(settings: Settings) {
    checkTimeout(settings.timeoutMs);
    checkBound('callsMax', settings.callsMax);
    checkBound('requestBytesMax', settings.requestBytesMax);
    this.#settings = settings;
  }

  call<Answer>(
    encode: () => CallRequest | undefined,
    read: (reply: CallReply | undefined) => Answer | KvError,
    options: CallOptions = {},
  ): Promise<Answer> {
    const promise = new Promise<Answer>((resolve, reject) => {
      const done = (outcome: CallOutcome | undefined): void => {
        const answer = outcome instanceof KvError ? outcome : read(outcome);
        if (answer instanceof KvError) reject(answer);
        else resolve(answer);
      };
      try {
        this.#start(encode, options, done);
      } catch (error) {
        reject(error instanceof KvError ? error : new KvError('BAD_OPTION', String(error), { cause: error }));
      }
    });
    promise.catch(() => undefined);
    return promise;
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  #start(
    encode: () => CallRequest | undefined,
    options: CallOptions,
    done: (outcome: CallOutcome | undefined) => void,
  ): void {
    if (this.#closed) throw new KvError('CLOSED', 'the client was closed: make a new one');
    if (options.signal?.aborted === true) throw new KvError('ABORTED', 'the call was aborted');
    const timeoutMs = options.timeoutMs ?? this.#settings.timeoutMs;
    checkTimeout(timeoutMs);
    this.#checkRoom(0);
    const request = encode();
    if (request === undefined) {
      done(undefined);
      return;
    }
    this.#checkRoom(request.bytes.length);
    this.#queued++;
    this.#queuedBytes += request.bytes.length;
    this.#awaited++;
    const connection = (this.#connection ??= this.#connect());
    if (this.#awaited === 1) connection.setInUse(true);
    const settled = (outcome: CallOutcome): void => {
      this.#awaited--;
      if (this.#awaited === 0) connection.setInUse(false);
      done(outcome);
    };
    const limits = { timeoutMs, signal: options.signal };
    const timedOut = (): void => connection.checkSilence();
    connection.add(new Call(this.#settings.clock, request, limits, settled, timedOut));
  }

  #checkRoom(bytes: number): void {
    const { callsMax, requestBytesMax, address } = this.#settings;
    const advice = `await some before making more (${showAddress(address)})`;
    if (this.#queued >= callsMax) {
      throw new KvError('BUSY', `${String(callsMax)} calls are under way: ${advice}`);
    }
    if (this.#queuedBytes + bytes > requestBytesMax) {
      throw new KvError('BUSY', `requests of ${String(requestBytesMax)} bytes are under way: ${advice}`);
    }
  }

  #connect(): Connection {
    return new Connection({
      address: this.#settings.address,
      clock: this.#settings.clock,
      silenceMsMax: this.#settings.timeoutMs,
      lost: (connection) => {
        if (this.#connection === connection) this.#connection = undefined;
      },
      released: (call) => {
        this.#queued--;
        this.#queuedBytes -= call.request.bytes.length;
      },
    });
  }
}

function readAddress(address: string | Address): Address {
  const parsed = parseAddress(typeof address === 'string' ? address : showAddress(address));
  if ('invalid' in parsed) throw new KvError('BAD_OPTION', parsed.invalid);
  if (parsed.port === 0)
    throw new KvError('BAD_OPTION', 'nobody can be reached at port 0: name the real port');
  return parsed;
}

function checkTimeout(timeoutMs: number): void {
  if (timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX) return;
  throw new KvError('BAD_OPTION', `timeoutMs is above 0 and at most ${String(TIMEOUT_MS_MAX)}`);
}

function checkBound(name: string, bound: number): void {
  if (Number.isSafeInteger(bound) && bound > 0) return;
  throw new KvError('BAD_OPTION', `${name} is a whole number above 0`);
}
