import { setTimeout as pause } from 'node:timers/promises';
import { Conversation } from '../server/conversation.js';

const CONNECTIONS = 4;
/** Writes of one connection that are under way. */
const WINDOW = 8;

export interface Bulk {
  readonly keys: number;
  readonly valueBytes: number;
}

/** Writes large values as fast as they are taken. */
export class BulkLoad {
  acknowledged = 0;
  /** The first answer that was not `OK`. */
  fault: string | undefined;
  readonly #bulk: Bulk;
  readonly #filler: string;
  #sent = 0;
  #isStopped = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(bulk: Bulk) {
    this.#bulk = bulk;
    this.#filler = 'x'.repeat(bulk.valueBytes - 20);
  }

  get writtenBytes(): number {
    return this.acknowledged * this.#bulk.valueBytes;
  }

  start(address: string): void {
    this.#work = Promise.all(Array.from({ length: CONNECTIONS }, () => this.#write(address)));
    this.#work.catch((error: unknown) => (this.fault ??= String(error)));
  }

  /** Resolves once everything that was sent is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    if (this.fault !== undefined) throw new Error(`a write was answered with ${this.fault}`);
  }

  async #write(address: string): Promise<void> {
    const conversation = await Conversation.open(address);
    let [underWay, seen] = [0, 0];
    let rest = '';
    conversation.socket.removeAllListeners('data');
    const answered = new Promise<void>((resolve, reject) => {
      const fill = (): void => {
        while (!this.#isStopped && underWay < WINDOW) {
          const number = String(this.#sent++);
          underWay++;
          conversation.send(
            `PUT bulk-${String(Number(number) % this.#bulk.keys)} ${number}:${this.#filler}\n`,
          );
        }
        if (this.#isStopped && underWay === 0) resolve();
      };
      conversation.socket.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString('latin1')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          seen++;
          underWay--;
          if (line === 'OK') this.acknowledged++;
          else this.fault ??= line;
        }
        fill();
      });
      conversation.socket.on('close', () => reject(new Error(`closed after ${String(seen)} answers`)));
      fill();
    });
    await answered;
    conversation.socket.destroy();
  }
}

/** A client that asks small things one after the other, and measures how long each of them takes. */
export class Bystander {
  readonly pingsMs: number[] = [];
  readonly writesMs: number[] = [];
  #isStopped = false;
  #work: Promise<void> = Promise.resolve();

  start(address: string): void {
    this.#work = this.#ask(address);
    this.#work.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  /** What it has measured since the last time. */
  take(): { readonly pings: Latencies; readonly writes: Latencies } {
    return { pings: latenciesOf(this.pingsMs.splice(0)), writes: latenciesOf(this.writesMs.splice(0)) };
  }

  async #ask(address: string): Promise<void> {
    const conversation = await Conversation.open(address);
    for (let asked = 0; !this.#isStopped; asked++) {
      const isPing = asked % 2 === 0;
      const startedMs = performance.now();
      conversation.send(isPing ? 'PING\n' : `PUT bystander ${String(asked)}\n`);
      const answers = asked + 1;
      const received = await conversation.until((text) => text.split('\n').length > answers);
      const answer = received.split('\n').at(-2);
      if (answer !== (isPing ? 'PONG' : 'OK')) throw new Error(`answered with ${String(answer)}`);
      (isPing ? this.pingsMs : this.writesMs).push(performance.now() - startedMs);
      await pause(5);
    }
    conversation.socket.destroy();
  }
}

export interface Latencies {
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

function latenciesOf(ms: readonly number[]): Latencies {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return { count: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? NaN };
}

export function showLatencies({ count, medianMs, p99Ms, maxMs }: Latencies): string {
  const [median, p99, max] = [medianMs, p99Ms, maxMs].map((ms) => ms.toFixed(1));
  return `${String(count)}: median ${String(median)}, 99 % ${String(p99)}, longest ${String(max)} ms`;
}
