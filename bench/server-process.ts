import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { PingOrder, PingReport } from './ping-watch.js';

const KV = path.join(import.meta.dirname, '..', '..', 'bin', 'kv');

export interface BenchServer {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** A server in a process of its own, on a port of the system's choice. */
export async function startServer(dbPath: string, options: readonly string[]): Promise<BenchServer> {
  const words = [KV, 'server', '--address', '127.0.0.1:0', '--db-path', dbPath, ...options];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [ready] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [, host, port] = /^ready (.*):(\d+) /.exec(ready) ?? [];
  if (host === undefined || port === undefined) throw new Error(`the server said ${ready}`);
  return { host, port: Number(port), stop: () => end(child) };
}

/** The client that pings, in a process of its own. */
export class PingWatch {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ host, port }: BenchServer): Promise<PingWatch> {
    const child = fork(path.join(import.meta.dirname, 'ping-watch.js'), [host, String(port)]);
    await once(child, 'message');
    return new PingWatch(child);
  }

  /** The waits of another client's pings while `work` is under way. */
  async during(work: () => Promise<unknown>): Promise<PingReport> {
    this.#order('begin');
    await work();
    this.#order('report');
    const [report] = (await once(this.#child, 'message')) as [PingReport];
    return report;
  }

  stop(): Promise<void> {
    return end(this.#child);
  }

  #order(order: PingOrder): void {
    this.#child.send(order);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
