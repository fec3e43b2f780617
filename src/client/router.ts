import type { Clock } from '../clock.js';
import { isInvalid, parseAddress, showAddress } from '../protocol/address.js';
import type { Call, Place } from './call.js';
import { SUSPICIOUS_MS } from './connection.js';
import type { Ending } from './connection.js';
import { KvError } from './errors.js';
import { PrimarySearch } from './primary-search.js';
import type { ErrorReply } from './reply.js';
import { RetryPause } from './retry-pause.js';
import { OF_THE_OFFICE, isRefusedForNow, mayGoAgain } from './retry-rules.js';
import type { RetrySettings } from './retry-rules.js';
import type { ServerNode } from './server-node.js';
import { ServerNodes } from './server-nodes.js';
import type { NodesSettings } from './server-nodes.js';
import { SessionOpener } from './session-opener.js';
import { unheldClock } from './unheld-clock.js';
import { WriteOrder } from './write-order.js';

export interface RouterSettings extends NodesSettings {
  /** `given`: reads go to the one address that there is. */
  readonly reads: 'given' | 'primary' | 'any';
  /** Whether calls wait, until their deadline, for a server that is out of reach. */
  readonly waits: boolean;
  /** Whether writes are numbered in a session, so that one may be sent again whose answer was lost. */
  readonly retriesWrites: boolean;
}

/** How often one call is sent on to the node that a refusal named as the primary, before it waits a moment. */
const HOPS_MAX = 3;
/** A primary that refuses is compared with what the other nodes say no more often than this. */
const DOUBT_PERIOD_MS = 100;

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
  readonly #clock: Clock;
  readonly #nodes: ServerNodes;
  readonly #search: PrimarySearch;
  readonly #sessions: SessionOpener;
  readonly #writes = new WriteOrder(this);
  /** What is no write and waits until the primary is known. */
  readonly #waiting = new Set<Call>();
  /** Where writes go. With `given` reads only when it is another one than the given one. */
  #primary: ServerNode | undefined;
  /** As people count it; 0 when it is not known. */
  #primaryTerm = 0;
  /** Which node took a write last, and over which connection. */
  #proven: { readonly node: ServerNode; readonly incarnation: number } | undefined;
  /** Where reads go that any node may answer. */
  #reader: ServerNode | undefined;
  #isClosed = false;
  #doubtedMs = -Infinity;
  readonly #pause: RetryPause;
  readonly #rules: RetrySettings;
  #openingHops = 0;

  constructor(settings: RouterSettings) {
    this.#settings = settings;
    const clock = unheldClock(settings.clock);
    this.#clock = clock;
    this.#rules = { waits: settings.waits, isSingle: this.#isSingle };
    this.#pause = new RetryPause(clock, settings.backoff, settings.random, () => {
      this.#dispatchWrites();
      this.#dispatchWaiting();
    });
    this.#search = new PrimarySearch({
      clock,
      random: settings.random,
      backoff: settings.backoff,
      timeoutMs: settings.timeoutMs,
      repeats: settings.waits,
      nodes: () => this.#nodes.configured,
      nodeAt: (address) => this.#nodes.at(address),
      found: this.#found,
      failed: (trouble) => {
        this.#failWaiting('UNREACHABLE', trouble);
      },
    });
    this.#sessions = new SessionOpener({
      clock,
      timeoutMs: settings.timeoutMs,
      opened: (node) => {
        this.#openingHops = 0;
        this.#prove(node);
        this.#dispatchWrites();
      },
      doneWithout: () => {
        this.#dispatchWrites();
      },
      failed: this.#openingFailed,
    });
    this.#nodes = new ServerNodes(
      { ...settings, clock },
      { lost: this.#lost, silent: this.#silent, ended: this.#ended },
      (node) => this.#isUsed(node),
    );
  }

  get trouble(): string | undefined {
    return this.#isSingle ? (this.#primary ?? this.#given)?.trouble : this.#search.trouble;
  }

  get refusal(): KvError | undefined {
    return this.#pause.refusal;
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
    this.#nodes.setInUse(isInUse);
    if (!isInUse) this.#restSearch();
  }

  checkSilence(): void {
    for (const node of this.#nodes.all()) node.checkSilence();
  }

  close(): void {
    this.#isClosed = true;
    this.#pause.stop();
    this.#search.stop();
    for (const node of this.#nodes.all()) node.close();
    this.#failWaiting('CLOSED', 'the client was closed');
  }

  /** Whether there is one address, and so nobody to ask who the primary is. */
  get #isSingle(): boolean {
    return this.#settings.reads === 'given';
  }

  /** The node that reads go to by the settings. */
  get #given(): ServerNode | undefined {
    return this.#isSingle ? this.#nodes.configured[0] : undefined;
  }

  #isUsed(node: ServerNode): boolean {
    if ([this.#given, this.#primary, this.#reader].includes(node) || this.#search.isAsking(node)) return true;
    // It is asked again in a moment.
    return this.#search.isRunning && this.#nodes.configured.includes(node);
  }

  #sendOther(call: Call): void {
    const target = call.only === undefined ? this.#targetOf(call) : this.#onlyTarget(call);
    if (target === 'gone') {
      call.fail('SCAN_INTERRUPTED', 'the server that the scan began at is out of reach: begin it anew');
    } else if (target !== undefined) {
      target.take(call);
    } else {
      this.#hold(call);
      this.#search.start();
    }
  }

  #hold(call: Call): void {
    call.place = this;
    this.#waiting.add(call);
  }

  #targetOf(call: Call): ServerNode | undefined {
    if (call.request.effect === 'reads' && this.#settings.reads === 'any') {
      this.#reader ??= this.#nodes.any();
      return this.#reader;
    }
    return this.#given ?? this.#primary;
  }

  #onlyTarget({ only }: Call): ServerNode | 'gone' {
    const node = this.#nodes.named(only?.name ?? '');
    if (node === undefined) return 'gone';
    return only?.incarnation === undefined || only.incarnation === node.incarnation ? node : 'gone';
  }

  #dispatchWrites(): void {
    if (!this.#writes.isWaiting || this.#pause.isOn) return;
    const target = this.#primary ?? this.#given;
    if (target === undefined) {
      this.#search.start();
      return;
    }
    if (!this.#writes.mayDispatchTo(target)) return;
    const session = this.#settings.retriesWrites ? this.#sessions.sessionAt(target) : 'none';
    if (session === 'opening') return;
    const isProven = this.#proven?.node === target && this.#proven.incarnation === target.incarnation;
    this.#writes.dispatch(target, session === 'none' ? undefined : session, isProven);
  }

  #dispatchWaiting(): void {
    if (this.#pause.isOn) return;
    const calls = [...this.#waiting];
    this.#waiting.clear();
    for (const call of calls) this.#sendOther(call);
  }

  #prove(node: ServerNode): void {
    this.#proven = { node, incarnation: node.incarnation };
    this.#worked(node);
  }

  /** A call was answered that only a node answers which serves. */
  #worked(node: ServerNode): void {
    this.#pause.reset();
    if (this.#search.isRunning && this.#primary === node) this.#restSearch();
  }

  #restSearch(): void {
    if (this.#search.isRunning) {
      this.#search.rest();
      for (const node of this.#nodes.configured) this.#nodes.endIfUnused(node);
    }
  }

  readonly #lost = (node: ServerNode): void => {
    this.#sessions.endRest();
    if (this.#reader === node) this.#reader = undefined;
    if (this.#primary !== node) return;
    this.#pause.forgetRefusal();
    this.#setPrimary(undefined, 0);
    if (!this.#isClosed) this.#dispatchWrites();
  };

  /**
   * A node owes replies and is silent: it may be paused, cut off, or slow. Nothing is taken from it until another one
   * serves, since it may go on.
   */
  readonly #silent = (node: ServerNode): void => {
    if (this.#isSingle || !this.#settings.waits) return;
    if (node === this.#primary) this.#search.start();
    else if (this.#primary !== undefined && node !== this.#reader) this.#leave(node);
  };

  #leave(node: ServerNode): void {
    this.#search.forget(node);
    node.giveUp('is silent, and another server is the primary');
  }

  #setPrimary(node: ServerNode | undefined, term: number): void {
    const before = this.#primary;
    this.#primary = node === this.#given ? undefined : node;
    this.#primaryTerm = term;
    if (before === undefined || before === this.#primary) return;
    this.#nodes.endIfUnused(before);
    if (node !== undefined && before.silentMs >= SUSPICIOUS_MS && this.#settings.waits) this.#leave(before);
  }

  readonly #found = (node: ServerNode, term: number): void => {
    if (this.#primary === undefined || term > this.#primaryTerm) this.#setPrimary(node, term);
    this.#restSearch();
    this.#dispatchWrites();
    this.#dispatchWaiting();
  };

  #failWaiting(code: string, message: string): void {
    for (const call of [...this.#waiting, ...this.#writes.waiting()]) call.fail(code, message);
  }

  readonly #ended = (node: ServerNode, call: Call, ending: Ending): void => {
    if (ending.kind === 'lost') {
      this.#comeBack(call, ending);
    } else if (ending.reply.kind === 'error') {
      this.#refused(node, call, ending.reply);
    } else {
      if (call.request.effect === 'writes') {
        this.#writes.noteEffect(call);
        this.#prove(node);
      } else if (call.only === undefined && node === (this.#primary ?? this.#given)) {
        this.#worked(node);
      }
      call.settle(ending.reply);
    }
    this.#nodes.endIfUnused(node);
  };

  /** Sends again what may be, and ends what may not. */
  #comeBack(call: Call, { loss, hadLeft }: Ending & { kind: 'lost' }): void {
    const { effect } = call.request;
    if (hadLeft && effect === 'writes' && (call.ticket === undefined || call.isSettled))
      this.#writes.noteEffect(call);
    if (call.isSettled) return;
    if (hadLeft) call.losses++;
    // The node that it was sent on to is out of reach, and how soon that is tried again the node's backoff says.
    else call.hops = 0;
    if (this.#isClosed || !mayGoAgain(call, loss, hadLeft, this.#rules)) {
      call.fail(loss.code, loss.message, loss.cause);
    } else if (effect === 'writes') {
      this.#giveBack(call);
    } else {
      this.#sendOther(call);
    }
  }

  #giveBack(call: Call): void {
    this.#writes.giveBack(call);
    this.#dispatchWrites();
  }

  #refused(node: ServerNode, call: Call, reply: ErrorReply): void {
    const { effect } = call.request;
    const isUnconfirmed = reply.code === 'UNCONFIRMED';
    const isWrite = effect === 'writes';
    if (isUnconfirmed && isWrite && (call.ticket === undefined || call.isSettled)) {
      this.#writes.noteEffect(call);
    }
    if (call.isSettled) return;
    const outcomeUnknown = effect !== 'reads' && (isUnconfirmed || call.wasSent);
    const refusal = new KvError(reply.code, reply.message, { outcomeUnknown, answered: true });
    if (OF_THE_OFFICE.has(reply.code)) this.#proven = undefined;
    if (reply.code === 'SESSION_EXPIRED' && this.#goOnInAnotherSession(call)) return;
    if (reply.code === 'NOT_PRIMARY' && this.#sendOn(node, call, refusal)) return;
    if (OF_THE_OFFICE.has(reply.code)) this.#doubt(node, reply.code);
    if (!this.#isClosed && isRefusedForNow(call, refusal, this.#rules)) this.#tryLater(call, refusal);
    else call.settle(refusal);
  }

  #tryLater(call: Call, refusal: KvError): void {
    call.hops = 0;
    this.#pause.begin(refusal);
    if (call.request.effect === 'writes') {
      if (refusal.code !== 'UNCONFIRMED') call.takeBack();
      call.refusal = refusal;
      this.#giveBack(call);
    } else {
      this.#hold(call);
    }
  }

  /** A write that was never sent in another attempt is not done, and goes again. Whether it does. */
  #goOnInAnotherSession(call: Call): boolean {
    const { ticket } = call;
    if (ticket === undefined) return false;
    ticket.session.isExpired = true;
    if (call.wasSent || !this.#settings.waits || this.#isClosed) return false;
    call.takeBack();
    call.setTicket(undefined);
    this.#giveBack(call);
    return true;
  }

  /** Whoever opens sessions takes writes, so whoever does not is treated as one that refuses them. */
  readonly #openingFailed = (node: ServerNode, reason: KvError): void => {
    if (this.#isClosed) return;
    const named = reason.code === 'NOT_PRIMARY' ? this.#namedBy(node, reason) : undefined;
    if (named !== undefined) this.#follow(named);
    else if (OF_THE_OFFICE.has(reason.code)) this.#doubt(node, reason.code);
    if (named !== undefined && this.#openingHops++ < HOPS_MAX) {
      this.#dispatchWrites();
      return;
    }
    this.#openingHops = 0;
    this.#pause.begin(reason.answered ? reason : undefined);
    const isFinal = reason.code === 'NOT_PRIMARY' || reason.code === 'NO_QUORUM';
    if (!this.#isSingle || !isFinal) return;
    for (const call of this.#writes.waiting()) if (!call.isSent) call.settle(reason);
  };

  /**
   * Sends a call that was refused, and so was not done, to the node which the refusal names first. Whether it
   * was: otherwise the refusal is the call's outcome.
   */
  #sendOn(from: ServerNode, call: Call, refusal: KvError): boolean {
    if (this.#isClosed || call.request.effect === 'manages' || call.only !== undefined) return false;
    const primary = this.#namedBy(from, refusal);
    if (primary === undefined || call.hops === HOPS_MAX) return false;
    call.hops++;
    call.refusal = refusal;
    call.takeBack();
    if (this.#reader === from) this.#reader = primary;
    this.#follow(primary);
    if (call.request.effect === 'writes') this.#giveBack(call);
    else primary.take(call);
    return true;
  }

  /** The node that a refusal names as the primary, unless it is the one that refused. */
  #namedBy(from: ServerNode, refusal: KvError): ServerNode | undefined {
    const address = parseAddress(refusal.message.split(' ', 1)[0] ?? '');
    if (isInvalid(address) || address.port === 0 || showAddress(address) === from.name) return undefined;
    return this.#nodes.at(address);
  }

  #follow(primary: ServerNode): void {
    this.#setPrimary(primary, 0);
    // It may be gone, or not serve yet.
    if (!this.#isSingle && this.#settings.waits) this.#search.start();
  }

  /** The node does not serve: perhaps another one does by now. */
  #doubt(node: ServerNode, code: string): void {
    if (this.#isSingle) return;
    if (this.#reader === node) this.#reader = undefined;
    if (this.#primary !== node) return;
    if (code === 'NOT_PRIMARY') this.#setPrimary(undefined, 0);
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#doubtedMs < DOUBT_PERIOD_MS) return;
    this.#doubtedMs = nowMs;
    this.#search.start();
  }
}
