import { once } from 'node:events';
import net from 'node:net';
import { pause } from './first-answer.js';
import { startedServer } from './installed-server.js';
import { startProcess } from './leftovers.js';
import { freePort } from './redis-process.js';
import type { BenchServer } from './server-process.js';

const HOST = '127.0.0.1';
const MEMORY_MIB = 1024;
const POLL_MS = 5;
const DEADLINE_MS = 10_000;

/** One thread, as the others have; and memory for all that is set, since it forgets what has no room. */
const OPTIONS: Readonly<Record<string, string>> = { '-t': '1', '-m': String(MEMORY_MIB), '-U': '0' };

export const MEMCACHED_SETTINGS = `memcached ${Object.entries(OPTIONS).flat().join(' ')}`;

/** A memcached of the installed package. */
export async function startMemcached(): Promise<BenchServer> {
  const port = await freePort();
  // It does not run as root unless it is told who to be.
  const words = Object.entries({ ...OPTIONS, '-l': HOST, '-p': String(port), '-u': 'nobody' }).flat();
  const child = startProcess('memcached', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  return startedServer(child, { name: 'memcached', host: HOST, port }, listens(port));
}

async function listens(port: number): Promise<void> {
  const untilMs = performance.now() + DEADLINE_MS;
  while (performance.now() < untilMs) {
    const socket = net.connect({ host: HOST, port });
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await pause(POLL_MS);
  }
  throw new Error('memcached does not listen');
}
