import net from 'node:net';

/** An address that leads to one server now and to another later, as a name or a virtual address does. */
export class Forwarder {
  /** Where connections lead that are made from now on. */
  target: string;
  readonly #listener: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(target: string) {
    this.target = target;
    this.#listener = net.createServer((client) => {
      const at = this.target.lastIndexOf(':');
      const server = net.connect(Number(this.target.slice(at + 1)), this.target.slice(0, at));
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  }

  static async open(target: string): Promise<Forwarder> {
    const forwarder = new Forwarder(target);
    await new Promise<void>((resolve) => forwarder.#listener.listen(0, '127.0.0.1', resolve));
    return forwarder;
  }

  get address(): string {
    const { port } = this.#listener.address() as net.AddressInfo;
    return `127.0.0.1:${String(port)}`;
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
