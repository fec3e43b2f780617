import type { Cancel, Clock } from '../clock.js';
import { KvError } from './errors.js';
import type { KvErrorCode } from './errors.js';
import type { KvReply } from './reply.js';
import type { Ticket } from './write-session.js';

/** As in the table of commands. What `manages` is an operator's, meant for one node: it is never sent on to another. */
export type Effect = 'reads' | 'writes' | 'manages';

/** What a call sends. */
export interface CallRequest {
  readonly bytes: Buffer;
  readonly effect: Effect;
  /** It may take long before anything of the answer comes, and must not begin anew for that. */
  readonly isLong?: boolean;
}

export type CallOutcome = KvReply | KvError;

/** What the caller of one call may ask for. */
export interface CallOptions {
  /** How long this call may take, instead of what the client was made with. */
  readonly timeoutMs?: number;
  /** Gives the call up when it fires. A write that was sent may then still take effect. */
  readonly signal?: AbortSignal;
}

/** Where a call waits before it is sent. */
export interface Place {
  /** Nobody waits for the call any more. */
  remove(call: Call): void;
  /** What keeps its calls from being sent, when that is a server out of reach. */
  readonly trouble: string | undefined;
  /** What servers said of its calls last, when that is why they wait. */
  readonly refusal?: KvError | undefined;
}

/** One process that answers, for calls that only it can answer. A new number for each time that it may be another. */
export interface Responder {
  readonly name: string;
  readonly incarnation: number;
}

/** Of the time that a call may take, an attempt at one that may be sent again has this part. */
const ATTEMPT_SHARE = 1 / 3;
/** A server that is only slow is given so much time, however little the call has. */
const ATTEMPT_MS_MIN = 500;

export interface CallParts {
  readonly clock: Clock;
  readonly request: CallRequest;
  /** Grows from call to call of one client. */
  readonly sequence: number;
  readonly timeoutMs: number;
  /** Has the work done when the caller gives the call up. */
  readonly onAbort: ((work: () => void) => Cancel) | undefined;
  /** Told the outcome, once. */
  readonly done: (outcome: CallOutcome) => void;
  /** Told once, when it has its outcome and no connection owes a reply to it any more. */
  readonly freed: (call: Call) => void;
  /** Told after `done` when the reason was the deadline. */
  readonly timedOut: () => void;
}

/**
 * One call from its start to its only outcome. A call that was given up after it was sent keeps its place in the
 * connection's queue, so that a late reply to it is taken for nobody else's.
 */
export class Call {
  readonly request: CallRequest;
  readonly sequence: number;
  readonly timeoutMs: number;
  readonly #parts: CallParts;
  readonly #timer: Cancel;
  readonly #abort: Cancel | undefined;
  /** Who holds it while it waits to be sent. */
  place: Place | undefined;
  /** The only node that it may be sent to, and its process where that matters. */
  only: Partial<Responder> | undefined;
  /** Who answered it. */
  answeredBy: Responder | undefined;
  /** How often it was sent on, after a refusal that named another node. */
  hops = 0;
  /** How often a connection broke that owed the reply to it. */
  losses = 0;
  /** What it was refused with, since it is to be sent once more. */
  refusal: KvError | undefined;
  #ticket: Ticket | undefined;
  #isSent = false;
  #wasSent = false;
  #isOnWire = false;
  #isSettled = false;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.request = parts.request;
    this.sequence = parts.sequence;
    this.timeoutMs = parts.timeoutMs;
    this.#abort = parts.onAbort?.(() => {
      this.fail('ABORTED', 'the call was aborted');
    });
    this.#timer = parts.clock.after(parts.timeoutMs, () => {
      this.#expire();
    });
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether any byte of the request may have left this process since it was last known not to be done. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** The same, of the time before it was sent last: what becomes of that attempt does not settle what became of the others. */
  get wasSent(): boolean {
    return this.#wasSent;
  }

  get ticket(): Ticket | undefined {
    return this.#ticket;
  }

  /** Has a write sent under a number from now on, and so as often as need be. */
  setTicket(ticket: Ticket | undefined): void {
    this.#ticket = ticket;
  }

  /**
   * For how long a server may be silent about it before the connection counts as broken.
   *
   * @param usualMs - what calls have that say nothing of their time.
   */
  patienceMs(usualMs: number): number {
    const mostMs = Math.max(usualMs, this.timeoutMs);
    const { effect, isLong = false } = this.request;
    const mayBeSentAgain = effect === 'reads' || this.#ticket !== undefined;
    return mayBeSentAgain && !isLong ? Math.max(mostMs * ATTEMPT_SHARE, ATTEMPT_MS_MIN) : mostMs;
  }

  /** Right before the first byte leaves. Answers what is to leave in front of the request. */
  leave(): Buffer | undefined {
    this.place = undefined;
    this.refusal = undefined;
    this.#wasSent = this.#isSent;
    this.#isSent = true;
    this.#isOnWire = true;
    return this.#ticket?.session.preface(this.#ticket.number);
  }

  /** The connection owes no reply to it any more. */
  comeBack(): void {
    this.#isOnWire = false;
    if (this.#isSettled) this.#parts.freed(this);
  }

  /** The last attempt is known not to have been done: it may be sent as if that had not been made. */
  takeBack(): void {
    this.#isSent = this.#wasSent;
  }

  /** Does nothing once the call has its outcome. */
  settle(outcome: CallOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#abort?.cancel();
    if (this.#ticket !== undefined) this.#ticket.session.release(this.#ticket.number);
    this.place?.remove(this);
    this.place = undefined;
    this.#parts.done(outcome);
    if (!this.#isOnWire) this.#parts.freed(this);
  }

  /** Ends the call without an answer: what was sent of a write may take effect. */
  fail(code: KvErrorCode, message: string, cause?: unknown): void {
    if (this.#isSettled) return;
    const { effect } = this.request;
    const outcomeUnknown = this.#isSent && effect !== 'reads';
    const what = effect === 'writes' ? 'write' : 'change';
    const told = outcomeUnknown ? `${message}; the ${what} may have taken effect, or may yet` : message;
    this.settle(new KvError(code, told, { outcomeUnknown, cause }));
  }

  #expire(): void {
    const seconds = String(this.timeoutMs / 1000);
    const trouble = this.place?.trouble;
    const refusal = this.place?.refusal;
    if (refusal !== undefined) {
      const outcomeUnknown = this.#isSent && this.request.effect !== 'reads';
      this.settle(new KvError(refusal.code, refusal.message, { outcomeUnknown, answered: true }));
    } else if (trouble === undefined) {
      this.fail(
        'TIMEOUT',
        `no answer within ${seconds} s: see whether the server is well, or allow more time`,
      );
    } else {
      const outcome = this.losses > 0 || this.#isSent ? 'no answer' : 'not sent';
      this.fail('UNREACHABLE', `${outcome} within ${seconds} s: ${trouble}`);
    }
    this.#parts.timedOut();
  }
}
