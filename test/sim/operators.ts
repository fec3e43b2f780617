import type { Cancel } from '../../src/clock.js';
import type { Reconfiguration, Reconfigured, Refusal } from '../../src/engine.js';
import type { Random } from '../random.js';
import type { Checks } from './checks.js';
import type { Cluster, Machine } from './cluster.js';

/** No command may take longer than this on a node that runs. */
const COMMAND_MS_MAX = 60_000;
/** After everything was set right, links are there again within this time. */
const SETTLE_MS = 4000;

export type Answer = Refusal | Reconfigured | 'broken';

export interface OperatorOptions {
  /** Accepts, now and then, that data is lost. */
  readonly isLossy: boolean;
  /** Does nothing else, and never with the word that others are down. */
  readonly onlyPromotes: boolean;
  /** Lets the members make their own primary, or a person, now this and now that; and a primary remove itself. */
  readonly changesFailover: boolean;
  readonly pauseMsMax: number;
}

/**
 * A person who changes who takes part, at any moment, and tells the truth: whoever is said to be down is stopped, and
 * stays so until the command is answered or its connection is gone.
 */
export class Operator {
  isStopped = false;
  /** Commands that were carried out, by kind. */
  readonly done = new Map<string, number>();
  readonly refused = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #checks: Checks;
  readonly #random: Random;
  readonly #options: OperatorOptions;
  #acting: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, checks: Checks, random: Random, options: OperatorOptions) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#random = random;
    this.#options = options;
  }

  start(): void {
    this.#next();
  }

  /** Resolves once no command is under way. */
  async idle(): Promise<void> {
    await this.#acting;
  }

  /** Gives one command to one node, which has to run, and resolves with the answer. */
  command(machine: Machine, change: Reconfiguration): Promise<Answer> {
    const { world, network, scheduler } = this.#cluster;
    const { node, process } = machine;
    const label = describeChange(change);
    if (node === undefined || process === undefined) return Promise.resolve('broken');
    scheduler.note(`operator asks ${machine.name}: ${label}`);
    return new Promise((resolve) => {
      const watches: Cancel[] = [];
      const finish = (answer: Answer): void => {
        for (const watch of watches) watch.cancel();
        const text =
          answer === 'broken' ? answer : 'code' in answer ? `${answer.code} ${answer.message}` : 'OK';
        scheduler.note(`operator is answered by ${machine.name}: ${label}: ${text}`);
        count(text === 'OK' ? this.done : this.refused, label);
        resolve(answer);
      };
      watches.push(
        process.whenEnded(() => world.post(network.latencyMs(), 'command broken', () => finish('broken'))),
      );
      watches.push(this.#watchTime(machine, label));
      process.post(network.latencyMs(), `is asked: ${label}`, () => {
        const answered = (answer: Answer): void => {
          world.post(network.latencyMs(), `${machine.name} answers the operator`, () => finish(answer));
        };
        node.engine.reconfigure(change).then(answered, (error: unknown) => {
          this.#checks.report(`${label} threw on ${machine.name}: ${String(error)}`);
        });
      });
    });
  }

  /** Time in which the node is paused does not count. */
  #watchTime(machine: Machine, label: string): Cancel {
    const { world } = this.#cluster;
    const { process } = machine;
    const stepMs = 1000;
    let leftMs = COMMAND_MS_MAX;
    let next: Cancel;
    const look = (): void => {
      if (process?.isPaused === false) leftMs -= stepMs;
      if (leftMs <= 0) this.#checks.report(`${label} is not answered by ${machine.name}`);
      else next = world.post(stepMs, 'operator waits', look);
    };
    next = world.post(stepMs, 'operator waits', look);
    return {
      cancel: () => {
        next.cancel();
      },
    };
  }

  #next(): void {
    const delayMs = this.#random.next() * this.#options.pauseMsMax;
    this.#cluster.world.post(delayMs, 'operator looks', () => {
      if (this.isStopped) return;
      const again = (): void => {
        this.#next();
      };
      this.#acting = this.#act();
      this.#acting.then(again, (error: unknown) => {
        this.#checks.report(`the operator failed: ${String(error)}`);
      });
    });
  }

  #act(): Promise<unknown> {
    const random = this.#random;
    const running = this.#cluster.machines.filter(({ node }) => node !== undefined);
    if (running.length === 0) return Promise.resolve();
    const { primary } = this.#cluster;
    if (this.#options.onlyPromotes) return this.#handOver(random.pick(running));
    const target = primary !== undefined && random.next() < 0.9 ? primary : random.pick(running);
    const other = random.pick(this.#cluster.machines);
    const chance = random.next();
    if (this.#options.changesFailover) return this.#actWithElections(target, other, running);
    if (primary === undefined || chance < 0.3) return this.#promote(random.pick(running));
    if (chance < 0.8) return this.command(target, { kind: 'addBackup', address: other.address });
    if (chance < 0.97) return this.#remove(target, other);
    const acks = random.pick(['majority', 'all'] as const);
    return this.command(target, { kind: 'setAcks', acks });
  }

  /** Most of the time nobody is needed to make another primary, and whoever does it all the same comes at the wrong moment. */
  #actWithElections(target: Machine, other: Machine, running: readonly Machine[]): Promise<unknown> {
    const random = this.#random;
    const chance = random.next();
    const inOffice = this.#cluster.machines.find(({ isInOffice }) => isInOffice) ?? target;
    if (chance < 0.15) return this.#promote(random.pick(running));
    if (chance < 0.55) return this.command(target, { kind: 'addBackup', address: other.address });
    if (chance < 0.7) return this.#remove(random.next() < 0.8 ? target : inOffice, other);
    if (chance < 0.85) return this.#remove(target, target);
    if (chance < 0.93) {
      const failover = random.pick(['auto', 'auto', 'manual'] as const);
      return this.command(target, { kind: 'setFailover', failover });
    }
    return this.command(inOffice, { kind: 'setAcks', acks: random.pick(['majority', 'all'] as const) });
  }

  async #remove(target: Machine, backup: Machine): Promise<void> {
    const isDown = backup.isStopped;
    if (isDown) backup.isHeld = true;
    await this.command(target, { kind: 'removeBackup', address: backup.address, backupIsDown: isDown });
    if (isDown) backup.isHeld = false;
  }

  async #promote(target: Machine): Promise<void> {
    const isForced = this.#cluster.machines.some(({ isStopped }) => isStopped) && this.#random.next() < 0.6;
    if (isForced) {
      await this.force(target);
      return;
    }
    await this.#handOver(target);
  }

  #handOver(target: Machine): Promise<Answer> {
    return this.command(target, { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
  }

  /**
   * Promotes with the word that whoever does not answer is down. So whoever runs must be able to answer: the network
   * is put right first, and until the answer nothing but a crash happens, and whoever crashed stays down.
   */
  async force(target: Machine): Promise<void> {
    const cluster = this.#cluster;
    cluster.calmDown();
    cluster.isCalm = true;
    for (const machine of cluster.machines) if (machine.isStopped) machine.isHeld = true;
    await new Promise<void>((resolve) => void cluster.world.post(SETTLE_MS, 'operator is sure', resolve));
    if (cluster.machines.every(({ isStopped, node }) => isStopped || node !== undefined)) {
      const acceptDataLoss = this.#options.isLossy && this.#random.next() < 0.3;
      await this.command(target, { kind: 'promote', othersAreDown: true, acceptDataLoss });
    }
    cluster.isCalm = false;
    for (const machine of cluster.machines) machine.isHeld = false;
  }
}

function describeChange(change: Reconfiguration): string {
  switch (change.kind) {
    case 'addBackup':
      return `add ${change.address}`;
    case 'removeBackup':
      return `remove ${change.address}${change.backupIsDown ? ' which is down' : ''}`;
    case 'promote':
      return `promote${change.othersAreDown ? ', others are down' : ''}${change.acceptDataLoss ? ', accept loss' : ''}`;
    case 'setAcks':
      return `acks ${change.acks}`;
    case 'setFailover':
      return `failover ${change.failover}`;
  }
}

function count(counts: Map<string, number>, label: string): void {
  const kind = label.replace(/10\.0\.0\.\d+:7001 ?/, '').trim();
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
}
