/**
 * Whether a history of one register could have come from a single copy of it that does one operation at a time, each at
 * one moment between its call and its answer.
 *
 * The search is Wing and Gong's with Lowe's memory of what was seen: it takes up the calls in every order that their times allow, and
 * never looks twice at the same set of operations done with the same value left by them.
 */

/** One operation on one key, as its client saw it. The numbers order all calls and answers of a history. */
export interface Operation {
  readonly kind: 'put' | 'delete' | 'get';
  /** What was put, or what a get answered; null for no value. Of no meaning for a delete. */
  readonly value: string | null;
  /** Of a delete: whether there was a value. Undefined when the client was not told. */
  readonly found?: boolean | undefined;
  readonly calledAt: number;
  /** Undefined: no answer came, and `found` is not known then. It may take effect at any time after its call, or never. */
  readonly answeredAt: number | undefined;
}

export type Verdict = 'linearizable' | 'not linearizable' | 'undecided';

/** `undecided` when the search looked at more than `statesMax` states. */
export function checkRegister(history: readonly Operation[], statesMax = 1_000_000): Verdict {
  return new Search(prepare(history), statesMax).run();
}

interface Prepared {
  readonly answered: readonly Operation[];
  /** Groups of those that nobody can tell apart: only the first of each group needs to be tried. */
  readonly unanswered: readonly (readonly Operation[])[];
}

function prepare(history: readonly Operation[]): Prepared {
  const inOrder = [...history].sort((a, b) => a.calledAt - b.calledAt);
  const answered = inOrder.filter(({ answeredAt }) => answeredAt !== undefined);
  const unseen: Operation[] = [];
  const others: Operation[][] = [];
  for (const operation of inOrder) {
    if (operation.answeredAt !== undefined || operation.kind !== 'put') continue;
    const gets = answered.filter(({ kind, value }) => kind === 'get' && value === operation.value);
    const isUnique =
      inOrder.filter(({ kind, value }) => kind === 'put' && value === operation.value).length === 1;
    if (gets.length === 0) unseen.push(operation);
    else if (!isUnique) others.push([operation]);
    // It took effect before it was first seen, which is as good as an answer.
    else
      answered.push({ ...operation, answeredAt: Math.min(...gets.map((get) => get.answeredAt ?? 0)) - 0.5 });
  }
  const deletes = inOrder.filter(({ kind, answeredAt }) => kind === 'delete' && answeredAt === undefined);
  // What was never seen explains nothing but that a delete found something.
  const isNeeded = inOrder.some(({ kind, found }) => kind === 'delete' && found === true);
  return {
    answered: answered.sort((a, b) => a.calledAt - b.calledAt),
    unanswered: [deletes, ...(isNeeded ? [unseen] : []), ...others],
  };
}

/** The next value of the register; undefined when the operation cannot have been answered as it was. */
function effect(operation: Operation, value: string | null): string | null | undefined {
  switch (operation.kind) {
    case 'put':
      return operation.value;
    case 'delete':
      return operation.found !== undefined && operation.found !== (value !== null) ? undefined : null;
    case 'get':
      return operation.value === value ? value : undefined;
  }
}

/** What is tried next, at one depth of the search. */
interface Level {
  /** The value before. */
  readonly value: string | null;
  readonly candidates: readonly number[];
  next: number;
  /** What was taken to come here. */
  readonly taken: number;
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #answeredCount: number;
  readonly #groups: readonly { readonly first: number; readonly end: number }[];
  readonly #isDone: Uint8Array;
  readonly #seen = new Set<string>();
  readonly #statesMax: number;
  /** Every answered operation before this one is done. */
  #low = 0;
  /** No answered operation from here on is done. */
  #high = 0;

  constructor({ answered, unanswered }: Prepared, statesMax: number) {
    this.#operations = [...answered, ...unanswered.flat()];
    let first = answered.length;
    this.#groups = unanswered.map((group) => ({ first, end: (first += group.length) }));
    this.#answeredCount = answered.length;
    this.#isDone = new Uint8Array(this.#operations.length);
    this.#statesMax = statesMax;
  }

  run(): Verdict {
    const levels: Level[] = [this.#level(null, -1)];
    while (levels.length > 0) {
      if (this.#low === this.#answeredCount) return 'linearizable';
      if (this.#seen.size > this.#statesMax) return 'undecided';
      const level = levels.at(-1)!;
      const at = level.candidates[level.next++];
      if (at === undefined) {
        levels.pop();
        if (level.taken !== -1) this.#undo(level.taken);
        continue;
      }
      const value = effect(this.#operations[at]!, level.value);
      if (value === undefined) continue;
      this.#do(at);
      const key = this.#key(value);
      if (this.#seen.has(key)) {
        this.#undo(at);
        continue;
      }
      this.#seen.add(key);
      levels.push(this.#level(value, at));
    }
    return 'not linearizable';
  }

  /** The operations that may come next: those that were called before any that is still to come was answered. */
  #level(value: string | null, taken: number): Level {
    const candidates: number[] = [];
    let firstAnswer = Infinity;
    for (let at = this.#low; at < this.#answeredCount; at++) {
      const { calledAt, answeredAt } = this.#operations[at]!;
      if (calledAt > firstAnswer) break;
      if (this.#isDone[at] === 1) continue;
      firstAnswer = Math.min(firstAnswer, answeredAt ?? Infinity);
      candidates.push(at);
    }
    const open = candidates.filter((at) => this.#operations[at]!.calledAt < firstAnswer);
    // What nobody was told of comes last: it is not needed as often as not.
    for (const { first, end } of this.#groups) {
      let at = first;
      while (at < end && this.#isDone[at] === 1) at++;
      if (at < end && this.#operations[at]!.calledAt < firstAnswer) open.push(at);
    }
    return { value, candidates: open, next: 0, taken };
  }

  #do(at: number): void {
    this.#isDone[at] = 1;
    if (at >= this.#answeredCount) return;
    this.#high = Math.max(this.#high, at + 1);
    while (this.#low < this.#answeredCount && this.#isDone[this.#low] === 1) this.#low++;
  }

  #undo(at: number): void {
    this.#isDone[at] = 0;
    if (at >= this.#answeredCount) return;
    this.#low = Math.min(this.#low, at);
    while (this.#high > this.#low && this.#isDone[this.#high - 1] === 0) this.#high--;
  }

  /** Names the set of what is done, and the value. */
  #key(value: string | null): string {
    const between = this.#isDone.subarray(this.#low, this.#high).join('');
    const extra = this.#isDone.subarray(this.#answeredCount).join('');
    return `${String(this.#low)}:${between}:${extra}:${value === null ? '' : `=${value}`}`;
  }
}
