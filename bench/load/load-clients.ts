import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { pause } from '../first-answer.js';
import { endProcess, startProcess } from '../leftovers.js';
import type { LoadPlan } from './conversation.js';
import { LatencyCounts } from './latency-counts.js';
import type { LoadCounts, LoadOrder } from './load-client.js';

const CLIENT = path.join(import.meta.dirname, 'load-client.js');

/** What the clients of all processes did together. */
export interface LoadReport {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Processors that the busiest of them kept busy: one is all that a process can have. */
  readonly clientProcessors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Processes that make load while somebody measures it. */
export class LoadClients {
  readonly #children: readonly ChildProcess[];
  readonly #lost: Promise<never>;

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
    this.#lost = Promise.race(
      children.map((child) =>
        once(child, 'exit').then(() => Promise.reject(new Error('the clients of a load gave up'))),
      ),
    );
    // Whoever measures hears of it.
    this.#lost.catch(() => undefined);
  }

  /**
   * Resolves when every client was answered once.
   *
   * @param plan - its clients are shared out among the processes.
   */
  static async start(plan: LoadPlan, processes = 1): Promise<LoadClients> {
    const children = Array.from({ length: processes }, (_, at) => {
      const clients = Math.floor((plan.clients + at) / processes);
      const words = [CLIENT, JSON.stringify({ ...plan, clients }), String(at + 1)];
      return startProcess(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    });
    const clients = new LoadClients(children);
    await clients.#heard();
    return clients;
  }

  /** Makes load while `work` is under way; answers what was answered. */
  async during(work: () => Promise<unknown>): Promise<LoadReport> {
    this.#order('begin');
    await Promise.race([work(), this.#lost]);
    const heard = this.#heard();
    this.#order('report');
    return sumOf((await heard) as LoadCounts[]);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await endProcess(child, 'SIGKILL');
  }

  /** The next message of each. */
  async #heard(): Promise<unknown[]> {
    const messages = this.#children.map((child) => once(child, 'message') as Promise<[unknown]>);
    return (await Promise.race([Promise.all(messages), this.#lost])).map(([message]) => message);
  }

  #order(order: LoadOrder): void {
    for (const child of this.#children) child.send(order);
  }
}

function sumOf(all: readonly LoadCounts[]): LoadReport {
  const latencies = new LatencyCounts();
  for (const each of all) latencies.add(each.latencies);
  return {
    requests: all.reduce((sum, { requests }) => sum + requests, 0),
    requestsPerSecond: all.reduce((sum, { requests, elapsedMs }) => sum + (requests / elapsedMs) * 1000, 0),
    clientProcessors: Math.max(...all.map(({ processorMs, elapsedMs }) => processorMs / elapsedMs)),
    p50Ms: latencies.percentileMs(0.5),
    p99Ms: latencies.percentileMs(0.99),
    p999Ms: latencies.percentileMs(0.999),
  };
}

const FILL_STEP_MS = 100;
/** Setting all keys is no part of what is measured, and may be as fast as it goes. */
const FILL_PIPELINE = 16;

/** Sets every key once at least. */
export async function fillBy(plan: LoadPlan): Promise<void> {
  const pipeline = plan.protocol === 'etcd' ? 1 : FILL_PIPELINE;
  const clients = await LoadClients.start({ ...plan, pipeline, readsPercent: 0, isInOrder: true });
  let answered = 0;
  try {
    // What is under way when the last key was begun may be any of those before it.
    while (answered < plan.keys + plan.clients * pipeline) {
      answered += (await clients.during(() => pause(FILL_STEP_MS))).requests;
    }
  } finally {
    await clients.stop();
  }
}
