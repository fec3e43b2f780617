import type { Clock } from '../clock.js';
import { Call } from './call.js';
import type { CallOutcome } from './call.js';
import { KvError } from './errors.js';
import * as requests from './requests.js';
import type { ServerNode } from './server-node.js';
import { WriteSession } from './write-session.js';

export interface OpenerParts {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The node opened a session. */
  readonly opened: (node: ServerNode) => void;
  /** No session is to be had for a while: writes go without one. */
  readonly doneWithout: () => void;
  /** For a reason that may pass: another node may, or this one later. */
  readonly failed: (node: ServerNode, reason: KvError) => void;
}

/** A server that opens no session is not asked again for so long. */
const REST_MS = 30_000;

/** Reasons for which another node may open a session, or this one in a moment; behind any other, writes go without. */
const PASSING: ReadonlySet<string> = new Set([
  'NOT_PRIMARY',
  'NO_QUORUM',
  'UNCONFIRMED',
  'UNREACHABLE',
  'CONNECTION_LOST',
  'TIMEOUT',
]);

/**
 * Has the session that writes are numbered in, and opens it before the first of them. One opening is under way at a
 * time; one whose answer was lost leaves a session behind that nobody uses, and that servers forget.
 */
export class SessionOpener {
  readonly #parts: OpenerParts;
  #session: WriteSession | undefined;
  #opening: { readonly call: Call; readonly node: ServerNode } | undefined;
  #restsUntilMs = -Infinity;

  constructor(parts: OpenerParts) {
    this.#parts = parts;
  }

  /** What writes are sent to this node in: a session, none, or that is not known yet. Opens one where there is none. */
  sessionAt(node: ServerNode): WriteSession | 'none' | 'opening' {
    if (this.#session !== undefined && !this.#session.isExpired) return this.#session;
    if (this.#parts.clock.nowMs() < this.#restsUntilMs) return 'none';
    this.#dropUnsentElsewhere(node);
    if (this.#opening === undefined) this.#open(node);
    return 'opening';
  }

  /** Another process may answer from now on, which knows sessions or has room for one. */
  endRest(): void {
    this.#restsUntilMs = -Infinity;
  }

  /** The primary is another node by now than the one that an opening waits for. */
  #dropUnsentElsewhere(node: ServerNode): void {
    const { call, node: from } = this.#opening ?? {};
    if (call?.place === undefined || from === node) return;
    this.#opening = undefined;
    call.fail('ABORTED', 'another node is the primary');
  }

  #open(node: ServerNode): void {
    const opening = new Call({
      clock: this.#parts.clock,
      request: requests.bare('manages', 'SESSION'),
      sequence: 0,
      timeoutMs: this.#parts.timeoutMs,
      onAbort: undefined,
      done: (outcome) => {
        if (this.#opening?.call !== opening) return;
        this.#opening = undefined;
        this.#hear(node, outcome);
      },
      freed: () => undefined,
      timedOut: () => {
        node.checkSilence();
      },
    });
    opening.only = { name: node.name };
    this.#opening = { call: opening, node };
    node.take(opening);
  }

  #hear(node: ServerNode, outcome: CallOutcome): void {
    if (outcome instanceof KvError && outcome.code === 'CLOSED') return;
    if (outcome instanceof KvError && PASSING.has(outcome.code)) {
      this.#parts.failed(node, outcome);
    } else if (!(outcome instanceof KvError) && outcome.kind === 'integer') {
      this.#session = new WriteSession(outcome.value);
      this.#parts.opened(node);
    } else {
      this.#restsUntilMs = this.#parts.clock.nowMs() + REST_MS;
      this.#parts.doneWithout();
    }
  }
}
