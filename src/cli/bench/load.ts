import type { RecordableHistogram } from 'node:perf_hooks';
import type { ErrorReply } from '../../client/reply.js';
import type { Cancel, Clock } from '../../clock.js';
import { Latencies, gathering, percentileMs } from './latencies.js';
import type { LatencySummary } from './latencies.js';
import { LoadConnection } from './load-connection.js';
import type { AnswerObserver } from './load-connection.js';
import { paceOf } from './pace.js';
import type { Pace } from './pace.js';
import type { BenchPlan } from './plan.js';
import { Workload, valuePool } from './workload.js';

/** Answers with one code, and what the first of them said. */
export interface ErrorCount {
  readonly code: string;
  readonly count: number;
  readonly message: string;
}

/** How the last half second was. */
export interface Progress {
  readonly elapsedMs: number;
  readonly perSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Since the start. */
  readonly errors: number;
}

/** Why a measurement ended. */
export type Ending = 'done' | 'interrupted' | 'lost';

export interface Measurement {
  readonly ended: Ending;
  /** Why it was lost, on one line. */
  readonly reason: string | undefined;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  readonly reads: LatencySummary;
  /** Reads that found a value. */
  readonly found: number;
  readonly writes: LatencySummary;
  readonly errors: readonly ErrorCount[];
  /** At a given rate: operations that were due and could not be begun in time. */
  readonly missed: number;
}

export interface LoadParts {
  readonly plan: BenchPlan;
  readonly clock: Clock;
  readonly progress: (progress: Progress) => void;
  /** Begins no more, and takes the answers that are still to come. */
  readonly stop: AbortSignal;
}

const PROGRESS_PERIOD_MS = 500;
const CHECK_PERIOD_MS = 50;
/** How closely a rate is kept. */
const PACE_PERIOD_MS = 1;
/** How long an interrupted measurement waits for what is under way. */
const INTERRUPTED_WAIT_MS = 1000;

/** Makes load until the time or the operations are up, it is stopped, or the server is gone. Never rejects for any of these. */
export function runLoad(parts: LoadParts): Promise<Measurement> {
  return new Promise((resolve) => {
    new Load(parts, resolve).start();
  });
}

class Load implements AnswerObserver {
  readonly #parts: LoadParts;
  readonly #done: (measurement: Measurement) => void;
  readonly #reads = new Latencies();
  readonly #writes = new Latencies();
  readonly #errors = new Map<string, { count: number; readonly message: string }>();
  readonly #connections: LoadConnection[] = [];
  readonly #timers: Cancel[] = [];
  readonly #startMs: number;
  readonly #pace: Pace;
  readonly #onStop = (): void => {
    this.#interrupt();
  };
  #lastAnswerMs: number;
  #intervalMs: number;
  #found = 0;
  #refused = 0;
  #missed = 0;
  #ended: Ending = 'done';
  #isOver = false;

  constructor(parts: LoadParts, done: (measurement: Measurement) => void) {
    this.#parts = parts;
    this.#done = done;
    this.#startMs = this.#lastAnswerMs = this.#intervalMs = parts.clock.nowMs();
    this.#pace = paceOf(parts.plan, this.#startMs);
  }

  start(): void {
    const { plan, clock, stop } = this.#parts;
    const pool = valuePool(plan);
    const { address, prefix, pipeline } = plan;
    for (let client = 0; client < plan.clients; client++) {
      const workload = new Workload(plan, client);
      const shared = { address, prefix, pipeline, valuePool: pool, pace: this.#pace, clock, observer: this };
      this.#connections.push(new LoadConnection({ ...shared, client, workload }));
    }
    this.#timers.push(clock.every(PROGRESS_PERIOD_MS, () => this.#tellProgress()));
    this.#timers.push(clock.every(CHECK_PERIOD_MS, () => this.#checkSilence()));
    if (plan.ratePerSecond !== undefined) this.#timers.push(clock.every(PACE_PERIOD_MS, () => this.#begin()));
    if (plan.durationMs !== Infinity) this.#timers.push(clock.after(plan.durationMs, () => this.#timeIsUp()));
    stop.addEventListener('abort', this.#onStop, { once: true });
    if (stop.aborted) this.#interrupt();
  }

  read(latencyMs: number, isFound: boolean): void {
    this.#reads.record(latencyMs);
    if (isFound) this.#found++;
  }

  written(latencyMs: number): void {
    this.#writes.record(latencyMs);
  }

  refused({ code, message }: ErrorReply): void {
    this.#refused++;
    const known = this.#errors.get(code);
    if (known === undefined) this.#errors.set(code, { count: 1, message });
    else known.count++;
  }

  heard(nowMs: number): void {
    this.#lastAnswerMs = nowMs;
    if (this.#pace.isOver) this.#finishIfIdle();
  }

  lost(reason: string): void {
    if (this.#isOver) return;
    // What is still under way after an interruption is not waited for at any price.
    if (this.#ended === 'interrupted') this.#finish(undefined);
    else {
      this.#ended = 'lost';
      this.#finish(reason);
    }
  }

  #begin(): void {
    for (const connection of this.#connections) connection.begin();
  }

  #timeIsUp(): void {
    const { clock } = this.#parts;
    this.#missed = this.#pace.missed(clock.nowMs());
    this.#pace.end();
    this.#finishIfIdle();
  }

  #interrupt(): void {
    this.#ended = 'interrupted';
    this.#timers.push(this.#parts.clock.after(INTERRUPTED_WAIT_MS, () => this.#finish(undefined)));
    this.#timeIsUp();
  }

  #finishIfIdle(): void {
    if (this.#connections.every(({ isIdle }) => isIdle)) this.#finish(undefined);
  }

  #checkSilence(): void {
    const { clock, plan } = this.#parts;
    const nowMs = clock.nowMs();
    for (const connection of this.#connections) connection.checkSilence(nowMs, plan.timeoutMs);
  }

  #tellProgress(): void {
    const nowMs = this.#parts.clock.nowMs();
    const interval = this.#endInterval();
    const seconds = Math.max(0.001, (nowMs - this.#intervalMs) / 1000);
    this.#intervalMs = nowMs;
    this.#parts.progress({
      elapsedMs: nowMs - this.#startMs,
      perSecond: interval.count / seconds,
      p50Ms: percentileMs(interval, 50),
      p99Ms: percentileMs(interval, 99),
      errors: this.#refused,
    });
  }

  #endInterval(): RecordableHistogram {
    const interval = gathering();
    this.#reads.endInterval(interval);
    this.#writes.endInterval(interval);
    return interval;
  }

  #finish(reason: string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.stop.removeEventListener('abort', this.#onStop);
    for (const timer of this.#timers) timer.cancel();
    for (const connection of this.#connections) connection.close();
    this.#endInterval();
    this.#done({
      ended: this.#ended,
      reason,
      elapsedMs: this.#lastAnswerMs - this.#startMs,
      reads: this.#reads.summary(),
      found: this.#found,
      writes: this.#writes.summary(),
      errors: [...this.#errors].map(([code, error]) => ({ code, ...error })),
      missed: this.#missed,
    });
  }
}
