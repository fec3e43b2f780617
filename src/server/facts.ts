import type { Clock } from '../clock.js';
import type { ServerFacts } from '../commands/session.js';
import type { RequestLimits } from '../protocol/limits.js';
import type { ServerLimits } from './limits.js';

/** What a server tells about itself, and counts for that. */
export class CountingFacts implements ServerFacts {
  connectionsTotal = 0;
  commandsTotal = 0;
  readonly version: string;
  readonly processId = process.pid;
  readonly connectionsMax: number;
  readonly requestLimits: RequestLimits;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #connections: () => number;

  constructor(
    { version, clock, limits }: { version: string; clock: Clock; limits: ServerLimits },
    connections: () => number,
  ) {
    this.version = version;
    this.connectionsMax = limits.connectionsMax;
    this.requestLimits = limits.request;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#connections = connections;
  }

  get connections(): number {
    return this.#connections();
  }

  get uptimeMs(): number {
    return this.#clock.nowMs() - this.#startMs;
  }

  get residentBytes(): number {
    return process.memoryUsage.rss();
  }
}
