import type { Clock } from '../clock.js';
import type { Term, WriteObserver } from '../engine.js';
import type { Session } from '../store/session.js';
import type { Sessions } from '../store/sessions.js';

export const SESSION_IDLE_MS = 3_600_000;
/** Sessions that are looked at in one tick, and that one entry ends at most. As many as can be open take five seconds. */
export const LOOKS_A_TICK = 200;
/** A tick counts no longer than this: what comes later shows a pause of this node, in which no client could use anything. */
const TICK_MS_MAX = 1000;

export interface SessionExpiryParts {
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** How long a session may go unused. */
  readonly idleMs: number;
  /** The term of this node's office while it takes writes; undefined while it does not. */
  office(): Term | undefined;
  /** Ends them by an entry of the log. */
  propose(sessions: readonly number[], observer: WriteObserver): void;
}

/**
 * Proposes, on the primary, to end the sessions that nobody uses. Nothing is ended here: the entry does that, on every node.
 *
 * Time counts only while clients could have used their sessions, and from when this node took office: what happened before it does
 * not know by its own clock.
 */
export class SessionExpiry implements WriteObserver {
  readonly #parts: SessionExpiryParts;
  #lastMs: number;
  #office: Term | undefined;
  /** When the office was taken, by the sessions' clock. */
  #sinceMs = 0;
  /** Those that are still to be looked at. */
  #rest: IterableIterator<[number, Session]> | undefined;
  /** An entry is under way: no other one is proposed. */
  #isUnderWay = false;

  constructor(parts: SessionExpiryParts) {
    this.#parts = parts;
    this.#lastMs = parts.clock.nowMs();
  }

  tick(): void {
    const { sessions, clock, idleMs } = this.#parts;
    const nowMs = clock.nowMs();
    const elapsedMs = Math.min(nowMs - this.#lastMs, TICK_MS_MAX);
    this.#lastMs = nowMs;
    const office = this.#parts.office();
    if (office === undefined) return;
    sessions.nowMs += elapsedMs;
    if (office !== this.#office) {
      this.#office = office;
      this.#sinceMs = sessions.nowMs;
    }
    if (this.#isUnderWay) return;
    this.#rest ??= sessions.entries();
    const { idle, isAtEnd } = sessions.idle(this.#rest, LOOKS_A_TICK, this.#sinceMs, idleMs);
    if (isAtEnd) this.#rest = undefined;
    if (idle.length === 0) return;
    this.#isUnderWay = true;
    this.#parts.propose(idle, this);
  }

  /** What was refused is proposed again when its turn comes to be looked at. */
  written(): void {
    this.#isUnderWay = false;
  }
}
