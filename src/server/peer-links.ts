import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { parseAddress } from '../client/address.js';
import { refusal } from '../engine.js';
import type { NodeId, Refusal } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { Peer } from '../log/control.js';
import type { LinkObserver, Network, PeerIdentity } from '../node/ports.js';
import { AssemblyBudget } from './assembly-budget.js';
import { dial } from './dial.js';
import type { DialParts } from './dial.js';
import { letGo } from './handshake-socket.js';
import { linkedElsewhere, notTheOne } from './handshake.js';
import type { Hello, LinkAcceptor, Opening } from './handshake.js';
import { linkKey } from './handshake-proofs.js';
import type { LinkKeys } from './handshake-proofs.js';
import type { Knocked } from './knock.js';
import { LINK_TICK_MS, WORKS_AFTER_TICKS } from './limits.js';
import type { LinkLimits } from './limits.js';
import { SocketLink } from './link.js';
import type { LinkEnd } from './link.js';
import { Outgoing } from './outgoing.js';
import { RefusalLog } from './refusal-log.js';
import { Threshold } from './threshold.js';
import { endWith } from './turn-away.js';

export interface PeerLinksParts {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly limits: LinkLimits;
  /** The secret of the cluster; without it links stay on this machine. */
  readonly secret: string | Uint8Array | undefined;
  /** At least 0 and below 1. */
  random(): number;
  /** 32 hex digits that nobody can foresee, others each time. */
  nonce(): string;
}

/** A link that a peer proved itself for. */
interface Proven {
  readonly socket: Socket;
  readonly peer: PeerIdentity;
  readonly rest: Buffer;
  readonly keys: LinkKeys | undefined;
}

/** A link that is up. */
interface Held {
  /** Undefined when the other end opened it. */
  readonly outgoing: Outgoing | undefined;
  readonly host: string;
  ticks: number;
}

/**
 * The links of one node, over TCP: those it opens, and those that the server hands to it.
 *
 * For each link the observer is told `up` once and then `down` once, whoever closed it. `down` and `unreachable` come
 * from the event loop, never during a call that the observer makes here.
 */
export class PeerLinks implements Network, LinkAcceptor {
  readonly #parts: PeerLinksParts;
  readonly #key: KeyObject | undefined;
  readonly #refusals: RefusalLog;
  readonly #threshold: Threshold;
  readonly #budget: AssemblyBudget;
  #observer: LinkObserver | undefined;
  readonly #outgoing = new Map<NodeId, Outgoing>();
  readonly #links = new Map<SocketLink, Held>();
  readonly #ticks: Cancel;
  /** Addresses that are being asked who is there. */
  #identifying = 0;
  #isClosed = false;

  constructor(parts: PeerLinksParts) {
    const { clock, events, limits, secret } = parts;
    this.#parts = parts;
    this.#key = secret === undefined ? undefined : linkKey(secret);
    this.#refusals = new RefusalLog(clock, events);
    this.#threshold = new Threshold({
      clock,
      limits,
      key: this.#key,
      nonce: () => parts.nonce(),
      refused: (host, reason) => {
        this.#refused(host, reason, {});
      },
    });
    this.#budget = new AssemblyBudget(limits.assemblyBytesMax);
    this.#ticks = clock.every(LINK_TICK_MS, () => {
      this.#tick();
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

  /**
   * Whatever does not prove to be a node, or is not there, is answered alike and after the same time, so that nobody learns by
   * it what runs where. The log of this node has the reason.
   */
  identify(address: string): Promise<PeerIdentity | Refusal> {
    const { clock, events, limits } = this.#parts;
    if (this.#identifying >= limits.identifyingMax) {
      const underWay = `${String(limits.identifyingMax)} other addresses are being looked at`;
      return Promise.resolve(refusal('BUSY', `${underWay}: try again in a few seconds`));
    }
    this.#identifying++;
    return new Promise((resolve) => {
      const settle = (outcome: PeerIdentity | Refusal): void => {
        late.cancel();
        this.#identifying--;
        resolve(outcome);
      };
      let nobody: Refusal | undefined;
      const attempt = dial(this.#dialing(address, undefined), (outcome) => {
        if ('socket' in outcome) {
          letGo(outcome.socket);
          settle(outcome.peer);
        } else if (outcome.by === 'node' || outcome.by === 'here') {
          settle(outcome.reason);
        } else {
          nobody = outcome.reason;
        }
      });
      const late = clock.after(limits.handshakeMs, () => {
        attempt.cancel();
        const detail = nobody?.message ?? `${address} did not answer in time`;
        events.info({ address }, `there is no node to be added: ${detail}`);
        settle(this.#nobodyAt(address));
      });
    });
  }

  accept(socket: Socket, opening: Opening, rest: Buffer): void {
    const host = socket.remoteAddress ?? 'unknown';
    this.#threshold.take({ socket, opening, rest, host }, (knocked) => this.#knocked(knocked, host));
  }

  turnedDown(socket: Socket, reason: Refusal): void {
    this.#refused(socket.remoteAddress ?? 'unknown', reason, {});
  }

  /** Closes every link and opens no more. */
  close(): void {
    this.#isClosed = true;
    this.#ticks.cancel();
    this.#threshold.close();
    for (const outgoing of this.#outgoing.values()) outgoing.close();
    this.#outgoing.clear();
    for (const link of this.#links.keys()) link.close();
  }

  get #observed(): LinkObserver {
    if (this.#observer === undefined) throw new Error('the links have no observer yet');
    return this.#observer;
  }

  #tick(): void {
    for (const [link, held] of this.#links) {
      link.tick();
      if (++held.ticks === WORKS_AFTER_TICKS && !link.isClosed) this.#refusals.forget(held.host);
    }
  }

  #dialing(address: string, to: NodeId | undefined): DialParts {
    const { clock, limits } = this.#parts;
    const me = this.#observed.identity();
    const nonce = this.#parts.nonce();
    return { clock, address, me, to, key: this.#key, nonce, timeLimitMs: limits.handshakeMs };
  }

  #open(peer: Peer): Outgoing {
    const { clock, events } = this.#parts;
    const observer = this.#observed;
    return new Outgoing(
      {
        clock,
        events,
        random: () => this.#parts.random(),
        identity: () => observer.identity(),
        dialing: ({ address, node }) => this.#dialing(address, node),
        up: (outgoing, dialed) => this.#up(dialed, outgoing),
        unreachable: (unreached, reason) => {
          observer.unreachable(unreached, reason);
        },
        stranger: ({ node, address }, reason) => {
          this.#refused(hostOf(address), reason, { node, address });
        },
      },
      peer,
    );
  }

  /** A node that proved itself wants to come in. Answers whether its connection is a link now. */
  #knocked(knocked: Knocked, host: string): boolean {
    const { clock } = this.#parts;
    const { socket, hello } = knocked;
    const { peer } = hello;
    const objection = this.#objection(hello);
    if (objection !== undefined) {
      if (objection.code !== 'BUSY')
        this.#refused(host, objection, { node: peer.node, address: peer.address });
      endWith(socket, clock, knocked.refused(objection));
      return false;
    }
    const answer = knocked.accepted(this.#observed.identity());
    if (hello.to === undefined) {
      endWith(socket, clock, answer);
      return false;
    }
    socket.write(answer);
    // The peer keeps one link to this node. When it opens another one, the old one is broken at its end.
    for (const link of this.#links.keys()) {
      if (!link.isOutgoing && link.peer.node === peer.node) link.replace();
    }
    this.#up({ socket, peer, rest: Buffer.alloc(0), keys: knocked.keys(answer) }, undefined);
    return true;
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

  #up({ socket, peer, rest, keys }: Proven, outgoing: Outgoing | undefined): SocketLink {
    const { events, limits } = this.#parts;
    const observer = this.#observed;
    const isOutgoing = outgoing !== undefined;
    const host = socket.remoteAddress ?? hostOf(peer.address);
    const facts = { node: peer.node, address: peer.address, isOutgoing };
    const link = new SocketLink({
      socket,
      peer,
      isOutgoing,
      limits,
      keys,
      budget: this.#budget,
      received: (from, message) => {
        observer.received(from, message);
      },
      down: (gone, { reason, isViolation }: LinkEnd) => {
        if (isViolation) this.#refused(host, refusal('NOT_A_PEER', `its link was closed: ${reason}`), facts);
        else events.debug(facts, `a link is down: ${reason}`);
        this.#links.delete(gone);
        outgoing?.down();
        observer.down(gone);
      },
    });
    this.#links.set(link, { outgoing, host, ticks: 0 });
    events.debug(facts, 'a link is up');
    observer.up(link);
    link.begin(rest);
    return link;
  }

  #refused(host: string, { code, message }: Refusal, facts: object): void {
    this.#refusals.refused(host, message, { code, ...facts }, `a peer was refused: ${message}`);
  }

  /** What an operator is told of an address where no node proves itself. */
  #nobodyAt(address: string): Refusal {
    const within = `within ${String(this.#parts.limits.handshakeMs / 1000)} s`;
    if (this.#key === undefined) {
      const where = `no node without a secret answers at ${address} ${within}`;
      const advice = 'check the address, and that it runs there, on this machine';
      return refusal(
        'UNREACHABLE',
        `${where}: ${advice}; nodes on several machines need one --cluster-secret-file. The logs of both say more`,
      );
    }
    const where = `no node with the secret of this cluster answers at ${address} ${within}`;
    const advice = 'check the address, that it runs, and that both have the same --cluster-secret-file';
    return refusal('UNREACHABLE', `${where}: ${advice}. The logs of both say more`);
  }
}

function hostOf(address: string): string {
  const parsed = parseAddress(address);
  return 'invalid' in parsed ? address : parsed.host;
}
