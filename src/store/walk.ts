import type { EntryVisitor, Table } from './table.js';

/**
 * Visits every entry of a table as it was when the walk began, in slices, while the table goes on changing.
 *
 * Before an entry changes that the walk has not reached, its old value is visited first. So the visitor sees
 * the map at exactly one moment, each key once.
 */
export class Walk {
  readonly #table: Table;
  readonly #visitor: EntryVisitor;
  /** Slots below this were reached. */
  #reached = 0;
  readonly #limit: number;
  /** A bit for each slot: set when its state at the beginning was dealt with early, because it was about to change. */
  readonly #settled: Uint8Array;
  #ended = false;

  constructor(table: Table, visitor: EntryVisitor) {
    if (table.watch !== undefined) throw new Error('another walk is under way');
    this.#table = table;
    this.#visitor = visitor;
    this.#limit = table.slots;
    this.#settled = new Uint8Array(Math.ceil(table.slots / 8));
    table.watch = (slot) => {
      this.#settle(slot);
    };
  }

  /**
   * Goes over at most `slotsMax` slots, or fewer when `enough` says so after one of them.
   *
   * @returns whether the walk is complete.
   */
  step(slotsMax: number, enough: () => boolean): boolean {
    const stop = Math.min(this.#limit, this.#reached + slotsMax);
    while (this.#reached < stop) {
      const slot = this.#reached++;
      if (!this.#isSettled(slot)) this.#table.visit(slot, this.#visitor);
      if (enough()) break;
    }
    if (this.#reached === this.#limit) this.end();
    return this.#ended;
  }

  /** Lets go of the table. Done by itself when the walk is complete. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#table.watch = undefined;
  }

  #settle(slot: number): void {
    if (slot < this.#reached || slot >= this.#limit || this.#isSettled(slot)) return;
    this.#settled[slot >>> 3] = (this.#settled[slot >>> 3] ?? 0) | (1 << (slot & 7));
    this.#table.visit(slot, this.#visitor);
  }

  #isSettled(slot: number): boolean {
    return ((this.#settled[slot >>> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }
}
