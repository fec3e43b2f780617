import type { StatusReport } from '../client/answers.js';
import { showAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import { Backoff } from '../client/backoff.js';
import { createClient } from '../client/client.js';
import type { KvClient } from '../client/client.js';
import { KvError } from '../client/errors.js';
import type { Clock } from '../clock.js';
import type { ClusterId, Status } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { JoiningCluster } from '../node/engine-parts.js';
import { isInvalid, parseAddress } from '../protocol/address.js';
import { pause } from './pause.js';

export interface JoiningParts {
  /** The node that is asked. */
  readonly at: Address;
  readonly clock: Clock;
  readonly events: EventLog;
  /** At least 0 and below 1. */
  random(): number;
}

/** What is known of the node that joins while it runs. */
export interface Joiner {
  status(): Pick<Status, 'node' | 'service' | 'members'>;
  /** Where the other nodes reach it. */
  address(): string;
}

/** What stands in the way, for now. */
class Waiting extends Error {
  override readonly name = 'Waiting';
}

const BACKOFF = { delayMinMs: 100, delayMaxMs: 2000, growth: 2 };
const CATCHES_UP = 'this node was added and is catching up';
/** While it is fed nothing has to be asked of anybody. */
const LOOK_MS = 50;
const STATUS_MS = 2000;
/** The primary looks for the new node before it answers. */
const ADD_MS = 8000;
/** Once in a while what it still waits for is said again. */
const SAY_AGAIN_MS = 60_000;

/**
 * Has a new node added to a cluster: asks a node of it who the primary is, and the primary to add this one, and asks again until the
 * node's own log says that it is a member. No attempt takes longer than a few seconds, and they come at most two seconds apart.
 */
export class Joining implements JoiningCluster {
  readonly #parts: JoiningParts;
  readonly #stop = new AbortController();
  readonly #where: string;
  #cluster: ClusterId | undefined;
  #progress: string;
  #saidMs = -Infinity;

  constructor(parts: JoiningParts) {
    this.#parts = parts;
    this.#where = showAddress(parts.at);
    this.#progress = `this node asks ${this.#where} to be added`;
  }

  /** The cluster of the node that was asked, as it said last. */
  get cluster(): ClusterId | undefined {
    return this.#cluster;
  }

  get progress(): string {
    return this.#progress;
  }

  /** Resolves once the node takes part, or is told to stop. */
  async join(joiner: Joiner): Promise<void> {
    const { clock, events } = this.#parts;
    // Named by its own log it was added before, and only starts: those who could say more may be down.
    if (hasItsPart(joiner) || isNamed(joiner)) return;
    const backoff = new Backoff(BACKOFF, () => this.#parts.random());
    this.#say('info', this.#progress);
    while (!this.#stop.signal.aborted && !hasItsPart(joiner)) {
      if (isNamed(joiner)) {
        this.#say('info', CATCHES_UP);
        await pause(clock, LOOK_MS, this.#stop.signal);
        continue;
      }
      try {
        await this.#ask(joiner);
        backoff.reset();
        this.#say('info', CATCHES_UP);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#isStopped) this.#say('warn', `this node waits to be added: ${reason}`);
      }
      await pause(clock, Math.max(LOOK_MS, backoff.nextMs()), this.#stop.signal);
    }
    if (!this.#isStopped) events.info({ cluster: this.#cluster }, 'this node is a member');
  }

  stop(): void {
    this.#stop.abort();
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Finds the primary and has it add this node. Throws what stands in the way. */
  async #ask(joiner: Joiner): Promise<void> {
    const { at } = this.#parts;
    const found = await this.#with(at, (client) => this.#primaryIn(client, at, joiner));
    const primary = found ?? at;
    await this.#with(primary, async (client) => {
      if (primary !== at) await this.#checkPrimary(client, primary);
      await this.#add(client, primary, joiner);
    });
  }

  async #with<T>(address: Address, work: (client: KvClient) => Promise<T>): Promise<T> {
    const { clock } = this.#parts;
    const client = createClient({ address, timeoutMs: STATUS_MS, whenUnreachable: 'fail', clock });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  /** Where the primary is that the node at `at` knows; undefined when it is that node. */
  async #primaryIn(client: KvClient, at: Address, joiner: Joiner): Promise<Address | undefined> {
    const { facts } = await this.#statusOf(client);
    if (facts.get('node') === joiner.status().node)
      throw new Waiting(`${this.#where} is this node itself: give --join the address of another one`);
    const cluster = known(facts, 'cluster');
    if (cluster === undefined)
      throw new Waiting(`${this.#where} is no member of a cluster itself yet: it is asked again`);
    this.#cluster = cluster as ClusterId;
    if (isServing(facts)) return undefined;
    const named = parseAddress(known(facts, 'primary') ?? '');
    if (isInvalid(named) || named.port === 0)
      throw new Waiting(`${this.#where} knows no primary: it is asked again`);
    if (showAddress(named) === showAddress(at))
      throw new Waiting(`${this.#where} is the primary and does not serve yet: it is asked again`);
    return named;
  }

  /** What a node says of another one may be old. */
  async #checkPrimary(client: KvClient, primary: Address): Promise<void> {
    const { facts } = await this.#statusOf(client);
    const where = showAddress(primary);
    if (known(facts, 'cluster') !== this.#cluster)
      throw new Waiting(`${this.#where} names ${where} as its primary, and that is of another cluster`);
    if (!isServing(facts))
      throw new Waiting(
        `${where}, which ${this.#where} names as its primary, does not serve: it is asked again`,
      );
  }

  #statusOf(client: KvClient): Promise<StatusReport> {
    return client.status({ signal: this.#stop.signal });
  }

  /** Done as well when it was added before, and only the answer was lost. */
  async #add(client: KvClient, primary: Address, joiner: Joiner): Promise<void> {
    const address = joiner.address();
    const where = showAddress(primary);
    try {
      await client.addBackup(address, { timeoutMs: ADD_MS, signal: this.#stop.signal });
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== 'ALREADY_MEMBER') throw error;
      const { members } = await this.#statusOf(client);
      const { node } = joiner.status();
      const other = members.find((member) => member.get('member') === address && member.get('node') !== node);
      if (other === undefined) return;
      throw new Waiting(
        `${where} knows another node at ${address}, whose data this one does not have: where that is lost, use remove-backup --primary ${where} --backup ${address} --backup-is-down`,
      );
    }
  }

  /** Each thing once, and again after a while: it may stand for days. */
  #say(level: 'info' | 'warn', what: string): void {
    const { clock, events } = this.#parts;
    const nowMs = clock.nowMs();
    if (what === this.#progress && nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#progress = what;
    this.#saidMs = nowMs;
    events[level]({ join: this.#where }, what);
  }
}

/** It is a member, or was one and was removed: then whoever did that decides whether it comes back. */
function hasItsPart(joiner: Joiner): boolean {
  const { service, node, members } = joiner.status();
  return service === 'left-out' || members.some((each) => each.node === node && each.state !== 'learner');
}

/** Its own log names it. */
function isNamed(joiner: Joiner): boolean {
  const { node, members } = joiner.status();
  return members.some((each) => each.node === node);
}

function known(facts: ReadonlyMap<string, string>, name: string): string | undefined {
  const value = facts.get(name);
  return value === 'none' ? undefined : value;
}

function isServing(facts: ReadonlyMap<string, string>): boolean {
  return facts.get('role') === 'primary' && facts.get('service') === 'serving';
}
