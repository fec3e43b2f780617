import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { KV } from '../cli/run-kv.js';
import { temporaryDirectory } from '../temporary-directory.js';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LaunchOptions {
  readonly dbPath?: string;
  readonly address?: string;
  /** More words for `kv server`. */
  readonly options?: readonly string[];
  /** Words of a program that runs the server, such as `strace -f`. */
  readonly under?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A real server in a process of its own, its output on pipes. */
export class ServerProcess {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #dbPath: string;
  #hasEnded = false;
  #status = '';
  #watchers: (() => void)[] = [];

  constructor(dbPath: string, options: LaunchOptions) {
    this.#dbPath = dbPath;
    const words = ['server', '--address', options.address ?? '127.0.0.1:0', '--db-path', dbPath];
    const line = [...(options.under ?? []), process.execPath, KV, ...words, ...(options.options ?? [])];
    const environment = {
      ...process.env,
      KV_ADDRESS: '',
      KV_CLUSTER_SECRET: '',
      NO_COLOR: '1',
      ...options.environment,
    };
    // A group of its own, so that a program in between dies together with the server.
    this.#child = spawn(line[0]!, line.slice(1), { env: environment, detached: true });
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#tell();
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#tell();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => {
        this.#hasEnded = true;
        this.#status = String(signal ?? code);
        this.#tell();
        resolve({ code, signal });
      });
    });
    this.ended.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** `HOST:PORT` from the line for scripts. */
  get address(): string {
    const address = /^ready (\S+) /.exec(this.stdout)?.[1];
    if (address === undefined) throw new Error('the server is not ready');
    return address;
  }

  /** The server's own process, whatever it runs under. */
  get processId(): number {
    return Number(readFileSync(path.join(`${this.#dbPath}.d`, 'lock'), 'utf8'));
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.processId, signal);
  }

  /** Ends the process and everything around it, as a power switch does. */
  kill(): Promise<Ended> {
    if (!this.#hasEnded) {
      try {
        process.kill(-this.#child.pid!, 'SIGKILL');
      } catch (error) {
        if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error;
      }
    }
    return this.ended;
  }

  /** Resolves once the condition holds. The test's own time limit bounds the wait. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#hasEnded) throw new Error(`the server ended with ${this.#status}: ${this.stderr}`);
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** The events that it wrote, one JSON object a line. */
  get events(): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  hasEvent(message: string): boolean {
    return this.stderr.includes(`"msg":${JSON.stringify(message)}`);
  }

  #tell(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}

export interface ServerProcesses {
  readonly directory: string;
  readonly dbPath: string;
  /** Begins a server, and does not wait for anything. */
  launch(options?: LaunchOptions): ServerProcess;
  /** Begins a server and resolves once it serves. */
  start(options?: LaunchOptions): Promise<ServerProcess>;
}

/** Real server processes for the tests of the enclosing suite, all of them gone when a test is over. */
export function serverProcesses(): ServerProcesses {
  let launched: ServerProcess[] = [];
  afterEach(async () => {
    for (const server of launched) await server.kill();
    launched = [];
  });
  // Removed after the servers have let go of it: hooks run in the order in which they were named.
  const directory = temporaryDirectory();
  const processes: ServerProcesses = {
    get directory() {
      return directory.path;
    },
    get dbPath() {
      return path.join(directory.path, 'kv-store.json');
    },
    launch(options = {}) {
      const server = new ServerProcess(options.dbPath ?? processes.dbPath, options);
      launched.push(server);
      return server;
    },
    async start(options) {
      const server = processes.launch(options);
      await server.until(() => server.stdout.includes('\n'));
      return server;
    },
  };
  return processes;
}
