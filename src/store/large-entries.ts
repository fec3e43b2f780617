import type { ByteRange } from '../engine.js';

interface LargeEntry {
  /** Key and value. Never written to again: whoever was shown a part of it may keep it. */
  readonly bytes: Buffer;
  readonly keyLength: number;
}

/** Entries that are too large for an arena, each in memory of its own, by number. */
export class LargeEntries {
  readonly #entries: (LargeEntry | undefined)[] = [];
  readonly #freeNumbers: number[] = [];

  add(key: ByteRange, value: ByteRange): number {
    const keyLength = key.end - key.start;
    const bytes = Buffer.allocUnsafeSlow(keyLength + value.end - value.start);
    key.bytes.copy(bytes, 0, key.start, key.end);
    value.bytes.copy(bytes, keyLength, value.start, value.end);
    const number = this.#freeNumbers.pop() ?? this.#entries.length;
    this.#entries[number] = { bytes, keyLength };
    return number;
  }

  at(number: number): LargeEntry {
    const entry = this.#entries[number];
    if (entry === undefined) throw new Error(`there is no large entry ${String(number)}`);
    return entry;
  }

  remove(number: number): void {
    this.#entries[number] = undefined;
    this.#freeNumbers.push(number);
  }

  clear(): void {
    this.#entries.length = 0;
    this.#freeNumbers.length = 0;
  }
}
