import type { Clock } from '../clock.js';

/** With so much of its time at work a node is busy, also where nobody writes. */
const BUSY_SHARE = 0.8;
/** Between two parts beside clients, so that they leave at 30 MB/s at the most. */
export const REST_MS = 15;

export interface TransferPaceParts {
  readonly clock: Clock;
  /** Of the time since it was last asked, how much this process was at work: 0 to 1. */
  busyShare(): number;
}

/**
 * How a node that sends a snapshot gives way to its clients. A backup that takes in as much as it can has a processor and the disk to
 * itself, and where all of them share a machine clients had a fifth of what they have otherwise. Nothing waits while there are none.
 */
export class TransferPace {
  readonly #parts: TransferPaceParts;

  constructor(parts: TransferPaceParts) {
    this.#parts = parts;
  }

  /** Resolves when the next part may leave; undefined for at once. @param hasGrown - clients have written since the part before. */
  rest(hasGrown: boolean): Promise<void> | undefined {
    const isBusy = this.#parts.busyShare() >= BUSY_SHARE;
    if (!isBusy && !hasGrown) return undefined;
    return new Promise<void>((resolve) => {
      this.#parts.clock.after(REST_MS, resolve);
    });
  }
}
