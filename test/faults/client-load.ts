import { KvError } from '../../src/client/errors.js';
import type { KvClient } from '../../src/client/client.js';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from './cluster.js';

/** How much later than its deadline a call may be seen to end, on a machine that does other things too. */
const TOLERANCE_MS = 2_000;

export interface LoadFigures {
  acknowledged: number;
  /** Refused or never sent: known not to have been done. */
  notDone: number;
  unknown: number;
  slowestMs: number;
  codes: Record<string, number>;
}

/** How the callers behave. */
export interface LoadOptions {
  /** Whether reads go to the primary, and so show what was acknowledged. */
  readonly readsAreCurrent?: boolean;
  /** The longest pause of a caller between two rounds. */
  readonly thinkMs?: number;
  /** Of so many puts one is deleted again. */
  readonly deletesOneOf?: number;
}

type Outcome = 'acknowledged' | 'not done' | 'unknown';

/**
 * Callers that share one client, each with one call under way: they put keys that nobody ever puts again, read them back
 * and delete some. Afterwards what each call was told is held against what the store has.
 */
export class ClientLoad {
  readonly figures: LoadFigures = { acknowledged: 0, notDone: 0, unknown: 0, slowestMs: 0, codes: {} };
  readonly failures: KvError[] = [];
  readonly #client: KvClient;
  readonly #deadlineMs: number;
  readonly #prefix: string;
  readonly #puts = new Map<string, Outcome>();
  readonly #deletes = new Map<string, Outcome>();
  readonly #defects: string[] = [];
  #isRunning = true;
  #workers: Promise<void>[] = [];

  readonly #options: Required<LoadOptions>;

  constructor(client: KvClient, deadlineMs: number, prefix: string, options: LoadOptions = {}) {
    this.#options = { readsAreCurrent: true, thinkMs: 0, deletesOneOf: 5, ...options };
    this.#client = client;
    this.#deadlineMs = deadlineMs;
    this.#prefix = prefix;
  }

  start(workers: number): void {
    this.#workers = Array.from({ length: workers }, (_, at) => this.#work(`${this.#prefix}-${String(at)}`));
  }

  /** Resolves once so many calls more were acknowledged. */
  async acknowledged(more: number): Promise<void> {
    const enough = this.figures.acknowledged + more;
    await eventually(
      `${String(enough)} acknowledged calls`,
      () => this.figures,
      ({ acknowledged }) => acknowledged >= enough,
      30_000,
    );
  }

  /** Begins no more calls, and resolves when those that are under way have ended. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#workers);
  }

  /**
   * Holds what the calls were told against these keys, which are all that the store has.
   *
   * @returns how many changes were made, when none was made twice: each is one entry of the log.
   */
  check(present: ReadonlySet<string>): number {
    if (this.#defects.length > 0) throw new Error(this.#defects.slice(0, 5).join('\n'));
    let changes = 0;
    for (const [key, put] of this.#puts) {
      const isThere = present.has(key);
      const removed = this.#deletes.get(key);
      const told = `${key}: put ${put}, delete ${removed ?? 'none'}, ${isThere ? 'there' : 'not there'}`;
      if (put === 'not done' && isThere) throw new Error(`done, and told as not done: ${told}`);
      if (removed === 'acknowledged' && isThere) throw new Error(`a delete is lost: ${told}`);
      const mayBeGone = removed === 'acknowledged' || removed === 'unknown';
      if (put === 'acknowledged' && !isThere && !mayBeGone) throw new Error(`a write is lost: ${told}`);
      // Only a put that was acknowledged is followed by a delete.
      if (isThere) changes += 1;
      else if (put === 'acknowledged') changes += 2;
    }
    for (const key of present) {
      if (key.startsWith(`${this.#prefix}-`) && !this.#puts.has(key)) throw new Error(`from nowhere: ${key}`);
    }
    return changes;
  }

  async #work(name: string): Promise<void> {
    for (let count = 0; this.#isRunning; count++) {
      const key = `${name}-${String(count)}`;
      const put = await this.#timed(() => this.#client.put(key, `value of ${key}`));
      this.#puts.set(key, put.outcome);
      if (put.outcome === 'unknown') continue;
      if (put.outcome === 'acknowledged' && count % 3 === 0) await this.#read(key);
      if (put.outcome === 'acknowledged' && count % this.#options.deletesOneOf === 0) await this.#delete(key);
      if (this.#options.thinkMs > 0) await pause(Math.random() * this.#options.thinkMs);
    }
  }

  async #read(key: string): Promise<void> {
    const { answer } = await this.#timed(() => this.#client.get(key));
    if (answer instanceof KvError) {
      if (answer.outcomeUnknown)
        this.#defects.push(`a read of ${key} left something open: ${answer.message}`);
    } else if (answer === undefined ? this.#options.readsAreCurrent : String(answer) !== `value of ${key}`) {
      this.#defects.push(`${key} was acknowledged and read as ${String(answer)}`);
    }
  }

  /** A key that is there goes once: a delete that the library made twice would find nothing the second time. */
  async #delete(key: string): Promise<void> {
    const { outcome, answer } = await this.#timed(() => this.#client.delete(key));
    this.#deletes.set(key, outcome);
    if (answer === false)
      this.#defects.push(`${key} was gone before it was deleted: something was done twice`);
  }

  async #timed<Answer>(
    make: () => Promise<Answer>,
  ): Promise<{ readonly outcome: Outcome; readonly answer: Answer | KvError }> {
    const startMs = performance.now();
    const answer = await make().catch((error: unknown) => {
      if (error instanceof KvError) return error;
      throw error;
    });
    const elapsedMs = performance.now() - startMs;
    this.figures.slowestMs = Math.max(this.figures.slowestMs, Math.round(elapsedMs));
    if (elapsedMs > this.#deadlineMs + TOLERANCE_MS) {
      this.#defects.push(`a call took ${String(Math.round(elapsedMs))} ms`);
    }
    if (!(answer instanceof KvError)) {
      this.figures.acknowledged++;
      return { outcome: 'acknowledged', answer };
    }
    // The test is over before its load.
    if (answer.code === 'CLOSED') this.#isRunning = false;
    this.failures.push(answer);
    this.figures.codes[answer.code] = (this.figures.codes[answer.code] ?? 0) + 1;
    this.figures[answer.outcomeUnknown ? 'unknown' : 'notDone']++;
    // A pause, so that what is refused at once is not asked a million times.
    await new Promise((resolve) => setImmediate(resolve));
    return { outcome: answer.outcomeUnknown ? 'unknown' : 'not done', answer };
  }
}
