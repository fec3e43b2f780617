import { once } from 'node:events';
import net from 'node:net';
import type { Endpoint } from './server-process.js';

const PAUSE_MS = 2;
const DEADLINE_MS = 180_000;

/**
 * Sends a request again and again, in RESP, until it is answered with something that is no error: a server that has only
 * been started refuses the connection first, and may then say that it is loading.
 */
export async function askUntilAnswered(endpoint: Endpoint, request: Buffer): Promise<Buffer> {
  const untilMs = performance.now() + DEADLINE_MS;
  while (performance.now() < untilMs) {
    const answer = await ask(endpoint, request);
    if (answer !== undefined && answer[0] !== '-'.charCodeAt(0)) return answer;
    await pause(PAUSE_MS);
  }
  throw new Error(`nothing answers at ${endpoint.host}:${String(endpoint.port)}`);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The first piece of the answer; undefined where nobody listens, or it is closed at once. */
async function ask(endpoint: Endpoint, request: Buffer): Promise<Buffer | undefined> {
  const socket = net.connect({ ...endpoint, noDelay: true });
  try {
    socket.write(request);
    const closed = once(socket, 'close').then(() => undefined);
    return await Promise.race([once(socket, 'data').then(([answer]) => answer as Buffer), closed]);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
