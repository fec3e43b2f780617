import type { RunCommand, WriteCommand } from '../commands/command.js';
import type { Refusal } from '../engine.js';
import type { Told } from '../protocol/reply.js';
import type { Framing, Request } from '../protocol/request.js';
import type { Unread } from '../protocol/unread.js';

/** A request that was read and cannot be answered before those in front of it. */
export type Pending = PendingWrite | PendingRun | PendingReads | PendingRefusal;

/** A write that the engine has, or has answered. */
export interface PendingWrite {
  readonly kind: 'write';
  /** In which it is answered. */
  readonly framing: Framing;
  /** How many requests it is, one behind the other, all with the same outcome. */
  readonly requests: number;
  /** How it is answered once it was done. */
  readonly answered: Pick<WriteCommand, 'answer'>;
  /** Set once the engine has told what came of it. */
  isSettled: boolean;
  refused: Refusal | undefined;
  count: number;
}

/** Run when its turn comes: between two writes it sees exactly what was written before it. */
export interface PendingRun {
  readonly kind: 'run';
  readonly command: RunCommand;
  /** Its own copy; a barrier's is borrowed from the reader, which is fed nothing meanwhile. */
  readonly request: Request;
  readonly bytes: number;
  /** Nothing behind it is read or fed before it is answered. */
  readonly isBarrier: boolean;
}

/** Reads that came together behind something that waits, as they were sent: they are read when their turn comes, and answered together again. */
export interface PendingReads {
  readonly kind: 'reads';
  readonly requests: number;
  /** Those that are not answered. */
  readonly unread: Unread;
  /** So many of the next ones are answered by themselves. */
  aloneCount: number;
}

export interface PendingRefusal {
  readonly kind: 'refused';
  readonly framing: Framing;
  readonly refused: Told;
}

const COMPACT_AT = 1024;
/** So many places are kept for what comes next: a client that asks for one thing at a time needs no new ones. */
const KEPT_PLACES_MAX = 64;

/** First in, first out, without moving the rest at each step. */
export class Queue<Item> {
  #items: (Item | undefined)[] = [];
  /** The first item, and the place behind the last one. What is not between them is undefined. */
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  push(item: Item): void {
    this.#items[this.#tail++] = item;
  }

  first(): Item | undefined {
    return this.#items[this.#head];
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#tail) this.#begin();
    else if (this.#head >= COMPACT_AT && this.#head * 2 > this.#tail) {
      this.#items.splice(0, this.#head);
      this.#tail -= this.#head;
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = this.#tail = 0;
  }

  #begin(): void {
    if (this.#items.length > KEPT_PLACES_MAX) this.#items = [];
    this.#head = this.#tail = 0;
  }
}

/** What waits to be answered, and how many requests that is. */
export class PendingRequests {
  readonly #queue = new Queue<Pending>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  first(): Pending | undefined {
    return this.#queue.first();
  }

  push(item: Pending): void {
    this.#queue.push(item);
    this.#count += requestsOf(item);
  }

  shift(): void {
    const item = this.#queue.shift();
    if (item !== undefined) this.#count -= requestsOf(item);
  }

  clear(): void {
    this.#queue.clear();
    this.#count = 0;
  }
}

function requestsOf(item: Pending): number {
  return item.kind === 'write' || item.kind === 'reads' ? item.requests : 1;
}
