import type { Cancel, Clock } from '../clock.js';
import { KvError } from './errors.js';
import type { KvErrorCode } from './errors.js';
import type { KvReply } from './reply.js';

/** As in the table of commands. What `manages` is an operator's, meant for one node: it is never sent on to another. */
export type Effect = 'reads' | 'writes' | 'manages';

/** What a call sends. */
export interface CallRequest {
  readonly bytes: Buffer;
  readonly effect: Effect;
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
}

/** One process that answers, for calls that only it can answer. A new number for each time that it may be another. */
export interface Responder {
  readonly name: string;
  readonly incarnation: number;
}

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
  /** What it was refused with before it was to be sent on. */
  refusal: KvError | undefined;
  #isSent = false;
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

  /** Right before the first byte leaves. */
  leave(): void {
    this.place = undefined;
    this.#isSent = true;
    this.#isOnWire = true;
  }

  /** The connection owes no reply to it any more. */
  comeBack(): void {
    this.#isOnWire = false;
    if (this.#isSettled) this.#parts.freed(this);
  }

  /** It is known not to have been done, or changes nothing: it may be sent as if it never had been. */
  beginAgain(): void {
    this.#isSent = false;
  }

  /** Does nothing once the call has its outcome. */
  settle(outcome: CallOutcome): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#abort?.cancel();
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
    if (trouble === undefined) {
      this.fail(
        'TIMEOUT',
        `no answer within ${seconds} s: see whether the server is well, or allow more time`,
      );
    } else {
      const outcome = this.losses > 0 ? 'no answer' : 'not sent';
      this.fail('UNREACHABLE', `${outcome} within ${seconds} s: ${trouble}`);
    }
    this.#parts.timedOut();
  }
}
