import type { Clock } from '../clock.js';
import type { ClusterId, Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import type { StateReport } from '../replication/state-checks.js';
import { StateSum } from '../store/state-sum.js';
import type { Store } from '../store/store.js';
import { endsForWantOfRoom } from './disk-room.js';
import type { Log, SnapshotOutput, Snapshots } from './ports.js';
import { SnapshotWalk } from './snapshot-walk.js';

/**
 * A snapshot of a large store costs as much as writing all of it: the next one is due when so many times its size was logged. With once,
 * SET among 16 with a million keys, synced, was 418,000 a second where it is 459,000, and 478,000 without any; more would let the log
 * grow and the start take longer for less and less.
 */
const DUE_SIZES = 2;
/** After one that found no room the next is begun this much later at the earliest, and later still where it takes long. */
const RETRY_MS = 10_000;
const RETRY_TIMES = 10;
/** A primary marks its log at least so often, if something was written since: states are compared also where little is. */
export const MARK_EVERY_MS = 3_600_000;
/** A snapshot that was asked for waits so long for its mark to be applied, and is then written without one. */
const MARK_WAIT_MS = 2000;
/** Where nobody marks the log, a node that has others writes by itself once it has grown so many times as much as makes one due. */
const UNMARKED_TIMES = 2;

/** `marks`: the primary of others, which says where all write. `is told`: it has others, and waits for the mark of their primary. */
export type Company = 'alone' | 'marks' | 'is told';

export interface SnapshotterParts {
  readonly store: Store;
  log(): Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly events: EventLog;
  identity(): { readonly cluster: ClusterId; readonly node: NodeId };
  /** A snapshot is due when the log grew by this much since the last, and by {@link DUE_SIZES} times the size of that. */
  readonly logBytes: number;
  /** A backup is being sent a snapshot of this position: the log is kept from there on. */
  neededFrom(): Index | undefined;
  /** The position of the store while nobody holds its lock for writing. */
  applied(): LogEnd;
  company(): Company;
  /** Has the primary's log marked. False when it cannot be now. */
  askForMark(): boolean;
  /** What the state was at a mark. */
  summed(report: StateReport): void;
}

/**
 * Writes the JSON file: the map at one position, while writes go on, see snapshot-walk.ts.
 *
 * Nodes that have the same log write theirs at the same positions, as far as that can be: their primary marks the log where it
 * would write one, and whoever applies the mark begins there. What the state is at a mark is added up on the way, to be compared.
 */
export class Snapshotter {
  readonly #parts: SnapshotterParts;
  #walk: SnapshotWalk | undefined;
  #running: Promise<LogEnd> | undefined;
  #next: Promise<LogEnd> | undefined;
  #logBytesAtLast = 0;
  #lacksRoom = false;
  #notBeforeMs = -Infinity;
  #hasAskedForMark = false;
  #lastIndex: Index | undefined;
  #lastMs: number;
  /** Whoever waits for a mark to be applied; told the snapshot that begins there, if one does. */
  #waiters: ((marked: Promise<LogEnd> | undefined) => void)[] = [];

  constructor(parts: SnapshotterParts) {
    this.#parts = parts;
    this.#lastMs = parts.clock.nowMs();
  }

  /** Whether the last one found no room. */
  get lacksRoom(): boolean {
    return this.#lacksRoom;
  }

  /** Whether applying has to wait for the file. */
  get isBehind(): boolean {
    return this.#walk?.isBehind ?? false;
  }

  /** Whether it goes through the store just now. */
  get isWalking(): boolean {
    return this.#walk !== undefined;
  }

  async caughtUp(): Promise<void> {
    await this.#walk?.caughtUp();
  }

  /** Starts a snapshot if enough was logged since the last one. Never rejects: a failure is an event. */
  writeIfDue(): void {
    const { snapshots, logBytes } = this.#parts;
    if (!this.#mayBegin) return;
    const grown = this.#parts.log().appendedBytes - this.#logBytesAtLast;
    const due = Math.max(logBytes, DUE_SIZES * snapshots.currentBytes);
    if (grown < due) return;
    const company = this.#parts.company();
    if (company === 'alone' || grown >= UNMARKED_TIMES * due) this.write().catch(() => undefined);
    else if (company === 'marks' && !this.#hasAskedForMark) {
      // Once: what is refused now is made up for by the node's own snapshot.
      this.#hasAskedForMark = true;
      this.#parts.askForMark();
    }
  }

  /** Has the log marked where that was not done for long, so that states are compared. */
  markIfOld(): void {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs - this.#lastMs < MARK_EVERY_MS) return;
    this.#lastMs = nowMs;
    const hasMoved = this.#parts.applied().index !== this.#lastIndex;
    if (hasMoved && this.#parts.company() === 'marks') this.#parts.askForMark();
  }

  /**
   * The store is at a mark in this turn: a snapshot begins, unless one is under way. Called before anything else changes the
   * store. Never rejects: a failure is an event.
   */
  marked(end: LogEnd): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    const running = this.#mayBegin
      ? this.#beginWith(this.#write(this.#walkFrom(end, new StateSum())))
      : undefined;
    running?.catch(() => undefined);
    for (const wake of waiters) wake(running);
  }

  /**
   * Starts a snapshot where the last one found no room, and where the log has none, if that may help: with the one that is there
   * becoming the one before, the log lets go of what lies before it.
   */
  writeForRoom(isLogShort: boolean): void {
    const { current } = this.#parts.snapshots;
    const mayHelp = isLogShort && current !== undefined && current.index !== this.#parts.applied().index;
    if ((this.#lacksRoom || mayHelp) && this.#mayBegin) this.write().catch(() => undefined);
  }

  get #mayBegin(): boolean {
    return this.#running === undefined && this.#parts.clock.nowMs() >= this.#notBeforeMs;
  }

  /** Writes a snapshot that holds everything applied before the call, and answers its position. */
  write(): Promise<LogEnd> {
    if (this.#running === undefined) return this.#begin();
    // The one under way may lack the newest writes. Whoever comes meanwhile shares the one behind it.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /** As {@link write}, and on a primary with others so that all of them write one of the same position, and are compared. */
  async writeMarked(): Promise<LogEnd> {
    if (this.#parts.company() !== 'marks') return this.write();
    await this.idle();
    const isAsked = this.#waiters.length > 0 || this.#parts.askForMark();
    const running = isAsked ? await this.#nextMark() : undefined;
    return running === undefined ? this.write() : running.snapshot;
  }

  /** Undefined when no mark is applied soon, or no snapshot begins there. */
  #nextMark(): Promise<{ readonly snapshot: Promise<LogEnd> } | undefined> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(MARK_WAIT_MS, () => resolve(undefined));
      this.#waiters.push((snapshot) => {
        timer.cancel();
        resolve(snapshot === undefined ? undefined : { snapshot });
      });
    });
  }

  /** Resolves when none is being written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
  }

  #begin(): Promise<LogEnd> {
    return this.#beginWith(this.#writeUnlessCurrent());
  }

  #beginWith(work: Promise<LogEnd>): Promise<LogEnd> {
    const running = work.finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #writeUnlessCurrent(): Promise<LogEnd> {
    const { store, snapshots } = this.#parts;
    // Whoever applies holds the lock for a whole frame: only between two frames is the position what it seems.
    await store.lock.read();
    const applied = this.#parts.applied();
    const isCurrent = snapshots.current?.index === applied.index;
    const walk = isCurrent ? undefined : this.#walkFrom(applied);
    store.lock.releaseRead();
    if (walk !== undefined) return this.#write(walk);
    this.#lacksRoom = false;
    return applied;
  }

  #walkFrom(end: LogEnd, sum?: StateSum): SnapshotWalk {
    const { store, clock } = this.#parts;
    this.#walk = new SnapshotWalk(store, end, clock, sum);
    return this.#walk;
  }

  async #write(walk: SnapshotWalk): Promise<LogEnd> {
    const { clock, snapshots, events } = this.#parts;
    const { end } = walk;
    const log = this.#parts.log();
    const startedMs = clock.nowMs();
    const bytesBefore = this.#logBytesAtLast;
    // Also after a failure: the next attempt waits until as much was logged again.
    this.#logBytesAtLast = log.appendedBytes;
    this.#hasAskedForMark = false;
    this.#lastMs = startedMs;
    this.#lastIndex = end.index;
    let opened: SnapshotOutput | undefined;
    try {
      const opening = snapshots.begin(clock);
      const output = await walk.run(opening, (started) => {
        opened = started;
        started.start({ ...this.#parts.identity(), end, hasSessions: walk.hasSessions });
      });
      const { checksum } = walk;
      if (checksum !== undefined) this.#parts.summed({ end, checksum });
      // The file must never be ahead of the log: recovery takes its position for a proof that the log reached it. What is
      // applied is in the log, and is durable after this whatever the fsync policy says.
      await log.sync();
      await snapshots.install(output);
      const neededFrom = this.#parts.neededFrom() ?? snapshots.previousIndex;
      await log.removeUpTo(Math.min(neededFrom, snapshots.previousIndex) as Index);
      this.#lacksRoom = false;
      const tookMs = Math.round(clock.nowMs() - startedMs);
      events.info({ index: end.index, bytes: snapshots.currentBytes, tookMs, checksum }, 'snapshot written');
      return end;
    } catch (error) {
      await opened?.abandon().catch(() => undefined);
      if (endsForWantOfRoom(error)) {
        // It is due still, and soon: it may be what makes room. What the log keeps for later is worth less than it.
        this.#logBytesAtLast = bytesBefore;
        await log.giveUpSpares();
        this.#foundNoRoom(startedMs);
      } else events.error({ err: error }, 'the snapshot could not be written; the log keeps everything');
      throw error;
    } finally {
      this.#walk = undefined;
    }
  }

  #foundNoRoom(startedMs: number): void {
    const { clock, events } = this.#parts;
    const nowMs = clock.nowMs();
    this.#notBeforeMs = nowMs + Math.max(RETRY_MS, RETRY_TIMES * (nowMs - startedMs));
    const wasTold = this.#lacksRoom;
    this.#lacksRoom = true;
    if (wasTold) return;
    events.error(
      {},
      'the disk has no room for the JSON file; the log keeps everything, and it is tried again',
    );
  }
}
