import type { Clock } from '../clock.js';
import { parseAddress, showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import type { BackoffLimits } from './backoff.js';
import type { Call, Place } from './call.js';
import type { Ending, Loss } from './connection.js';
import { KvError } from './errors.js';
import { PrimarySearch } from './primary-search.js';
import type { ErrorReply } from './reply.js';
import { ServerNode } from './server-node.js';
import { unheldClock } from './unheld-clock.js';
import { WriteOrder } from './write-order.js';

export interface RouterSettings {
  readonly clock: Clock;
  readonly random: () => number;
  /** At least one. */
  readonly addresses: readonly Address[];
  /** `given`: reads go to the one address that there is. */
  readonly reads: 'given' | 'primary' | 'any';
  /** Whether calls wait, until their deadline, for a server that is out of reach. */
  readonly waits: boolean;
  readonly timeoutMs: number;
  readonly connectionsMax: number;
  readonly backoff: BackoffLimits;
}

/** How often one call is sent on to the node that a refusal named as the primary. */
const HOPS_MAX = 3;
/** How often a read is sent whose connection breaks before it is answered: it may be what breaks them. */
const LOSSES_MAX = 4;
/** Where calls wait for a server, an attempt to connect may not use up their whole time. */
const CONNECT_MS_MAX = 2_000;
/** A primary that refuses is compared with what the other nodes say no more often than this. */
const DOUBT_PERIOD_MS = 1_000;

/**
 * The way of calls to nodes, and what becomes of those that come back without an answer.
 *
 * With `given` reads, reads and operators' calls go to the given node, and so do writes until it names another one as the
 * primary; then writes go there for as long as that node can be reached. Otherwise the primary is searched among the
 * addresses whenever it is not known, and what needs it waits.
 *
 * Invariant: beside the nodes in use there are only those on which calls are under way, so the bound on calls bounds the
 * connections too.
 */
export class Router implements Place {
  readonly #settings: RouterSettings;
  readonly #unheldClock: Clock;
  readonly #nodes = new Map<string, ServerNode>();
  /** Those of the settings. They stay, and the others come and go. */
  readonly #configured: readonly ServerNode[];
  readonly #search: PrimarySearch;
  readonly #writes = new WriteOrder(() => this.trouble);
  /** What is no write and waits until the primary is known. */
  readonly #waiting = new Set<Call>();
  /** Where writes go. With `given` reads only when it is another one than the given one. */
  #primary: ServerNode | undefined;
  /** As people count it; 0 when it is not known. */
  #primaryTerm = 0;
  /** Where reads go that any node may answer. */
  #reader: ServerNode | undefined;
  #isInUse = false;
  #isClosed = false;
  #doubtedMs = -Infinity;

  constructor(settings: RouterSettings) {
    this.#settings = settings;
    this.#unheldClock = unheldClock(settings.clock);
    this.#search = new PrimarySearch({
      clock: this.#unheldClock,
      random: settings.random,
      backoff: settings.backoff,
      timeoutMs: settings.timeoutMs,
      repeats: settings.waits,
      nodes: () => this.#configured,
      nodeAt: (address) => this.#nodeAt(address),
      found: (node, term) => {
        this.#found(node, term);
      },
      failed: (trouble) => {
        this.#failWaiting('UNREACHABLE', trouble);
      },
    });
    this.#configured = settings.addresses.map((address) => this.#makeNode(address));
  }

  get trouble(): string | undefined {
    return this.#settings.reads === 'given' ? undefined : this.#search.trouble;
  }

  remove(call: Call): void {
    this.#waiting.delete(call);
  }

  send(call: Call): void {
    if (call.request.effect === 'writes') {
      this.#writes.add(call);
      this.#dispatchWrites();
    } else {
      this.#sendOther(call);
    }
  }

  /** A call has its outcome, and no connection owes a reply to it. */
  forget(call: Call): void {
    this.#writes.remove(call);
    if (!this.#isClosed) this.#dispatchWrites();
  }

  setInUse(isInUse: boolean): void {
    this.#isInUse = isInUse;
    for (const node of [...this.#nodes.values()]) node.setInUse(isInUse);
    if (!isInUse) this.#search.rest();
  }

  checkSilence(): void {
    for (const node of [...this.#nodes.values()]) node.checkSilence();
  }

  close(): void {
    this.#isClosed = true;
    this.#search.stop();
    for (const node of [...this.#nodes.values()]) node.close();
    this.#failWaiting('CLOSED', 'the client was closed');
  }

  /** The node that reads go to by the settings. */
  get #given(): ServerNode | undefined {
    return this.#settings.reads === 'given' ? this.#configured[0] : undefined;
  }

  #sendOther(call: Call): void {
    const target = call.only === undefined ? this.#targetOf(call) : this.#onlyTarget(call);
    if (target === 'gone') {
      call.fail('SCAN_INTERRUPTED', 'the server that the scan began at is out of reach: begin it anew');
    } else if (target !== undefined) {
      target.take(call);
    } else {
      call.place = this;
      this.#waiting.add(call);
      this.#search.start();
    }
  }

  #targetOf(call: Call): ServerNode | undefined {
    if (call.request.effect === 'reads' && this.#settings.reads === 'any') {
      this.#reader ??= this.#anyNode();
      return this.#reader;
    }
    return this.#given ?? this.#primary;
  }

  #onlyTarget({ only }: Call): ServerNode | 'gone' {
    const node = this.#nodes.get(only?.name ?? '');
    if (node === undefined) return 'gone';
    return only?.incarnation === undefined || only.incarnation === node.incarnation ? node : 'gone';
  }

  /** One that can be tried at once, or else the one that can be tried soonest. */
  #anyNode(): ServerNode {
    const nodes = this.#configured;
    const soonestMs = Math.min(...nodes.map((node) => node.delayMs));
    const soonest = nodes.filter((node) => node.delayMs <= soonestMs);
    const chosen = soonest[Math.floor(this.#settings.random() * soonest.length)] ?? nodes[0];
    if (chosen === undefined) throw new Error('there is no address');
    return chosen;
  }

  #dispatchWrites(): void {
    if (!this.#writes.isWaiting) return;
    const target = this.#primary ?? this.#given;
    if (target === undefined) this.#search.start();
    else this.#writes.dispatch(target);
  }

  #nodeAt(address: Address): ServerNode {
    const name = showAddress(address);
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    for (const unused of [...this.#nodes.values()]) {
      if (unused.delayMs === 0) this.#endIfUnused(unused, true);
    }
    return this.#makeNode(address);
  }

  #makeNode(address: Address): ServerNode {
    const clock = this.#unheldClock;
    const { random, timeoutMs, waits, connectionsMax, backoff } = this.#settings;
    const connectMsMax = waits ? Math.min(timeoutMs, CONNECT_MS_MAX) : timeoutMs;
    const node = new ServerNode(
      address,
      { clock, random, connectMsMax, silenceMsMax: timeoutMs, connectionsMax, backoff, waits },
      {
        lost: (lost) => {
          this.#lost(lost);
        },
        ended: (from, call, ending) => {
          this.#ended(from, call, ending);
          this.#endIfUnused(from);
        },
      },
    );
    node.setInUse(this.#isInUse);
    this.#nodes.set(node.name, node);
    return node;
  }

  /**
   * Lets go of a node that nothing is sent to any more.
   *
   * @param isForgotten - whether also of one that failed last: who asks for it again would not know to go slowly.
   */
  #endIfUnused(node: ServerNode, isForgotten = false): void {
    const isUsed = [this.#given, this.#primary, this.#reader].includes(node);
    if (isUsed || !node.isIdle || this.#search.isAsking(node)) return;
    if (node.trouble !== undefined && !isForgotten) return;
    if (!this.#configured.includes(node)) this.#nodes.delete(node.name);
    node.close();
  }

  #lost(node: ServerNode): void {
    if (this.#reader === node) this.#reader = undefined;
    if (this.#primary !== node) return;
    this.#setPrimary(undefined, 0);
    if (!this.#isClosed) this.#dispatchWrites();
  }

  #setPrimary(node: ServerNode | undefined, term: number): void {
    const before = this.#primary;
    this.#primary = node === this.#given ? undefined : node;
    this.#primaryTerm = term;
    if (before !== undefined && before !== this.#primary) this.#endIfUnused(before);
  }

  #found(node: ServerNode, term: number): void {
    if (this.#primary !== undefined && term <= this.#primaryTerm) {
      this.#search.rest();
      return;
    }
    this.#setPrimary(node, term);
    this.#search.rest();
    this.#dispatchWrites();
    this.#dispatchWaiting();
  }

  #dispatchWaiting(): void {
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const call of calls) this.#sendOther(call);
  }

  #failWaiting(code: string, message: string): void {
    for (const call of [...this.#waiting, ...this.#writes.waiting()]) call.fail(code, message);
  }

  #ended(node: ServerNode, call: Call, ending: Ending): void {
    if (ending.kind === 'lost') this.#comeBack(call, ending.loss);
    else if (ending.reply.kind === 'error') this.#refused(node, call, ending.reply);
    else {
      if (call.request.effect === 'writes') this.#writes.noteEffect(call);
      call.settle(ending.reply);
    }
  }

  /** Sends again what may be, and ends what may not. */
  #comeBack(call: Call, loss: Loss): void {
    const { effect } = call.request;
    const isLostOnWire = call.isSent;
    if (isLostOnWire && effect === 'writes') this.#writes.noteEffect(call);
    if (call.isSettled) return;
    if (isLostOnWire) call.losses++;
    // The node that it was sent on to is out of reach, and how soon that is tried again the node's backoff says.
    else call.hops = 0;
    const mayGoAgain = !isLostOnWire || (effect === 'reads' && call.losses < LOSSES_MAX);
    const isFinal = loss.code === 'BAD_REPLY' || loss.code === 'CLOSED';
    if (!mayGoAgain || isFinal || !this.#settings.waits || this.#isClosed) {
      call.fail(loss.code, loss.message, loss.cause);
      return;
    }
    call.beginAgain();
    if (effect === 'writes') {
      this.#writes.giveBack(call);
      this.#dispatchWrites();
    } else {
      this.#sendOther(call);
    }
  }

  #refused(node: ServerNode, call: Call, reply: ErrorReply): void {
    const isUnconfirmed = reply.code === 'UNCONFIRMED';
    if (isUnconfirmed && call.request.effect === 'writes') this.#writes.noteEffect(call);
    if (call.isSettled) return;
    const outcomeUnknown = isUnconfirmed && call.request.effect !== 'reads';
    const refusal = new KvError(reply.code, reply.message, { outcomeUnknown, answered: true });
    if (reply.code === 'NOT_PRIMARY' && this.#sendOn(node, call, refusal)) return;
    if (reply.code === 'NOT_PRIMARY' || reply.code === 'NO_QUORUM') this.#doubt(node, reply.code);
    call.settle(refusal);
  }

  /**
   * Sends a call that was refused, and so was not done, to the node which the refusal names first. Whether it
   * was: otherwise the refusal is the call's outcome.
   */
  #sendOn(from: ServerNode, call: Call, refusal: KvError): boolean {
    if (this.#isClosed || call.request.effect === 'manages' || call.only !== undefined) return false;
    const address = parseAddress(refusal.message.split(' ', 1)[0] ?? '');
    if ('invalid' in address || address.port === 0 || showAddress(address) === from.name) return false;
    if (call.hops === HOPS_MAX) return false;
    call.hops++;
    call.refusal = refusal;
    call.beginAgain();
    const primary = this.#nodeAt(address);
    if (this.#reader === from) this.#reader = primary;
    this.#setPrimary(primary, 0);
    if (call.request.effect === 'writes') {
      this.#writes.giveBack(call);
      this.#dispatchWrites();
    } else {
      primary.take(call);
    }
    return true;
  }

  /** The node does not serve: perhaps another one does by now. */
  #doubt(node: ServerNode, code: 'NOT_PRIMARY' | 'NO_QUORUM'): void {
    if (this.#settings.reads === 'given') return;
    if (this.#reader === node) this.#reader = undefined;
    if (this.#primary !== node) return;
    if (code === 'NOT_PRIMARY') this.#setPrimary(undefined, 0);
    const nowMs = this.#settings.clock.nowMs();
    if (nowMs - this.#doubtedMs < DOUBT_PERIOD_MS) return;
    this.#doubtedMs = nowMs;
    this.#search.start();
  }
}
