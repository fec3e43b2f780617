import net from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Engine } from '../engine.js';
import type { EventLog } from '../event-log.js';
import { AfterTurn } from './after-turn.js';
import { BufferBudget } from './buffer-budget.js';
import { Connection } from './connection.js';
import { CountingFacts } from './facts.js';
import type { LinkAcceptor } from './handshake.js';
import { HeldReplies } from './held-replies.js';
import type { ServerLimits } from './limits.js';
import { SharedReading } from './reading.js';
import type { Read } from './reading.js';
import { RowReads } from './row-reads.js';
import { RowWrites } from './row-writes.js';
import { turnAway } from './turn-away.js';

export interface ServerParts {
  readonly engine: Engine;
  /** Of the software, for those who ask. */
  readonly version: string;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly limits: ServerLimits;
  /** Where links from other nodes are handed to. Without it they are refused. */
  readonly links?: LinkAcceptor | undefined;
}

/** A server that takes connections. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** How many clients are connected. */
  readonly connections: number;
  /** Lets go of every client at once: what they were shown may be gone. */
  dropClients(): void;
  /**
   * Takes no more connections or requests, answers those it has, and resolves when every client is gone. Links that were
   * handed over go on: answers may wait for what arrives on them, so they are closed afterwards, by whoever owns them.
   */
  stop(): Promise<void>;
}

const SWEEP_PERIOD_MS = 1000;
/** Clients that are told at one time that there are too many; who comes beyond that is let go without a word. */
const TURNED_AWAY_MAX = 1000;

/** Listens for clients. Rejects with the system's error when the address cannot be had. */
export async function startServer(parts: ServerParts, host: string, port: number): Promise<RunningServer> {
  const listener = new Listener(parts);
  await listener.listen(host, port);
  return listener;
}

class Listener implements RunningServer {
  readonly #parts: ServerParts;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #budget: BufferBudget;
  readonly #facts: CountingFacts;
  readonly #reads: RowReads;
  readonly #writes: RowWrites;
  readonly #afterTurn: AfterTurn;
  readonly #held: HeldReplies;
  #isFull = false;
  /** Clients beyond the bound that are being told so. */
  #turnedAway = 0;
  #sweep: Cancel | undefined;
  #stopping: Promise<void> | undefined;
  /** Called whenever no connection is left. */
  #allClosed: () => void = () => undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#budget = new BufferBudget(parts.limits.bufferBytesMax);
    this.#facts = new CountingFacts(parts, () => this.#connections.size);
    this.#reads = new RowReads(parts.limits.request);
    this.#writes = new RowWrites(parts.limits.request);
    this.#afterTurn = new AfterTurn(parts.clock);
    this.#held = new HeldReplies(parts.clock);
    const shared = new SharedReading();
    // Half open: a client may end its side and still read the answers, as `nc -N` does.
    this.#server = net.createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
      (socket) => {
        this.#accept(shared.take(socket));
      },
    );
  }

  get host(): string {
    return this.#address.address;
  }

  get port(): number {
    return this.#address.port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) => {
      this.#parts.events.error({ err: error }, 'a connection could not be accepted');
    });
    const { clock } = this.#parts;
    this.#sweep = clock.every(SWEEP_PERIOD_MS, () => {
      const nowMs = clock.nowMs();
      for (const connection of this.#connections) connection.checkTime(nowMs);
    });
  }

  dropClients(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address;
  }

  #accept({ socket, reading }: Read): void {
    const { engine, clock, limits, events, links } = this.#parts;
    if (this.#connections.size >= limits.connectionsMax) {
      // Once for each time that the bound is reached: whoever knocks on and on must not fill the log.
      if (!this.#isFull)
        events.warn({ connections: this.#connections.size }, 'connections are refused: there are too many');
      this.#isFull = true;
      this.#refuse(socket);
      return;
    }
    this.#isFull = false;
    const closed = (): void => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#allClosed();
    };
    const defect = (error: unknown): void => {
      events.error({ err: error }, 'a defect ended a connection');
    };
    const facts = this.#facts;
    const id = ++facts.connectionsTotal;
    const begun = (count: number): void => {
      facts.commandsTotal += count;
    };
    const budget = this.#budget;
    const reads = this.#reads;
    const writes = this.#writes;
    const afterTurn = this.#afterTurn;
    const held = this.#held;
    const given = {
      id,
      socket,
      reading,
      reads,
      writes,
      afterTurn,
      held,
      engine,
      clock,
      limits,
      links,
      budget,
      facts,
      begun,
      closed,
      defect,
    };
    const connection = new Connection(given);
    this.#connections.add(connection);
  }

  /** Tells a client that there are too many, as long as not too many are being told. */
  #refuse(socket: Socket): void {
    const { clock, limits } = this.#parts;
    if (this.#turnedAway >= TURNED_AWAY_MAX) {
      socket.destroy();
      return;
    }
    this.#turnedAway++;
    socket.on('close', () => this.#turnedAway--);
    const message = `${String(limits.connectionsMax)} clients are connected: try again later`;
    turnAway(socket, clock, refusal('BUSY', message));
  }

  async #stop(): Promise<void> {
    const { clock, events, limits } = this.#parts;
    this.#sweep?.cancel();
    // Its own callback would wait for the links too.
    this.#server.close();
    const closed = new Promise<void>((resolve) => (this.#allClosed = resolve));
    if (this.#connections.size === 0) this.#allClosed();
    for (const connection of this.#connections) connection.stop();
    const deadline = clock.after(limits.drainMs, () => {
      events.warn({ connections: this.#connections.size }, 'clients did not take their replies in time');
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    deadline.cancel();
  }
}
