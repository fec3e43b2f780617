import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { RespReplyReader } from '../../src/protocol/resp-reply-reader.js';
import { freePort } from '../free-port.js';

/**
 * What the script does with one request: answer with bytes, or something else on the socket, or nothing. `line` is the
 * request's words with a blank between them. Bytes are latin1, see `resp-answers.ts`.
 */
export type Script = (
  line: string,
  socket: Socket,
  connection: number,
  words: readonly string[],
) => string | undefined;

/** A real TCP server whose answers a test writes down. */
export interface ScriptedServer {
  readonly address: string;
  readonly port: number;
  /** Every request that arrived, on any connection, in order, as latin1. */
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

/** @param given - the port; without it one at which nobody listens once this server is closed. */
export async function startScriptedServer(script: Script, given?: number): Promise<ScriptedServer> {
  const port = given ?? (await freePort());
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
    // A request is an array of strings, and those read the same in both directions.
    const reader = new RespReplyReader();
    socket.on('data', (chunk) => {
      chunks.push(chunk.length);
      reader.feed(chunk);
      for (let request = reader.next(); request !== undefined; request = reader.next()) {
        const words = wordsOf(request);
        const line = words.join(' ');
        lines.push(line);
        const answer = script(line, socket, connection, words);
        if (answer !== undefined) socket.write(answer, 'latin1');
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
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const listening = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${String(listening.port)}`,
    port: listening.port,
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

function wordsOf(request: ReturnType<RespReplyReader['next']>): string[] {
  if (request?.kind !== 'array') throw new Error(`no request: ${JSON.stringify(request)}`);
  return request.items.map((word) => (word.kind === 'bulk' ? word.bytes.toString('latin1') : ''));
}
