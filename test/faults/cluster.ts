import { setTimeout as pause } from 'node:timers/promises';
import path from 'node:path';
import { runKv } from '../cli/run-kv.js';
import type { Finished } from '../cli/run-kv.js';
import { freePort } from '../free-port.js';
import { talk } from '../server/conversation.js';
import { serverProcesses } from './server-process.js';
import type { LaunchOptions, ServerProcess, ServerProcesses } from './server-process.js';

const POLL_MS = 20;
const DEADLINE_MS = 15_000;

export interface NodeStatus {
  readonly facts: ReadonlyMap<string, string>;
  /** The members and learners by address. */
  readonly members: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Asks again and again until the answer will do, and fails with the last one at the deadline. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T> | T,
  isEnough: (answer: T) => boolean,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (isEnough(answer)) return answer;
    if (performance.now() > endMs) {
      const within = `within ${String(deadlineMs / 1000)} s`;
      throw new Error(`not ${within}: ${what}; at last: ${JSON.stringify(answer, replaceMaps)}`);
    }
    await pause(POLL_MS);
  }
}

/** Fails when the promise is not settled in time, so that what hangs has a name. */
export async function inTime<T>(what: string, work: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const late = new AbortController();
  const timer = pause(deadlineMs, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} took longer than ${String(deadlineMs / 1000)} s`);
  });
  timer.catch(() => undefined);
  try {
    return await Promise.race([work, timer]);
  } finally {
    late.abort();
  }
}

function replaceMaps(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** Where a node runs, and where the others reach it. */
export interface Place {
  /** Where it listens. */
  readonly address: string;
  /** The address under which the others know it. */
  readonly advertised: string;
  /** Words of a program that runs the server there. */
  readonly under?: readonly string[];
  readonly options?: readonly string[];
  /** What the nodes of one cluster prove to each other that they have. */
  readonly secret?: string;
}

/** What is around the nodes of a cluster. */
export interface Surroundings {
  place(name: string): Promise<Place>;
}

/** One node of a cluster: its data and its address stay, its process comes and goes. */
export class ClusterNode {
  readonly name: string;
  /** Where clients of the test reach it. */
  readonly address: string;
  /** Where the other nodes reach it, and how it stands among the members. */
  readonly advertised: string;
  readonly dbPath: string;
  readonly #servers: ServerProcesses;
  readonly #place: Place;
  /** Words for the start of new data, and words for each start. */
  readonly #words: readonly string[];
  #process: ServerProcess | undefined;

  constructor(
    servers: ServerProcesses,
    name: string,
    place: Place,
    words: readonly string[],
    directory = servers.directory,
  ) {
    this.#servers = servers;
    this.name = name;
    this.#place = place;
    this.address = place.address;
    this.advertised = place.advertised;
    this.dbPath = path.join(directory, `${name}.json`);
    this.#words = words;
  }

  /** The data of this node, which is not to run meanwhile, at the address of another one. */
  movedTo({ address, advertised }: ClusterNode): ClusterNode {
    const place = { ...this.#place, address, advertised };
    return new ClusterNode(this.#servers, this.name, place, this.#words, path.dirname(this.dbPath));
  }

  /** The process that runs, or the last one that ran. */
  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  get isUp(): boolean {
    return this.#process !== undefined && !this.#process.hasEnded;
  }

  launch(options: Pick<LaunchOptions, 'options' | 'under'> = {}): ServerProcess {
    if (this.isUp) throw new Error(`${this.name} runs already`);
    const { advertised, secret, under = [] } = this.#place;
    const advertise = advertised === this.address ? [] : ['--advertise', advertised];
    const words = [...this.#words, ...advertise, ...(this.#place.options ?? []), ...(options.options ?? [])];
    this.#process = this.#servers.launch({
      environment: secret === undefined ? {} : { KV_CLUSTER_SECRET: secret },
      under: [...under, ...(options.under ?? [])],
      dbPath: this.dbPath,
      address: this.address,
      options: words,
    });
    return this.#process;
  }

  /** Resolves once it has said that it is ready. */
  async start(options?: Pick<LaunchOptions, 'options' | 'under'>): Promise<ServerProcess> {
    const server = this.launch(options);
    await inTime(
      `the start of ${this.name}`,
      server.until(() => server.stdout.includes('\n')),
    );
    return server;
  }

  /** As a power switch does it. */
  async kill(): Promise<void> {
    await inTime(`the end of ${this.name}`, this.process.kill());
  }

  /** Asks it to stop, and resolves when it has ended cleanly. */
  async stop(): Promise<void> {
    this.process.signal('SIGTERM');
    const { code } = await inTime(`the stop of ${this.name}`, this.process.ended);
    if (code !== 0) throw new Error(`${this.name} ended with ${String(code)}: ${this.process.stderr}`);
  }

  /** One line to it, and all that comes back. */
  talk(line: string | Buffer): Promise<string> {
    return inTime(
      `the answer of ${this.name} to ${line.toString('latin1').slice(0, 40)}`,
      talk(this.address, line),
      20_000,
    );
  }

  /** One command, and its answer without the line ending. */
  async ask(command: string): Promise<string> {
    return (await this.talk(`${command}\n`)).replace(/\n$/, '');
  }

  /** What it says of itself, node identities included. */
  async status(): Promise<NodeStatus> {
    const facts = new Map<string, string>();
    const members = new Map<string, ReadonlyMap<string, string>>();
    for (const line of (await this.ask('STATUS')).split('\n')) {
      const text = line.startsWith('"') ? (JSON.parse(line) as string) : line;
      if (text.startsWith('member=')) {
        const fields = new Map(text.split(' ').map(pairOf));
        members.set(fields.get('member')!, fields);
      } else if (text.includes('=')) {
        facts.set(...pairOf(text));
      }
    }
    return { facts, members };
  }

  async fact(name: string): Promise<string | undefined> {
    return (await this.status()).facts.get(name);
  }

  /** Waits until STATUS says so. */
  untilStatus(
    what: string,
    isEnough: (status: NodeStatus) => boolean,
    deadlineMs?: number,
  ): Promise<NodeStatus> {
    return eventually(`${this.name} ${what}`, () => this.status(), isEnough, deadlineMs);
  }

  /** Waits until this node has applied what the other one has committed at this moment. */
  async untilCaughtUpWith(primary: ClusterNode, deadlineMs?: number): Promise<void> {
    const commit = Number(await primary.fact('commit'));
    await this.untilStatus(
      `has applied up to ${String(commit)}`,
      ({ facts }) => Number(facts.get('applied')) >= commit,
      deadlineMs,
    );
  }

  /** The file beside the data that keeps what only this node had. */
  get directory(): string {
    return `${this.dbPath}.d`;
  }

  /** Runs the command line with this node as the server. */
  kv(...words: string[]): Promise<Finished> {
    return runKv(words, { environment: { KV_ADDRESS: this.address } });
  }
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

export interface Clusters {
  readonly servers: ServerProcesses;
  /** A node that is not started; without a primary it is one. */
  node(
    name: string,
    options?: {
      primary?: ClusterNode | string;
      options?: readonly string[];
      directory?: string;
      /** Loopback, and nothing between, unless it is said. */
      surroundings?: Surroundings;
    },
  ): Promise<ClusterNode>;
  /** Nodes that serve, the first one the primary, and the others its members. */
  of(count: number, options?: readonly string[], surroundings?: Surroundings): Promise<ClusterNode[]>;
}

/** Clusters of real processes for the tests of the enclosing suite, all gone when a test is over. */
export function clusters(): Clusters {
  const servers = serverProcesses();
  const loopback: Surroundings = {
    async place() {
      const address = `127.0.0.1:${String(await freePort())}`;
      return { address, advertised: address };
    },
  };
  const made: Clusters = {
    servers,
    async node(name, { primary, options = [], directory, surroundings = loopback } = {}) {
      const follows = primary instanceof ClusterNode ? primary.advertised : primary;
      const role = follows === undefined ? [] : ['--role', 'backup', '--primary', follows];
      const place = await surroundings.place(name);
      return new ClusterNode(servers, name, place, [...role, ...options], directory);
    },
    async of(count, options = [], surroundings = loopback) {
      const first = await made.node('node1', { options, surroundings });
      const others: ClusterNode[] = [];
      for (let at = 2; at <= count; at++) {
        others.push(await made.node(`node${String(at)}`, { primary: first, options, surroundings }));
      }
      await Promise.all([first, ...others].map((node) => node.start()));
      for (const backup of others) await addBackup(first, backup);
      return [first, ...others];
    },
  };
  return made;
}

/** Adds a backup and waits until it counts. */
export async function addBackup(
  primary: ClusterNode,
  backup: ClusterNode,
  deadlineMs?: number,
): Promise<void> {
  const added = await eventually(
    `${primary.name} adds ${backup.name}`,
    () => primary.ask(`ADD_BACKUP ${backup.advertised}`),
    (answer) => !answer.startsWith('ERROR BUSY'),
  );
  if (added !== 'OK state=learner') throw new Error(`ADD_BACKUP ${backup.name}: ${added}`);
  await untilMember(primary, backup, deadlineMs);
}

/** Waits until the primary lists it as a member that it hears, and everything that was decided is confirmed. */
export async function untilMember(
  primary: ClusterNode,
  backup: ClusterNode,
  deadlineMs?: number,
): Promise<void> {
  await primary.untilStatus(
    `has ${backup.name} as a member`,
    ({ facts, members }) =>
      members.get(backup.advertised)?.get('state') === 'member' &&
      facts.get('service') === 'serving' &&
      facts.get('position')?.split(':')[1] === facts.get('commit'),
    deadlineMs,
  );
}

/** Promotes, and answers what came of it. */
export async function promote(node: ClusterNode, consents = ''): Promise<string> {
  const answer = await node.ask(`PROMOTE ${consents}`.trimEnd());
  if (!answer.startsWith('OK role=primary '))
    throw new Error(`PROMOTE ${consents} of ${node.name}: ${answer}`);
  return answer;
}
