import type { FsyncPolicy } from '../../src/engine.js';
import type { EventLog } from '../../src/event-log.js';
import type { Timing, Windows } from '../../src/replication/timing.js';
import type { Random } from '../random.js';
import type { Checks } from './checks.js';
import { SimulatedDisk } from './disk.js';
import { CALM, SimulatedNetwork } from './network.js';
import type { NetworkTemper } from './network.js';
import type { Planted } from './planted.js';
import { MachineClock, processClock } from './machine-clock.js';
import { Process, Scheduler } from './scheduler.js';
import type { NodePorts, RunningNode, StartNode } from './sim-node.js';
import { Violation } from './violation.js';

const DB_PATH = '/data/kv-store.json';

export interface ClusterOptions {
  readonly nodes: number;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly snapshotLogBytes: number;
  readonly timing: Timing;
  readonly latencyMsMax: number;
  readonly syncMsMax: number;
  /** How far monotonic clocks go from the right pace, as a share of it. */
  readonly driftMax: number;
  readonly sessionIdleMs: number;
  readonly windows: Windows;
  readonly connections: number;
  readonly startNode: StartNode;
  readonly planted: Planted | undefined;
}

/** One computer: what stays when its process ends. */
export class Machine {
  readonly name: string;
  readonly address: string;
  readonly disk = new SimulatedDisk();
  readonly clock: MachineClock;
  process: Process | undefined;
  /** Undefined while it starts or is stopped. */
  node: RunningNode | undefined;
  /** An operator gave their word that it is stopped: it is not started until that is taken back. */
  isHeld = false;
  /** When it was last looked at. */
  isInOffice = false;
  /** A clean stop is under way. */
  isClosing = false;

  constructor(name: string, address: string, clock: MachineClock) {
    this.name = name;
    this.address = address;
    this.clock = clock;
  }

  get isStopped(): boolean {
    return this.process === undefined;
  }
}

/** Some machines, the network between them, and a process for everybody outside. */
export class Cluster {
  readonly scheduler = new Scheduler();
  readonly network: SimulatedNetwork;
  readonly machines: readonly Machine[];
  /** Clients and operators: never paused, never ended. */
  readonly world: Process;
  /** Told when a node has taken office; most do not serve yet. */
  tookOffice: (machine: Machine) => void = () => undefined;
  /** Nothing may be made worse now: an operator vouched for who is stopped, and everybody else has to answer. */
  isCalm = false;
  readonly #options: ClusterOptions;
  readonly #random: Random;
  readonly #checks: Checks;

  constructor(options: ClusterOptions, random: Random, checks: Checks) {
    this.#options = options;
    this.#random = random;
    this.#checks = checks;
    this.network = new SimulatedNetwork(this.scheduler, random);
    this.network.temper = this.#calm;
    this.world = new Process(this.scheduler, 'world');
    this.machines = Array.from({ length: options.nodes }, (_, at) => this.#machine(at + 1));
    this.network.sending = (process, message) => {
      attempt(() => {
        checks.sent(process.name, message);
      });
    };
    this.network.changedUnderWay = (process, message) => {
      checks.report(`the bytes of ${process.name}'s ${message.kind} changed while it was under way`);
    };
    this.scheduler.afterEach = () => {
      this.#look();
    };
  }

  /** The machine whose node serves as primary in the highest term. */
  get primary(): Machine | undefined {
    let found: { readonly machine: Machine; readonly term: number } | undefined;
    for (const machine of this.machines) {
      const now = machine.node?.inspect();
      if (now?.role !== 'primary' || now.service !== 'serving') continue;
      if (found === undefined || found.term < now.term) found = { machine, term: now.term };
    }
    return found?.machine;
  }

  get #calm(): NetworkTemper {
    return { ...CALM, latencyMsMax: this.#options.latencyMsMax };
  }

  get latencyMsMax(): number {
    return this.#options.latencyMsMax;
  }

  /** Of a sound disk. */
  get syncMsMax(): number {
    return this.#options.syncMsMax;
  }

  start(machine: Machine): void {
    if (machine.isHeld || machine.process !== undefined) return;
    const process = new Process(this.scheduler, machine.name);
    machine.process = process;
    this.scheduler.note(`${machine.name} starts`);
    const failuresBefore = machine.disk.failures;
    process.post(0, 'begins', () => {
      this.#options.startNode(this.#ports(machine, process, failuresBefore)).then(
        (node) => {
          if (!process.isAlive) return;
          this.scheduler.note(`${machine.name} runs`);
          machine.node = node;
        },
        (error: unknown) => {
          this.#died(machine, process, failuresBefore, error);
        },
      );
    });
  }

  /** The process is gone; with `cutsPower`, also what was not durable. */
  crash(machine: Machine, cutsPower: boolean): void {
    const { process } = machine;
    if (process === undefined) return;
    this.scheduler.note(`${machine.name} ${cutsPower ? 'loses power' : 'is killed'}`);
    this.#end(machine, process);
    if (cutsPower) machine.disk.memory.cutPower(this.#random);
  }

  /** A clean stop, as the server makes it: the office first. It is a crash when it takes too long. */
  stop(machine: Machine): void {
    const { node, process } = machine;
    if (node === undefined || process === undefined || process.isPaused || machine.isClosing) return;
    machine.isClosing = true;
    this.scheduler.note(`${machine.name} is told to stop`);
    const ended = (): void => {
      if (machine.process === process) this.#end(machine, process);
    };
    process.post(0, 'stops', () => {
      node.engine
        .handOver()
        .then(() => node.close())
        .then(ended, ended);
    });
    this.world.post(10_000, `${machine.name} took too long to stop`, ended);
  }

  /** Takes back whatever is wrong with the network, the disks and the processes that run. */
  calmDown(): void {
    this.network.unblockAll();
    this.network.widenAll();
    this.network.temper = this.#calm;
    for (const machine of this.machines) {
      const { process, disk } = machine;
      if (process?.isPaused === true) process.resume();
      machine.clock.wake();
      disk.room = 'enough';
      disk.failsNextSync = false;
      disk.syncMsMax = this.syncMsMax;
    }
  }

  /** The machine does nothing any more, and its monotonic clock stands still, until it is woken. */
  suspend(machine: Machine): void {
    if (machine.process?.isPaused !== false) return;
    machine.process.pause();
    machine.clock.suspend();
  }

  wake(machine: Machine): void {
    if (!machine.clock.isSuspended) return;
    machine.clock.wake();
    machine.process?.resume();
  }

  #end(machine: Machine, process: Process): void {
    process.end();
    machine.clock.wake();
    machine.disk.memory.endProcess();
    machine.process = undefined;
    machine.node = undefined;
    machine.isClosing = false;
    machine.isInOffice = false;
    if (this.isCalm) machine.isHeld = true;
    this.#checks.ended(machine.name);
  }

  #died(machine: Machine, process: Process, failuresBefore: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    process.post(0, `gives up: ${reason}`, () => {
      if (machine.disk.failures === failuresBefore) {
        const stack = error instanceof Error ? (error.stack ?? '') : '';
        this.#checks.report(`${machine.name} stopped, and its disk is sound: ${reason}\n${stack}`);
      }
      // The system may have thrown away what it could not write.
      this.crash(machine, this.#options.fsync === 'always' && this.#random.next() < 0.5);
    });
  }

  #ports(machine: Machine, process: Process, failuresBefore: number): NodePorts {
    const clock = processClock(process, machine.clock);
    const [first] = this.machines;
    const isFirst = machine === first;
    const random = this.#random;
    const { fsync, segmentBytes, snapshotLogBytes, timing, windows, connections, sessionIdleMs, planted } =
      this.#options;
    const files = machine.disk.mount(clock, random);
    return {
      address: machine.address,
      role: isFirst ? 'primary' : 'backup',
      primaryAddress: isFirst ? undefined : first?.address,
      files: planted?.files?.(files) ?? files,
      dbPath: DB_PATH,
      network: this.network.join(process, machine.address),
      clock: planted?.clock?.(clock) ?? clock,
      random,
      events: this.#events(machine.name),
      fsync,
      segmentBytes,
      snapshotLogBytes,
      timing,
      windows,
      connections,
      sessionIdleMs,
      planted,
      report: (what) => {
        this.#checks.report(`${machine.name} ${what}`);
      },
      watcher: this.#checks.watcher(machine.name),
      failed: (error) => {
        this.#died(machine, process, failuresBefore, error);
      },
    };
  }

  #events(name: string): EventLog {
    const note = (_fields: object, message: string): void => {
      this.scheduler.note(`${name} says: ${message}`);
    };
    const error = (fields: object, message: string): void => {
      note(fields, message);
      this.#checks.halted(name, message);
    };
    return { debug: () => undefined, info: note, warn: note, error };
  }

  #machine(number: number): Machine {
    const random = this.#random;
    const { driftMax } = this.#options;
    const clock = new MachineClock(this.scheduler, {
      baseMs: random.below(1_000_000),
      rate: 1 - driftMax + 2 * driftMax * random.next(),
      wallOffsetMs: random.below(1_000_000),
    });
    const machine = new Machine(`n${String(number)}`, `10.0.0.${String(number)}:7001`, clock);
    machine.disk.syncMsMax = this.syncMsMax;
    return machine;
  }

  /** Holds every node that ran against what must be so. */
  #look(): void {
    for (const machine of this.machines) {
      const { name, node, process } = machine;
      if (node === undefined || process?.hasRun !== true) continue;
      process.hasRun = false;
      const now = node.inspect();
      attempt(() => {
        this.#checks.step(name, now, () => node.content());
      });
      const isInOffice = now.role === 'primary';
      const isNew = isInOffice && !machine.isInOffice;
      machine.isInOffice = isInOffice;
      if (isNew) this.tookOffice(machine);
    }
  }
}

/** What a check throws is kept by the checks: nobody here has to stop for it. */
function attempt(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
  }
}
