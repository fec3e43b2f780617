import type { Clock } from '../clock.js';
import type { Index } from '../engine.js';
import type { Log } from './ports.js';

/** Between two parts beside clients that write, so that they leave at 20 MB/s at the most. */
export const REST_MS = 25;

export interface TransferPaceParts {
  readonly clock: Clock;
  /** Up to here writes are committed. */
  commit(): Index;
  log(): Pick<Log, 'appendedBytes'>;
}

/** When a part left. */
export interface Departure {
  readonly commit: Index;
  readonly appendedBytes: number;
}

/**
 * How a node that sends what is in its files gives way to clients. A backup that takes in as much as it can has a processor and the
 * disk to itself, and where all of them share a machine clients had a fifth of what they have otherwise.
 *
 * Nothing rests while no write is committed: there are no clients then, or what they wait for may be this very backup.
 */
export class TransferPace {
  readonly #parts: TransferPaceParts;

  constructor(parts: TransferPaceParts) {
    this.#parts = parts;
  }

  /** A part leaves now. */
  depart(): Departure {
    return { commit: this.#parts.commit(), appendedBytes: this.#parts.log().appendedBytes };
  }

  /** By how much the log has grown since then. */
  grownBytes({ appendedBytes }: Departure): number {
    return this.#parts.log().appendedBytes - appendedBytes;
  }

  /** Resolves when the next part may leave; undefined for at once. */
  rest(last: Departure): Promise<void> | undefined {
    if (this.#parts.commit() === last.commit) return undefined;
    return new Promise((resolve) => {
      this.#parts.clock.after(REST_MS, resolve);
    });
  }
}
