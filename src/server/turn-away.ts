import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { LINGER_MS } from './limits.js';

/** Says one last thing, and lets go of the other end soon, whether or not it reads on and ends its side. */
export function endWith(socket: Socket, clock: Clock, line: string): void {
  const linger = clock.after(LINGER_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('close', () => linger.cancel());
  // What it sends is thrown away: closing on unread bytes would cost it the line, and its end would go unnoticed.
  socket.resume();
  socket.end(line);
}
