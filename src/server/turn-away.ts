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
 * Tells a client that is not served why, in the framing of the first byte that it sends; as a line when it sends none for a
 * while. The refusal's message is one line.
 */
export function turnAway(socket: Socket, clock: Clock, { code, message }: Refusal): void {
  let isTold = false;
  const tell = (start: string, end: string): void => {
    if (isTold) return;
    isTold = true;
    endWith(socket, clock, `${start}${code} ${message}${end}`);
  };
  const asLine = (): void => {
    tell('ERROR ', '\n');
  };
  const wait = clock.after(LINGER_MS, asLine);
  socket.on('error', () => undefined);
  socket.on('close', () => wait.cancel());
  socket.once('end', asLine);
  socket.once('data', (chunk) => {
    if (chunk[0] === ASTERISK) tell('-', '\r\n');
    else asLine();
  });
}
