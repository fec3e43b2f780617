import type { Clock } from '../clock.js';
import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import type { BackoffLimits } from './backoff.js';
import { ServerNode } from './server-node.js';
import type { NodeObserver } from './server-node.js';

export interface NodesSettings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly addresses: readonly Address[];
  readonly waits: boolean;
  readonly timeoutMs: number;
  readonly connectionsMax: number;
  readonly backoff: BackoffLimits;
}

/** Where calls wait for a server, an attempt to connect may not use up their whole time. */
const CONNECT_MS_MAX = 2_000;

/** The servers that a client deals with: those of its settings, which stay, and others that are named, which come and go. */
export class ServerNodes {
  readonly #settings: NodesSettings;
  readonly #observer: NodeObserver;
  /** Whether a node is to be kept although nothing is under way on it. */
  readonly #isUsed: (node: ServerNode) => boolean;
  readonly #nodes = new Map<string, ServerNode>();
  readonly configured: readonly ServerNode[];
  #isInUse = false;

  constructor(settings: NodesSettings, observer: NodeObserver, isUsed: (node: ServerNode) => boolean) {
    this.#settings = settings;
    this.#observer = observer;
    this.#isUsed = isUsed;
    this.configured = settings.addresses.map((address) => this.#make(address));
  }

  all(): readonly ServerNode[] {
    return [...this.#nodes.values()];
  }

  named(name: string): ServerNode | undefined {
    return this.#nodes.get(name);
  }

  at(address: Address): ServerNode {
    const known = this.#nodes.get(showAddress(address));
    if (known !== undefined) return known;
    for (const unused of this.all()) {
      // Who asks again for one that failed last would not know to go slowly.
      if (unused.delayMs === 0) this.#end(unused);
    }
    return this.#make(address);
  }

  /** One that can be tried at once, or else the one that can be tried soonest. */
  any(): ServerNode {
    const soonestMs = Math.min(...this.configured.map((node) => node.delayMs));
    const soonest = this.configured.filter((node) => node.delayMs <= soonestMs);
    const chosen = soonest[Math.floor(this.#settings.random() * soonest.length)] ?? this.configured[0];
    if (chosen === undefined) throw new Error('there is no address');
    return chosen;
  }

  setInUse(isInUse: boolean): void {
    this.#isInUse = isInUse;
    for (const node of this.all()) node.setInUse(isInUse);
  }

  /** Lets go of a node that nothing is sent to any more. */
  endIfUnused(node: ServerNode): void {
    if (node.trouble === undefined) this.#end(node);
  }

  #end(node: ServerNode): void {
    if (this.#isUsed(node) || !node.isIdle) return;
    if (!this.configured.includes(node)) this.#nodes.delete(node.name);
    node.close();
  }

  #make(address: Address): ServerNode {
    const { clock, random, timeoutMs, waits, connectionsMax, backoff } = this.#settings;
    const connectMsMax = waits ? Math.min(timeoutMs, CONNECT_MS_MAX) : timeoutMs;
    const node = new ServerNode(
      address,
      { clock, random, connectMsMax, silenceMsMax: timeoutMs, connectionsMax, backoff, waits },
      this.#observer,
    );
    node.setInUse(this.#isInUse);
    this.#nodes.set(node.name, node);
    return node;
  }
}
