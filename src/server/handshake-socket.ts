import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { HANDSHAKE_LINE_BYTES_MAX } from './handshake.js';

/** What ends a handshake before its last line. */
export type Interruption =
  | { readonly kind: 'late' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'too long' };

export interface HandshakeSocketParts {
  readonly socket: Socket;
  readonly clock: Clock;
  readonly timeLimitMs: number;
  connected?(): void;
  /** @param rest - what arrived behind the line. */
  line(line: string, rest: Buffer): void;
  /** Told once, and nothing is told after it. */
  interrupted(by: Interruption): void;
}

const LF = 0x0a;

/**
 * One end of a handshake: lines out, lines in, until it is released or time is up. Of what the other end sends it keeps no
 * more than one line can have.
 */
export class HandshakeSocket {
  readonly #parts: HandshakeSocketParts;
  readonly #timer: Cancel;
  #held: Buffer = EMPTY;
  #isOver = false;
  readonly #listeners = {
    connect: () => {
      this.#parts.connected?.();
    },
    data: (chunk: Buffer) => {
      this.read(chunk);
    },
    end: () => {
      this.#interrupt({ kind: 'ended' });
    },
    close: () => {
      this.#interrupt({ kind: 'ended' });
    },
    error: (error: Error) => {
      this.#interrupt({ kind: 'failed', error });
    },
  };

  constructor(parts: HandshakeSocketParts) {
    this.#parts = parts;
    for (const [event, listener] of Object.entries(this.#listeners)) parts.socket.on(event, listener);
    this.#timer = parts.clock.after(parts.timeLimitMs, () => {
      this.#interrupt({ kind: 'late' });
    });
  }

  /** How a line that is not whole begins. */
  get begun(): string {
    return this.#held.toString('latin1', 0, 5);
  }

  say(line: string): void {
    this.#parts.socket.write(`${line}\n`);
  }

  read(chunk: Buffer): void {
    if (this.#isOver || chunk.length === 0) return;
    const end = chunk.indexOf(LF);
    const length = this.#held.length + (end === -1 ? chunk.length : end);
    if (length >= HANDSHAKE_LINE_BYTES_MAX) {
      this.#held = Buffer.concat([this.#held, chunk.subarray(0, HANDSHAKE_LINE_BYTES_MAX)]);
      this.#interrupt({ kind: 'too long' });
      return;
    }
    // A copy: a slice would hold on to the whole chunk.
    const held = Buffer.concat([this.#held, chunk.subarray(0, end === -1 ? chunk.length : end)]);
    this.#held = end === -1 ? held : EMPTY;
    if (end !== -1) this.#parts.line(held.toString(), chunk.subarray(end + 1));
  }

  /** Gives the socket back; nothing listens to it any more. Undefined when it was over already. */
  release(): Socket | undefined {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    this.#timer.cancel();
    for (const [event, listener] of Object.entries(this.#listeners)) this.#parts.socket.off(event, listener);
    return this.#parts.socket;
  }

  /** Lets go of the other end without a word. */
  drop(): void {
    const socket = this.release();
    if (socket !== undefined) letGo(socket);
  }

  #interrupt(by: Interruption): void {
    if (!this.#isOver) this.#parts.interrupted(by);
  }
}

const EMPTY = Buffer.alloc(0);

/** Destroys a socket that nothing listens to. */
export function letGo(socket: Socket): void {
  socket.on('error', () => undefined).destroy();
}
