import net from 'node:net';
import { choiceOf, conversationOf } from './conversation.js';
import type { Choice, LoadPlan } from './conversation.js';
import { LatencyCounts } from './latency-counts.js';

/**
 * The clients of a load, in a process of their own: each sends a batch, waits until all of it is answered, and sends the
 * next one. They do so between the two orders of their parent, and rest before and after.
 */

/** What the parent asks. */
export type LoadOrder = 'begin' | 'report';

/** What it is told once every client was answered. */
export const READY = 'ready';

/** What it is told of the time between the two. */
export interface LoadCounts {
  readonly requests: number;
  readonly elapsedMs: number;
  readonly processorMs: number;
  /** Of whole batches, each as often as it has requests. */
  readonly latencies: readonly (readonly [bucket: number, count: number])[];
}

const READ_BYTES = 64 * 1024;
/** Nothing that is measured leaves a client without an answer for so long. */
const SILENCE_MS_MAX = 20_000;
const US_PER_MS = 1000;

class Load {
  readonly #plan: LoadPlan;
  readonly #choice: Choice;
  readonly #latencies = new LatencyCounts();
  #requests = 0;
  #begunMs = 0;
  #processorBegunMs = 0;
  #answeredMs = performance.now();
  #unansweredClients: number;
  #isResting = true;
  /** Sends the next batch of a client that rests. */
  #resting: (() => void)[] = [];

  constructor(plan: LoadPlan, seed: number) {
    this.#plan = plan;
    this.#choice = choiceOf(plan, seed);
    this.#unansweredClients = plan.clients;
  }

  start(): void {
    for (let client = 0; client < this.#plan.clients; client++) this.#connect();
    setInterval(() => {
      if (!this.#isResting && performance.now() - this.#answeredMs > SILENCE_MS_MAX)
        throw new Error('the server answers no more');
    }, SILENCE_MS_MAX).unref();
  }

  begin(): void {
    this.#latencies.forget();
    this.#requests = 0;
    this.#processorBegunMs = processorMs();
    this.#begunMs = this.#answeredMs = performance.now();
    this.#isResting = false;
    const resting = this.#resting;
    this.#resting = [];
    for (const ask of resting) ask();
  }

  report(): LoadCounts {
    this.#isResting = true;
    return {
      requests: this.#requests,
      elapsedMs: performance.now() - this.#begunMs,
      processorMs: processorMs() - this.#processorBegunMs,
      latencies: this.#latencies.pairs(),
    };
  }

  #connect(): void {
    const { host, port, pipeline } = this.#plan;
    let sentMs = 0;
    let isFirst = true;
    const ask = (): void => {
      sentMs = performance.now();
      socket.write(conversation.ask());
    };
    // One buffer for all that is read: a new one for each piece would cost more than the piece.
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        if (!conversation.take(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))) return true;
        this.#answeredMs = performance.now();
        this.#latencies.record(this.#answeredMs - sentMs, pipeline);
        this.#requests += pipeline;
        if (isFirst) this.#noteFirst();
        isFirst = false;
        if (this.#isResting) this.#resting.push(ask);
        else ask();
        return true;
      },
    };
    const socket = net.connect({ host, port, noDelay: true, onread });
    const conversation = conversationOf(this.#plan, this.#choice, (bytes) => socket.write(bytes));
    socket.on('connect', () => {
      socket.write(conversation.greeting);
      ask();
    });
    socket.on('close', () => {
      throw new Error('the server closed a connection');
    });
  }

  #noteFirst(): void {
    this.#unansweredClients--;
    if (this.#unansweredClients === 0) process.send?.(READY);
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / US_PER_MS;
}

process.on('uncaughtException', (error) => {
  console.error(`the clients of a load end: ${error.message.trimEnd()}`);
  process.exit(1);
});
const [plan, seed] = process.argv.slice(2);
if (plan === undefined || seed === undefined) throw new Error('give a plan and a seed');
const load = new Load(JSON.parse(plan) as LoadPlan, Number(seed));
load.start();
process.on('message', (order: LoadOrder) => {
  if (order === 'begin') load.begin();
  else process.send?.(load.report());
});
// Whoever asked is gone.
process.on('disconnect', () => process.exit());
