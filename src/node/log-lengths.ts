import type { Index } from '../engine.js';

const LENGTHS_MAX = 1024;

/** How long the log was at some of its entries, to tell how many bytes a backup is behind. */
export class LogLengths {
  readonly #notes: { readonly index: Index; readonly bytes: number }[];

  constructor(index: Index, bytes: number) {
    this.#notes = [{ index, bytes }];
  }

  note(index: Index, bytes: number): void {
    this.#notes.push({ index, bytes });
    // Every other one of the older notes is enough.
    if (this.#notes.length <= LENGTHS_MAX) return;
    const half = LENGTHS_MAX / 2;
    this.#notes.splice(0, half, ...this.#notes.slice(0, half).filter((_, at) => at % 2 === 0));
  }

  behind(index: Index, bytes: number): number | undefined {
    const note = this.#notes.findLast((each) => each.index <= index);
    return note === undefined ? undefined : Math.max(0, bytes - note.bytes);
  }
}
