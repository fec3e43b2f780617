import type { BenchPlan } from './plan.js';

/** When operations begin. */
export interface Pace {
  /**
   * Takes the next operation of a client and answers when it was to begin; undefined when it has none to begin now.
   * Latency counts from then on.
   */
  next(client: number, nowMs: number): number | undefined;
  /** No operation is begun any more. */
  end(): void;
  readonly isOver: boolean;
  /** Operations that were due up to a moment and were not begun. */
  missed(nowMs: number): number;
}

export type PacePlan = Pick<BenchPlan, 'clients' | 'operations' | 'ratePerSecond'>;

export function paceOf(plan: PacePlan, startMs: number): Pace {
  return plan.ratePerSecond === undefined
    ? new ClosedLoop(plan.operations)
    : new OpenLoop(plan, startMs, plan.ratePerSecond);
}

/** Each client begins one whenever it may: a server that stalls is asked less. */
class ClosedLoop implements Pace {
  #remaining: number;

  constructor(operations: number) {
    this.#remaining = operations;
  }

  get isOver(): boolean {
    return this.#remaining <= 0;
  }

  next(_: number, nowMs: number): number | undefined {
    if (this.#remaining <= 0) return undefined;
    this.#remaining--;
    return nowMs;
  }

  end(): void {
    this.#remaining = 0;
  }

  missed(): number {
    return 0;
  }
}

/** Operation k is due k periods after the start, and the clients take turns. One that comes late has its wait counted. */
class OpenLoop implements Pace {
  readonly #startMs: number;
  readonly #periodMs: number;
  readonly #operations: number;
  /** By client: the number of its next operation. */
  readonly #numbers: Float64Array;
  #begun = 0;
  #isEnded = false;

  constructor({ clients, operations }: PacePlan, startMs: number, ratePerSecond: number) {
    this.#startMs = startMs;
    this.#periodMs = 1000 / ratePerSecond;
    this.#operations = operations;
    this.#numbers = Float64Array.from({ length: clients }, (_, client) => client);
  }

  get isOver(): boolean {
    return this.#isEnded || this.#begun >= this.#operations;
  }

  next(client: number, nowMs: number): number | undefined {
    const number = this.#numbers[client] ?? Infinity;
    const dueMs = this.#startMs + number * this.#periodMs;
    if (this.#isEnded || number >= this.#operations || dueMs > nowMs) return undefined;
    this.#numbers[client] = number + this.#numbers.length;
    this.#begun++;
    return dueMs;
  }

  end(): void {
    this.#isEnded = true;
  }

  missed(nowMs: number): number {
    const due = Math.floor((nowMs - this.#startMs) / this.#periodMs) + 1;
    return Math.max(0, Math.min(due, this.#operations) - this.#begun);
  }
}
