import { expect } from 'chai';
import { wholeRange } from '../../src/engine.js';
import type { AcksPolicy, FailoverPolicy, Reconfiguration, Refusal } from '../../src/engine.js';
import type { Message } from '../../src/replication/message.js';
import { DEFAULT_TIMING, DEFAULT_WINDOWS } from '../../src/replication/timing.js';
import { seededRandom } from '../random.js';
import { Checks } from './checks.js';
import { Cluster } from './cluster.js';
import type { Machine } from './cluster.js';
import { describeCluster } from './convergence.js';
import { Operator } from './operators.js';
import type { Answer } from './operators.js';
import { startRealNode } from './real-node.js';
import type { Process } from './scheduler.js';

const SCENE_MS_MAX = 600_000;
const POLL_MS = 3;
const SLOW_SYNC_MS = 5000;
/** Commands are given again after these. */
const NOT_NOW: ReadonlySet<string> = new Set(['BUSY', 'NO_QUORUM']);
/** What was sent over a link that is cut is lost after this. */
const LINKS_LOST_MS = 16_000;

export interface SceneOptions {
  readonly seed?: number;
  readonly acks?: AcksPolicy;
  readonly failover?: FailoverPolicy;
  readonly snapshotLogBytes?: number;
  /** Of few, each small write is done while everything else waits. */
  readonly connections?: number;
}

/** A cluster of real nodes in which exactly that happens which a script says. */
export class Scene {
  readonly cluster: Cluster;
  readonly checks = new Checks();
  /** What the nodes said, and everything else that happened, oldest first. */
  readonly said: string[] = [];
  readonly #operator: Operator;
  readonly #acks: AcksPolicy;
  readonly #failover: FailoverPolicy;

  constructor(nodes: number, options: SceneOptions) {
    const random = seededRandom(options.seed ?? 1);
    this.#acks = options.acks ?? 'majority';
    this.#failover = options.failover ?? 'manual';
    const parts = {
      nodes,
      fsync: 'always',
      segmentBytes: 4096,
      snapshotLogBytes: options.snapshotLogBytes ?? 1_000_000,
      timing: DEFAULT_TIMING,
      windows: DEFAULT_WINDOWS,
      connections: options.connections ?? 1,
      latencyMsMax: 2,
      syncMsMax: 2,
      driftMax: 0.01,
      sessionIdleMs: 3_600_000,
      startNode: startRealNode,
      planted: undefined,
    } as const;
    this.cluster = new Cluster(parts, random, this.checks);
    const operator = { isLossy: false, onlyPromotes: true, changesFailover: false, pauseMsMax: 0 };
    this.#operator = new Operator(this.cluster, this.checks, random, operator);
    const { scheduler } = this.cluster;
    const note = scheduler.note.bind(scheduler);
    scheduler.note = (text) => {
      if (text.includes(' says: ')) this.said.push(text);
      note(text);
    };
  }

  get machines(): readonly [Machine, Machine, Machine, Machine, Machine] {
    return this.cluster.machines as unknown as readonly [Machine, Machine, Machine, Machine, Machine];
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.cluster.world.post(delayMs, 'the script waits', resolve));
  }

  async until(what: string, isTrue: () => boolean, withinMs = 20_000): Promise<void> {
    const { scheduler } = this.cluster;
    const deadlineMs = scheduler.nowMs + withinMs;
    while (!isTrue()) {
      if (scheduler.nowMs > deadlineMs)
        throw new Error(`not in time: ${what}\n${describeCluster(this.cluster)}`);
      await this.pause(POLL_MS);
    }
  }

  /** Starts all machines, and makes the first `count` of them members. */
  async join(count: number): Promise<void> {
    const [first, ...others] = this.cluster.machines;
    for (const machine of this.cluster.machines) this.cluster.start(machine);
    await this.until('all run', () => this.cluster.machines.every(({ node }) => node !== undefined));
    for (const { address } of others.slice(0, count - 1)) {
      expect(await this.insist(first!, { kind: 'addBackup', address })).to.have.property('status');
      await this.until(`${address} is a member`, () => this.stateOf(first!, address) === 'member');
    }
    if (this.#acks !== 'majority') await this.insist(first!, { kind: 'setAcks', acks: this.#acks });
    if (this.#failover === 'auto') await this.insist(first!, { kind: 'setFailover', failover: 'auto' });
    await this.put(first!, 'joined');
    // So that every member has heard of it from a primary that serves.
    await this.pause(1500);
  }

  /** What a primary's status calls the node at an address. */
  stateOf(machine: Machine, address: string): string | undefined {
    const members = machine.node?.engine.status().members ?? [];
    return members.find((member) => member.address === address)?.state;
  }

  isServing({ node }: Machine): boolean {
    const now = node?.inspect();
    return now?.role === 'primary' && now.service === 'serving';
  }

  async start(machine: Machine): Promise<void> {
    this.cluster.start(machine);
    await this.until(`${machine.name} runs`, () => machine.node !== undefined);
  }

  crash(...machines: readonly Machine[]): void {
    for (const machine of machines) this.cluster.crash(machine, false);
  }

  /** Called with each message that a process hands to the network, and the address that it goes to. */
  onSending(look: (process: Process, message: Message, to: string) => void): void {
    const { network } = this.cluster;
    const before = network.sending;
    network.sending = (process, message, to) => {
      before(process, message, to);
      look(process, message, to);
    };
  }

  /** Its disk takes long to sync. */
  slowDown(machine: Machine): void {
    machine.disk.syncMsMax = SLOW_SYNC_MS;
  }

  /** Nothing gets through between these two, in either direction. */
  cut(a: Machine, b: Machine): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  cutOneWay(from: Machine, to: Machine): void {
    this.cluster.network.block(from.address, to.address);
  }

  /** The machines are gone, with what they sent over links that are cut. */
  async lose(...machines: readonly Machine[]): Promise<void> {
    this.crash(...machines);
    await this.pause(LINKS_LOST_MS);
  }

  mendOneWay(from: Machine, to: Machine): void {
    this.cluster.network.unblock(from.address, to.address);
  }

  mend(): void {
    this.cluster.network.unblockAll();
  }

  command(machine: Machine, change: Reconfiguration): Promise<Answer> {
    return this.#operator.command(machine, change);
  }

  async insist(machine: Machine, change: Reconfiguration): Promise<Answer> {
    for (;;) {
      const answer = await this.command(machine, change);
      if (answer === 'broken' || !('code' in answer) || !NOT_NOW.has(answer.code)) return answer;
      await this.pause(100);
    }
  }

  promote(
    machine: Machine,
    words: { othersAreDown?: boolean; acceptDataLoss?: boolean } = {},
  ): Promise<Answer> {
    return this.command(machine, { kind: 'promote', othersAreDown: false, acceptDataLoss: false, ...words });
  }

  /** Writes a key with its own name as the value; undefined when it is acknowledged. */
  async put(machine: Machine, key: string, value = key): Promise<Refusal | undefined> {
    const range = (text: string) => wholeRange(Buffer.from(text));
    const answers: (Refusal | undefined)[] = [];
    const operation = { kind: 'put', key: range(key), value: range(value) } as const;
    machine.process?.post(0, `put ${key}`, () => {
      machine.node?.engine.write(operation, { written: (refused) => void answers.push(refused) });
    });
    await this.until(`put ${key} is answered`, () => answers.length > 0);
    return answers[0];
  }

  /** Writes until it is acknowledged. */
  async putAtLast(machine: Machine, key: string, withinMs: number): Promise<void> {
    const deadlineMs = this.cluster.scheduler.nowMs + withinMs;
    while ((await this.put(machine, key)) !== undefined) {
      if (this.cluster.scheduler.nowMs > deadlineMs)
        throw new Error(`put ${key} is not done in time\n${describeCluster(this.cluster)}`);
      await this.pause(100);
    }
  }

  keys({ node }: Machine): string[] {
    return [...(node?.content()?.keys() ?? [])].sort();
  }

  /** The files of a machine as they are now. */
  copyDisk(machine: Machine): ReadonlyMap<string, Buffer> {
    return machine.disk.memory.image();
  }

  /** Puts an earlier copy of all its files in the place of what is there. */
  restoreDisk(machine: Machine, image: ReadonlyMap<string, Buffer>): void {
    const { memory } = machine.disk;
    for (const file of memory.image().keys()) if (!image.has(file)) memory.take(file);
    for (const [file, content] of image) memory.put(file, content);
  }
}

/** Plays a script to its end, with all checks. */
export async function play(
  nodes: number,
  options: SceneOptions,
  script: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scene = new Scene(nodes, options);
  const { cluster, checks } = scene;
  const ending: { isOver: boolean; error?: unknown } = { isOver: false };
  script(scene).then(
    () => (ending.isOver = true),
    (error: unknown) => {
      ending.isOver = true;
      ending.error = error;
    },
  );
  await cluster.scheduler.run(SCENE_MS_MAX, () => ending.isOver || checks.violation !== undefined);
  if (checks.violation !== undefined)
    throw new Error(`${checks.violation.message}\n${describeCluster(cluster)}`);
  if (ending.error !== undefined) throw ending.error as Error;
  if (!ending.isOver) throw new Error(`the script did not come to its end\n${describeCluster(cluster)}`);
}

/** The code of a refusal; `OK` when it was none. */
export function codeOf(answer: Answer): string {
  return answer === 'broken' ? answer : 'code' in answer ? answer.code : 'OK';
}

export function messageOf(answer: Answer): string {
  return answer !== 'broken' && 'code' in answer ? answer.message : '';
}
