import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const KV = fileURLToPath(new URL('../../../bin/kv', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Record<string, string>;
  /** What stdin holds; it stays open and empty for `open`. */
  readonly input?: Buffer | 'open';
}

/** Runs the real command in a process of its own, its output on pipes. */
export function runKv(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const environment = { ...process.env, KV_ADDRESS: '', KV_CLUSTER_SECRET: '', ...options.environment };
    const child = spawn(process.execPath, [KV, ...words], { env: environment });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    if (options.input !== 'open') child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() });
    });
  });
}
