/** Draws whole numbers, at least 0 and below a limit, that a seed repeats (mulberry32, Tommy Ettinger). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  below(limit: number): number {
    return Math.floor((this.#next() / 2 ** 32) * limit);
  }

  fill(target: Buffer): void {
    let at = 0;
    for (; at + 4 <= target.length; at += 4) target.writeUInt32LE(this.#next(), at);
    for (; at < target.length; at++) target[at] = this.#next() & 0xff;
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
