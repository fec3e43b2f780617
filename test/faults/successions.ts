import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import { untilSuccessor, untilWhole } from './automatic.js';
import type { Office } from './automatic.js';
import { ClientLoad } from './client-load.js';
import type { ClusterNode } from './cluster.js';
import type { Fabric } from './fabric.js';
import { LibraryCallers } from './library-callers.js';
import { numberedWritesOf } from './numbered-writes.js';
import { RecordedClient, Recording } from './recording.js';
import { blowTo } from './succession.js';
import type { Kind } from './succession.js';

/** Longer than a succession ever takes, so that no call has to fail for it. */
const TIMEOUT_MS = 20_000;
const CALLERS = 4;
const WORKERS = 8;

export interface SuccessionFigures {
  failovers: number;
  byKind: Record<string, number>;
  acknowledged: number;
  failed: number;
  readsChecked: number;
  /** Writes that stand in the log more than once, and were to take effect once. */
  repeated: number;
  telling: number;
  slowestSuccessionMs: number;
  slowestRecoveryMs: number;
}

/** A cluster that loses its primary again and again, with nobody to help it, and clients that know what they were promised. */
export class Successions {
  readonly events: string[] = [];
  readonly figures: SuccessionFigures = {
    failovers: 0,
    byKind: {},
    acknowledged: 0,
    failed: 0,
    readsChecked: 0,
    repeated: 0,
    telling: 0,
    slowestSuccessionMs: 0,
    slowestRecoveryMs: 0,
  };
  readonly #nodes: readonly ClusterNode[];
  readonly #fabric: Fabric;
  readonly #random: Random;
  readonly #recording = new Recording();
  readonly #bare: readonly RecordedClient[];
  readonly #callers: LibraryCallers;
  readonly #client: KvClient;
  readonly #load: ClientLoad;
  readonly #startMs = performance.now();
  #office: Office;

  constructor(nodes: readonly ClusterNode[], office: Office, fabric: Fabric, random: Random) {
    this.#nodes = nodes;
    this.#office = office;
    this.#fabric = fabric;
    this.#random = random;
    const addresses = nodes.map(({ address }) => address);
    // Some stay where they are, so that an old primary is asked what it must not answer any more.
    const reached = [...addresses.map((address) => [address]), addresses];
    this.#bare = reached.map(
      (each, at) => new RecordedClient(`bare${String(at)}`, each, this.#recording, this.#someRandom()),
    );
    this.#callers = new LibraryCallers(addresses, TIMEOUT_MS, this.#recording, this.#someRandom());
    this.#client = createClient({ addresses, timeoutMs: TIMEOUT_MS });
    this.#load = new ClientLoad(this.#client, TIMEOUT_MS, 'own', { thinkMs: 5, deletesOneOf: 2 });
    this.#callers.start(CALLERS);
    this.#load.start(WORKERS);
  }

  /** The primary is lost, another one serves, and the old one comes back. */
  async succeed(kind: Kind): Promise<void> {
    const { node: old } = this.#office;
    const others = this.#nodes.filter((node) => node !== old);
    const blow = blowTo(old, kind, others, this.#fabric, this.#random);
    await this.#load.acknowledged(20);
    await this.#elapse(200);
    const struckMs = performance.now();
    this.#note(blow.name);
    await blow.strike();
    const successor = await untilSuccessor(this.#nodes, this.#office);
    this.#slowest('slowestSuccessionMs', struckMs);
    this.#note(`${successor.node.name} serves in term ${String(successor.term)}`);
    // The new one works before the old one comes back, or it does not.
    if (this.#random.below(3) > 0) await this.#load.acknowledged(20);
    await this.#elapse(1000);
    const undoneMs = performance.now();
    await blow.undo();
    this.#note('made good');
    this.#office = await untilWhole(this.#nodes);
    this.#slowest('slowestRecoveryMs', undoneMs);
    this.#note(`whole, ${this.#office.node.name} is the primary`);
    this.figures.failovers++;
    this.figures.byKind[kind] = (this.figures.byKind[kind] ?? 0) + 1;
  }

  /** What clients were told is held against what there is on each node, and against what its log says. */
  async end(): Promise<void> {
    await this.#load.acknowledged(100);
    await Promise.all([...this.#bare.map((each) => each.stop()), this.#callers.stop(), this.#load.stop()]);
    const { node: primary } = await untilWhole(this.#nodes);
    await this.#recording.readAll((command) => primary.ask(command));
    this.#recording.check();
    const contents = new Map<string, ReadonlyMap<string, string>>();
    for (const node of this.#nodes) {
      await node.untilCaughtUpWith(primary);
      const content = await contentOf(node);
      this.#load.check(new Set(content.keys()));
      contents.set(node.dbPath, content);
    }
    this.#client.close();
    for (const node of this.#nodes) await node.kill();
    await this.#compareLogs(contents);
    this.figures.acknowledged = this.#recording.acknowledged + this.#load.figures.acknowledged;
    const failures = [...this.#callers.failures, ...this.#load.failures];
    this.figures.failed = failures.length;
    for (const { code, message } of failures) this.events.push(`a call failed: ${code} ${message}`);
    this.figures.readsChecked = this.#recording.reads;
  }

  stop(): void {
    for (const each of this.#bare) void each.stop().catch(() => undefined);
    void this.#callers.stop().catch(() => undefined);
    this.#client.close();
    void this.#load.stop().catch(() => undefined);
  }

  async #compareLogs(contents: ReadonlyMap<string, ReadonlyMap<string, string>>): Promise<void> {
    for (const [dbPath, content] of contents) {
      const written = await numberedWritesOf(dbPath);
      const differing = [...new Set([...written.content.keys(), ...content.keys()])].filter(
        (key) => written.content.get(key) !== content.get(key),
      );
      if (differing.length > 0) {
        const shown = differing.slice(0, 5).map((key) => {
          return `${key}: ${String(content.get(key))}, by its log ${String(written.content.get(key))}`;
        });
        throw new Error(`${dbPath} does not hold what its log says once:\n${shown.join('\n')}`);
      }
      this.figures.repeated = Math.max(this.figures.repeated, written.repeated);
      this.figures.telling = Math.max(this.figures.telling, written.telling);
    }
  }

  #someRandom(): Random {
    return seededRandom(this.#random.below(2 ** 31));
  }

  #elapse(mostMs: number): Promise<void> {
    return pause(this.#random.next() * mostMs);
  }

  #note(what: string): void {
    this.events.push(`${((performance.now() - this.#startMs) / 1000).toFixed(2)} s: ${what}`);
  }

  #slowest(figure: 'slowestSuccessionMs' | 'slowestRecoveryMs', sinceMs: number): void {
    this.figures[figure] = Math.max(this.figures[figure], Math.round(performance.now() - sinceMs));
  }
}

/** All that a node shows. */
async function contentOf(node: ClusterNode): Promise<Map<string, string>> {
  const client = createClient({ address: node.address, values: 'string' });
  try {
    const keys = await client.keys();
    const values = await client.mget(keys);
    return new Map(keys.map((key, at) => [key, values[at] ?? '']));
  } finally {
    client.close();
  }
}
