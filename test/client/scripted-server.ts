import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** What the script does with one line: answer with bytes, or something else on the socket, or nothing. */
export type Script = (line: string, socket: Socket, connection: number) => string | Buffer | undefined;

/** A real TCP server whose answers a test writes down. */
export interface ScriptedServer {
  readonly address: string;
  readonly port: number;
  /** Every line that arrived, on any connection, in order, as latin1. */
  readonly lines: readonly string[];
  /** The sizes of the chunks that arrived. */
  readonly chunks: readonly number[];
  /** How many connections there were so far. */
  connections(): number;
  /** How many of them are open. */
  openConnections(): number;
  /** Resolves once the condition holds; it is looked at whenever something happens here. */
  until(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const lines: string[] = [];
  const chunks: number[] = [];
  const waiters = new Set<() => void>();
  let accepted = 0;
  const somethingHappened = (): void => {
    for (const waiter of waiters) waiter();
  };
  const server = createServer((socket) => {
    const connection = ++accepted;
    sockets.add(socket);
    let rest: Buffer[] = [];
    socket.on('data', (chunk) => {
      chunks.push(chunk.length);
      rest.push(chunk);
      if (!chunk.includes('\n')) return;
      const parts = Buffer.concat(rest).toString('latin1').split('\n');
      rest = [Buffer.from(parts.pop() ?? '', 'latin1')];
      for (const line of parts) {
        lines.push(line);
        const answer = script(line, socket, connection);
        if (answer !== undefined) socket.write(answer);
      }
      somethingHappened();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      somethingHappened();
    });
    somethingHappened();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${String(port)}`,
    port,
    lines,
    chunks,
    connections: () => accepted,
    openConnections: () => sockets.size,
    until: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
