import { SeededRandom } from '../src/cli/bench/random.js';
import { BulkClient } from './bulk-client.js';
import { RequestBatch, Values, keyOf } from './entries.js';
import type { Content } from './entries.js';
import { pause } from './first-answer.js';
import type { Endpoint } from './server-process.js';

const TICK_MS = 5;
const OPERATIONS_PER_TICK = 5;
/** One of so many is a write. */
const WRITE_EVERY = 10;

/** A client that reads and overwrites keys at random, a thousand a second, while something else is measured. */
export class LightLoad {
  #isOver = false;
  readonly #ended: Promise<void>;

  private constructor(client: BulkClient, content: Content) {
    this.#ended = this.#run(client, content);
    // Whoever stops it hears of it.
    this.#ended.catch(() => undefined);
  }

  /** @param content - keys that are there already. */
  static async start(endpoint: Endpoint, content: Content): Promise<LightLoad> {
    return new LightLoad(await BulkClient.connect(endpoint), content);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #run(client: BulkClient, { from = 0, entries, valueBytes }: Content): Promise<void> {
    const random = new SeededRandom(2);
    const values = new Values(valueBytes);
    const batch = new RequestBatch();
    try {
      while (!this.#isOver) {
        for (let at = 0; at < OPERATIONS_PER_TICK; at++) {
          const key = keyOf(from + random.below(entries));
          if (random.below(WRITE_EVERY) === 0) batch.set(key, values.at(random.below(entries), valueBytes));
          else batch.get(key);
        }
        const { lines } = batch;
        await client.send(batch.take(), lines);
        await pause(TICK_MS);
      }
      await client.answered();
    } finally {
      client.close();
    }
  }
}
