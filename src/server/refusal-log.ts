import type { Clock } from '../clock.js';
import type { EventLog } from '../event-log.js';

/** Hosts and reasons that are told apart. */
export const REFUSALS_MAX = 256;
/** Reasons that are told apart of one host: some of them hold words of the other end. */
export const REASONS_MAX = 16;
/** After this long a reason may be told again, where room is needed. */
const OLD_MS = 3_600_000;

/**
 * Tells of each peer that is refused once for each reason, until a link with it works again, and of the others where only
 * who looks for them sees them: whoever knocks on and on must neither fill the log nor the memory.
 */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #events: EventLog;
  /** When each was told, the oldest first. */
  readonly #told = new Map<string, number>();
  #isFull = false;

  constructor(clock: Clock, events: EventLog) {
    this.#clock = clock;
    this.#events = events;
  }

  /** @param reason - the message without what differs from one attempt to the next. */
  refused(host: string, reason: string, fields: object, message: string): void {
    if (this.#isNews(host, reason)) this.#events.warn({ host, ...fields }, message);
    else this.#events.debug({ host, ...fields }, message);
  }

  /** A link with a node there works. */
  forget(host: string): void {
    for (const key of this.#told.keys()) {
      if (key.startsWith(`${host} `)) this.#told.delete(key);
    }
  }

  #isNews(host: string, reason: string): boolean {
    const key = `${host} ${reason}`;
    const ofHost = [...this.#told.keys()].filter((told) => told.startsWith(`${host} `));
    if (this.#told.has(key) || ofHost.length >= REASONS_MAX) return false;
    const nowMs = this.#clock.nowMs();
    const [oldest] = this.#told;
    if (this.#told.size >= REFUSALS_MAX && oldest !== undefined && nowMs - oldest[1] >= OLD_MS) {
      this.#told.delete(oldest[0]);
    }
    if (this.#told.size >= REFUSALS_MAX) {
      if (!this.#isFull) {
        this.#events.warn({ hosts: this.#told.size }, 'too many peers are refused to name each one');
      }
      this.#isFull = true;
      return false;
    }
    this.#isFull = false;
    this.#told.set(key, nowMs);
    return true;
  }
}
