import type { Refusal, Term, WriteObserver } from '../engine.js';
import { EntryKind, EntryReader } from '../log/entry.js';
import type { Frame } from '../log/frame.js';
import { sessionIdAt } from '../log/session-id.js';
import type { Store } from '../store/store.js';
import { answerForgotten, noSession, tooManySessions } from './session-refusals.js';

/** Keys that are changed in one turn. A larger operation goes on in the next one, with the lock held. */
export const ITEMS_A_SLICE = 2000;

/** What there is to wait for before the rest of a frame is applied. */
export type Pause = 'turn' | 'snapshot';

/**
 * Applies the entries of one committed frame to the store, which its caller has locked for writing.
 *
 * Each observer is told right after its entry was applied and before the next one is: what it reads then is the
 * map at that position. A write under a session that was applied before, or cannot be any more, is passed over, here and on every
 * other node.
 */
export class Applier {
  readonly #store: Store;
  readonly #term: Term;
  readonly #reader: EntryReader;
  readonly #observers: readonly (WriteObserver | undefined)[];
  readonly #snapshotIsBehind: () => boolean;
  #observer = 0;
  #isInsideEntry = false;
  /** Of the plain puts that were looked at together, the next one, and how many there are. */
  #put = 0;
  #puts = 0;
  #count = 0;

  constructor(
    store: Store,
    frame: Frame,
    observers: readonly (WriteObserver | undefined)[],
    snapshotIsBehind: () => boolean,
  ) {
    this.#store = store;
    this.#term = frame.term;
    this.#reader = new EntryReader(frame);
    this.#observers = observers;
    this.#snapshotIsBehind = snapshotIsBehind;
  }

  /** Goes on until the frame is applied (undefined), or there is something to wait for. */
  run(): Pause | undefined {
    const reader = this.#reader;
    for (let items = 0; ;) {
      if (!this.#isInsideEntry) {
        if (this.#lookAhead()) {
          this.#applyPut();
          items++;
          if (this.#snapshotIsBehind()) return 'snapshot';
          if (items >= ITEMS_A_SLICE) return 'turn';
          continue;
        }
        if (!reader.nextEntry()) return undefined;
        if (reader.isInSession || reader.kind >= EntryKind.openSession) {
          this.#isInsideEntry = this.#beginWithSessions();
          // A session that changes is written out first with what it was, as an entry of the map is.
          if (this.#snapshotIsBehind()) return 'snapshot';
          if (!this.#isInsideEntry) continue;
        }
        this.#isInsideEntry = true;
        this.#count = 0;
      }
      while (reader.nextItem()) {
        this.#applyItem();
        items++;
        if (this.#snapshotIsBehind()) return 'snapshot';
        if (items >= ITEMS_A_SLICE) return 'turn';
      }
      this.#isInsideEntry = false;
      this.#store.settle();
      if (reader.isInSession) this.#store.sessions.record(reader.session, reader.number, this.#count);
      this.#observers[this.#observer++]?.written(undefined, this.#count);
    }
  }

  /** Whether a plain put is next. Their keys are looked for together: of a put in a large map a fifth is waiting for memory. */
  #lookAhead(): boolean {
    if (this.#put < this.#puts) return true;
    const { puts } = this.#store;
    this.#reader.nextPuts(puts);
    this.#put = 0;
    this.#puts = puts.keys.count;
    if (this.#puts === 0) {
      puts.keys.end();
      return false;
    }
    this.#store.findForPuts();
    return true;
  }

  #applyPut(): void {
    this.#store.putFound(this.#put++);
    this.#store.settle();
    this.#observers[this.#observer++]?.written(undefined, 1);
  }

  /** Does what an entry changes of sessions; answers whether there are items to be applied. */
  #beginWithSessions(): boolean {
    const { kind, isInSession, session, number, lowest, index } = this.#reader;
    const { sessions } = this.#store;
    this.#count = 0;
    if (isInSession) {
      const verdict = sessions.begin(session, number, lowest);
      if (verdict === 'new') return true;
      if (verdict === undefined) this.#tell(noSession(session), 0);
      else if (verdict === 'forgotten') this.#tell(answerForgotten(session, number), 0);
      else this.#tell(undefined, verdict);
    } else if (kind === EntryKind.openSession) {
      const id = sessionIdAt(this.#term, index);
      if (sessions.open(id)) this.#tell(undefined, id);
      else this.#tell(tooManySessions(), 0);
    } else {
      let count = 0;
      while (this.#reader.nextSession()) if (sessions.expire(this.#reader.session)) count++;
      this.#tell(undefined, count);
    }
    return false;
  }

  #tell(refused: Refusal | undefined, count: number): void {
    this.#observers[this.#observer++]?.written(refused, count);
  }

  #applyItem(): void {
    const { kind, key, value } = this.#reader;
    if (kind === EntryKind.put) {
      this.#store.put(key, value);
      this.#count++;
    } else if (this.#store.delete(key)) {
      this.#count++;
    }
  }
}

/** Applies a frame at once: for a store that nobody reads yet. */
export function replayFrame(store: Store, frame: Frame): void {
  const applier = new Applier(store, frame, [], () => false);
  while (applier.run() !== undefined);
}
