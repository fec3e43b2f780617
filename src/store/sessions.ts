import { SESSIONS_MAX, SESSION_NUMBERS_MAX } from '../engine.js';
import { Session } from './session.js';
import type { SessionVerdict } from './session.js';

/** Sees one session: its id, its lowest number, and the answers from there on. The answers may be kept. */
export type SessionVisitor = (id: number, lowest: number, answers: Int32Array) => void;

/**
 * The sessions of clients. A part of the state like the map: only entries of the log change them, and whoever changes them holds
 * the store's lock for writing.
 *
 * An answer takes four bytes, so {@link SESSIONS_MAX} sessions with {@link SESSION_NUMBERS_MAX} answers each take 41 MB, and what stands
 * around them 3 MB. Clients that wait for a few answers at a time take a hundredth of it.
 */
export class Sessions {
  /** By it {@link Session.usedMs} is set. Whoever lets sessions expire moves it. */
  nowMs = 0;
  readonly #byId = new Map<number, Session>();
  #walks = 0;
  /** The walk that is under way, if one is. */
  #visitor: SessionVisitor | undefined;

  get count(): number {
    return this.#byId.size;
  }

  /** False when there are as many as may be, or one of this id. */
  open(id: number): boolean {
    if (this.#byId.size >= SESSIONS_MAX || this.#byId.has(id) || id === 0) return false;
    this.#add(id);
    return true;
  }

  /** Whether there was one. */
  expire(id: number): boolean {
    const session = this.#byId.get(id);
    if (session === undefined) return false;
    this.#beforeChange(id, session);
    return this.#byId.delete(id);
  }

  /**
   * What is to become of a write under a session: it is new and may be applied, then {@link record} is to be called; it has an answer
   * already; or its answer is forgotten. Undefined: there is no such session.
   */
  begin(id: number, number: number, lowest: number): SessionVerdict | undefined {
    const session = this.#byId.get(id);
    if (session === undefined) return undefined;
    this.#beforeChange(id, session);
    session.usedMs = this.nowMs;
    session.forgetBelow(lowest);
    return session.verdictOn(number);
  }

  /** The write was applied, and this is its answer. Follows {@link begin}, with nothing but the write itself in between. */
  record(id: number, number: number, answer: number): void {
    const session = this.#byId.get(id);
    if (session === undefined) throw new Error(`session ${String(id)} has ended in the middle of a write`);
    session.record(number, answer);
  }

  /** Somebody uses it just now. */
  touch(id: number): void {
    const session = this.#byId.get(id);
    if (session !== undefined) session.usedMs = this.nowMs;
  }

  /** Whether a write was applied already, or never will be: it adds nothing to the map. */
  isDecided(id: number, number: number): boolean {
    return this.#byId.get(id)?.verdictOn(number) !== 'new';
  }

  /** Puts back what a visitor saw. */
  restore(id: number, lowest: number, answers: Int32Array): void {
    if (this.#byId.size >= SESSIONS_MAX || answers.length > SESSION_NUMBERS_MAX)
      throw new RangeError('there are more sessions, or answers of one, than there may be');
    const session = this.#add(id);
    session.forgetBelow(lowest);
    for (const [at, answer] of answers.entries()) if (answer >= 0) session.record(lowest + at, answer);
  }

  /** Looks at the next so many sessions for those that nobody has used for so long, since `sinceMs` at the latest. */
  idle(rest: Iterator<[number, Session]>, looksMax: number, sinceMs: number, idleMs: number): IdleSessions {
    const idle: number[] = [];
    for (let looks = 0; looks < looksMax; looks++) {
      const next = rest.next();
      if (next.done === true) return { idle, isAtEnd: true };
      const [id, session] = next.value;
      if (this.nowMs - Math.max(session.usedMs, sinceMs) >= idleMs) idle.push(id);
    }
    return { idle, isAtEnd: false };
  }

  entries(): IterableIterator<[number, Session]> {
    return this.#byId.entries();
  }

  clear(): void {
    this.#byId.clear();
  }

  /**
   * Begins to visit the sessions as they are now, in steps, while they go on changing: one that changes before it was reached is
   * visited first. Only one walk at a time.
   */
  walk(visitor: SessionVisitor): SessionWalk {
    if (this.#visitor !== undefined) throw new Error('another walk is under way');
    this.#visitor = visitor;
    this.#walks++;
    const rest = this.#byId.entries();
    let hasEnded = false;
    const end = (): void => {
      if (!hasEnded) this.#visitor = undefined;
      hasEnded = true;
    };
    return {
      end,
      step: (sessionsMax, enough) => {
        for (let met = 0; met < sessionsMax && !hasEnded; met++) {
          const next = rest.next();
          if (next.done === true) end();
          else this.#beforeChange(...next.value);
          if (enough()) break;
        }
        return hasEnded;
      },
    };
  }

  #add(id: number): Session {
    const session = new Session(this.nowMs);
    // No walk that is under way is to see it.
    session.walk = this.#walks;
    this.#byId.set(id, session);
    return session;
  }

  #beforeChange(id: number, session: Session): void {
    if (this.#visitor === undefined || session.walk === this.#walks) return;
    session.walk = this.#walks;
    this.#visitor(id, session.lowest, session.answers());
  }
}

interface IdleSessions {
  readonly idle: readonly number[];
  /** No session is left to be looked at. */
  readonly isAtEnd: boolean;
}

/** Sessions as they were at one moment, being visited. */
export interface SessionWalk {
  /** Goes over at most so many, or fewer when `enough` says so after one of them; answers whether the walk is complete. */
  step(sessionsMax: number, enough: () => boolean): boolean;
  /** Lets go of the sessions. Done by itself when the walk is complete. */
  end(): void;
}
