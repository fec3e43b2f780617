import { AbortSignals } from './abort-signals.js';
import { Call } from './call.js';
import type { CallOptions, CallOutcome, CallRequest, Responder } from './call.js';
import { KvError } from './errors.js';
import type { KvReply } from './reply.js';
import { Router } from './router.js';
import type { RouterSettings } from './router.js';

export interface CallerSettings extends RouterSettings {
  readonly callsMax: number;
  readonly requestBytesMax: number;
}

/** Calls that one process must answer: the first of them chooses it. */
export interface Conversation {
  with: Responder | undefined;
}

/** The longest delay that a timer of the system can hold. */
export const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** What both ends of every call have in common: bounds, deadlines, and a promise of which no failure escapes. */
export class Caller {
  readonly #settings: CallerSettings;
  readonly #router: Router;
  readonly #signals = new AbortSignals();
  #isClosed = false;
  #sequence = 0;
  /** Calls that hold a place in a queue, given up or not, and the bytes of their requests. */
  #queued = 0;
  #queuedBytes = 0;
  /** Calls that somebody waits for. */
  #awaited = 0;

  constructor(settings: CallerSettings) {
    this.#settings = settings;
    this.#router = new Router(settings);
  }

  /** @param encode - throws a `KvError`, or answers undefined where there is nothing to ask. */
  readonly call = <Answer>(
    encode: () => CallRequest | undefined,
    read: (reply: KvReply | undefined) => Answer | KvError,
    options: CallOptions = {},
    conversation?: Conversation,
  ): Promise<Answer> => {
    const promise = new Promise<Answer>((resolve, reject) => {
      const done = (outcome: CallOutcome | undefined): void => {
        const answer = outcome instanceof KvError ? outcome : read(outcome);
        if (answer instanceof KvError) reject(answer);
        else resolve(answer);
      };
      try {
        this.#start(encode, options, done, conversation);
      } catch (error) {
        reject(error instanceof KvError ? error : new KvError('BAD_OPTION', String(error), { cause: error }));
      }
    });
    promise.catch(() => undefined);
    return promise;
  };

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#router.close();
  }

  #start(
    encode: () => CallRequest | undefined,
    options: CallOptions,
    done: (outcome: CallOutcome | undefined) => void,
    conversation: Conversation | undefined,
  ): void {
    checkIsObject(options);
    const { timeoutMs = this.#settings.timeoutMs, signal } = options;
    if (this.#isClosed) throw new KvError('CLOSED', 'the client was closed: make a new one');
    if (signal?.aborted === true) throw new KvError('ABORTED', 'the call was aborted');
    checkTimeout(timeoutMs);
    this.#checkRoom(0);
    const request = encode();
    if (request === undefined) {
      done(undefined);
      return;
    }
    this.#checkRoom(request.bytes.length);
    const call = new Call({
      clock: this.#settings.clock,
      request,
      sequence: this.#sequence++,
      timeoutMs,
      onAbort: signal && ((work) => this.#signals.watch(signal, work)),
      done: (outcome) => {
        if (conversation !== undefined) conversation.with = call.answeredBy;
        done(outcome);
        this.#changeAwaited(-1);
      },
      freed: () => {
        this.#count(request, -1);
        this.#router.forget(call);
      },
      timedOut: () => {
        this.#router.checkSilence();
      },
    });
    call.only = conversation?.with;
    this.#count(request, 1);
    this.#changeAwaited(1);
    this.#router.send(call);
  }

  #checkRoom(bytes: number): void {
    const { callsMax, requestBytesMax } = this.#settings;
    const advice = 'await some before making more';
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
    this.#router.setInUse(this.#awaited > 0);
  }
}

function checkIsObject(options: unknown): void {
  if (typeof options === 'object' && options !== null) return;
  throw new KvError('BAD_OPTION', 'the options of a call are an object, such as { timeoutMs: 1000 }');
}

/** @throws KvError with the code `BAD_OPTION`. What is checked may come from a caller that no compiler has looked at. */
export function checkTimeout(timeoutMs: unknown): void {
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX) return;
  throw new KvError('BAD_OPTION', `timeoutMs is a number above 0 and at most ${String(TIMEOUT_MS_MAX)}`);
}
