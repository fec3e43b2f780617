import type { Random } from '../random.js';
import type { Cluster, Machine } from './cluster.js';

export const FAULT_KINDS = [
  'kill',
  'power cut',
  'clean stop',
  'pause',
  'cut pair',
  'cut one way',
  'isolate',
  'bad network',
  'full disk',
  'failed sync',
  'slow disk',
  'clock jump',
  'rack',
  'crash in office',
] as const;
/** Drawn apart from the others, so that schedules without them are what they were before there were any. */
export const CLOCK_FAULT_KINDS = ['suspend'] as const;
/** A backup that is slow or comes and goes; one that stalls is paused. Drawn apart, too. */
export const LINK_FAULT_KINDS = ['thin link', 'flapping links'] as const;
/** Drawn where the members make their own primary: who sees whom is what decides then. */
export const PARTITION_KINDS = ['deaf', 'mute', 'split', 'bridge', 'ring'] as const;
export type FaultKind =
  | (typeof FAULT_KINDS)[number]
  | (typeof CLOCK_FAULT_KINDS)[number]
  | (typeof LINK_FAULT_KINDS)[number]
  | (typeof PARTITION_KINDS)[number];
/** What does not only go wrong with one machine. */
export const SHARED_FAULT_KINDS: ReadonlySet<FaultKind> = new Set([
  'bad network',
  'rack',
  'crash in office',
  'split',
  'bridge',
  'ring',
]);

/** A shorter sleep is within what clocks may come apart, and leases are quick ones here. */
const SLEEP_MS_MIN = 150;
/**
 * A wall clock that is set back by just as much as its machine slept, before the node ran again, hides that it slept: nobody can
 * tell. So neither happens to a machine so soon after the other, and a lease is over by then.
 */
const CLOCK_FAULT_DISTANCE_MS = 4000;

export interface FaultOptions {
  readonly kinds: readonly FaultKind[];
  readonly pauseMsMax: number;
  /** How long what was stopped stays stopped. */
  readonly downMsMax: number;
}

type CutKind = 'cut pair' | 'cut one way' | 'isolate' | (typeof PARTITION_KINDS)[number];

/** A way from one machine to another, in one direction. */
type Way = readonly [from: Machine, to: Machine];

/** Whatever can go wrong, at random moments, and a supervisor that starts again what has stopped. */
export class Faults {
  isStopped = false;
  #crashesInOffice = 0;
  readonly happened = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #options: FaultOptions;
  readonly #restarting = new Set<Machine>();
  /** When the clock of a machine was set last, and when it slept last. */
  readonly #setAtMs = new Map<Machine, number>();
  readonly #sleptAtMs = new Map<Machine, number>();

  readonly #victim: Machine | undefined;

  /** @param victim - the only one that anything is wrong with. */
  constructor(cluster: Cluster, random: Random, options: FaultOptions, victim?: Machine) {
    this.#victim = victim;
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
  }

  start(): void {
    this.#cluster.tookOffice = (machine) => {
      this.#crashSoon(machine);
    };
    this.#next();
    this.#supervise();
  }

  #next(): void {
    const delayMs = this.#random.next() * this.#options.pauseMsMax;
    this.#cluster.world.post(delayMs, 'fate', () => {
      if (this.isStopped) return;
      this.#strike();
      this.#next();
    });
  }

  #strike(): void {
    const { kinds } = this.#options;
    if (kinds.length === 0) return;
    const kind = this.#random.pick(kinds);
    const isCrash = kind === 'kill' || kind === 'power cut' || kind === 'crash in office';
    if (this.#cluster.isCalm && !isCrash) return;
    const machine = this.#victim ?? this.#random.pick(this.#cluster.machines);
    this.#cluster.scheduler.note(`fault: ${kind} ${machine.name}`);
    this.happened.set(kind, (this.happened.get(kind) ?? 0) + 1);
    this.#do(kind, machine);
  }

  #do(kind: FaultKind, machine: Machine): void {
    const cluster = this.#cluster;
    const random = this.#random;
    switch (kind) {
      case 'kill':
      case 'power cut':
        cluster.crash(machine, kind === 'power cut');
        break;
      case 'clean stop':
        cluster.stop(machine);
        break;
      case 'pause':
        this.#pause(machine);
        break;
      case 'cut pair':
      case 'cut one way':
      case 'isolate':
      case 'deaf':
      case 'mute':
      case 'split':
      case 'bridge':
      case 'ring':
        this.#cut(kind, machine);
        break;
      case 'bad network':
        this.#spoilNetwork();
        break;
      case 'full disk':
        this.#fillDisk(machine);
        break;
      case 'failed sync':
        machine.disk.failsNextSync = true;
        break;
      case 'slow disk':
        machine.disk.syncMsMax = random.pick([50, 400, 4000]);
        this.#later(8000, 'the disk is quick again', () => (machine.disk.syncMsMax = cluster.syncMsMax));
        break;
      case 'clock jump':
        this.#setClock(machine);
        break;
      case 'suspend':
        this.#suspend(machine);
        break;
      case 'thin link':
        cluster.network.thin(machine.address, random.pick([1, 10, 100]));
        this.#later(15_000, 'the link is wide again', () => {
          cluster.network.widen(machine.address);
        });
        break;
      case 'flapping links':
        this.#flap(machine, 1 + random.below(50));
        break;
      case 'rack':
        this.#rack(machine);
        break;
      case 'crash in office':
        this.#crashesInOffice++;
    }
  }

  /** It runs into it, or is started on it again and again until there is room. */
  #fillDisk(machine: Machine): void {
    machine.disk.room = this.#random.pick(['for no new file', 'for nothing new', 'for nothing']);
    const isStartedOnIt = this.#random.next() < 0.5;
    const downMs = isStartedOnIt ? this.#options.downMsMax : 0;
    this.#later(8000 + downMs, 'there is room again', () => (machine.disk.room = 'enough'));
    if (isStartedOnIt) this.#cluster.crash(machine, false);
  }

  /** All but one go down at once, and the one is cut off for a while. */
  #rack(machine: Machine): void {
    this.#cut('isolate', machine);
    for (const other of this.#cluster.machines) {
      if (other !== machine) this.#cluster.crash(other, this.#options.kinds.includes('power cut'));
    }
  }

  /** Whoever takes office next does not hold it for long: before, while or after its first entry commits. */
  #crashSoon(machine: Machine): void {
    const { process } = machine;
    if (this.isStopped || this.#crashesInOffice === 0 || process === undefined) return;
    this.#crashesInOffice--;
    const delayMs = this.#random.pick([3, 10, 30, 300]) * this.#random.next();
    this.#cluster.world.post(delayMs, `${machine.name} crashes in office`, () => {
      if (process.isAlive && !this.isStopped) this.#cluster.crash(machine, false);
    });
  }

  #pause(machine: Machine): void {
    const { process } = machine;
    if (process === undefined || process.isPaused) return;
    process.pause();
    this.#later(this.#random.pick([300, 2000, 12_000]), `${machine.name} goes on`, () => {
      if (process.isPaused && !machine.clock.isSuspended) process.resume();
    });
  }

  /** All its links break, again and again: mostly as soon as they are there. */
  #flap(machine: Machine, times: number): void {
    if (times === 0 || this.isStopped || this.#cluster.isCalm) return;
    this.#cluster.network.breakAll(machine.address);
    this.#later(300, `the links of ${machine.name} break`, () => {
      this.#flap(machine, times - 1);
    });
  }

  #setClock(machine: Machine): void {
    const byMs = this.#random.pick([-1, 1]) * this.#random.pick([30, 100, 5000, 60_000, 3_600_000]);
    if (machine.clock.isSuspended || !this.#isLongAgo(this.#sleptAtMs, machine)) return;
    machine.clock.setWall(byMs);
    this.#setAtMs.set(machine, this.#cluster.scheduler.nowMs);
  }

  #suspend(machine: Machine): void {
    const cluster = this.#cluster;
    if (machine.process?.isPaused !== false || !this.#isLongAgo(this.#setAtMs, machine)) return;
    cluster.suspend(machine);
    const forMs = SLEEP_MS_MIN + this.#random.next() * this.#random.pick([500, 5000, 20_000]);
    cluster.world.post(forMs, `${machine.name} wakes`, () => {
      cluster.wake(machine);
      this.#sleptAtMs.set(machine, cluster.scheduler.nowMs);
    });
  }

  #isLongAgo(times: ReadonlyMap<Machine, number>, machine: Machine): boolean {
    return this.#cluster.scheduler.nowMs - (times.get(machine) ?? -Infinity) > CLOCK_FAULT_DISTANCE_MS;
  }

  #cut(kind: CutKind, machine: Machine): void {
    const { network } = this.#cluster;
    const ways = this.#waysCut(kind, machine);
    for (const [from, to] of ways) network.block(from.address, to.address);
    this.#later(this.#random.pick([1000, 5000, 20_000]), 'the cut is mended', () => {
      for (const [from, to] of ways) network.unblock(from.address, to.address);
    });
  }

  #waysCut(kind: CutKind, machine: Machine): Way[] {
    const { machines } = this.#cluster;
    const rest = machines.filter((other) => other !== machine);
    const bothWays = (pairs: readonly Way[]): Way[] =>
      pairs.flatMap(([a, b]): Way[] => [
        [a, b],
        [b, a],
      ]);
    const away = (other: Machine): Way => [machine, other];
    switch (kind) {
      case 'isolate':
        return bothWays(rest.map(away));
      case 'cut pair':
        return bothWays([away(this.#random.pick(rest))]);
      case 'cut one way':
        return [away(this.#random.pick(rest))];
      case 'mute':
        return rest.map(away);
      case 'deaf':
        return rest.map((other): Way => [other, machine]);
      case 'split':
      case 'bridge': {
        const sides = new Map(rest.map((other) => [other, this.#random.next() < 0.5]));
        // With a bridge the machine belongs to both halves.
        if (kind === 'split') sides.set(machine, true);
        return bothWays(pairsOf([...sides.keys()]).filter(([a, b]) => sides.get(a) !== sides.get(b)));
      }
      case 'ring': {
        const isApart = ([a, b]: Way): boolean => {
          const distance = Math.abs(machines.indexOf(a) - machines.indexOf(b));
          return distance > 1 && distance < machines.length - 1;
        };
        return bothWays(pairsOf(machines).filter(isApart));
      }
    }
  }

  #spoilNetwork(): void {
    const { network, latencyMsMax } = this.#cluster;
    const random = this.#random;
    const rate = (max: number): number => (random.next() < 0.5 ? 0 : random.next() * max);
    network.temper = {
      latencyMsMax: random.pick([1, 10, 100, 1000]),
      lossRate: rate(0.3),
      duplicateRate: rate(0.3),
      reorderRate: rate(0.3),
      breakRate: rate(0.02),
      slowRate: rate(0.05),
    };
    this.#later(10_000, 'the network is good again', () => {
      network.temper = { ...network.temper, latencyMsMax, lossRate: 0, breakRate: 0, slowRate: 0 };
    });
  }

  #later(delayMsMax: number, label: string, work: () => void): void {
    this.#cluster.world.post(this.#random.next() * delayMsMax, label, work);
  }

  /** Starts what has stopped, after a while. */
  #supervise(): void {
    this.#cluster.world.post(200, 'supervisor', () => {
      if (this.isStopped) return;
      for (const machine of this.#cluster.machines) {
        if (!machine.isStopped || machine.isHeld || this.#restarting.has(machine)) continue;
        this.#restarting.add(machine);
        this.#later(this.#options.downMsMax, `${machine.name} is started again`, () => {
          this.#restarting.delete(machine);
          if (!this.isStopped) this.#cluster.start(machine);
        });
      }
      this.#supervise();
    });
  }
}

function pairsOf(machines: readonly Machine[]): Way[] {
  return machines.flatMap((one, at) => machines.slice(at + 1).map((other): Way => [one, other]));
}
