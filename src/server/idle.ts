import type { Socket } from 'node:net';

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
