import { SESSION_NUMBERS_MAX } from '../engine.js';

/** In the place of the answer to a number that was never seen. */
export const UNSEEN = -1;
const CAPACITY_INITIAL = 8;

/** What came of a write before it was applied: an answer that was given already, or whether it may be applied. */
export type SessionVerdict = number | 'new' | 'forgotten';

/**
 * One client's writes by their numbers: which of them were applied, and what was answered.
 *
 * Invariant: numbers below `lowest` are forgotten, and no number from `lowest + SESSION_NUMBERS_MAX` on was seen: so a number that is
 * not here was never applied, unless it lies below.
 */
export class Session {
  /** When it was used last, by the clock of {@link Sessions.nowMs}. This node's own, and no part of the state. */
  usedMs: number;
  /** The last walk that has dealt with it. */
  walk = 0;
  #lowest = 1;
  /** Answers by number, in a ring: the one of number n stands at n modulo the length, a power of two. Most clients need little. */
  #answers = new Int32Array(CAPACITY_INITIAL).fill(UNSEEN);

  constructor(usedMs: number) {
    this.usedMs = usedMs;
  }

  get lowest(): number {
    return this.#lowest;
  }

  /** The answer to a number; {@link UNSEEN} where there is none. */
  answerTo(number: number): number {
    const span = number - this.#lowest;
    if (span < 0 || span >= this.#answers.length) return UNSEEN;
    return this.#answers[number % this.#answers.length] ?? UNSEEN;
  }

  verdictOn(number: number): SessionVerdict {
    if (number < this.#lowest) return 'forgotten';
    const answer = this.answerTo(number);
    return answer === UNSEEN ? 'new' : answer;
  }

  /** Forgets the answers below a number. One that is lower than an earlier one, from a request that was late, changes nothing. */
  forgetBelow(lowest: number): void {
    const answers = this.#answers;
    if (lowest - this.#lowest >= answers.length) answers.fill(UNSEEN);
    else for (let each = this.#lowest; each < lowest; each++) answers[each % answers.length] = UNSEEN;
    if (lowest > this.#lowest) this.#lowest = lowest;
  }

  record(number: number, answer: number): void {
    const span = number - this.#lowest;
    if (span < 0 || span >= SESSION_NUMBERS_MAX) throw new RangeError(`number ${String(number)} is not kept`);
    if (span >= this.#answers.length) this.#grow(span + 1);
    this.#answers[number % this.#answers.length] = answer;
  }

  /** The answers from `lowest` on, up to the last one that there is. A copy. */
  answers(): Int32Array {
    const answers = this.#answers;
    const from = this.#lowest % answers.length;
    const inOrder = new Int32Array(answers.length);
    inOrder.set(answers.subarray(from));
    inOrder.set(answers.subarray(0, from), answers.length - from);
    let count = inOrder.length;
    while (count > 0 && inOrder[count - 1] === UNSEEN) count--;
    return inOrder.slice(0, count);
  }

  #grow(needed: number): void {
    const kept = this.answers();
    let capacity = this.#answers.length;
    while (capacity < needed) capacity *= 2;
    this.#answers = new Int32Array(capacity).fill(UNSEEN);
    for (const [at, answer] of kept.entries()) this.#answers[(this.#lowest + at) % capacity] = answer;
  }
}
