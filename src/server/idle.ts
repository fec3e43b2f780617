import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { LINGER_MS } from './limits.js';

/**
 * Lets go of a client that takes nothing for `idleMs`. May be said again: the time begins anew.
 *
 * The socket's own timer is the one that knows: it looks at how much of a write is left in the kernel's queue, so a slow
 * reader of a large reply is not taken for an absent one. It is a timer beside the clock, and the test that finds
 * those knows this file.
 */
export function destroyWhenIdle(socket: Socket, idleMs: number): void {
  socket.setTimeout(idleMs);
  if (socket.listenerCount('timeout') > 0) return;
  socket.on('timeout', () => {
    socket.destroy();
  });
}

/** Ends this side behind what was sent, and lets go of the client soon after it took that, whether or not it ends its own. */
export function endWhenSent(socket: Socket, clock: Clock, idleMs: number): void {
  destroyWhenIdle(socket, idleMs);
  // What the client still sends is thrown away, for a while: closing on unread bytes would cost it the last reply.
  socket.resume();
  socket.end(() => {
    if (socket.destroyed) return;
    const linger = clock.after(LINGER_MS, () => socket.destroy());
    socket.on('close', () => {
      linger.cancel();
    });
  });
}
