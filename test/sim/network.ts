import { refusal } from '../../src/engine.js';
import type { NodeId, Refusal } from '../../src/engine.js';
import type { Peer } from '../../src/log/control.js';
import type { LinkObserver, Network, PeerIdentity } from '../../src/node/ports.js';
import type { Message } from '../../src/replication/message.js';
import type { Random } from '../random.js';
import { MessageCopier, lengthOf } from './copy-message.js';
import type { Process, Scheduler } from './scheduler.js';
import { Session } from './session.js';

/** How bad the network is. Each rate is the chance that it happens to one message. */
export interface NetworkTemper {
  latencyMsMax: number;
  lossRate: number;
  duplicateRate: number;
  reorderRate: number;
  /** The link breaks. */
  breakRate: number;
  /** The message takes up to seconds. */
  slowRate: number;
}

export const CALM: Readonly<NetworkTemper> = {
  latencyMsMax: 2,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  breakRate: 0,
  slowRate: 0,
};

/** A process that nothing answers from is given up after this long. */
const CONNECT_TIMEOUT_MS = 2000;
const REDIAL_MS_MAX = 800;
/** A link on which nothing comes any more is given up after this long. */
const SILENT_MS = 15_000;

/** The network between all nodes. It tells the nodes apart by their addresses. */
export class SimulatedNetwork {
  temper: NetworkTemper = { ...CALM };
  /** Called when a process hands a message to the network, for the node at an address. */
  sending: (process: Process, message: Message, to: string) => void = () => undefined;
  /** Called when the bytes of a message changed while it was under way. */
  changedUnderWay: (process: Process, message: Message) => void = () => undefined;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly copier = new MessageCopier();
  readonly #ports = new Map<string, Port>();
  readonly #blocked = new Map<string, { readonly way: string }>();
  readonly #sessions = new Set<Session>();
  /** By address, how many bytes a millisecond get there or away, on each link. */
  readonly #thin = new Map<string, number>();

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /** Lets a process take part under an address, in place of any earlier one. */
  join(process: Process, address: string): Network {
    const port = new Port(this, process, address);
    this.#ports.set(address, port);
    return port;
  }

  /** Nothing gets from one address to the other one. The other direction is another matter. */
  block(from: string, to: string): void {
    const way = `${from}>${to}`;
    if (this.#blocked.has(way)) return;
    const cut = { way };
    this.#blocked.set(way, cut);
    // Both sides send now and then, whatever there is to say: who hears nothing for so long gives the link up.
    this.scheduler.after(SILENT_MS, `${way} is silent`, () => {
      if (this.#blocked.get(way) !== cut) return;
      for (const session of [...this.#sessions]) session.breakBetween(from, to);
    });
  }

  /** Each link to or from there carries no more than this. */
  thin(address: string, bytesPerMs: number): void {
    this.#thin.set(address, bytesPerMs);
  }

  widen(address: string): void {
    this.#thin.delete(address);
    for (const session of this.#sessions) if (session.isAt(address)) session.hurry();
  }

  widenAll(): void {
    for (const address of [...this.#thin.keys()]) this.widen(address);
  }

  /** How long the bytes of a message take between two nodes, besides the time that any message takes. */
  carryMs(from: string, to: string, message: Message): number {
    if (this.#thin.size === 0) return 0;
    const bytesPerMs = Math.min(this.#thin.get(from) ?? Infinity, this.#thin.get(to) ?? Infinity);
    return bytesPerMs === Infinity ? 0 : lengthOf(message) / bytesPerMs;
  }

  /** The links to and from there break. */
  breakAll(address: string): void {
    for (const session of [...this.#sessions]) session.breakAt(address);
  }

  opened(session: Session): void {
    this.#sessions.add(session);
  }

  closed(session: Session): void {
    this.#sessions.delete(session);
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(`${from}>${to}`);
  }

  unblockAll(): void {
    this.#blocked.clear();
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(`${from}>${to}`);
  }

  get hasBlocked(): boolean {
    return this.#blocked.size > 0;
  }

  latencyMs(): number {
    return 0.05 + this.random.next() * this.random.next() * this.temper.latencyMsMax;
  }

  /** Who listens at an address; undefined when no process does. */
  at(address: string): Port | undefined {
    const port = this.#ports.get(address);
    return port?.process.isAlive === true && port.observer !== undefined ? port : undefined;
  }
}

/** One outgoing link that is kept open. */
interface Reached {
  readonly peer: Peer;
  session: Session | undefined;
}

/** The network as one process sees it. */
export class Port implements Network {
  readonly network: SimulatedNetwork;
  readonly process: Process;
  readonly address: string;
  observer: LinkObserver | undefined;
  readonly #reached = new Map<string, Reached>();
  /** By node, the link that it opened to this one. It keeps only one. */
  readonly #incoming = new Map<NodeId, Session>();

  constructor(network: SimulatedNetwork, process: Process, address: string) {
    this.network = network;
    this.process = process;
    this.address = address;
  }

  observe(observer: LinkObserver): void {
    this.observer = observer;
  }

  reach(peers: readonly Peer[]): void {
    const wanted = new Map(peers.map((peer) => [`${peer.node}@${peer.address}`, peer]));
    for (const [name, reached] of this.#reached) {
      if (wanted.has(name)) continue;
      this.#reached.delete(name);
      reached.session?.close(this);
    }
    for (const [name, peer] of wanted) {
      if (this.#reached.has(name)) continue;
      const reached: Reached = { peer, session: undefined };
      this.#reached.set(name, reached);
      this.process.post(0, `dials ${peer.address}`, () => this.#dial(reached));
    }
  }

  identify(address: string): Promise<PeerIdentity | Refusal> {
    const own = this.observer?.identity();
    return new Promise((resolve) => {
      this.#knock(
        address,
        (port) => {
          const answer = own === undefined ? unreachable(address) : port.#admit(own, undefined);
          this.process.post(this.network.latencyMs(), `identified ${address}`, () => {
            resolve(answer);
          });
        },
        resolve,
      );
    });
  }

  /** The link to one of the reached is gone: open it again. */
  lost(session: Session): void {
    for (const reached of this.#reached.values()) {
      if (reached.session !== session) continue;
      reached.session = undefined;
      this.#redial(reached);
    }
  }

  #isReached(reached: Reached): boolean {
    return this.#reached.get(`${reached.peer.node}@${reached.peer.address}`) === reached;
  }

  #redial(reached: Reached): void {
    const delayMs = 50 + this.network.random.next() * REDIAL_MS_MAX;
    this.process.post(delayMs, `redials ${reached.peer.address}`, () => this.#dial(reached));
  }

  #dial(reached: Reached): void {
    if (!this.#isReached(reached) || reached.session !== undefined) return;
    const { peer } = reached;
    const failed = (reason: Refusal): void => {
      if (!this.#isReached(reached)) return;
      this.observer?.unreachable(peer, reason);
      this.#redial(reached);
    };
    const own = this.observer?.identity();
    if (own === undefined) return;
    this.#knock(
      peer.address,
      (port) => {
        const answer = port.#admit(own, peer.node);
        const delayMs = this.network.latencyMs();
        const session = 'code' in answer ? undefined : port.#accept(this, own, answer);
        this.process.post(delayMs, `handshake ${peer.address}`, () => {
          if ('code' in answer) {
            failed(answer);
          } else if (!this.#isReached(reached)) {
            session?.close(this);
          } else if (session !== undefined) {
            reached.session = session;
            // It may have broken before this side knew of it.
            if (!session.open(this)) this.lost(session);
          }
        });
      },
      failed,
    );
  }

  /** The new link takes the place of any that the same node opened before. */
  #accept(dialler: Port, peer: PeerIdentity, own: PeerIdentity): Session {
    this.#incoming.get(peer.node)?.replace(this);
    const session = new Session(dialler, this, peer, own);
    this.#incoming.set(peer.node, session);
    session.open(this);
    return session;
  }

  /** What a node that knocks is told: who this is, or why it is not let in. */
  #admit(peer: PeerIdentity, expected: NodeId | undefined): PeerIdentity | Refusal {
    const { observer } = this;
    if (observer === undefined) return unreachable(this.address);
    const identity = observer.identity();
    if (peer.node === identity.node) {
      return refusal('NOT_A_PEER', 'this is the node itself: give another address');
    }
    if (expected !== undefined && identity.node !== expected) {
      return refusal('UNREACHABLE', `${this.address} is another node: look at its --db-path`);
    }
    return observer.admit(peer) ?? identity;
  }

  /** Gets through to the process at an address, or fails after as long as that takes. */
  #knock(address: string, answered: (port: Port) => void, failed: (reason: Refusal) => void): void {
    const { network, process } = this;
    network.scheduler.after(network.latencyMs(), `${process.name} knocks at ${address}`, () => {
      // A process that is gone meanwhile connects to nobody.
      if (!process.isAlive) return;
      const port = network.at(address);
      const isCut = network.isBlocked(this.address, address) || network.isBlocked(address, this.address);
      if (isCut || port?.process.isPaused === true) {
        process.post(CONNECT_TIMEOUT_MS, `no answer from ${address}`, () => failed(unreachable(address)));
      } else if (port === undefined) {
        process.post(network.latencyMs(), `refused by ${address}`, () => failed(unreachable(address)));
      } else {
        port.process.run('knocked', () => answered(port));
      }
    });
  }
}

function unreachable(address: string): Refusal {
  return refusal('UNREACHABLE', `${address} does not answer: is the node running?`);
}
