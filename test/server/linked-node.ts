import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Cancel, Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock.js';
import type { ClusterId, Engine, Index, NodeId, Refusal, Term } from '../../src/engine.js';
import type { EventLog } from '../../src/event-log.js';
import type { Peer } from '../../src/log/control.js';
import type { Link, LinkObserver, PeerIdentity } from '../../src/node/ports.js';
import type { Heartbeat, Message, SnapshotPart } from '../../src/replication/message.js';
import { DEFAULT_SERVER_LIMITS, LINK_LIMITS } from '../../src/server/limits.js';
import type { LinkLimits } from '../../src/server/limits.js';
import { PeerLinks } from '../../src/server/peer-links.js';
import { startServer } from '../../src/server/server.js';
import type { RunningServer } from '../../src/server/server.js';

export const CLUSTER = 'c'.repeat(32) as ClusterId;
export const LIMITS = LINK_LIMITS;

export function nodeId(digit: string): NodeId {
  return digit.repeat(32) as NodeId;
}

/** Who speaks with a node by hand. */
export const STRANGER = {
  node: nodeId('5'),
  cluster: CLUSTER,
  address: '127.0.0.1:1',
  fsync: 'always',
  role: 'backup',
} as const;

/** A part of a snapshot with so many bytes. */
export function snapshotPart(length: number): SnapshotPart {
  const at = { term: 1 as Term, index: 1 as Index };
  return {
    kind: 'snapshot part',
    term: at.term,
    end: { ...at, checksum: 0 },
    configuration: { members: [], learners: [], acks: 'majority', failover: 'manual', position: at },
    lossAccepted: false,
    offset: 0,
    bytes: Buffer.alloc(length, 's'),
    isLast: false,
  };
}

/** Nobody was let in, and one warning says why. */
export function expectRefusedOnce(node: LinkedNode, why: RegExp): void {
  expect(node.told.filter(({ kind }) => kind !== 'unreachable')).to.deep.equal([]);
  expect(node.warnings).to.have.length(1);
  expect(node.warnings[0]).to.match(why);
}

/** What a node was told, in order. */
export type Told =
  | { readonly kind: 'up' | 'down'; readonly link: Link }
  | { readonly kind: 'received'; readonly link: Link; readonly message: Message }
  | { readonly kind: 'unreachable'; readonly peer: Peer; readonly reason: Refusal };

export interface NodeOptions {
  readonly id?: NodeId;
  readonly cluster?: ClusterId | undefined;
  readonly limits?: LinkLimits;
  readonly clock?: Clock;
  readonly port?: number;
  /** Where it listens; 127.0.0.1 when not given. */
  readonly host?: string;
  readonly secret?: string;
  readonly nonce?: () => string;
  readonly admit?: (peer: PeerIdentity) => Refusal | undefined;
  readonly received?: (link: Link, message: Message) => void;
}

/** A server with links, and in the node's place somebody who writes down what it is told. */
export class LinkedNode implements LinkObserver {
  readonly links: PeerLinks;
  readonly told: Told[] = [];
  readonly logged: string[] = [];
  readonly warnings: string[] = [];
  readonly id: NodeId;
  readonly #options: NodeOptions;
  #server: RunningServer | undefined;
  readonly #waiting = new Set<() => void>();

  private constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id ?? nodeId('a');
    const log = (_fields: object, message: string): void => {
      this.logged.push(message);
      this.#wakeAll();
    };
    const warn = (fields: object, message: string): void => {
      this.warnings.push(message);
      log(fields, message);
    };
    const events: EventLog = { debug: log, info: log, warn, error: warn };
    const { clock = systemClock, limits = LIMITS, secret } = options;
    const nonce = options.nonce ?? ((): string => randomBytes(16).toString('hex'));
    this.links = new PeerLinks({ clock, events, limits, secret, random: () => 0.5, nonce });
    this.links.observe(this);
  }

  static async start(options: NodeOptions = {}): Promise<LinkedNode> {
    const node = new LinkedNode(options);
    const clock = options.clock ?? systemClock;
    const silent = (): void => undefined;
    const events = { debug: silent, info: silent, warn: silent, error: silent };
    const limits = DEFAULT_SERVER_LIMITS;
    const parts = { engine: NO_ENGINE, version: '0', clock, events, limits, links: node.links };
    node.#server = await startServer(parts, options.host ?? '127.0.0.1', options.port ?? 0);
    return node;
  }

  get address(): string {
    return `${this.#options.host ?? '127.0.0.1'}:${String(this.port)}`;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  get peer(): Peer {
    return { node: this.id, address: this.address };
  }

  async stop(): Promise<void> {
    this.links.close();
    await this.#server?.stop();
  }

  /** Takes no more connections; links go on. */
  async stopServer(): Promise<void> {
    await this.#server?.stop();
  }

  identity(): PeerIdentity {
    const cluster = 'cluster' in this.#options ? this.#options.cluster : CLUSTER;
    return { node: this.id, cluster, address: this.address, fsync: 'always', role: 'backup' };
  }

  admit(peer: PeerIdentity): Refusal | undefined {
    return this.#options.admit?.(peer);
  }

  up(link: Link): void {
    this.#tell({ kind: 'up', link });
  }

  received(link: Link, message: Message): void {
    this.#tell({ kind: 'received', link, message });
    this.#options.received?.(link, message);
  }

  down(link: Link): void {
    this.#tell({ kind: 'down', link });
  }

  unreachable(peer: Peer, reason: Refusal): void {
    this.#tell({ kind: 'unreachable', peer, reason });
  }

  /** The links that were told to be up, oldest first. */
  get upLinks(): readonly Link[] {
    return this.told.flatMap((event) => (event.kind === 'up' ? [event.link] : []));
  }

  get messages(): readonly Message[] {
    return this.told.flatMap((event) => (event.kind === 'received' ? [event.message] : []));
  }

  get refusals(): readonly Refusal[] {
    return this.told.flatMap((event) => (event.kind === 'unreachable' ? [event.reason] : []));
  }

  count(kind: Told['kind']): number {
    return this.told.filter((event) => event.kind === kind).length;
  }

  /** Resolves once the condition holds; the test's own time limit bounds the wait. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  async link(at = 0): Promise<Link> {
    await this.until(() => this.upLinks.length > at);
    return this.upLinks[at]!;
  }

  async refusal(): Promise<Refusal> {
    await this.until(() => this.refusals.length > 0);
    return this.refusals[0]!;
  }

  #tell(event: Told): void {
    this.told.push(event);
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** For servers of which no client asks anything. */
const NO_ENGINE = {
  status: () => {
    throw new Error('no engine runs here');
  },
} as unknown as Engine;

export function heartbeat(round: number): Heartbeat {
  const at = { term: 1 as Term, index: 1 as Index, checksum: 7 };
  return {
    kind: 'heartbeat',
    term: at.term,
    last: at,
    commit: at.index,
    round,
    isServing: true,
    isMember: true,
    leaseMs: 3000,
    echoMs: undefined,
  };
}

export interface Listening {
  readonly address: string;
  readonly sockets: readonly net.Socket[];
  close(): Promise<void>;
}

/** A bare listener that does what it is told with each connection. */
export async function listen(work: (socket: net.Socket) => void): Promise<Listening> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    work(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    sockets,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A clock whose periodic work is done when the test says so. */
export class TickedClock implements Clock {
  readonly #works = new Set<() => void>();

  nowMs(): number {
    return systemClock.nowMs();
  }

  after(delayMs: number, work: () => void): Cancel {
    return systemClock.after(delayMs, work);
  }

  nextTurn(work: () => void): void {
    systemClock.nextTurn(work);
  }

  every(_periodMs: number, work: () => void): Cancel {
    this.#works.add(work);
    return { cancel: () => void this.#works.delete(work) };
  }

  tick(times: number): void {
    for (let time = 0; time < times; time++) for (const work of this.#works) work();
  }
}

/** Nodes and listeners that are gone when the test is over. */
export function linkFixture(): {
  node(options?: NodeOptions): Promise<LinkedNode>;
  listener(work: (socket: net.Socket) => void): Promise<Listening>;
} {
  let ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends) await end();
    ends = [];
  });
  return {
    async node(options) {
      const node = await LinkedNode.start(options);
      ends.push(() => node.stop());
      return node;
    },
    async listener(work) {
      const listening = await listen(work);
      ends.push(() => listening.close());
      return listening;
    },
  };
}
