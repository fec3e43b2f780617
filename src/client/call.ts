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

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * One call from its start to its only outcome. A call that was given up keeps its place in the connection's
 * queue, so that a late reply to it is taken for nobody else's.
 */
export class Call {
  readonly request: CallRequest;
  readonly timeoutMs: number;
  readonly #done: (outcome: CallOutcome) => void;
  readonly #timer: Cancel;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  /** Whether any byte of the request may have left this process. Set by the connection, right before it writes. */
  sent = false;
  /** How often it was sent on, after a refusal that named another node. */
  hops = 0;
  #settled = false;

  /** `done` is called once. `timedOut` is called after it when the reason was the deadline. */
  constructor(
    clock: Clock,
    request: CallRequest,
    limits: CallLimits,
    done: (outcome: CallOutcome) => void,
    timedOut: () => void,
  ) {
    this.request = request;
    this.timeoutMs = limits.timeoutMs;
    this.#done = done;
    this.#signal = limits.signal;
    this.#onAbort = () => this.fail('ABORTED', 'the call was aborted');
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = clock.after(limits.timeoutMs, () => {
      const seconds = String(limits.timeoutMs / 1000);
      this.fail(
        'TIMEOUT',
        `no answer within ${seconds} s: see whether the server is well, or allow more time`,
      );
      timedOut();
    });
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Does nothing once the call has its outcome. */
  settle(outcome: CallOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#done(outcome);
  }

  /** Ends the call without an answer: what was sent of a write may take effect. */
  fail(code: KvErrorCode, message: string, cause?: unknown): void {
    if (this.#settled) return;
    const { effect } = this.request;
    const outcomeUnknown = this.sent && effect !== 'reads';
    const what = effect === 'writes' ? 'write' : 'change';
    const told = outcomeUnknown ? `${message}; the ${what} may have taken effect, or may yet` : message;
    this.settle(new KvError(code, told, { outcomeUnknown, cause }));
  }
}
