import net from 'node:net';
import type { Socket } from 'node:net';
import { Lane, UNIMPAIRED } from './lane.js';
import type { Impairment } from './lane.js';

/** A line that is longer than this belongs to no handshake. */
const LINE_BYTES_MAX = 2048;
const LF = 0x0a;

interface Node {
  readonly name: string;
  /** Where it listens. */
  readonly target: string;
  readonly listener: net.Server;
}

/**
 * Stands between nodes that each advertise an address of its own here, and does to the bytes of each direction what it is told.
 * Who opens a connection says so in its handshake, by the address that it advertises; whoever does not is a client, and is let
 * through.
 */
export class LinkProxy {
  readonly #nodes = new Map<string, Node>();
  readonly #impairments = new Map<string, Impairment>();
  readonly #refused = new Set<string>();
  readonly #passages = new Set<Passage>();

  /** @returns the address to advertise for the node that listens at `target`. */
  async listen(name: string, target: string): Promise<string> {
    const listener = net.createServer({ allowHalfOpen: true }, (socket) => this.#arrived(socket, name));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${String((listener.address() as net.AddressInfo).port)}`;
    this.#nodes.set(address, { name, target, listener });
    return address;
  }

  /** From now on, for what goes this way between the two, whoever opened the connection. */
  impair(from: string, to: string, change: Partial<Impairment>): void {
    const way = wayOf(from, to);
    this.#impairments.set(way, { ...(this.#impairments.get(way) ?? UNIMPAIRED), ...change });
    for (const passage of this.#between(from, to)) passage.renew();
  }

  /** Nothing arrives either way until it is healed. */
  cut(one: string, other: string, flow: 'held' | 'swallowed' = 'held'): void {
    this.impair(one, other, { flow });
    this.impair(other, one, { flow });
  }

  /** Everything is as if nothing had been, but for connections that lost bytes: those break. */
  heal(): void {
    this.#refused.clear();
    this.#impairments.clear();
    for (const passage of this.#passages) passage.renew();
  }

  /** Breaks the connections between the two, as a firewall does that forgets them. */
  reset(one: string, other: string): number {
    const passages = this.#between(one, other);
    for (const passage of passages) passage.reset();
    return passages.length;
  }

  /** From now on, until it is healed, nobody of the two gets a new connection to the other: it is closed at once. */
  refuse(one: string, other: string): void {
    this.#refused.add(wayOf(one, other)).add(wayOf(other, one));
  }

  /** The connections between two nodes, whoever opened them. */
  connections(one: string, other: string): number {
    return this.#between(one, other).length;
  }

  /** What waits in here, of all connections. */
  get waitingBytes(): number {
    return [...this.#passages].reduce((sum, passage) => sum + passage.waitingBytes, 0);
  }

  close(): void {
    for (const { listener } of this.#nodes.values()) listener.close();
    for (const passage of this.#passages) passage.reset();
  }

  #between(one: string, other: string): Passage[] {
    return [...this.#passages].filter(
      ({ from, to }) => (from === one && to === other) || (from === other && to === one),
    );
  }

  #impairment(from: string, to: string): Impairment {
    return this.#impairments.get(wayOf(from, to)) ?? UNIMPAIRED;
  }

  /** Waits for the first line, to find out whether it is a node that knocks. */
  #arrived(socket: Socket, to: string): void {
    let received: Buffer = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.includes(LF) || received.length >= LINE_BYTES_MAX) decide();
    };
    const decide = (): void => {
      socket.off('data', read);
      socket.off('end', decide);
      const { target } = [...this.#nodes.values()].find(({ name }) => name === to)!;
      const passage = new Passage({
        to,
        target,
        socket,
        first: received,
        speaker: (line) => this.#speaker(line),
        ways: (from) => this.#waysBetween(from, to),
        over: () => this.#passages.delete(passage),
      });
      this.#passages.add(passage);
    };
    socket.on('error', () => undefined);
    socket.on('data', read);
    socket.on('end', decide);
  }

  #waysBetween(from: string, to: string): Ways {
    return {
      there: this.#impairment(from, to),
      back: this.#impairment(to, from),
      isRefused: this.#refused.has(wayOf(from, to)),
    };
  }

  /** The name of the node that says this. */
  #speaker(line: string): string | undefined {
    const address = /^PROVE .*\baddress=(\S+)/.exec(line)?.[1];
    return address === undefined ? undefined : this.#nodes.get(address)?.name;
  }
}

function wayOf(from: string, to: string): string {
  return `${from} > ${to}`;
}

/** What is done to a pair of nodes. */
interface Ways {
  readonly there: Impairment;
  readonly back: Impairment;
  /** There are no new connections. */
  readonly isRefused: boolean;
}

interface PassageParts {
  readonly to: string;
  readonly target: string;
  /** Of the one who opened it. */
  readonly socket: Socket;
  /** What was read from it. */
  readonly first: Buffer;
  speaker(line: string): string | undefined;
  /** As they are now. */
  ways(from: string): Ways;
  over(): void;
}

/**
 * One connection through the proxy. A node says who it is in its second line, behind an answer to the first, so those pass
 * whatever is cut; what comes behind them is treated as it is to be.
 */
class Passage {
  readonly to: string;
  /** Who opened it, once that is known. */
  from: string | undefined;
  readonly #parts: PassageParts;
  readonly #server: Socket;
  #lanes: [there: Lane, back: Lane] | undefined;
  #second: Buffer = Buffer.alloc(0);

  constructor(parts: PassageParts) {
    this.to = parts.to;
    this.#parts = parts;
    const { socket, target, first } = parts;
    const at = target.lastIndexOf(':');
    const [host, port] = [target.slice(0, at), Number(target.slice(at + 1))];
    this.#server = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.setNoDelay(true);
    this.#server.on('error', () => undefined);
    this.#server.on('close', () => this.#oneClosed());
    socket.on('close', () => this.#oneClosed());
    if (!first.toString('latin1').startsWith('REPLICATE ')) {
      this.#begin({ there: UNIMPAIRED, back: UNIMPAIRED, isRefused: false }, first);
      return;
    }
    this.#server.write(first);
    this.#server.on('data', this.#greet);
    this.#server.on('close', this.#hangUp);
    socket.on('data', this.#read);
    socket.on('end', this.#hangUp);
  }

  get waitingBytes(): number {
    return (this.#lanes ?? []).reduce((sum, lane) => sum + lane.waitingBytes, 0);
  }

  /** Takes up what holds now. */
  renew(): void {
    if (this.from === undefined) return;
    const { there, back } = this.#parts.ways(this.from);
    const isFree = there.flow === 'free' && back.flow === 'free';
    // Who has waited for an answer since it was cut asks anew.
    if (isFree && (this.#lanes === undefined || this.#lanes.some(({ hasGap }) => hasGap))) {
      this.reset();
      return;
    }
    this.#lanes?.[0].impair(there);
    this.#lanes?.[1].impair(back);
    this.#oneClosed();
  }

  reset(): void {
    for (const lane of this.#lanes ?? []) lane.stop();
    this.#parts.socket.resetAndDestroy();
    this.#server.resetAndDestroy();
    this.#parts.over();
  }

  readonly #greet = (chunk: Buffer): void => {
    this.#parts.socket.write(chunk);
  };

  readonly #hangUp = (): void => {
    this.reset();
  };

  readonly #read = (chunk: Buffer): void => {
    this.#second = Buffer.concat([this.#second, chunk]);
    const end = this.#second.indexOf(LF);
    if (end === -1 && this.#second.length < LINE_BYTES_MAX) return;
    const { socket } = this.#parts;
    this.from = this.#parts.speaker(this.#second.toString('latin1', 0, end));
    socket.off('data', this.#read);
    this.#server.off('data', this.#greet);
    this.#server.off('close', this.#hangUp);
    const now = this.from === undefined ? undefined : this.#parts.ways(this.from);
    if (now?.isRefused === true) {
      this.reset();
    } else if (now !== undefined && (now.there.flow !== 'free' || now.back.flow !== 'free')) {
      // Nobody gets through while a way is cut: a connection needs both. Who opened it waits in vain.
      this.#server.destroy();
      socket.resume();
    } else {
      socket.off('end', this.#hangUp);
      this.#begin(now ?? { there: UNIMPAIRED, back: UNIMPAIRED, isRefused: false }, this.#second);
    }
  };

  #begin({ there, back }: Ways, first: Buffer): void {
    const { socket } = this.#parts;
    this.#lanes = [
      new Lane(socket, this.#server, there, first),
      new Lane(this.#server, socket, back, Buffer.alloc(0)),
    ];
  }

  /** It is over once both sides are. */
  #oneClosed(): void {
    if (!this.#parts.socket.destroyed || !this.#server.destroyed) return;
    for (const lane of this.#lanes ?? []) lane.stop();
    this.#parts.over();
  }
}
