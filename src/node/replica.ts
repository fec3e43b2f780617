import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { ClusterId, Index, Refusal } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import { step } from '../replication/core.js';
import { heldByLinked } from '../replication/streaming.js';
import { hasEntry } from '../replication/turn.js';
import type {
  Change,
  CommandId,
  CommandOutcome,
  DurableState,
  Effect,
  Input,
  LinkId,
  ReplicaState,
} from '../replication/state.js';
import type { NodeState } from '../storage/node-state.js';
import type { ApplyLoop } from './apply-loop.js';
import type { ClockWatch } from './clock-watch.js';
import { RETRY_FULL_MS, diskFull, isDiskFull } from './disk-room.js';
import type { DiskRoom } from './disk-room.js';
import type { Feeder } from './feeder.js';
import type { FrameCache } from './frame-cache.js';
import type { LogWriter } from './log-writer.js';
import type { Link, Log, Network, NodeStates, Replacements } from './ports.js';
import { Reminder } from './reminder.js';
import { SnapshotReceiver } from './snapshot-receiver.js';

/** So many effects may wait behind one that finds no room on the disk. */
export const BACKLOG_MAX = 10_000;

export interface ReplicaParts {
  readonly state: ReplicaState;
  readonly nodeState: NodeState;
  readonly states: NodeStates;
  readonly replacements: Replacements;
  readonly network: Network;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly cache: FrameCache;
  readonly writer: LogWriter;
  readonly applying: ApplyLoop;
  readonly feeder: Feeder;
  readonly room: DiskRoom;
  readonly clocks: ClockWatch;
  log(): Log;
  random(): number;
  /** The office was taken or lost. */
  officeChanged(isPrimary: boolean): void;
  /** Has the files replaced, and puts the content of the JSON file in the place of the store's; nobody sees anything in between. */
  reload(replace: () => Promise<void>): Promise<void>;
  /** Told after each step. */
  stepped(): void;
  failed(error: unknown): void;
}

/**
 * Feeds the core with what happens, one step at a time, and does what it says, in its order: while something is being
 * made durable, everything behind it waits.
 *
 * Where there is no room for it, it is tried again until there is. Meanwhile the node is to itself as if it were paused, and to the
 * others as if their messages were lost: the core is made for both, and so nothing piles up.
 */
export class Replica {
  readonly #parts: ReplicaParts;
  readonly #inputs: Input[] = [];
  readonly #backlog: Effect[] = [];
  readonly #links = new Map<LinkId, Link>();
  readonly #commands = new Map<CommandId, (outcome: Refusal | CommandOutcome) => void>();
  #isStepping = false;
  #isDraining = false;
  #working: Promise<void> | undefined;
  #isStopped = false;
  /** What has to be durable finds no room on the disk. */
  #isStuck = false;
  /** It was given up: what is on disk does not go as far as the core. */
  #isUnfinished = false;
  readonly #reminder: Reminder;
  #lastLink = 0;
  #lastCommand = 0;
  #nodeState: NodeState;
  #durableIndex: Index | undefined;
  readonly #receiver: SnapshotReceiver;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    this.#nodeState = parts.nodeState;
    this.#durableIndex = parts.nodeState.logIndex;
    const { replacements, room, clock, events } = parts;
    const input = (given: Input): void => {
      this.input(given);
    };
    this.#receiver = new SnapshotReceiver({ replacements, room, clock, events, input });
    this.#reminder = new Reminder(parts.clock, () => {
      this.input({ kind: 'reminded' });
    });
  }

  /** The core is at work: what is put in now is looked at later. `stepped` is told when it no longer is. */
  get isStepping(): boolean {
    return this.#isStepping;
  }

  get state(): ReplicaState {
    return this.#parts.state;
  }

  get nodeState(): NodeState {
    return this.#nodeState;
  }

  /** The node was stopped while something had no room on the disk. Only a start can tell what there is. */
  get isUnfinished(): boolean {
    return this.#isUnfinished;
  }

  input(input: Input): void {
    if (this.#isStopped) return;
    if (this.#isAsPaused && isPassedOver(input)) {
      this.#parts.stepped();
      return;
    }
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        this.#watchClocks();
        this.#step(next);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isStepping = false;
    }
    this.#parts.stepped();
  }

  /** The core learns of it before anything else: what comes may be an answer to what was asked long ago. */
  #watchClocks(): void {
    const atMs = this.#parts.clocks.trustedFromMs();
    if (atMs !== this.state.trustedFromMs) this.#step({ kind: 'clocks parted', atMs });
  }

  #step(input: Input): void {
    const { state, clock } = this.#parts;
    this.#execute(step(state, input, clock.nowMs(), this.#parts.random()));
  }

  command(change: Change): Promise<Refusal | CommandOutcome> {
    if (this.#isAsPaused) return Promise.resolve(diskFull('nothing was changed'));
    const command = ++this.#lastCommand as CommandId;
    return new Promise((resolve) => {
      this.#commands.set(command, resolve);
      this.input({ kind: 'command', command, change });
    });
  }

  /** Resolves when this node is no primary any more, or has to stop as one. */
  async leave(): Promise<void> {
    if (this.#isStopped || this.#isAsPaused) return;
    const command = ++this.#lastCommand as CommandId;
    await new Promise((resolve) => {
      this.#commands.set(command, resolve);
      this.input({ kind: 'leave', command });
    });
    await this.idle();
  }

  linkUp(link: Link): LinkId {
    const id = ++this.#lastLink as LinkId;
    this.#links.set(id, link);
    const { node, address, cluster, fsync } = link.peer;
    this.input({ kind: 'link up', link: { id, node, address, cluster, fsync, isOutgoing: link.isOutgoing } });
    return id;
  }

  linkDown(id: LinkId): void {
    if (!this.#links.delete(id)) return;
    this.input({ kind: 'link down', link: id });
  }

  /** Everything up to here is on this node's disk. */
  written(end: LogEnd): void {
    const { cache, applying, state } = this.#parts;
    this.#durableIndex = end.index;
    cache.written(end.index);
    applying.goOn();
    // The core may have cut this off since, and something else may stand there.
    if (hasEntry(state, end)) this.input({ kind: 'durable', index: end.index });
  }

  /** Does nothing more, whatever happens. */
  stop(): void {
    this.#isStopped = true;
    this.#reminder.cancel();
    this.#answerCommands(
      'this node stops, and the change may still take effect: look at status on another one',
    );
    for (const link of this.#links.values()) link.close();
  }

  /** Resolves when nothing is being made durable. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** The state as it would be saved now. */
  durable(state: DurableState, cluster: ClusterId | undefined): NodeState {
    const { fsync } = this.#parts.state;
    const logIndex = fsync === 'always' ? this.#durableIndex : this.#nodeState.logIndex;
    const isNew = this.#nodeState.primaryAddress !== undefined && cluster === undefined;
    const primaryAddress = isNew ? this.#nodeState.primaryAddress : undefined;
    return { ...this.#nodeState, ...state, cluster, primaryAddress, logIndex, cleanEnd: undefined };
  }

  #execute(effects: readonly Effect[]): void {
    for (const [at, effect] of effects.entries()) {
      // Of two states with nothing between them the later one is enough.
      if (effect.kind === 'persist' && effects[at + 1]?.kind === 'persist') continue;
      this.#backlog.push(effect);
    }
    this.#drain();
    if (!this.#isAsPaused || this.#backlog.length <= BACKLOG_MAX) return;
    throw new Error(
      `the disk has been full for too long: ${String(BACKLOG_MAX)} things wait for what has no room on it; make room, and start this node again`,
    );
  }

  /** Does what waits, in its order, until something has to become durable. */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      while (this.#working === undefined) {
        const next = this.#backlog.shift();
        if (next === undefined) break;
        this.#begin(next);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #begin(effect: Effect): void {
    const work = this.#perform(effect);
    if (work === undefined) return;
    this.#working = work.then(
      () => this.#finished(),
      (error: unknown) => {
        this.#working = undefined;
        this.#fail(error);
      },
    );
  }

  #finished(): void {
    this.#working = undefined;
    if (this.#isStopped) return;
    this.#drain();
    this.#parts.stepped();
  }

  #fail(error: unknown): void {
    this.stop();
    this.#backlog.length = 0;
    this.#parts.failed(error);
  }

  /** Does one effect. A promise: what stands behind it waits. */
  #perform(effect: Effect): Promise<void> | undefined {
    const { cache, writer, applying, feeder, network } = this.#parts;
    switch (effect.kind) {
      case 'persist':
        return this.#oncePossible(() => this.#save(this.durable(effect.state, this.state.cluster)));
      case 'adopt':
        return this.#oncePossible(() => this.#adopt(effect.cluster, effect.state));
      case 'truncate':
        return this.#oncePossible(() => this.#truncate(effect.end));
      case 'replace':
        return this.#oncePossible(() => this.#replace(effect.end, effect.state));
      case 'receive':
        void this.#receiver.receive(effect);
        return undefined;
      case 'append':
        for (const frame of effect.frames) cache.add(frame);
        writer.append(effect.frames);
        return undefined;
      case 'commit':
        cache.confirmed(heldByLinked(this.state));
        applying.commit(effect.index);
        return undefined;
      case 'send':
        this.#links.get(effect.link)?.send(effect.message);
        return undefined;
      case 'close link':
        this.#links.get(effect.link)?.close();
        return undefined;
      case 'reach':
        network.reach(effect.peers);
        return undefined;
      case 'remind':
        this.#reminder.ask(effect.afterMs);
        return undefined;
      case 'feed':
      case 'supply':
      case 'feed snapshot':
      case 'stop snapshot':
        feeder.perform(effect);
        return undefined;
      case 'office':
        this.#parts.officeChanged(effect.isPrimary);
        return undefined;
      case 'answer':
        this.#commands.get(effect.command)?.(effect.outcome);
        this.#commands.delete(effect.command);
        return undefined;
      case 'event':
        this.#parts.events[effect.level](effect.fields, effect.message);
        return undefined;
    }
  }

  /** Does what must not be half done, and again while the disk is full. */
  async #oncePossible(work: () => Promise<void>): Promise<void> {
    const { room, clock } = this.#parts;
    for (;;) {
      try {
        await work();
        this.#isStuck = false;
        room.found('the node state');
        return;
      } catch (error) {
        if (!isDiskFull(error)) throw error;
      }
      this.#isStuck = true;
      room.lacks('the node state');
      this.#answerCommands(
        'the disk is full, and the change may still take effect once there is room: make room on it, and look at status',
      );
      if (!this.#isStopped) await pause(clock, RETRY_FULL_MS);
      if (!this.#isStopped) continue;
      this.#isUnfinished = true;
      return;
    }
  }

  /** Whatever is decided waits behind something that has no room, itself or in the log. */
  get #isAsPaused(): boolean {
    return this.#isStuck || (this.#working !== undefined && this.#parts.room.isLogStuck);
  }

  /** They may still be done, and nobody knows when that is. */
  #answerCommands(message: string): void {
    for (const answer of this.#commands.values()) answer(refusal('UNCONFIRMED', message));
    this.#commands.clear();
  }

  async #save(state: NodeState): Promise<void> {
    await this.#parts.states.saveState(state);
    this.#nodeState = state;
  }

  async #adopt(cluster: ClusterId, state: DurableState): Promise<void> {
    const adopted = { ...this.durable(state, cluster), primaryAddress: undefined };
    await this.#parts.replacements.adopt(cluster, adopted);
    this.#nodeState = { ...adopted, logIndex: 0 as Index };
    this.#durableIndex = 0 as Index;
  }

  /** The state must not claim what is about to be cut, or the next start would take its absence for damage. */
  async #truncate(end: LogEnd): Promise<void> {
    const { writer, cache } = this.#parts;
    await writer.idle();
    if (this.#durableIndex !== undefined && this.#durableIndex > end.index) this.#durableIndex = end.index;
    const claimed = this.#nodeState.logIndex;
    if (claimed !== undefined && claimed > end.index)
      await this.#save({ ...this.#nodeState, logIndex: end.index });
    const keptAs = await this.#parts.log().truncate(end);
    cache.cut(end.index);
    this.#parts.events.warn({ keptAs, index: end.index }, 'entries were cut off the log and kept');
  }

  async #replace(end: LogEnd, state: DurableState): Promise<void> {
    const { writer, applying, cache, replacements } = this.#parts;
    const { arrival } = this.#receiver;
    if (arrival === undefined) throw new Error('no snapshot has arrived');
    await writer.idle();
    await applying.hold();
    const next = { ...this.durable(state, this.state.cluster), logIndex: undefined };
    await this.#parts.reload(() => replacements.replace(arrival, end, next));
    this.#receiver.forget();
    this.#nodeState = { ...next, logIndex: end.index };
    this.#durableIndex = end.index;
    cache.clear(end.index);
    applying.resume(end);
    this.input({ kind: 'replaced', end });
  }
}

/** What a node that is as if paused does not see. */
function isPassedOver({ kind }: Input): boolean {
  return kind === 'tick' || kind === 'message' || kind === 'confirm reads' || kind === 'reminded';
}

function pause(clock: Clock, durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(durationMs, resolve);
  });
}
