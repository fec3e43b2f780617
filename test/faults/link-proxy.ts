import net from 'node:net';
import type { Socket } from 'node:net';
import { Lane, UNIMPAIRED } from './lane.js';
import type { Impairment } from './lane.js';

/** A first line that is longer than this belongs to no node. */
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
 * Who opens a connection stands in the first line of it, under the address that it advertises; whoever names none is
 * a client, and is let through.
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

  /** Reads the first line, to find out who it is. */
  #arrived(socket: Socket, to: string): void {
    let received: Buffer = Buffer.alloc(0);
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (!received.includes(LF) && received.length < LINE_BYTES_MAX) return;
      decide();
    };
    const decide = (): void => {
      socket.off('data', read);
      socket.off('end', decide);
      const from = this.#speaker(received);
      if (from !== undefined && this.#refused.has(wayOf(from, to))) {
        socket.destroy();
        return;
      }
      const { target } = [...this.#nodes.values()].find(({ name }) => name === to)!;
      const impairments = (): [Impairment, Impairment] =>
        from === undefined
          ? [UNIMPAIRED, UNIMPAIRED]
          : [this.#impairment(from, to), this.#impairment(to, from)];
      const passage = new Passage({ from: from ?? '', to, target, socket, first: received, impairments });
      this.#passages.add(passage);
      passage.over = () => this.#passages.delete(passage);
      passage.renew();
    };
    socket.on('error', () => undefined);
    socket.on('data', read);
    socket.on('end', decide);
  }

  #speaker(received: Buffer): string | undefined {
    const line = received.toString('latin1', 0, Math.max(received.indexOf(LF), 0));
    const address = /^REPLICATE .*\baddress=(\S+)/.exec(line)?.[1];
    return address === undefined ? undefined : this.#nodes.get(address)?.name;
  }
}

function wayOf(from: string, to: string): string {
  return `${from} > ${to}`;
}

interface PassageParts {
  readonly from: string;
  readonly to: string;
  readonly target: string;
  /** Of the one who opened it. */
  readonly socket: Socket;
  /** What was read from it. */
  readonly first: Buffer;
  /** There and back, as they are now. */
  impairments(): [Impairment, Impairment];
}

/** One connection through the proxy. */
class Passage {
  readonly from: string;
  readonly to: string;
  over: () => void = () => undefined;
  readonly #parts: PassageParts;
  #server: Socket | undefined;
  #lanes: [there: Lane, back: Lane] | undefined;
  /** What came before there was a way to the other side. */
  #first: Buffer;

  constructor(parts: PassageParts) {
    this.from = parts.from;
    this.to = parts.to;
    this.#parts = parts;
    this.#first = parts.first;
    const { socket } = parts;
    socket.on('close', () => this.#oneClosed());
    socket.on('data', this.#early);
    // Who gives up before it got through has never been there.
    socket.on('end', this.#earlyEnd);
  }

  readonly #early = (chunk: Buffer): void => {
    this.#first = Buffer.concat([this.#first, chunk]);
    if (this.#first.length > LINE_BYTES_MAX) this.reset();
  };

  readonly #earlyEnd = (): void => {
    this.reset();
  };

  get waitingBytes(): number {
    return (this.#lanes ?? []).reduce((sum, lane) => sum + lane.waitingBytes, 0);
  }

  /** Takes up what holds now. */
  renew(): void {
    const [there, back] = this.#parts.impairments();
    if (this.#lanes === undefined) {
      // Nobody gets through to the other side while a way is cut: a connection needs both.
      if (there.flow === 'free' && back.flow === 'free') this.#connect(there, back);
      return;
    }
    const isFree = there.flow === 'free' && back.flow === 'free';
    if (isFree && this.#lanes.some(({ hasGap }) => hasGap)) {
      this.reset();
      return;
    }
    this.#lanes[0].impair(there);
    this.#lanes[1].impair(back);
    this.#oneClosed();
  }

  reset(): void {
    for (const lane of this.#lanes ?? []) lane.stop();
    this.#parts.socket.resetAndDestroy();
    this.#server?.resetAndDestroy();
    this.over();
  }

  #connect(there: Impairment, back: Impairment): void {
    const { socket, target } = this.#parts;
    socket.off('data', this.#early);
    socket.off('end', this.#earlyEnd);
    const at = target.lastIndexOf(':');
    const [host, port] = [target.slice(0, at), Number(target.slice(at + 1))];
    const server = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    socket.setNoDelay(true);
    server.on('error', () => undefined);
    server.on('close', () => this.#oneClosed());
    this.#lanes = [
      new Lane(socket, server, there, this.#first),
      new Lane(server, socket, back, Buffer.alloc(0)),
    ];
  }

  /** It is over once both sides are; one that never got through, as soon as the one that opened it is. */
  #oneClosed(): void {
    const isOver = this.#parts.socket.destroyed && (this.#server?.destroyed ?? true);
    if (!isOver) return;
    for (const lane of this.#lanes ?? []) lane.stop();
    this.over();
  }
}
