import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { endProcess, startProcess } from './leftovers.js';
import type { LoopOrder, LoopReport } from './loop-probe.js';
import { Reader, encode } from './reader.js';
import type { PingOrder, PingReport } from './ping-watch.js';

const KV = path.join(import.meta.dirname, '..', '..', 'bin', 'kv');

/** Where a server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A server in a process of its own. */
export interface BenchServer extends Endpoint {
  readonly processId: number;
  /** When it said that it is ready, on the clock of `performance.now`. */
  readonly readyAtMs: number;
  /** Asks it to end, and resolves when it has. */
  stop(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** The stalls of its own event loop while `work` is under way; undefined where nobody in it watches. */
  stallsDuring?(work: () => Promise<unknown>): Promise<LoopReport>;
}

export interface ServerStart {
  /** 0, the default, lets the system choose one. */
  readonly port?: number;
  /** Watches its event loop, for `stallsDuring`. */
  readonly isProbed?: boolean;
  /** Keeps it from writing snapshots by itself, for which the command line has no option. */
  readonly isWithoutSnapshots?: boolean;
}

/** A server of this project. */
export async function startServer(
  dbPath: string,
  options: readonly string[],
  { port = 0, isProbed = false, isWithoutSnapshots = false }: ServerStart = {},
): Promise<BenchServer> {
  const probe = isProbed ? ['--import', new URL('loop-probe.js', import.meta.url).href] : [];
  const address = `127.0.0.1:${String(port)}`;
  const words = isWithoutSnapshots
    ? [path.join(import.meta.dirname, 'lone-log.js'), address, dbPath]
    : [KV, 'server', '--address', address, '--db-path', dbPath, ...options];
  const child = startProcess(process.execPath, [...probe, ...words], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const endpoint = await endpointOf(child);
  return {
    ...endpoint,
    processId: child.pid ?? 0,
    readyAtMs: performance.now(),
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
    ...(isProbed ? { stallsDuring: (work) => stallsDuring(child, work) } : {}),
  };
}

export interface WrittenSnapshot {
  /** Memory that another process than the server took for it. */
  readonly elsewhereBytes: number;
}

export async function writeOwnSnapshot(server: Endpoint): Promise<WrittenSnapshot> {
  const reader = await Reader.connect(server.host, server.port, 'resp');
  await reader.ask(encode('resp', ['SNAPSHOT']));
  const { head } = reader;
  reader.close();
  if (head.startsWith('-')) throw new Error(`no snapshot was written: ${head}`);
  return { elsewhereBytes: 0 };
}

async function endpointOf(child: ChildProcess): Promise<Endpoint> {
  if (child.stdout === null) throw new Error('the server has no output');
  const failed = once(child, 'exit').then(() => Promise.reject(new Error('the server did not start')));
  failed.catch(() => undefined);
  const [ready] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed])) as [
    string,
  ];
  const [, host, port] = /^ready (.*):(\d+) /.exec(ready) ?? [];
  if (host === undefined || port === undefined) throw new Error(`the server said ${ready}`);
  return { host, port: Number(port) };
}

async function stallsDuring(child: ChildProcess, work: () => Promise<unknown>): Promise<LoopReport> {
  const order = (what: LoopOrder): boolean => child.send(what);
  order('begin');
  await work();
  const report = once(child, 'message');
  order('report');
  const [stalls] = (await report) as [LoopReport];
  return stalls;
}

/** The client that pings, in a process of its own. */
export class PingWatch {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ host, port }: Endpoint): Promise<PingWatch> {
    const words = [path.join(import.meta.dirname, 'ping-watch.js'), host, String(port)];
    const child = startProcess(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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
    return endProcess(this.#child, 'SIGTERM');
  }

  #order(order: PingOrder): void {
    this.#child.send(order);
  }
}
