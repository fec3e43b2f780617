import { refusal } from '../engine.js';
import type { Index, Refusal } from '../engine.js';
import { isMark } from '../log/control.js';
import { endOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import { notPrimary, showPeers } from '../replication/refusals.js';
import { primaryAddress, serviceOf, writeObjection } from '../replication/standing.js';
import type { ReplicaState } from '../replication/state.js';
import { knownPeers } from '../replication/turn.js';
import { admit } from './admission.js';
import { ApplyLoop } from './apply-loop.js';
import { beginning } from './beginning.js';
import { ClockWatch } from './clock-watch.js';
import { DataBound } from './data-bound.js';
import { DiskRoom, diskFull } from './disk-room.js';
import { Feeder } from './feeder.js';
import { FrameCache } from './frame-cache.js';
import { gatheredMsMax } from './gathering.js';
import { observeLinks } from './link-observer.js';
import { LogLengths } from './log-lengths.js';
import { LogWriter } from './log-writer.js';
import type { LinkObserver, Log } from './ports.js';
import { Proposals } from './proposals.js';
import { Replica } from './replica.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import { SESSION_IDLE_MS, SessionExpiry } from './session-expiry.js';
import { Snapshotter } from './snapshotter.js';
import { TransferPace } from './transfer-pace.js';
import type { Company } from './snapshotter.js';

/** The parts of a running node, put together. */
export class Assembly {
  readonly replica: Replica;
  readonly proposals: Proposals;
  readonly applying: ApplyLoop;
  readonly writer: LogWriter;
  readonly feeder: Feeder;
  readonly snapshotter: Snapshotter;
  readonly sessionExpiry: SessionExpiry;
  readonly #parts: ReplicaEngineParts;
  readonly #state: ReplicaState;
  readonly #cache: FrameCache;
  readonly #lengths: LogLengths;
  readonly #dataBound: DataBound;
  readonly room: DiskRoom;
  readonly clocks: ClockWatch;
  /** How far the log went when it was opened. */
  readonly #foundIndex: Index;
  #failure: unknown;
  #waiters: (() => void)[] = [];

  constructor(parts: ReplicaEngineParts) {
    this.#parts = parts;
    this.#state = beginning(parts);
    this.#cache = new FrameCache(this.#state.last.index);
    this.#foundIndex = this.#state.last.index;
    this.clocks = new ClockWatch(parts.clock, this.#state.timing.leaseMs);
    this.room = new DiskRoom(parts.events, () => {
      this.#stepped();
    });
    this.#lengths = new LogLengths(this.#state.last.index, parts.log()?.appendedBytes ?? 0);
    this.writer = this.#makeWriter();
    this.snapshotter = this.#makeSnapshotter();
    this.applying = this.#makeApplyLoop();
    this.#dataBound = this.#makeDataBound();
    this.proposals = this.#makeProposals();
    this.sessionExpiry = this.#makeSessionExpiry();
    this.feeder = this.#makeFeeder();
    this.replica = this.#makeReplica();
  }

  /** Where a new backup's primary is. */
  get hint(): string | undefined {
    return this.#parts.state.primaryAddress;
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** Stops everything: what the files hold is unknown from here on. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error ?? new Error('the node failed');
    this.replica.stop();
    // What is committed and not in this node's own log is not applied here any more, so nobody would be told of it.
    this.proposals.lose(this.applying.reach, stopped());
    this.#parts.failed(error);
    this.#stepped();
  }

  /** Why nothing is answered any more; undefined while all is well. */
  refusal(): Refusal | undefined {
    return this.#failure === undefined ? undefined : stopped();
  }

  /** Why no write is taken; undefined when one is. */
  objection(): Refusal | undefined {
    const failed = this.refusal();
    if (failed !== undefined) return failed;
    const service = serviceOf(this.#state);
    // Others may take the write, and then it is better to say so.
    if (this.room.isStuck && (service === 'serving' || service === 'waiting'))
      return diskFull('nothing was written');
    return writeObjection(this.#state, this.#parts.clock.nowMs(), this.hint);
  }

  /** This node is the only member under every membership that may hold: nobody else can be the primary. */
  get isAlone(): boolean {
    const { configurations } = this.#state;
    if (configurations === undefined) return false;
    return [configurations.committed, ...configurations.open].every(({ members }) => members.length === 1);
  }

  /** It takes the office as soon as it can, and nobody else can have it. */
  get isSolePrimary(): boolean {
    const { role, leftOutAt, divergence } = this.#state;
    return this.isAlone && role === 'primary' && leftOutAt === undefined && divergence === undefined;
  }

  /**
   * Whether the store has every write that was ever acknowledged, although this node does not serve: nobody else can be the primary, and
   * its whole log was applied.
   */
  get holdsEverything(): boolean {
    return this.isSolePrimary && this.applying.end.index >= this.#foundIndex;
  }

  /** How its snapshots go with those of others. */
  get #company(): Company {
    const { office } = this.#state;
    if (knownPeers(this.#state).length === 0) return 'alone';
    return office.kind === 'primary' && office.isServing ? 'marks' : 'is told';
  }

  /** Nobody is told of a full disk by a mark, and none makes it fuller. */
  #askForMark(): boolean {
    if (this.room.isFull) return false;
    const before = this.#state.last.index;
    this.replica.input({ kind: 'mark' });
    return this.#state.last.index > before;
  }

  /** Why the members cannot be changed on this node, which is not the primary. */
  changeObjection(): Refusal {
    const state = this.#state;
    const isBackup = ['following', 'left-out', 'unadopted'].includes(serviceOf(state));
    if (isBackup)
      return notPrimary(primaryAddress(state) ?? this.hint, 'changes of the members are made there');
    return this.objection() ?? stopped();
  }

  /** Resolves when something may have changed. */
  nextStep(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** It serves, or nobody can say when it will. */
  get #isBegun(): boolean {
    const { office } = this.#state;
    const isServing = office.kind === 'primary' && office.isServing;
    return isServing || !this.isSolePrimary || this.#failure !== undefined || this.room.isFull;
  }

  /** Resolves once this node serves, has failed, finds no room on the disk, or learns that the office is another's. */
  async served(): Promise<void> {
    while (!this.#isBegun) await this.nextStep();
    if (this.room.isFull) return;
    // Whoever waits for this finds the files at rest.
    await this.replica.idle();
    await this.applying.idle();
  }

  /** Resolves once every write that was accepted has its outcome. */
  async settled(): Promise<void> {
    while (this.#failure === undefined && !this.proposals.isEmpty) await this.nextStep();
  }

  /** Bytes of the log behind an entry, as far as that is known. */
  bytesBehind(index: Index): number | undefined {
    return this.#lengths.behind(index, this.#parts.log()?.appendedBytes ?? 0);
  }

  /** What the network is told about this node, and tells it. */
  observer(): LinkObserver {
    return observeLinks(this.#parts, this.replica, this.#state, () => this.applying.end.index);
  }

  #log(): Log {
    const log = this.#parts.log();
    if (log === undefined) throw new Error('the node has no log yet');
    return log;
  }

  #stepped(): void {
    const woken = this.#waiters;
    this.#waiters = [];
    for (const wake of woken) wake();
    // Whatever stood in the way of a write may be gone.
    this.proposals.goOn();
  }

  #connections(): number {
    return this.#parts.connections?.() ?? Infinity;
  }

  #makeWriter(): LogWriter {
    return new LogWriter({
      log: () => this.#log(),
      clock: this.#parts.clock,
      isDurable: this.#parts.fsync === 'always',
      connections: () => this.#connections(),
      room: this.room,
      written: (end) => {
        this.#lengths.note(end.index, this.#log().appendedBytes);
        this.replica.written(end);
      },
      writing: () => {
        this.proposals.goOn();
      },
      idle: () => {
        this.proposals.goOn();
      },
      failed: (error) => {
        this.fail(error);
      },
    });
  }

  #makeSnapshotter(): Snapshotter {
    const { store, snapshots, clock, events, snapshotLogBytes } = this.#parts;
    return new Snapshotter({
      store,
      log: () => this.#log(),
      snapshots,
      clock,
      events,
      logBytes: snapshotLogBytes,
      identity: () => {
        const { cluster, self } = this.#state;
        if (cluster === undefined) throw new Error('the node belongs to no cluster yet');
        return { cluster, node: self };
      },
      neededFrom: () => this.feeder.neededFrom,
      applied: () => this.applying.end,
      company: () => this.#company,
      askForMark: () => this.#askForMark(),
      summed: (report) => {
        this.replica.input({ kind: 'state summed', report });
      },
    });
  }

  #makeApplyLoop(): ApplyLoop {
    const { store, clock, replayedTo } = this.#parts;
    const parts = {
      store,
      cache: this.#cache,
      clock,
      log: () => this.#log(),
      snapshotIsBehind: () => this.snapshotter.isBehind,
      snapshotCaughtUp: () => this.snapshotter.caughtUp(),
      observersOf: (frame: Frame) => this.proposals.observersOf(frame),
      applied: (frame: Frame) => {
        if (isMark(frame)) this.snapshotter.marked(endOf(frame));
        this.proposals.applied(frame);
        this.snapshotter.writeIfDue();
        this.#stepped();
      },
      failed: (error: unknown) => {
        this.fail(error);
      },
    };
    return new ApplyLoop(parts, replayedTo);
  }

  #makeDataBound(): DataBound {
    const { store, dataBytesMax = Infinity } = this.#parts;
    return new DataBound({
      bytesMax: dataBytesMax,
      storedBytes: () => store.bytesNow,
      entryBytes: (key) => store.entryBytes(key),
      underWayBytes: () => {
        const logged = this.#cache.bytesBetween(this.applying.end.index, this.#state.last.index);
        return logged === undefined ? undefined : logged + this.proposals.unproposedBytes;
      },
    });
  }

  #makeProposals(): Proposals {
    const { store, clock, fsync, waitingBytesMax, writeTimeoutMs } = this.#parts;
    const state = this.#state;
    const isDurable = fsync === 'always';
    return new Proposals({
      clock,
      cache: this.#cache,
      hasRoomFor: (frameBytes) => this.writer.hasRoomFor(frameBytes),
      reserve: (frameBytes) => this.writer.reserve(frameBytes),
      waitingBytesMax,
      writeTimeoutMs,
      objection: () => this.objection(),
      admit: (operation, tag) => admit(store.sessions, this.#dataBound, operation, tag),
      admitEach: (entries, count) => this.#dataBound.admitEach(entries, count),
      isHeld: () => state.office.kind === 'primary' && state.office.handOver !== undefined,
      // What is proposed within a step is in the log only behind it, and would not be followed by the next.
      isLogBusy: () => !this.writer.isIdle || this.replica.isStepping,
      gatheredMsMax: () => gatheredMsMax(this.isAlone, isDurable, this.#connections()),
      mayTakeAhead: (frameBytes) => !this.replica.isStepping && this.writer.hasRoomFor(frameBytes),
      isStuck: () => this.room.isStuck,
      tail: () => ({ term: state.term, last: state.last }),
      propose: (frame) => {
        this.replica.input({ kind: 'propose', frame });
      },
      failed: (error) => {
        this.fail(error);
      },
      whoIsSilent: () => whoIsSilent(state),
    });
  }

  #makeSessionExpiry(): SessionExpiry {
    const { store, clock, sessionIdleMs = SESSION_IDLE_MS } = this.#parts;
    return new SessionExpiry({
      sessions: store.sessions,
      clock,
      idleMs: sessionIdleMs,
      office: () => (this.objection() === undefined ? this.#state.term : undefined),
      propose: (sessions, observer) => {
        this.proposals.changeSessions({ kind: 'expireSessions', sessions }, observer);
      },
    });
  }

  #makeFeeder(): Feeder {
    const { snapshots, events, clock } = this.#parts;
    const log = (): Log => this.#log();
    return new Feeder({
      cache: this.#cache,
      snapshots,
      events,
      pace: new TransferPace({ clock, commit: () => this.#state.commit, log }),
      log,
      takeSnapshot: () => this.snapshotter.write(),
      input: (input) => {
        this.replica.input(input);
      },
    });
  }

  #makeReplica(): Replica {
    const { states, replacements, network, clock, events, state: nodeState } = this.#parts;
    return new Replica({
      state: this.#state,
      nodeState,
      states,
      replacements,
      network,
      clock,
      events,
      cache: this.#cache,
      writer: this.writer,
      applying: this.applying,
      feeder: this.feeder,
      room: this.room,
      clocks: this.clocks,
      log: () => this.#log(),
      random: () => this.#parts.random(),
      officeChanged: (isPrimary) => {
        if (isPrimary) return;
        this.#dataBound.forget();
        this.proposals.lose(this.#state.commit, this.objection() ?? stopped());
      },
      reload: (replace) => this.#reload(replace),
      stepped: () => {
        this.#stepped();
      },
      failed: (error) => {
        this.fail(error);
      },
    });
  }

  /** Has the files replaced and fills the store anew, behind its lock. */
  async #reload(replace: () => Promise<void>): Promise<void> {
    const { store, replacements } = this.#parts;
    // A walk that is under way sees the old content to its end, and none begins before there is the new one.
    for (;;) {
      await this.snapshotter.idle();
      await store.lock.write();
      if (!this.snapshotter.isWalking) break;
      store.lock.releaseWrite();
    }
    const hadContent = this.applying.end.index > 0;
    try {
      await replace();
      store.clear();
      await replacements.load({
        put: (key, value) => {
          store.put(key, value);
        },
        session: (id, lowest, answers) => {
          store.sessions.restore(id, lowest, answers);
        },
      });
      store.settle();
    } finally {
      store.lock.releaseWrite();
    }
    if (hadContent) this.#parts.replaced();
  }
}

function stopped(): Refusal {
  return refusal('INTERNAL', 'this node takes no more requests and stops: look at its log');
}

function whoIsSilent(state: ReplicaState): string {
  if (state.office.kind !== 'primary') return 'nobody';
  const behind = [...state.office.progress.values()].filter(({ match }) => match < state.last.index);
  if (behind.length === 0 && state.durable < state.last.index) return "this node's own disk";
  return showPeers(behind.map(({ peer }) => peer));
}
