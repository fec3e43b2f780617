import type { Clock } from '../clock.js';
import { showAddress } from '../protocol/address.js';
import type { Call } from './call.js';
import { SUSPICIOUS_MS } from './connection.js';
import type { Ending } from './connection.js';
import { KvError } from './errors.js';
import { KnownPrimary } from './known-primary.js';
import { OtherCalls } from './other-calls.js';
import { PrimarySearch } from './primary-search.js';
import type { ErrorReply } from './reply.js';
import { RetryPause } from './retry-pause.js';
import { OF_THE_OFFICE, isRefusedForNow, mayGoAgain, namedPrimary } from './retry-rules.js';
import type { RetrySettings } from './retry-rules.js';
import type { ServerNode } from './server-node.js';
import { ServerNodes } from './server-nodes.js';
import type { NodesSettings } from './server-nodes.js';
import { SessionOpener } from './session-opener.js';
import { unheldClock } from './unheld-clock.js';
import { WriteOrder } from './write-order.js';
import type { Obstacle } from './write-order.js';

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
export class Router implements Obstacle {
  readonly #settings: RouterSettings;
  readonly #clock: Clock;
  readonly #nodes: ServerNodes;
  readonly #search: PrimarySearch;
  readonly #sessions: SessionOpener;
  readonly #writes = new WriteOrder(this);
  /** Where writes go. With `given` reads only when it is another one than the given one. */
  readonly #known = new KnownPrimary();
  #isClosed = false;
  #doubtedMs = -Infinity;
  readonly #others: OtherCalls;
  readonly #pause: RetryPause;
  readonly #rules: RetrySettings;
  #openingHops = 0;

  constructor(settings: RouterSettings) {
    this.#settings = settings;
    const clock = unheldClock(settings.clock);
    this.#clock = clock;
    this.#rules = { waits: settings.waits, isSingle: this.#isSingle };
    this.#pause = new RetryPause(clock, settings.backoff, settings.random, () => {
      this.#sendWaiting();
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
    this.#others = new OtherCalls({
      nodes: this.#nodes,
      readsFromAny: settings.reads === 'any',
      target: () => this.#given ?? this.#primary,
      missing: () => {
        this.#search.start();
      },
      obstacle: this,
    });
  }

  get trouble(): string | undefined {
    return this.#isSingle ? (this.#primary ?? this.#given)?.trouble : this.#search.trouble;
  }

  get refusal(): KvError | undefined {
    return this.#pause.refusal;
  }

  send(call: Call): void {
    if (call.request.effect === 'writes') {
      this.#writes.add(call);
      this.#dispatchWrites();
    } else {
      this.#others.send(call);
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

  get #primary(): ServerNode | undefined {
    return this.#known.node;
  }

  /** The node that reads go to by the settings. */
  get #given(): ServerNode | undefined {
    return this.#isSingle ? this.#nodes.configured[0] : undefined;
  }

  #isUsed(node: ServerNode): boolean {
    if ([this.#given, this.#primary, this.#others.reader].includes(node) || this.#search.isAsking(node))
      return true;
    // It is asked again in a moment.
    return this.#search.isRunning && this.#nodes.configured.includes(node);
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
    const isProven = this.#known.isProven(target);
    this.#writes.dispatch(target, session === 'none' ? undefined : session, isProven);
  }

  #sendWaiting(): void {
    this.#dispatchWrites();
    if (!this.#pause.isOn) this.#others.sendWaiting();
  }

  #prove(node: ServerNode): void {
    this.#known.prove(node);
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
    this.#others.leaveReader(node);
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
    else if (this.#primary !== undefined && node !== this.#others.reader) this.#leave(node);
  };

  #leave(node: ServerNode): void {
    this.#search.forget(node);
    node.giveUp('is silent, and another server is the primary');
  }

  #setPrimary(node: ServerNode | undefined, term: number): void {
    const before = this.#primary;
    this.#known.set(node === this.#given ? undefined : node, term);
    if (before === undefined || before === this.#primary) return;
    this.#nodes.endIfUnused(before);
    if (node !== undefined && before.silentMs >= SUSPICIOUS_MS && this.#settings.waits) this.#leave(before);
  }

  readonly #found = (node: ServerNode, term: number): void => {
    if (this.#known.isBefore(term)) this.#setPrimary(node, term);
    this.#restSearch();
    this.#sendWaiting();
  };

  #failWaiting(code: string, message: string): void {
    for (const call of [...this.#others.waiting(), ...this.#writes.waiting()]) call.fail(code, message);
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
      this.#others.send(call);
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
    if (OF_THE_OFFICE.has(reply.code)) this.#known.disprove();
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
      this.#others.hold(call);
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
    this.#others.leaveReader(from, primary);
    this.#follow(primary);
    if (call.request.effect === 'writes') this.#giveBack(call);
    else primary.take(call);
    return true;
  }

  #namedBy(from: ServerNode, refusal: KvError): ServerNode | undefined {
    const address = namedPrimary(refusal);
    return address === undefined || showAddress(address) === from.name ? undefined : this.#nodes.at(address);
  }

  #follow(primary: ServerNode): void {
    this.#setPrimary(primary, 0);
    // It may be gone, or not serve yet.
    if (!this.#isSingle && this.#settings.waits) this.#search.start();
  }

  /** The node does not serve: perhaps another one does by now. */
  #doubt(node: ServerNode, code: string): void {
    if (this.#isSingle) return;
    this.#others.leaveReader(node);
    if (this.#primary !== node) return;
    if (code === 'NOT_PRIMARY') this.#setPrimary(undefined, 0);
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#doubtedMs < DOUBT_PERIOD_MS) return;
    this.#doubtedMs = nowMs;
    this.#search.start();
  }
}
