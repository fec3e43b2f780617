import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import type { Content } from './content.js';
import { Writer } from './writer.js';

const WRITERS = 6;

/** Several writers at once, on one store that nobody else writes to. */
export class Load {
  readonly #writers: readonly Writer[];

  constructor(random: Random) {
    this.#writers = Array.from({ length: WRITERS }, (_, at) => {
      return new Writer(`writer${String(at)}`, seededRandom(random.below(2 ** 31)));
    });
  }

  /** Writes that were done for sure, over all connections. */
  get acknowledged(): number {
    return sum(this.#writers, (writer) => writer.acknowledged);
  }

  /** Errors that came as answers, since the last time the content was settled. */
  get refusals(): string[] {
    return this.#writers.flatMap((writer) => writer.refusals);
  }

  async begin(address: string): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.begin(address)));
  }

  /** Resolves when there are that many answers more. */
  async answers(count: number): Promise<void> {
    const answered = (): number => sum(this.#writers, (writer) => writer.answered);
    const enough = answered() + count;
    await new Promise<void>((resolve) => {
      for (const writer of this.#writers) {
        writer.onAnswer = () => {
          if (answered() >= enough) resolve();
        };
      }
    });
  }

  /** Sends nothing more, and resolves when everything was answered. */
  async finish(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.finish()));
  }

  /** Resolves when every connection is over. */
  async closed(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.closed));
  }

  /**
   * Checks the whole content after the connections are over, and throws when it is not what acknowledged requests and
   * their order allow.
   *
   * @returns how many requests that were not acknowledged had been done.
   */
  settle(content: Content): number {
    const known = new Set(this.#writers.flatMap((writer) => writer.keys));
    const foreign = [...content.keys()].filter((key) => !known.has(key));
    if (foreign.length > 0) throw new Error(`keys from nowhere: ${foreign.join(' ')}`);
    return sum(this.#writers, (writer) => writer.settle(content));
  }
}

function sum(writers: readonly Writer[], count: (writer: Writer) => number): number {
  return writers.reduce((total, writer) => total + count(writer), 0);
}
