import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import { Clockwork } from './clockwork.js';
import { addBackup, eventually } from './cluster.js';
import type { ClusterNode, NodeStatus } from './cluster.js';
import { anyDisturbance, kill } from './disturbance.js';
import type { Disturbance, Disturbed } from './disturbance.js';
import type { Fabric } from './fabric.js';
import { RecordedClient, Recording } from './recording.js';
import { Streams } from './stream-writer.js';

const RECORDED_CLIENTS = 5;
const STREAMS = 3;
/** How long it may take until everybody is heard, has everything, and writes are taken, once nothing is broken any more. */
const RECOVERY_MS_MAX = 40_000;
/** After so long without a primary the operator promotes one. */
const WITHOUT_PRIMARY_MS = 7_000;
/** A command is answered by then, whatever is broken: it has 8 s, and a wait for its node may come before. */
const ANSWER_MS_MAX = 15_000;
/** Of the streams, the newest so many are looked at after each promotion; all of them at the end. */
const NEWEST_STREAMS = 60;

export interface FireFigures extends Disturbed {
  rounds: number;
  acknowledged: number;
  promotions: number;
  promotionsRefused: number;
  readsChecked: number;
  followerReadsChecked: number;
  unknown: number;
  lost: number;
  slowestRecoveryMs: number;
}

/** A cluster that is attacked, and clients that know what they were promised. */
export class Fire {
  readonly figures: FireFigures = {
    rounds: 0,
    acknowledged: 0,
    promotions: 0,
    promotionsRefused: 0,
    kills: 0,
    pauses: 0,
    cuts: 0,
    impairments: 0,
    resets: 0,
    readsChecked: 0,
    followerReadsChecked: 0,
    unknown: 0,
    lost: 0,
    slowestRecoveryMs: 0,
  };
  /** What was done, for whoever has to find out why. */
  readonly events: string[] = [];
  readonly #nodes: readonly ClusterNode[];
  readonly #fabric: Fabric;
  readonly #random: Random;
  readonly #recording = new Recording();
  readonly #clients: readonly RecordedClient[];
  readonly #clockwork: Clockwork;
  readonly #streams = new Streams('stream', STREAMS);
  readonly #startMs = performance.now();
  #primary: ClusterNode;

  constructor(nodes: readonly ClusterNode[], fabric: Fabric, random: Random) {
    this.#nodes = nodes;
    this.#fabric = fabric;
    this.#random = random;
    this.#primary = nodes[0]!;
    const addresses = nodes.map(({ address }) => address);
    this.#clockwork = new Clockwork(addresses);
    const readers = addresses.map((address) => [address]);
    const all = [...readers, ...Array.from({ length: RECORDED_CLIENTS }, () => addresses)];
    this.#clients = all.map((reached, at) => {
      return new RecordedClient(
        `client${String(at)}`,
        reached,
        this.#recording,
        seededRandom(random.below(2 ** 31)),
      );
    });
    this.#streams.writeTo(this.#primary.address);
  }

  get acknowledged(): number {
    return this.#streams.acknowledged + this.#recording.acknowledged;
  }

  /** Some things break, somebody is promoted meanwhile, everything is made good, and it is looked whether anything is missing. */
  async round(): Promise<void> {
    const random = this.#random;
    this.figures.rounds++;
    await this.#elapse(50, 300);
    if (this.#nodes.length === 2 && random.below(3) === 0) {
      await this.#replaceDeadPrimary();
    } else {
      const disturbances: Disturbance[] = [];
      for (let count = 1 + random.below(3); count > 0; count--) {
        const busy = new Set(disturbances.flatMap(({ down }) => down ?? []));
        const next = anyDisturbance(this.#nodes, this.#primary, busy, this.#fabric, random, this.figures);
        this.#note(next.name);
        disturbances.push(next);
        await next.begin();
        await this.#elapse(0, 400);
      }
      const down = new Set(disturbances.flatMap((each) => each.down ?? []));
      // Before, after and while it is made good.
      const chance = random.below(4);
      const promoted = chance === 0 ? undefined : this.#promoteAny(down);
      if (chance === 1) await this.#elapse(0, 1500);
      else await promoted;
      await this.#elapse(0, 1200);
      await this.#makeGood(disturbances);
      await promoted;
    }
    await this.#recover();
    await this.#lookForLosses(this.#primary, NEWEST_STREAMS);
    this.#streams.writeTo(this.#primary.address);
  }

  /** A promotion with nothing broken. */
  async handOver(): Promise<void> {
    await this.#elapse(20, 150);
    await this.#promoteAny(new Set());
    await this.#recover();
    await this.#lookForLosses(this.#primary, NEWEST_STREAMS);
    this.#streams.writeTo(this.#primary.address);
  }

  /** Everything that clients were told is held against everything else that they were told, and what is there. */
  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
    await this.#clockwork.stop();
    this.#streams.stop();
    for (const node of this.#nodes) {
      await node.untilCaughtUpWith(this.#primary);
      await this.#lookForLosses(node, Infinity);
    }
    await this.#recording.readAll((command) => this.#primary.ask(command));
    this.#recording.check();
    this.figures.acknowledged = this.acknowledged;
    this.figures.readsChecked = this.#recording.reads;
    this.figures.followerReadsChecked = this.#recording.followerReads + this.#clockwork.checked;
    this.figures.unknown = this.#streams.unknown + this.#recording.unknown;
  }

  stop(): void {
    this.#streams.stop();
    for (const client of this.#clients) void client.stop().catch(() => undefined);
    void this.#clockwork.stop().catch(() => undefined);
  }

  #elapse(leastMs: number, mostMs: number): Promise<void> {
    return pause(leastMs + this.#random.next() * (mostMs - leastMs));
  }

  #note(what: string): void {
    this.events.push(`${((performance.now() - this.#startMs) / 1000).toFixed(2)} s: ${what}`);
  }

  /** Asks a node that is up to become primary, where it is not. */
  async #promoteAny(down: ReadonlySet<ClusterNode>): Promise<void> {
    const candidates = this.#nodes.filter((node) => node !== this.#primary && !down.has(node));
    if (candidates.length === 0) return;
    await this.#promote(this.#random.pick(candidates), '');
  }

  async #promote(node: ClusterNode, consents: string): Promise<boolean> {
    const answer = await Promise.race([
      node.ask(`PROMOTE ${consents}`.trimEnd()).catch((error: unknown) => String(error)),
      pause(ANSWER_MS_MAX, 'no answer in time'),
    ]);
    this.#note(`PROMOTE ${consents} ${node.name}: ${answer.slice(0, 150)}`);
    if (!answer.startsWith('OK ')) {
      if (answer === 'no answer in time') throw new Error(`PROMOTE of ${node.name} was not answered`);
      this.figures.promotionsRefused++;
      return false;
    }
    this.figures.promotions++;
    this.#primary = node;
    await this.#lookForLosses(node, NEWEST_STREAMS);
    this.#streams.writeTo(node.address);
    return true;
  }

  /** The primary of a pair dies, and the operator, who knows that, says so. */
  async #replaceDeadPrimary(): Promise<void> {
    const old = this.#primary;
    const successor = this.#nodes.find((node) => node !== old)!;
    const dead = kill(old, this.figures);
    this.#note(dead.name);
    await dead.begin();
    const isPromoted = await this.#promote(successor, 'OTHERS_ARE_DOWN');
    await this.#elapse(0, 300);
    await dead.end();
    if (!isPromoted) return;
    await old.process.until(() => old.process.stdout.includes('\n'));
    await old.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out');
    await addBackup(successor, old);
  }

  async #makeGood(disturbances: readonly Disturbance[]): Promise<void> {
    const left = [...disturbances];
    while (left.length > 0) {
      const [next] = left.splice(this.#random.below(left.length), 1);
      await next!.end();
      if (this.#random.below(2) === 0) await this.#fabric.heal();
      await this.#elapse(0, 100);
    }
    await this.#fabric.heal();
    this.#note('made good');
  }

  /** Waits until there is one primary that hears all the others, which have everything. */
  async #recover(): Promise<void> {
    const startMs = performance.now();
    let withoutMs = startMs;
    await eventually(
      'a primary that hears everybody',
      async () => {
        const statuses = await Promise.all(this.#nodes.map((node) => node.status().catch(() => undefined)));
        const at = statuses.findIndex(
          (status) => status?.facts.get('role') === 'primary' && status.facts.get('service') === 'serving',
        );
        if (at !== -1) withoutMs = performance.now();
        else if (performance.now() - withoutMs > WITHOUT_PRIMARY_MS) {
          withoutMs = performance.now();
          await this.#promote(this.#random.pick(this.#nodes), '');
        }
        const wanted = this.#nodes[at];
        if (wanted !== undefined && wanted !== this.#primary) {
          this.#note(`${wanted.name} serves`);
          this.#primary = wanted;
          this.#streams.writeTo(wanted.address);
        }
        return { at, statuses: statuses.map((status) => status ?? 'no answer') };
      },
      ({ at, statuses }) => isWhole(statuses[at], this.#nodes),
      RECOVERY_MS_MAX,
    );
    this.figures.slowestRecoveryMs = Math.max(this.figures.slowestRecoveryMs, performance.now() - startMs);
    this.#note(`whole, ${this.#primary.name} is the primary`);
  }

  async #lookForLosses(node: ClusterNode, newest: number): Promise<void> {
    this.#streams.stop();
    const isLookedAt = await this.#streams.check(node.address, newest);
    if (!isLookedAt) this.#note(`${node.name} does not answer what it has`);
  }
}

function isWhole(status: NodeStatus | string | undefined, nodes: readonly ClusterNode[]): boolean {
  if (status === undefined || typeof status === 'string') return false;
  const { facts, members } = status;
  return (
    facts.get('position')?.split(':')[1] === facts.get('commit') &&
    nodes.every(({ advertised }) => members.get(advertised)?.get('state') === 'member')
  );
}
