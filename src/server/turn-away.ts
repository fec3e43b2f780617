import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import type { Refusal } from '../engine.js';
import { ASTERISK } from '../protocol/byte.js';
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

/**
 * The same for a client of which nothing is known yet: its first byte says in which framing it is to be told. A client that
 * waits in silence is told in a line.
 */
export function turnAway(socket: Socket, clock: Clock, { code, message }: Refusal): void {
  let isTold = false;
  const tell = (first: number | undefined): void => {
    if (isTold) return;
    isTold = true;
    silence.cancel();
    endWith(socket, clock, first === ASTERISK ? `-${code} ${message}\r\n` : `ERROR ${code} ${message}\n`);
  };
  const silence = clock.after(LINGER_MS, () => {
    tell(undefined);
  });
  socket.once('data', (chunk: Buffer) => {
    tell(chunk[0]);
  });
  socket.once('end', () => {
    tell(undefined);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => silence.cancel());
}
