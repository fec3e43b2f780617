import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createClient } from '../src/client/client.js';
import { pause } from './first-answer.js';
import { startServer } from './server-process.js';
import type { BenchServer } from './server-process.js';

const POLL_MS = 10;
/** A backup that catches up beside clients is given time, and more of it where the disk is slow. */
const DEADLINE_MS = 180_000;

/** A primary that serves, and in which term. */
export interface Office {
  readonly address: string;
  readonly term: number;
}

export interface Node {
  readonly address: string;
  readonly dbPath: string;
  server: BenchServer;
}

export interface ClusterPlan {
  readonly nodes: number;
  readonly failover: 'manual' | 'auto';
}

/** Servers of this project on this machine that are members of one cluster, with nothing set but who makes a primary. */
export class OwnCluster {
  readonly #nodes: Node[] = [];
  readonly #plan: ClusterPlan;

  private constructor(plan: ClusterPlan) {
    this.#plan = plan;
  }

  static async start(directory: string, plan: ClusterPlan): Promise<OwnCluster> {
    const cluster = new OwnCluster(plan);
    mkdirSync(directory, { recursive: true });
    for (let at = 0; at < plan.nodes; at++) {
      await cluster.join(await cluster.startNode(path.join(directory, `node${String(at)}.json`)));
    }
    await cluster.whole();
    return cluster;
  }

  /** A server that has nothing yet and is no member: the first one serves, the others wait to be added. */
  async startNode(dbPath: string): Promise<Node> {
    const server = await startServer(dbPath, this.#options(dbPath));
    return { address: `${server.host}:${String(server.port)}`, dbPath, server };
  }

  /** Adds what was started; resolves when it is a member. */
  async join(node: Node): Promise<void> {
    const [first] = this.#nodes;
    this.#nodes.push(node);
    if (first === undefined) return;
    using client = createClient({ address: first.address });
    await client.addBackup(node.address);
    await this.whole();
  }

  /** Removes the member that was added last, with all that it has. */
  async dismissLast(): Promise<void> {
    const [first, ...others] = this.#nodes;
    const last = others.at(-1);
    if (first === undefined || last === undefined) return;
    using client = createClient({ address: first.address });
    await client.removeBackup(last.address);
    this.#nodes.pop();
    await last.server.kill();
    rmSync(last.dbPath, { force: true });
    rmSync(`${last.dbPath}.d`, { recursive: true, force: true });
  }

  /** All servers, the one that serves first. */
  async servers(): Promise<BenchServer[]> {
    const { address } = await this.whole();
    const all = [this.#at(address), ...this.#nodes.filter((node) => node.address !== address)];
    return all.map(({ server }) => server);
  }

  get addresses(): string[] {
    return this.#nodes.map(({ address }) => address);
  }

  /** Waits until one of them serves that hears all of them as members. */
  async whole(): Promise<Office> {
    const untilMs = performance.now() + DEADLINE_MS;
    while (performance.now() < untilMs) {
      for (const { address } of this.#nodes) {
        const office = await officeOf(address, this.#nodes.length);
        if (office !== undefined) return office;
      }
      await pause(POLL_MS);
    }
    throw new Error('no primary hears everybody');
  }

  /** The process at this address is killed; answers when, on the clock of `performance.now`. */
  kill(address: string): number {
    const { server } = this.#at(address);
    const atMs = performance.now();
    process.kill(server.processId, 'SIGKILL');
    return atMs;
  }

  /** The process at this address is told to stop; `ended` resolves when it has. */
  stop(address: string): { readonly atMs: number; readonly ended: Promise<void> } {
    const { server } = this.#at(address);
    const atMs = performance.now();
    return { atMs, ended: server.stop() };
  }

  /** Starts a node again that has ended, as it was started before. */
  async restart(address: string): Promise<void> {
    const node = this.#at(address);
    await node.server.kill();
    const port = node.server.port;
    node.server = await startServer(node.dbPath, this.#options(node.dbPath), { port });
  }

  async end(): Promise<void> {
    for (const { server } of this.#nodes) await server.kill();
  }

  #at(address: string): Node {
    const node = this.#nodes.find((each) => each.address === address);
    if (node === undefined) throw new Error(`${address} is none of the nodes`);
    return node;
  }

  #options(dbPath: string): string[] {
    const [first] = this.#nodes;
    const isFirst = first === undefined || first.dbPath === dbPath;
    const role = isFirst ? [] : ['--role', 'backup', '--primary', first.address];
    return [...role, '--failover', this.#plan.failover, '--log-level', 'error'];
  }
}

/** Undefined where the node is not the primary of so many members. */
async function officeOf(address: string, members: number): Promise<Office | undefined> {
  using client = createClient({ address, whenUnreachable: 'fail', timeoutMs: 500 });
  try {
    const status = await client.status();
    const isServing = status.facts.get('role') === 'primary' && status.facts.get('service') === 'serving';
    const heard = status.members.filter((member) => member.get('state') === 'member');
    const isWhole = isServing && heard.length === members;
    return isWhole ? { address, term: Number(status.facts.get('term')) } : undefined;
  } catch {
    // It is being started, or just was ended.
    return undefined;
  }
}
