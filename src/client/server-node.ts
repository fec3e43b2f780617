import type { Cancel, Clock } from '../clock.js';
import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { Backoff } from './backoff.js';
import type { BackoffLimits } from './backoff.js';
import type { Call, Place, Responder } from './call.js';
import { Connection } from './connection.js';
import type { Ending, Loss } from './connection.js';

/** From so many bytes on, what is under way on a connection would keep a read waiting that could go another way. */
const LADEN_BYTES = 256 * 1024;

export interface NodeSettings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly connectMsMax: number;
  readonly silenceMsMax: number;
  readonly connectionsMax: number;
  readonly backoff: BackoffLimits;
  /** Whether calls wait while the node is out of reach. Otherwise they fail with each attempt that fails. */
  readonly waits: boolean;
}

export interface NodeObserver {
  /** The last connection is lost, before the calls that it held end. */
  lost(node: ServerNode): void;
  /** Replies are due, and nothing has come for a suspicious time. Told again and again. */
  silent(node: ServerNode): void;
  /** A call is here no more. */
  ended(node: ServerNode, call: Call, ending: Ending): void;
}

/**
 * One server: the connections to it, and the calls that wait while there is none.
 *
 * All calls share the first connection. A read takes another one, up to the bound, while much is under way on the first, so
 * that large values hold nobody up; what is not a read does not, so that writes keep their order.
 *
 * After a connection was lost or could not be made, the next attempt waits as the backoff says; an answer resets that.
 */
export class ServerNode implements Place, Responder {
  readonly address: Address;
  readonly name: string;
  readonly #settings: NodeSettings;
  readonly #observer: NodeObserver;
  readonly #backoff: Backoff;
  #connections: readonly Connection[] = [];
  /** Calls that wait for the next attempt. */
  readonly #waiting = new Set<Call>();
  #nextAttemptMs = -Infinity;
  #timer: Cancel | undefined;
  #lastLoss: Loss | undefined;
  #incarnation = 0;
  #isInUse = true;

  constructor(address: Address, settings: NodeSettings, observer: NodeObserver) {
    this.address = address;
    this.name = showAddress(address);
    this.#settings = settings;
    this.#observer = observer;
    this.#backoff = new Backoff(settings.backoff, settings.random);
  }

  /** Grows whenever a connection is lost: behind the next one another process may answer. */
  get incarnation(): number {
    return this.#incarnation;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#connections.every((connection) => connection.isIdle);
  }

  get trouble(): string | undefined {
    return this.#lastLoss?.message;
  }

  /** How long until the next attempt may be made; 0 when a call would be sent now. */
  get delayMs(): number {
    if (this.#connections.length > 0) return 0;
    return Math.max(0, this.#nextAttemptMs - this.#settings.clock.nowMs());
  }

  /** For how long a connection has been silent on which replies are due. */
  get silentMs(): number {
    return this.#connections.reduce((most, connection) => Math.max(most, connection.silentMs), 0);
  }

  take(call: Call): void {
    const isDue = this.delayMs === 0;
    call.place = this;
    this.#waiting.add(call);
    if (isDue) this.#sendWaiting();
    else this.#wakeLater();
  }

  remove(call: Call): void {
    this.#waiting.delete(call);
    if (this.#waiting.size === 0) this.#stopTimer();
  }

  setInUse(isInUse: boolean): void {
    this.#isInUse = isInUse;
    for (const connection of this.#connections) connection.setInUse(isInUse);
  }

  checkSilence(): void {
    for (const connection of this.#connections) connection.checkSilence();
  }

  /** Ends the connections as of no use, so that the calls on them may go elsewhere. */
  giveUp(reason: string): void {
    for (const connection of this.#connections) connection.giveUp(reason);
  }

  /** Ends the connections. Calls that are under way, or wait, end with `CLOSED`. */
  close(): void {
    for (const connection of this.#connections) connection.close();
    this.#stopTimer();
    const loss: Loss = { code: 'CLOSED', message: 'the client was closed' };
    for (const call of [...this.#waiting]) {
      this.#waiting.delete(call);
      call.place = undefined;
      this.#observer.ended(this, call, { kind: 'lost', loss, hadLeft: false });
    }
  }

  #connectionFor(call: Call): Connection {
    const [first] = this.#connections;
    if (first === undefined) return this.#connect();
    if (call.request.effect !== 'reads' || first.load < LADEN_BYTES) return first;
    const lightest = this.#connections.reduce((best, one) => (one.load < best.load ? one : best));
    const isFull = this.#connections.length >= this.#settings.connectionsMax;
    return lightest.load < LADEN_BYTES || isFull ? lightest : this.#connect();
  }

  #connect(): Connection {
    const { clock, connectMsMax, silenceMsMax } = this.#settings;
    const connection = new Connection({
      address: this.address,
      clock,
      connectMsMax,
      silenceMsMax,
      isInUse: this.#isInUse,
      lost: (lost, loss) => {
        this.#lost(lost, loss);
      },
      silent: () => {
        this.#observer.silent(this);
      },
      ended: (call, ending) => {
        if (ending.kind === 'answered') this.#answered(call);
        this.#observer.ended(this, call, ending);
      },
    });
    this.#connections = [...this.#connections, connection];
    return connection;
  }

  #answered(call: Call): void {
    call.answeredBy = { name: this.name, incarnation: this.#incarnation };
    this.#backoff.reset();
    this.#lastLoss = undefined;
  }

  #lost(lost: Connection, loss: Loss): void {
    this.#connections = this.#connections.filter((connection) => connection !== lost);
    this.#incarnation++;
    if (loss.code === 'CLOSED') return;
    this.#lastLoss = loss;
    if (this.#connections.length > 0) return;
    if (this.#settings.waits) {
      this.#nextAttemptMs = this.#settings.clock.nowMs() + this.#backoff.nextMs();
    }
    this.#observer.lost(this);
  }

  /** All that wait, in their order, whatever the time does meanwhile: it is not looked at again for any of them. */
  #sendWaiting(): void {
    this.#stopTimer();
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      this.#connectionFor(call).add(call);
    }
  }

  /** A timer may ring a little early, or so late that somebody else has seen that the time has come. */
  #wakeLater(): void {
    this.#timer ??= this.#settings.clock.after(this.delayMs, () => {
      this.#timer = undefined;
      if (this.delayMs === 0) this.#sendWaiting();
      else this.#wakeLater();
    });
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
