import type { Cancel } from '../clock.js';
import { refusal, tagObjection } from '../engine.js';
import type {
  ByteRange,
  Engine,
  EntryBatch,
  Guarantees,
  KeyBatch,
  Operation,
  Position,
  ReadOutcome,
  Reconfiguration,
  Reconfigured,
  Refusal,
  ScanBounds,
  ScanPage,
  SessionTag,
  Status,
  ValueSink,
  WriteObserver,
} from '../engine.js';
import { HALTED } from '../replication/state-checking.js';
import type { CommandOutcome, ReplicaState } from '../replication/state.js';
import { Assembly } from './assembly.js';
import { candidateAt } from './candidate.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import { Reads } from './reads.js';
import { Settings } from './settings.js';
import { standingOf, statusOf } from './status.js';
import type { Standing } from './status.js';
import { RETRY_FULL_MS, StoppedWithoutRoom, diskFull, endsForWantOfRoom, isDiskFull } from './disk-room.js';

const SYNC_PERIOD_MS = 1000;
const TICK_MS = 50;
/** So long a node that has handed over waits to hear its successor. */
const SUCCESSOR_MS = 1000;

/**
 * A node: the store, its log, its part in the cluster, and the way between them. What it decides it decides in the core
 * (`replication/`); here it is done.
 */
export class ReplicaEngine implements Engine {
  readonly #parts: ReplicaEngineParts;
  readonly #assembly: Assembly;
  readonly #reads: Reads;
  readonly #settings: Settings;
  /** Whether everything was written that comes before the node takes part. */
  #isPrepared = false;
  #preparing: Promise<void> | undefined;
  #timers: Cancel[] = [];
  #closing: Promise<void> | undefined;

  private constructor(parts: ReplicaEngineParts) {
    this.#parts = parts;
    this.#assembly = new Assembly(parts);
    this.#settings = new Settings(parts, this.#assembly.replica);
    this.#reads = new Reads(parts, this.#assembly);
  }

  /**
   * Takes up the part that the node had. The only member of its cluster serves once this resolves; with other members it takes until enough of
   * them agree, and a backup waits for its primary.
   *
   * On a full disk this resolves as well: the node answers the reads that it may answer, looks for room, and goes on from here once
   * there is some.
   */
  static async start(parts: ReplicaEngineParts): Promise<ReplicaEngine> {
    parts.store.settle();
    const log = parts.log();
    const state =
      log === undefined ? parts.state : { ...parts.state, logIndex: log.end.index, cleanEnd: undefined };
    const engine = new ReplicaEngine({ ...parts, state });
    await engine.#prepare();
    return engine;
  }

  /** Before anything is appended: what opening put off; and the last stop is no longer the end, and the log is begun. */
  async #prepare(): Promise<void> {
    const { states, state, clock } = this.#parts;
    const { room } = this.#assembly;
    try {
      await this.#parts.makeReady?.();
      if (this.#parts.log() !== undefined) await states.saveState(state);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      room.lacks('the start');
      if (this.#closing !== undefined) return;
      const retry = clock.after(RETRY_FULL_MS, () => {
        this.#preparing = this.#prepare().catch((failure: unknown) => {
          this.#assembly.fail(failure);
        });
      });
      this.#timers = [retry];
      return;
    }
    this.#isPrepared = true;
    room.found('the start');
    if (this.#closing === undefined) await this.#begin();
  }

  async #begin(): Promise<void> {
    const { clock, fsync, network, events } = this.#parts;
    const { replica } = this.#assembly;
    const { divergence } = replica.state;
    if (divergence !== undefined) events.error({}, `${HALTED}: ${divergence}`);
    network.observe(this.#assembly.observer());
    replica.input({ kind: 'tick' });
    this.#timers.push(clock.every(TICK_MS, () => this.#tick()));
    if (fsync === 'everysec') this.#timers.push(clock.every(SYNC_PERIOD_MS, () => this.#sync()));
    if (replica.state.role === 'primary' && this.#assembly.isAlone) await this.#assembly.served();
    const reason = this.#assembly.failure;
    if (reason !== undefined) throw reason instanceof Error ? reason : new Error('the node could not start');
  }

  #tick(): void {
    const { replica, proposals, applying, snapshotter, sessionExpiry, room } = this.#assembly;
    replica.input({ kind: 'tick' });
    this.#settings.apply();
    if (!room.isStateStuck) snapshotter.writeForRoom(room.isLogShort);
    snapshotter.markIfOld();
    proposals.checkTime(applying.reach);
    sessionExpiry.tick();
    proposals.goOn();
  }

  #sync(): void {
    this.#parts
      .log()
      ?.sync()
      .catch((error: unknown) => {
        this.#assembly.fail(error);
      });
  }

  get #state(): ReplicaState {
    return this.#assembly.replica.state;
  }

  get guarantees(): Guarantees {
    const { configurations } = this.#state;
    const newest = configurations?.open.at(-1) ?? configurations?.committed;
    const isPrimary = this.#state.office.kind === 'primary' || this.#assembly.isSolePrimary;
    return {
      fsync: this.#parts.fsync,
      acks: newest?.acks ?? 'majority',
      failover: newest?.failover ?? 'manual',
      linearizableReads: isPrimary,
    };
  }

  read(key: ByteRange, sink: ValueSink): ReadOutcome {
    return this.#reads.read(key, sink);
  }

  readEach(keys: KeyBatch, sink: ValueSink): ReadOutcome {
    return this.#reads.readEach(keys, sink);
  }

  readAll(keys: readonly ByteRange[], sink: ValueSink, done: (refused?: Refusal) => void): void {
    this.#reads.readAll(keys, sink, done);
  }

  scan(cursor: number, bounds?: ScanBounds): AsyncGenerator<ScanPage | Refusal> {
    return this.#reads.scan(cursor, bounds);
  }

  count(): number | Refusal {
    return this.#reads.count();
  }

  write(operation: Operation, observer: WriteObserver, tag?: SessionTag): void {
    const refused = tag === undefined ? this.#stopping() : (this.#stopping() ?? tagObjection(tag));
    if (refused === undefined) this.#assembly.proposals.write(operation, observer, tag);
    else observer.written(refused, 0);
  }

  putEach(entries: EntryBatch, observer: WriteObserver): number {
    return this.#stopping() === undefined ? this.#assembly.proposals.putEach(entries, observer) : 0;
  }

  openSession(observer: WriteObserver): void {
    const refused = this.#stopping();
    if (refused === undefined) this.#assembly.proposals.changeSessions({ kind: 'openSession' }, observer);
    else observer.written(refused, 0);
  }

  #stopping(): Refusal | undefined {
    if (this.#closing === undefined) return undefined;
    return refusal('INTERNAL', 'this node is stopping: try again when it is back');
  }

  async snapshot(): Promise<Position | Refusal> {
    if (this.#parts.log() === undefined)
      return refusal('NOT_MEMBER', 'this backup was not added yet and holds nothing');
    // What opening has to keep aside first may be the JSON file.
    if (!this.#isPrepared) return diskFull('and the JSON file is as it was');
    try {
      return await this.#assembly.snapshotter.writeMarked();
    } catch (error) {
      if (endsForWantOfRoom(error)) return diskFull('and the JSON file is as it was');
      // The reason's own text may name files; it is in the event log.
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'a defect';
      return refusal('INTERNAL', `the snapshot was not written (${reason}): look at the server's log`);
    }
  }

  /** Something could not be written for want of room on the disk, and is tried again. */
  get isDiskFull(): boolean {
    return this.#assembly.room.isFull;
  }

  /** The short form of {@link status}, for whoever looks often. */
  standing(): Standing {
    return standingOf(this.#parts, this.#assembly);
  }

  status(): Status {
    return statusOf(this.#parts, this.#assembly, this.guarantees);
  }

  async reconfigure(change: Reconfiguration): Promise<Refusal | Reconfigured> {
    if (this.#closing !== undefined) return refusal('INTERNAL', 'this node is stopping');
    if (this.#assembly.room.isStuck) return diskFull('nothing was changed');
    const wanted =
      change.kind === 'addBackup' ? await candidateAt(change.address, this.#parts, this.#assembly) : change;
    if ('code' in wanted) return wanted;
    const outcome = await this.#assembly.replica.command(wanted);
    return 'code' in outcome ? outcome : this.#reconfigured(outcome);
  }

  /** Before a planned stop: a primary whose members make their own lets one of them take over. Done as well where that cannot be. */
  async handOver(): Promise<void> {
    if (this.#closing !== undefined || this.#assembly.room.isStuck) return;
    const { clock } = this.#parts;
    const wasServing = this.#serves;
    await this.#assembly.replica.leave();
    // Its clients are told where to go, once that is known.
    const untilMs = clock.nowMs() + SUCCESSOR_MS;
    while (wasServing && clock.nowMs() < untilMs) {
      const { office } = this.#state;
      if (office.kind === 'primary' || office.isPrimaryServing) return;
      await this.#assembly.nextStep();
    }
  }

  get #serves(): boolean {
    const { office } = this.#state;
    return office.kind === 'primary' && office.isServing;
  }

  #reconfigured(outcome: CommandOutcome): Reconfigured {
    const own = { address: this.#parts.address(), position: outcome.own };
    const found = outcome.found.map(({ peer, answer }) => ({
      address: peer.address,
      position: answer?.answer.last,
    }));
    return {
      status: this.status(),
      found: found.length === 0 ? [] : [own, ...found],
      leftOut: outcome.leftOut.map(({ address }) => address),
      handedOverBy: outcome.handedOverBy?.address,
      knownUpTo: outcome.knownUpTo,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { states, events } = this.#parts;
    const { replica, applying, writer, snapshotter, feeder } = this.#assembly;
    if (!this.#isPrepared) for (const timer of this.#timers) timer.cancel();
    await this.#preparing;
    await this.#assembly.settled();
    for (const timer of this.#timers) timer.cancel();
    replica.stop();
    writer.stop();
    await replica.idle();
    await writer.idle();
    await applying.idle();
    await feeder.close();
    const log = this.#parts.log();
    if (this.#assembly.failure !== undefined || log === undefined) return;
    if (!this.#isPrepared) {
      events.info({}, 'stopped before there was room on the disk; nothing was changed');
      return;
    }
    if (replica.isUnfinished) throw new StoppedWithoutRoom();
    await log.sync();
    // A failure was told as an event; the log has everything, so the stop is a clean one all the same.
    await snapshotter.write().catch(() => undefined);
    const { nodeState, state } = replica;
    const commit = state.commit;
    await states.saveState({ ...nodeState, commit, logIndex: log.end.index, cleanEnd: log.end });
    events.info({ index: log.end.index }, 'stopped cleanly');
  }
}
