/** Everything that waits in buffers, over all connections together. */
export class BufferBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isExceeded(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** Counts bytes that came to wait, or, negative, that wait no more. */
  change(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** What one connection has counted in the budget of all. */
export class BudgetShare {
  readonly #budget: BufferBudget;
  #bytes = 0;
  #hasLeft = false;

  constructor(budget: BufferBudget) {
    this.#budget = budget;
  }

  /** Whether all connections together have counted too much. */
  get isExceeded(): boolean {
    return this.#budget.isExceeded;
  }

  /** Counts what waits now, in the place of what was counted before. */
  count(bytes: number): void {
    if (this.#hasLeft) return;
    this.#budget.change(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  /** Nothing waits any more, and nothing is counted from here on: what a command still writes is never sent. */
  leave(): void {
    this.count(0);
    this.#hasLeft = true;
  }
}
