import type { WriteObserver } from '../engine.js';
import { EntryKind, EntryReader } from '../log/entry.js';
import type { Frame } from '../log/frame.js';
import type { Store } from '../store/store.js';

/** Keys that are changed in one turn. A larger operation goes on in the next one, with the lock held. */
export const ITEMS_A_SLICE = 2000;

/** What there is to wait for before the rest of a frame is applied. */
export type Pause = 'turn' | 'snapshot';

/**
 * Applies the entries of one committed frame to the store, which its caller has locked for writing.
 *
 * Each observer is told right after its entry was applied and before the next one is: what it reads then is the
 * map at that position.
 */
export class Applier {
  readonly #store: Store;
  readonly #reader: EntryReader;
  readonly #observers: readonly (WriteObserver | undefined)[];
  readonly #snapshotIsBehind: () => boolean;
  #observer = 0;
  #isInsideEntry = false;
  #count = 0;

  constructor(
    store: Store,
    frame: Frame,
    observers: readonly (WriteObserver | undefined)[],
    snapshotIsBehind: () => boolean,
  ) {
    this.#store = store;
    this.#reader = new EntryReader(frame);
    this.#observers = observers;
    this.#snapshotIsBehind = snapshotIsBehind;
  }

  /** Goes on until the frame is applied (undefined), or there is something to wait for. */
  run(): Pause | undefined {
    for (let items = 0; ;) {
      if (!this.#isInsideEntry) {
        if (!this.#reader.nextEntry()) return undefined;
        this.#isInsideEntry = true;
        this.#count = 0;
      }
      while (this.#reader.nextItem()) {
        this.#applyItem();
        items++;
        if (this.#snapshotIsBehind()) return 'snapshot';
        if (items >= ITEMS_A_SLICE) return 'turn';
      }
      this.#isInsideEntry = false;
      this.#store.settle();
      this.#observers[this.#observer++]?.written(undefined, this.#count);
    }
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
