import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { KvError } from '../../src/client/errors.js';
import type { Random } from '../random.js';
import type { Recording } from './recording.js';

const THINK_MS = 6;

/**
 * Callers that share one client of the library and a few keys, and record what they were told. A write that the library sent several
 * times is one operation to them, so one that took effect twice is one that no order of the operations explains.
 */
export class LibraryCallers {
  readonly failures: KvError[] = [];
  readonly #client: KvClient<string>;
  readonly #recording: Recording;
  readonly #random: Random;
  #isStopped = false;
  #workers: Promise<void>[] = [];

  constructor(addresses: readonly string[], timeoutMs: number, recording: Recording, random: Random) {
    this.#client = createClient({ addresses, timeoutMs, values: 'string' });
    this.#recording = recording;
    this.#random = random;
  }

  start(callers: number): void {
    this.#workers = Array.from({ length: callers }, (_, at) => this.#work(`library${String(at)}`));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    this.#client.close();
  }

  async #work(name: string): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const key = this.#recording.key(this.#random);
      const chance = this.#random.next();
      if (chance < 0.4) await this.#put(key, `${name}.${String(count)}`);
      else if (chance < 0.6) await this.#delete(key);
      else await this.#get(key);
      await pause(this.#random.next() * THINK_MS);
    }
  }

  async #put(key: string, value: string): Promise<void> {
    const calledAt = this.#recording.stamp();
    const answer = await this.#told(this.#client.put(key, value));
    if (answer === 'not done') return;
    const answeredAt = answer === 'unknown' ? undefined : this.#recording.stamp();
    this.#recording.add(key, { kind: 'put', value, calledAt, answeredAt });
  }

  async #delete(key: string): Promise<void> {
    const calledAt = this.#recording.stamp();
    const answer = await this.#told(this.#client.delete(key));
    if (answer === 'not done') return;
    const isTold = answer !== 'unknown';
    const [found, answeredAt] = isTold ? [answer.is, this.#recording.stamp()] : [undefined, undefined];
    this.#recording.add(key, { kind: 'delete', value: null, found, calledAt, answeredAt });
  }

  async #get(key: string): Promise<void> {
    const calledAt = this.#recording.stamp();
    const answer = await this.#told(this.#client.get(key));
    if (typeof answer === 'string') return;
    this.#recording.add(key, {
      kind: 'get',
      value: answer.is ?? null,
      calledAt,
      answeredAt: this.#recording.stamp(),
    });
  }

  async #told<Answer>(work: Promise<Answer>): Promise<{ readonly is: Answer } | 'not done' | 'unknown'> {
    try {
      return { is: await work };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.failures.push(error);
      return error.outcomeUnknown ? 'unknown' : 'not done';
    }
  }
}
