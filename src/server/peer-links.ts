import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { NodeId, Refusal } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { Peer } from '../log/control.js';
import type { LinkObserver, Network, PeerIdentity } from '../node/ports.js';
import { dial } from './dial.js';
import { errorLine, helloLine, linkedElsewhere, notTheOne, okLine } from './handshake.js';
import type { Hello, LinkAcceptor } from './handshake.js';
import { LINK_TICK_MS } from './limits.js';
import type { LinkLimits } from './limits.js';
import { SocketLink } from './link.js';
import { Outgoing } from './outgoing.js';
import { endWith } from './turn-away.js';

export interface PeerLinksParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly limits: LinkLimits;
  /** At least 0 and below 1. */
  random(): number;
}

/**
 * The links of one node, over TCP: those it opens, and those that the server hands to it.
 *
 * For each link the observer is told `up` once and then `down` once, whoever closed it. `down` and `unreachable` come
 * from the event loop, never during a call that the observer makes here.
 */
export class PeerLinks implements Network, LinkAcceptor {
  readonly #parts: PeerLinksParts;
  #observer: LinkObserver | undefined;
  readonly #outgoing = new Map<NodeId, Outgoing>();
  /** All that are up, and which of the outgoing ones they belong to. */
  readonly #links = new Map<SocketLink, Outgoing | undefined>();
  readonly #ticks: Cancel;
  #isClosed = false;

  constructor(parts: PeerLinksParts) {
    this.#parts = parts;
    this.#ticks = parts.clock.every(LINK_TICK_MS, () => {
      for (const link of this.#links.keys()) link.tick();
    });
  }

  /** Comes before everything else. */
  observe(observer: LinkObserver): void {
    this.#observer = observer;
  }

  reach(peers: readonly Peer[]): void {
    if (this.#isClosed) return;
    const wanted = new Map(peers.map((peer) => [peer.node, peer]));
    for (const [node, outgoing] of this.#outgoing) {
      if (wanted.get(node)?.address === outgoing.peer.address) continue;
      this.#outgoing.delete(node);
      outgoing.close();
    }
    for (const peer of wanted.values()) {
      if (!this.#outgoing.has(peer.node)) this.#outgoing.set(peer.node, this.#open(peer));
    }
  }

  identify(address: string): Promise<PeerIdentity | Refusal> {
    const { clock, limits } = this.#parts;
    const hello = helloLine(this.#observed.identity(), undefined);
    return new Promise((resolve) => {
      dial({ clock, address, hello, timeLimitMs: limits.handshakeMs }, (outcome) => {
        if ('code' in outcome) {
          resolve(outcome);
          return;
        }
        outcome.socket.on('error', () => undefined);
        outcome.socket.destroy();
        resolve(outcome.peer);
      });
    });
  }

  accept(socket: Socket, hello: Hello, rest: Buffer): void {
    const { clock, events } = this.#parts;
    const { peer } = hello;
    const refused = this.#objection(hello);
    if (refused !== undefined) {
      events.debug({ node: peer.node, address: peer.address, code: refused.code }, 'a link was refused');
      endWith(socket, clock, errorLine(refused));
    } else if (hello.to === undefined) {
      endWith(socket, clock, okLine(this.#observed.identity()));
    } else {
      socket.write(okLine(this.#observed.identity()));
      // The peer keeps one link to this node. When it opens another one, the old one is broken at its end.
      for (const link of this.#links.keys()) {
        if (!link.isOutgoing && link.peer.node === peer.node) link.replace();
      }
      this.#up(socket, peer, undefined, rest);
    }
  }

  /** Closes every link and opens no more. */
  close(): void {
    this.#isClosed = true;
    this.#ticks.cancel();
    for (const outgoing of this.#outgoing.values()) outgoing.close();
    this.#outgoing.clear();
    for (const link of this.#links.keys()) link.close();
  }

  get #observed(): LinkObserver {
    if (this.#observer === undefined) throw new Error('the links have no observer yet');
    return this.#observer;
  }

  #open(peer: Peer): Outgoing {
    const { clock, events, limits } = this.#parts;
    const observer = this.#observed;
    return new Outgoing(
      {
        clock,
        events,
        limits,
        random: () => this.#parts.random(),
        identity: () => observer.identity(),
        up: (outgoing, { socket, peer: there, rest }) => this.#up(socket, there, outgoing, rest),
        unreachable: (unreached, reason) => {
          observer.unreachable(unreached, reason);
        },
      },
      peer,
    );
  }

  /** Why the node that knocks is not let in. */
  #objection({ peer, to }: Hello): Refusal | undefined {
    if (this.#isClosed || this.#observer === undefined) {
      return refusal('BUSY', 'this node is starting or stopping: try again in a moment');
    }
    const me = this.#observer.identity();
    if (peer.node === me.node) {
      const hint = 'a copy of its data may not run beside it';
      return refusal(
        'NOT_A_PEER',
        `this is the node itself, at ${me.address}: give another address; ${hint}`,
      );
    }
    if (to !== undefined && to !== me.node) return notTheOne(me, to, peer.cluster);
    // One that moved has closed its links by ending. Two that take turns would count as one node with what both have.
    const elsewhere = [...this.#links.keys()].find(
      (link) => link.peer.node === peer.node && link.peer.address !== peer.address,
    );
    if (elsewhere !== undefined) return linkedElsewhere(elsewhere.peer.address);
    const { incomingMax } = this.#parts.limits;
    const others = [...this.#links.keys()].filter((link) => !link.isOutgoing && link.peer.node !== peer.node);
    if (others.length >= incomingMax) {
      return refusal('BUSY', `${String(incomingMax)} nodes are linked to this one already: try again later`);
    }
    return this.#observer.admit(peer);
  }

  #up(socket: Socket, peer: PeerIdentity, outgoing: Outgoing | undefined, rest: Buffer): SocketLink {
    const { events, limits } = this.#parts;
    const observer = this.#observed;
    const isOutgoing = outgoing !== undefined;
    const facts = { node: peer.node, address: peer.address, isOutgoing };
    const link = new SocketLink({
      socket,
      peer,
      isOutgoing,
      limits,
      received: (from, message) => {
        observer.received(from, message);
      },
      down: (gone, reason) => {
        events.debug(facts, `a link is down: ${reason}`);
        this.#links.delete(gone);
        outgoing?.down();
        observer.down(gone);
      },
    });
    this.#links.set(link, outgoing);
    events.debug(facts, 'a link is up');
    observer.up(link);
    link.begin(rest);
    return link;
  }
}
