import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { endProcess } from './leftovers.js';
import type { BenchServer } from './server-process.js';

/** A server of an installed package, once it answers. @param answered - resolves when it does. */
export async function startedServer(
  child: ChildProcess,
  { name, host, port }: { readonly name: string; readonly host: string; readonly port: number },
  answered: Promise<unknown>,
): Promise<BenchServer> {
  const failed = once(child, 'exit').then(() => Promise.reject(new Error(`${name} did not start`)));
  failed.catch(() => undefined);
  await Promise.race([answered, failed]);
  return {
    host,
    port,
    processId: child.pid ?? 0,
    readyAtMs: performance.now(),
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
  };
}
