import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { pause } from '../first-answer.js';

const KEYS = 1000;
const VALUE = 'x'.repeat(100);
const POLL_MS = 1;
const DEADLINE_MS = 60_000;

/** A write that was acknowledged, on the clock of `performance.now`. */
interface Write {
  readonly begunMs: number;
  readonly answeredMs: number;
}

/** Callers that share one client, which follows the primary: each makes one write after the other. */
export class Writers {
  readonly #client: KvClient;
  #writes: Write[] = [];
  #isOver = false;
  #ended: Promise<unknown>;
  failed = 0;
  #lastFailure = 'no call has failed';

  constructor(addresses: readonly string[], callers: number, intervalMs: number) {
    this.#client = createClient({ addresses });
    this.#ended = Promise.all(Array.from({ length: callers }, (_, at) => this.#work(at, intervalMs)));
  }

  /** Forgets what was written so far. */
  forget(): void {
    this.#writes = [];
  }

  /** When the first write was answered that was begun after this moment. */
  async firstAfter(atMs: number): Promise<number> {
    const untilMs = performance.now() + DEADLINE_MS;
    while (performance.now() < untilMs) {
      const first = this.#writes.find(({ begunMs }) => begunMs > atMs);
      if (first !== undefined) return first.answeredMs;
      await pause(POLL_MS);
    }
    throw new Error(`no write was acknowledged in a minute: ${this.#lastFailure}`);
  }

  /** The longest time between two acknowledgements from this moment on, the last one before it included. */
  longestPauseFrom(atMs: number): number {
    const answered = this.#writes.map(({ answeredMs }) => answeredMs).sort((a, b) => a - b);
    let longestMs = 0;
    for (const [at, answeredMs] of answered.entries()) {
      const before = answered[at - 1];
      if (before !== undefined && answeredMs > atMs) longestMs = Math.max(longestMs, answeredMs - before);
    }
    return longestMs;
  }

  /** The longest that a write took which was answered from this moment on. */
  longestWriteFrom(atMs: number): number {
    return this.#writes
      .filter(({ answeredMs }) => answeredMs > atMs)
      .reduce((most, { begunMs, answeredMs }) => Math.max(most, answeredMs - begunMs), 0);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    this.#client.close();
  }

  async #work(caller: number, intervalMs: number): Promise<void> {
    for (let count = 0; !this.#isOver; count++) {
      const begunMs = performance.now();
      try {
        await this.#client.put(`bench:${String(caller)}:${String(count % KEYS)}`, VALUE);
        this.#writes.push({ begunMs, answeredMs: performance.now() });
      } catch (error) {
        this.failed++;
        this.#lastFailure = error instanceof Error ? error.message : String(error);
      }
      await pause(intervalMs);
    }
  }
}
