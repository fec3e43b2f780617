import type { Index, Refusal } from '../../src/engine.js';
import { EMPTY_LOG, endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { step } from '../../src/replication/core.js';
import type { Message } from '../../src/replication/message.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import { RULES } from '../../src/replication/rules.js';
import { holdsLease } from '../../src/replication/standing.js';
import type {
  Change,
  CommandId,
  CommandOutcome,
  Effect,
  Input,
  LinkId,
  PrimaryOffice,
  ReplicaState,
} from '../../src/replication/state.js';
import { frameAfter } from '../node/frames.js';
import { NOW_MS, linkOf, logOf, placed, termOf } from './begun.js';
import { Figure3 } from './figure-3.js';
import { begunFrom, readBehind, seenOf, snapshotEnd } from './small-machine.js';
import type { Machine } from './small-machine.js';
import { SmallNetwork } from './small-network.js';

/** Several nodes of the pure core, their disks, and a small network that joins them. What figure 3 guarantees is checked at each step. */

export const TICK_MS = 20;
/** The chance that each node has: patient or not, one is always first. */
const CHANCES: Readonly<Record<string, number>> = {
  A: 0.05,
  B: 0.25,
  C: 0.5,
  D: 0.7,
  E: 0.9,
  F: 0.6,
  G: 0.8,
};

export interface Begins {
  /** The letters of all members. */
  readonly members?: string;
  readonly failover?: 'manual' | 'auto';
  /** Runs as well, and is no member. */
  readonly others?: string;
  /** The terms of the entries of each node's log; of all others it is one entry of term 1. */
  readonly logs?: Readonly<Record<string, readonly number[]>>;
  /** Of each node; none is known to be committed unless it is said. */
  readonly commit?: number;
  /** Terms that are higher than those of the log. */
  readonly terms?: Readonly<Record<string, number>>;
  /** Was the primary, and asks for its place. A, unless it is said; nobody by ''. */
  readonly primary?: string;
  readonly rules?: Partial<ReplicationRules>;
  readonly chance?: (letter: string) => number;
}

export class SmallCluster {
  nowMs = NOW_MS;
  readonly network = new SmallNetwork();
  readonly figure3 = new Figure3();
  readonly #machines = new Map<string, Machine>();
  readonly #links = new Map<number, readonly [string, string]>();
  readonly #answers = new Map<CommandId, Refusal | CommandOutcome>();
  /** How many a message holds at most. */
  framesMax = Infinity;
  /** Of whoever starts from now on. */
  rules: ReplicationRules;
  readonly #chance: ((letter: string) => number) | undefined;
  readonly #inputs: (readonly [string, Input])[] = [];
  #isStepping = false;
  #lastLink = 0;
  #lastCommand = 0;
  #writes = 0;

  constructor(begins: Begins = {}) {
    const { members = 'ABC', others = '', primary = 'A', failover = 'auto', chance } = begins;
    this.rules = { ...RULES, ...begins.rules };
    this.#chance = chance;
    for (const letter of members + others) {
      const isMember = members.includes(letter);
      const frames = isMember ? logOf(begins.logs?.[letter] ?? [1]) : [];
      const last = frames.length === 0 ? EMPTY_LOG : endOf(frames.at(-1)!);
      const term = begins.terms?.[letter];
      const saved = {
        role: letter === primary ? 'primary' : 'backup',
        term: term === undefined ? last.term : termOf(term),
        vote: undefined,
        configuration: placed(isMember ? members : '', { failover: isMember ? failover : 'manual' }),
        leftOutAt: undefined,
        lastPrimary: undefined,
        commit: (begins.commit ?? 0) as Index,
        divergence: undefined,
        lossAccepted: false,
      } as const;
      const disk = { saved, base: EMPTY_LOG, frames };
      const common = { life: 0, isPaused: false, isSlow: false, unwritten: [] };
      this.#machines.set(letter, { letter, disk, state: undefined, ...common });
    }
    for (const letter of this.#machines.keys()) this.start(letter);
  }

  /** A machine whose process runs. */
  state(letter: string): ReplicaState {
    const { state } = this.#machine(letter);
    if (state === undefined) throw new Error(`${letter} does not run`);
    return state;
  }

  office(letter: string): PrimaryOffice {
    const { office } = this.state(letter);
    if (office.kind !== 'primary') throw new Error(`${letter} is no primary`);
    return office;
  }

  /** The terms of a log as people know them. */
  termsOf(letter: string): number[] {
    return seenOf(this.#machine(letter)).log.map(({ term }) => Math.floor(term / 2 ** 28));
  }

  /** The positions in a log, with what stands there. */
  entriesOf(letter: string): string[] {
    return seenOf(this.#machine(letter)).log.map(
      ({ term, firstIndex, checksum }) => `${String(term)}:${String(firstIndex)}=${String(checksum)}`,
    );
  }

  /** Who serves. More than one may, if each but the last has not heard of it yet. */
  serving(): string {
    return [...this.#machines.values()]
      .filter(({ state }) => state?.office.kind === 'primary' && state.office.isServing)
      .map(({ letter }) => letter)
      .join('');
  }

  termCountOf(letter: string): number {
    return Math.floor(this.state(letter).term / 2 ** 28);
  }

  /** Whether a read is answered at once. */
  reads(letter: string): boolean {
    const { office } = this.state(letter);
    return office.kind === 'primary' && holdsLease(this.state(letter), office, this.nowMs);
  }

  /** A client writes there. Answers the index, or undefined where it is refused. */
  write(letter: string): number | undefined {
    const { office, last, term } = this.state(letter);
    if (office.kind !== 'primary' || !office.isServing || office.handOver !== undefined) return undefined;
    const frame = frameAfter(last, { term, valueBytes: (this.#writes++ % 900) + 2 });
    this.input(letter, { kind: 'propose', frame });
    return frame.firstIndex;
  }

  command(letter: string, change: Change): CommandId {
    const command = ++this.#lastCommand as CommandId;
    this.input(letter, { kind: 'command', command, change });
    return command;
  }

  leave(letter: string): CommandId {
    const command = ++this.#lastCommand as CommandId;
    this.input(letter, { kind: 'leave', command });
    return command;
  }

  /** What a command was answered: 'waits', 'done', or the code of what refused it. */
  answer(command: CommandId): string {
    const outcome = this.#answers.get(command);
    if (outcome === undefined) return 'waits';
    return 'code' in outcome ? outcome.code : 'done';
  }

  outcome(command: CommandId): Refusal | CommandOutcome | undefined {
    return this.#answers.get(command);
  }

  /** What survives a crash of it, but for the log. */
  saved(letter: string): unknown {
    return this.#machine(letter).disk.saved;
  }

  runs(letter: string): boolean {
    return this.#machine(letter).state !== undefined;
  }

  start(letter: string): void {
    const machine = this.#machine(letter);
    machine.life++;
    machine.isPaused = false;
    machine.state = begunFrom(machine, this.nowMs, this.rules);
    for (const other of this.#machines.values()) {
      if (other !== machine && other.state !== undefined) this.#connect(letter, other.letter);
    }
  }

  crash(letter: string): void {
    const machine = this.#machine(letter);
    machine.state = undefined;
    machine.unwritten = [];
    for (const [id, ends] of [...this.#links]) if (ends.includes(letter)) this.#disconnect(id, ends);
  }

  /** Its process stands still; what is said to it waits. */
  pause(letter: string): void {
    this.#machine(letter).isPaused = true;
  }

  resume(letter: string): void {
    this.#machine(letter).isPaused = false;
  }

  setSlow(letter: string, isSlow: boolean): void {
    this.#machine(letter).isSlow = isSlow;
    if (!isSlow) this.flush(letter);
  }

  /** What was appended is durable. */
  flush(letter: string): void {
    const machine = this.#machine(letter);
    const last = machine.unwritten.at(-1);
    if (last === undefined) return;
    machine.disk.frames.push(...machine.unwritten);
    machine.unwritten = [];
    this.input(letter, { kind: 'durable', index: lastIndexOf(last) });
  }

  /** A snapshot of what is committed is in the place of the log. */
  trim(letter: string): void {
    const { disk, state } = this.#machine(letter);
    const last = disk.frames.findLast((frame) => lastIndexOf(frame) <= (state?.commit ?? 0));
    if (last === undefined) return;
    disk.base = endOf(last);
    disk.frames = disk.frames.filter((frame) => lastIndexOf(frame) > disk.base.index);
  }

  isolate(letter: string): void {
    for (const other of this.#machines.keys()) this.network.cut(letter, other);
  }

  /** What happens to a node, and what comes of it there. */
  input(letter: string, input: Input): void {
    this.#inputs.push([letter, input]);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
      this.#step(...next);
    this.#isStepping = false;
  }

  #step(letter: string, input: Input): void {
    const machine = this.#machine(letter);
    const { state } = machine;
    if (state === undefined) return;
    const chance = this.#chance?.(letter) ?? CHANCES[letter] ?? 0.5;
    for (const effect of step(state, input, this.nowMs, chance)) this.#perform(machine, effect);
    this.figure3.stepped(seenOf(machine));
    if (machine.unwritten.length > 0 && !machine.isSlow) this.flush(letter);
  }

  /** Everything that has arrived is heard, and what is answered to it. */
  deliver(): void {
    const listens = (to: string): boolean => {
      const { state, isPaused } = this.#machine(to);
      return state !== undefined && !isPaused;
    };
    for (;;) {
      const letter = this.network.take(this.nowMs, listens);
      if (letter === undefined) return;
      const { to, link, message } = letter;
      if (this.#links.has(link)) this.input(to, { kind: 'message', link: link as LinkId, message });
    }
  }

  advance(passedMs: number): void {
    for (const endMs = this.nowMs + passedMs; this.nowMs < endMs;) {
      this.nowMs = Math.min(endMs, this.nowMs + TICK_MS);
      this.deliver();
      for (const { letter, state, isPaused } of [...this.#machines.values()]) {
        if (state === undefined || isPaused) continue;
        this.#tellUnreachable(letter, state);
        this.input(letter, { kind: 'tick' });
        this.deliver();
      }
    }
  }

  /** Lets time pass until something is so. Answers how long that took. */
  until(what: string, isSo: () => boolean, withinMs = 10_000): number {
    const fromMs = this.nowMs;
    while (!isSo()) {
      if (this.nowMs - fromMs >= withinMs) throw new Error(`not within ${String(withinMs)} ms: ${what}`);
      this.advance(TICK_MS);
    }
    return this.nowMs - fromMs;
  }

  /** Until exactly this one serves, and all that run and hear it follow it. */
  untilServes(letter: string, withinMs?: number): number {
    return this.until(`${letter} serves`, () => this.serving() === letter, withinMs);
  }

  #machine(letter: string): Machine {
    const machine = this.#machines.get(letter);
    if (machine === undefined) throw new Error(`there is no ${letter}`);
    return machine;
  }

  #connect(one: string, other: string): void {
    const id = ++this.#lastLink;
    this.#links.set(id, [one, other]);
    this.input(one, { kind: 'link up', link: linkOf(other, id) });
    this.input(other, { kind: 'link up', link: linkOf(one, id, false) });
  }

  #disconnect(id: number, ends: readonly [string, string]): void {
    this.#links.delete(id);
    this.network.forget(id);
    for (const letter of ends) this.input(letter, { kind: 'link down', link: id as LinkId });
  }

  #tellUnreachable(letter: string, { attempt }: ReplicaState): void {
    for (const node of attempt?.peers.keys() ?? []) {
      const isDown = this.#machines.get(node)?.state === undefined;
      if (isDown && attempt?.unreachable.has(node) === false)
        this.input(letter, { kind: 'unreachable', node });
    }
  }

  #send({ letter }: Machine, link: number, message: Message): void {
    const to = this.#links.get(link)?.find((end) => end !== letter);
    if (to !== undefined) this.network.send({ from: letter, to, link, message }, this.nowMs);
  }

  #perform(machine: Machine, effect: Effect): void {
    const { letter, disk } = machine;
    switch (effect.kind) {
      case 'persist':
      case 'adopt':
        disk.saved = effect.state;
        break;
      case 'send':
        this.#send(machine, effect.link, effect.message);
        break;
      case 'close link': {
        const ends = this.#links.get(effect.link);
        if (ends === undefined) break;
        this.#disconnect(effect.link, ends);
        this.#connect(...ends);
        break;
      }
      case 'append':
        machine.unwritten.push(...effect.frames);
        this.#compareLogs(machine);
        break;
      case 'truncate': {
        const isKept = (frame: Frame): boolean => lastIndexOf(frame) <= effect.end.index;
        disk.frames = disk.frames.filter(isKept);
        machine.unwritten = machine.unwritten.filter(isKept);
        break;
      }
      case 'commit':
        this.figure3.applied(seenOf(machine), effect.index);
        break;
      case 'feed': {
        const { peer, link, after } = effect;
        this.input(letter, {
          kind: 'fed',
          peer,
          link,
          after,
          frames: readBehind(machine, after, this.framesMax),
        });
        break;
      }
      case 'supply': {
        const { link, term, after } = effect;
        this.input(letter, {
          kind: 'supplied',
          link,
          term,
          after,
          frames: readBehind(machine, after, this.framesMax),
        });
        break;
      }
      case 'feed snapshot': {
        const { peer, link } = effect;
        const end = snapshotEnd(machine);
        const bytes = Buffer.from('{}');
        this.input(letter, { kind: 'fed snapshot', peer, link, end, offset: 0, bytes, isLast: true });
        break;
      }
      case 'receive': {
        const { end, offset, bytes, isLast } = effect;
        this.input(letter, { kind: 'received', end, offset: offset + bytes.length, isWhole: isLast });
        break;
      }
      case 'replace':
        Object.assign(disk, { saved: effect.state, base: effect.end, frames: [] });
        machine.unwritten = [];
        this.input(letter, { kind: 'replaced', end: effect.end });
        break;
      case 'answer':
        this.#answers.set(effect.command, effect.outcome);
        break;
      default:
      // Nobody here looks at it.
    }
  }

  #compareLogs(machine: Machine): void {
    const own = seenOf(machine);
    for (const other of this.#machines.values()) {
      if (other !== machine) this.figure3.logMatching(own, seenOf(other));
    }
  }
}
