import { setTimeout as pause } from 'node:timers/promises';
import { Asking, isWholeList } from './asking.js';

const ANSWER_MS_MAX = 4000;
const ELSEWHERE_MS = 20;

/**
 * One client that counts up two keys together, and one reader on each node that never leaves it: whatever a reader sees is one
 * state, was counted by then, and is never less than what its connection saw before. Where the outcome of a count is not
 * known, other keys are taken, so that nothing late can come in between.
 */
export class Clockwork {
  /** Pairs that were read, on any node. */
  checked = 0;
  fault: string | undefined;
  readonly #addresses: readonly string[];
  #era = 0;
  #counted = 0;
  #isStopped = false;
  readonly #work: Promise<unknown>;

  constructor(addresses: readonly string[]) {
    this.#addresses = addresses;
    this.#work = Promise.all([this.#count(), ...addresses.map((address) => this.#read(address))]);
    this.#work.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    if (this.fault !== undefined) throw new Error(this.fault);
  }

  async #count(): Promise<void> {
    let at = 0;
    let asking: Asking | undefined;
    while (!this.#isStopped) {
      asking ??= await Asking.open(this.#addresses[at]!, ANSWER_MS_MAX);
      const count = ++this.#counted;
      const { era } = this;
      const request = `MSET left-${era} ${String(count)} right-${era} ${String(count)}`;
      const answer = (await asking?.ask([request], ANSWER_MS_MAX))?.[0];
      if (answer === 'OK') {
        await pause(1);
        continue;
      }
      const isUnknown =
        asking !== undefined && (answer === undefined || answer.startsWith('ERROR UNCONFIRMED '));
      if (isUnknown) [this.#era, this.#counted] = [this.#era + 1, 0];
      asking?.close();
      asking = undefined;
      at = (at + 1) % this.#addresses.length;
      await pause(ELSEWHERE_MS);
    }
    asking?.close();
  }

  get era(): string {
    return String(this.#era);
  }

  async #read(address: string): Promise<void> {
    let asking: Asking | undefined;
    let seen = new Map<string, number>();
    while (!this.#isStopped) {
      if (asking === undefined || asking.isBroken) {
        asking = await Asking.open(address, ANSWER_MS_MAX);
        seen = new Map();
      }
      const { era } = this;
      const values = await asking?.ask([`MGET left-${era} right-${era}`], ANSWER_MS_MAX, isWholeList);
      const isRefused = values === undefined || values[0]?.startsWith('ERROR ') === true;
      if (!isRefused) this.#judge(address, era, values, seen);
      await pause(isRefused ? ELSEWHERE_MS : 2);
    }
    asking?.close();
  }

  #judge(address: string, era: string, [left, right]: readonly string[], seen: Map<string, number>): void {
    const count = left === 'NULL' ? 0 : Number(left);
    const before = seen.get(era) ?? 0;
    const newest = era === this.era ? this.#counted : Infinity;
    const pair = `${address} showed ${String(left)} and ${String(right)} after ${String(before)}`;
    if (left !== right) this.fault ??= `a state that never was: ${pair}`;
    if (!(count >= before)) this.fault ??= `back in time: ${pair}`;
    if (count > newest) this.fault ??= `a count that nobody made: ${pair}`;
    seen.set(era, count);
    this.checked++;
  }
}
