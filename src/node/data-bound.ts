import { refusal } from '../engine.js';
import type { ByteRange, EntryBatch, Operation, Refusal } from '../engine.js';

export interface DataBoundParts {
  /** Bytes of all keys and values; Infinity when they are not bounded. */
  readonly bytesMax: number;
  /** Bytes of all keys and values in the store at this moment. */
  storedBytes(): number;
  /** Bytes of a key and its value in the store at this moment; 0 when there is no such key. */
  entryBytes(key: ByteRange): number;
  /**
   * At least the bytes of all keys and values of the puts that may yet be applied: those that wait for their turn, and those
   * in the log behind what is applied. 0 when there are none; undefined when it cannot be told.
   */
  underWayBytes(): number | undefined;
}

/**
 * Keeps the map within a bound, by refusing on the primary what would grow it past that. What is in the log is applied, on
 * whatever node: there the bound asks nothing.
 *
 * Invariant: once every write that was admitted is applied, or any of them and not the others, the map is at most as large
 * as `#ceiling`. Let s(k) be the size of key k's entry now, 0 when there is none.
 *
 * 1. A write under way leaves its key with an entry of the size that it brings (a delete: 0), or is never applied. So whatever
 *    becomes of them, the map has at most the bytes of all s(k) and of all puts under way. That is what `#refresh` takes.
 * 2. A put that is admitted adds c = max(0, what it brings - s(k)) to the ceiling. Since the last refresh, s(k) is never more
 *    than it was then, and what the puts brought that were under way then, and the c of all puts to k that were applied
 *    since: the last of them left what it brought, which is at most its own c and the s(k) of its admission, of which
 *    the same holds. The sum over all keys is the ceiling.
 *
 * It is not enough to add to the bytes in the store now the c of what is under way: a delete of k that is applied before an
 * admitted put of k makes room that this put will take, and a third write would be given it too.
 *
 * A put that shrinks its entry, and a delete, count 0: the room that they make is there once they are applied. Far from the
 * bound a put counts all that it brings, which is more than c and costs no look into the map; close to it the ceiling is
 * taken anew first, and c is looked up. With nothing under way the ceiling is the size of the map then, and admission is exact.
 */
export class DataBound {
  readonly #parts: DataBoundParts;
  #ceiling = Infinity;

  constructor(parts: DataBoundParts) {
    this.#parts = parts;
  }

  /** What is applied from here on was not admitted here: how large the map may get is not known. */
  forget(): void {
    this.#ceiling = Infinity;
  }

  /** Counts a write that is about to be taken; a refusal when the map could grow past the bound by it. */
  admit(operation: Operation): Refusal | undefined {
    const { bytesMax } = this.#parts;
    if (bytesMax === Infinity || operation.kind === 'delete') return undefined;
    const brought = broughtBy(operation);
    if (this.#ceiling + brought > bytesMax) this.#refresh();
    if (this.#ceiling + brought <= bytesMax) {
      this.#ceiling += brought;
      return undefined;
    }
    const growth = this.#growthOf(operation);
    if (growth === 0) return undefined;
    if (this.#ceiling === Infinity) {
      return refusal('BUSY', 'this node still takes in what came before it served: try again in a moment');
    }
    if (this.#ceiling + growth > bytesMax) return this.#full(growth);
    this.#ceiling += growth;
    return undefined;
  }

  /** As {@link admit}, for the first `count` of these, each a put of its own: how many of them are far from the bound, and counted. */
  admitEach({ keys, valueStarts, valueEnds }: EntryBatch, count: number): number {
    const { bytesMax } = this.#parts;
    if (bytesMax === Infinity) return count;
    for (let at = 0; at < count; at++) {
      const keyBytes = (keys.ends[at] ?? 0) - (keys.starts[at] ?? 0);
      const brought = keyBytes + (valueEnds[at] ?? 0) - (valueStarts[at] ?? 0);
      if (this.#ceiling + brought > bytesMax) return at;
      this.#ceiling += brought;
    }
    return count;
  }

  #refresh(): void {
    const underWay = this.#parts.underWayBytes();
    if (underWay === undefined) return;
    this.#ceiling = Math.min(this.#ceiling, this.#parts.storedBytes() + underWay);
  }

  /** What an operation adds at most. Each pair of several counts by itself, also when one shrinks or a key stands twice. */
  #growthOf(operation: Put): number {
    if (operation.kind === 'put') return this.#growth(operation.key, operation.value);
    let growth = 0;
    for (let at = 0; at + 1 < operation.pairs.length; at += 2) {
      const [key, value] = [operation.pairs[at], operation.pairs[at + 1]];
      if (key !== undefined && value !== undefined) growth += this.#growth(key, value);
    }
    return growth;
  }

  #growth(key: ByteRange, value: ByteRange): number {
    return Math.max(0, width(key) + width(value) - this.#parts.entryBytes(key));
  }

  #full(growth: number): Refusal {
    const held = `${String(this.#parts.storedBytes())} of at most ${String(this.#parts.bytesMax)} bytes`;
    const message = `not applied: the data holds ${held}, and this adds ${String(growth)}; delete something, or start the server with a larger --data-bytes-max`;
    return refusal('MEMORY_FULL', message);
  }
}

type Put = Exclude<Operation, { readonly kind: 'delete' }>;

/** Bytes of all its keys and values. */
function broughtBy(operation: Put): number {
  if (operation.kind === 'put') return width(operation.key) + width(operation.value);
  return operation.pairs.reduce((sum, word) => sum + width(word), 0);
}

function width(range: ByteRange): number {
  return range.end - range.start;
}
