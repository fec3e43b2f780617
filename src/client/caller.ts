import type { Clock } from '../clock.js';
import { parseAddress, showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { Call } from './call.js';
import type { CallOptions, CallOutcome, CallRequest } from './call.js';
import { Connection } from './connection.js';
import { KvError } from './errors.js';
import type { KvReply } from './reply.js';

export interface CallerSettings {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly callsMax: number;
  readonly requestBytesMax: number;
  readonly clock: Clock;
}

/** How often one call is sent on to the node that a refusal named as the primary. */
const HOPS_MAX = 3;
/** The longest delay that a timer of the system can hold. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The connection to one node, and what is under way there. */
interface Route {
  readonly address: Address;
  readonly name: string;
  readonly connection: Connection;
  /** Calls that hold a place in its queue, and the writes among them. */
  calls: number;
  writes: number;
}

/**
 * What both ends of every call have in common: bounds, deadlines, and the way to a node.
 *
 * Reads go to the configured node, and so do writes until it names another one as the primary; then writes go there for as
 * long as that connection holds. Invariant: beside the routes to these two there are only those on which calls are
 * under way, so the bound on calls bounds the connections too.
 */
export class Caller {
  readonly #settings: CallerSettings;
  readonly #routes = new Map<string, Route>();
  /** Where writes go. */
  #writeAddress: Address;
  /** Writes that wait until none is under way elsewhere: one that was made later must not take effect first. */
  #held: Call[] = [];
  #closed = false;
  /** Calls that hold a place in a queue, given up or not, and the bytes of their requests. */
  #queued = 0;
  #queuedBytes = 0;
  /** Calls that somebody waits for. */
  #awaited = 0;

  constructor(settings: CallerSettings) {
    checkTimeout(settings.timeoutMs);
    checkBound('callsMax', settings.callsMax);
    checkBound('requestBytesMax', settings.requestBytesMax);
    this.#settings = settings;
    this.#writeAddress = settings.address;
  }

  call<Answer>(
    encode: () => CallRequest | undefined,
    read: (reply: KvReply | undefined) => Answer | KvError,
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
    if (this.#closed) return;
    this.#closed = true;
    for (const route of [...this.#routes.values()]) route.connection.close();
    for (const call of this.#held.splice(0)) call.fail('CLOSED', 'the client was closed');
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
    const settled = (outcome: CallOutcome): void => {
      this.#changeAwaited(-1);
      done(outcome);
    };
    const timedOut = (): void => {
      for (const route of [...this.#routes.values()]) route.connection.checkSilence();
    };
    const limits = { timeoutMs, signal: options.signal };
    this.#count(request, 1);
    this.#changeAwaited(1);
    this.#dispatch(new Call(this.#settings.clock, request, limits, settled, timedOut));
  }

  #dispatch(call: Call): void {
    if (call.request.effect !== 'writes') this.#enter(this.#routeTo(this.#settings.address), call);
    else if (this.#hasWritesElsewhere()) this.#held.push(call);
    else this.#enter(this.#routeTo(this.#writeAddress), call);
  }

  #hasWritesElsewhere(): boolean {
    const name = showAddress(this.#writeAddress);
    for (const route of this.#routes.values()) {
      if (route.writes > 0 && route.name !== name) return true;
    }
    return false;
  }

  #dispatchHeld(): void {
    if (this.#closed || this.#held.length === 0 || this.#hasWritesElsewhere()) return;
    const route = this.#routeTo(this.#writeAddress);
    for (const call of this.#held.splice(0)) this.#enter(route, call);
  }

  #enter(route: Route, call: Call): void {
    route.calls++;
    if (call.request.effect === 'writes') route.writes++;
    route.connection.add(call);
  }

  /** A call's place in the queue of a route is free again, answered or not. */
  #leave(route: Route, call: Call): void {
    route.calls--;
    if (call.request.effect === 'writes') route.writes--;
    this.#count(call.request, -1);
    this.#dispatchHeld();
    this.#endIfUnused(route);
  }

  /** Ends the connection to a node that neither was configured nor takes the writes any more. */
  #endIfUnused(route: Route): void {
    const isUsed = [this.#settings.address, this.#writeAddress].some(
      (used) => showAddress(used) === route.name,
    );
    if (route.calls === 0 && !isUsed) route.connection.close();
  }

  /**
   * Sends a call that was refused with `NOT_PRIMARY`, and so was not done, to the node which the refusal names first. Whether it
   * was: otherwise the refusal is the call's outcome.
   */
  #sendOn(from: Route, call: Call, message: string): boolean {
    if (this.#closed || call.settled || call.request.effect === 'manages') return false;
    const primary = parseAddress(message.split(' ', 1)[0] ?? '');
    if ('invalid' in primary || primary.port === 0 || showAddress(primary) === from.name) return false;
    if (call.hops === HOPS_MAX) return false;
    call.hops++;
    call.sent = false;
    const before = this.#routes.get(showAddress(this.#writeAddress));
    this.#writeAddress = primary;
    this.#count(call.request, 1);
    this.#enter(this.#routeTo(primary), call);
    if (before !== undefined) this.#endIfUnused(before);
    return true;
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

  #count(request: CallRequest, change: 1 | -1): void {
    this.#queued += change;
    this.#queuedBytes += change * request.bytes.length;
  }

  #changeAwaited(change: 1 | -1): void {
    const before = this.#awaited;
    this.#awaited += change;
    if (before > 0 && this.#awaited > 0) return;
    for (const route of [...this.#routes.values()]) route.connection.setInUse(this.#awaited > 0);
  }

  #routeTo(address: Address): Route {
    const name = showAddress(address);
    const known = this.#routes.get(name);
    if (known !== undefined) return known;
    const connection = new Connection({
      address,
      clock: this.#settings.clock,
      silenceMsMax: this.#settings.timeoutMs,
      lost: () => {
        this.#lost(route);
      },
      released: (call) => {
        this.#leave(route, call);
      },
      sendOn: (call, message) => this.#sendOn(route, call, message),
    });
    const route: Route = { address, name, connection, calls: 0, writes: 0 };
    this.#routes.set(name, route);
    return route;
  }

  #lost(route: Route): void {
    this.#routes.delete(route.name);
    if (showAddress(this.#writeAddress) !== route.name) return;
    this.#writeAddress = this.#settings.address;
    this.#dispatchHeld();
  }
}

function checkTimeout(timeoutMs: number): void {
  if (timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX) return;
  throw new KvError('BAD_OPTION', `timeoutMs is above 0 and at most ${String(TIMEOUT_MS_MAX)}`);
}

function checkBound(name: string, bound: number): void {
  if (Number.isSafeInteger(bound) && bound > 0) return;
  throw new KvError('BAD_OPTION', `${name} is a whole number above 0`);
}
