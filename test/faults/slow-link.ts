import net from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What is passed on at a time on a link that has a bound. */
const PIECE_BYTES = 16 * 1024;

/** Stands in front of a node, under an address of its own: carries so much a second and no more, and breaks. */
export class SlowLink {
  /** To the node; what comes back is little. */
  bytesPerSecond = Infinity;
  /** Connections that were broken. */
  breaks = 0;
  /** Where the node listens. */
  target = '';
  readonly #listener: net.Server;
  readonly #sockets = new Set<Socket>();
  #flapping: NodeJS.Timeout | undefined;

  private constructor() {
    this.#listener = net.createServer((socket) => this.#connect(socket));
  }

  static async listen(): Promise<SlowLink> {
    const link = new SlowLink();
    await new Promise<void>((resolve) => link.#listener.listen(0, '127.0.0.1', resolve));
    return link;
  }

  get address(): string {
    return `127.0.0.1:${String((this.#listener.address() as net.AddressInfo).port)}`;
  }

  break(): void {
    this.breaks += this.#sockets.size / 2;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  /** Breaks all connections so often, until it is asked to stop. */
  flap(periodMs: number): void {
    this.#flapping = setInterval(() => this.break(), periodMs);
  }

  steady(): void {
    clearInterval(this.#flapping);
  }

  close(): void {
    this.steady();
    this.#listener.close();
    this.break();
  }

  #connect(socket: Socket): void {
    const at = this.target.lastIndexOf(':');
    const server = net.connect({ host: this.target.slice(0, at), port: Number(this.target.slice(at + 1)) });
    for (const [one, other] of [
      [socket, server],
      [server, socket],
    ] as const) {
      one.setNoDelay(true);
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    server.on('data', (chunk) => socket.write(chunk));
    void this.#carry(socket, server);
  }

  /** Nothing is read before what was read has gone on: what is too much waits with the sender. */
  async #carry(source: Socket, sink: Socket): Promise<void> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
          const piece = chunk.subarray(from, from + PIECE_BYTES);
          const hasRoom = sink.write(piece);
          if (this.bytesPerSecond !== Infinity) await pause((1000 * piece.length) / this.bytesPerSecond);
          else if (!hasRoom) await drained(sink);
        }
      }
      sink.end();
    } catch {
      sink.destroy();
    }
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}
