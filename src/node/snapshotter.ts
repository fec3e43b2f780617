import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ClusterId, Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import type { Store } from '../store/store.js';
import { endsForWantOfRoom } from './disk-room.js';
import type { Log, SnapshotOutput, Snapshots } from './ports.js';

/** How far the walk goes in one turn, or less far: it stops also when its output has rendered as much as it should in one. */
const SLOTS_A_SLICE = 500;
/** After one that found no room the next is begun this much later at the earliest, and later still where it takes long. */
const RETRY_MS = 10_000;
const RETRY_TIMES = 10;

export interface SnapshotterParts {
  readonly store: Store;
  log(): Log;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
  readonly events: EventLog;
  identity(): { readonly cluster: ClusterId; readonly node: NodeId };
  /** A snapshot is due when the log grew by this much since the last, and by as much as the last one is large. */
  readonly logBytes: number;
  /** A backup is being sent a snapshot of this position: the log is kept from there on. */
  neededFrom(): Index | undefined;
  /** The position of the store while nobody holds its lock for writing. */
  applied(): LogEnd;
}

/**
 * Writes the JSON file: the map at one position, while writes go on. An entry that changes before the walk
 * reaches it is written with its old value first, and when the file falls behind, applying waits for it.
 */
export class Snapshotter {
  readonly #parts: SnapshotterParts;
  #output: SnapshotOutput | undefined;
  #running: Promise<LogEnd> | undefined;
  #next: Promise<LogEnd> | undefined;
  #logBytesAtLast = 0;
  #lacksRoom = false;
  #notBeforeMs = -Infinity;

  constructor(parts: SnapshotterParts) {
    this.#parts = parts;
  }

  /** Whether the last one found no room. */
  get lacksRoom(): boolean {
    return this.#lacksRoom;
  }

  /** Whether applying has to wait for the file. */
  get isBehind(): boolean {
    return this.#output?.isFull ?? false;
  }

  /** Whether it goes through the store just now. */
  get isWalking(): boolean {
    return this.#output !== undefined;
  }

  async caughtUp(): Promise<void> {
    // A failure of the file is the snapshot's own matter, and ends the wait as well.
    await this.#output?.drained().catch(() => undefined);
  }

  /** Starts a snapshot if enough was logged since the last one. Never rejects: a failure is an event. */
  writeIfDue(): void {
    const { snapshots, logBytes } = this.#parts;
    if (!this.#mayBegin) return;
    const grown = this.#parts.log().appendedBytes - this.#logBytesAtLast;
    if (grown < Math.max(logBytes, snapshots.currentBytes)) return;
    this.write().catch(() => undefined);
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

  /** Resolves when none is being written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
  }

  #begin(): Promise<LogEnd> {
    const running = this.#writeUnlessCurrent().finally(() => {
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
    store.lock.releaseRead();
    if (snapshots.current?.index !== applied.index) return this.#write();
    this.#lacksRoom = false;
    return applied;
  }

  async #write(): Promise<LogEnd> {
    const { clock, snapshots, events } = this.#parts;
    const log = this.#parts.log();
    const startedMs = clock.nowMs();
    const bytesBefore = this.#logBytesAtLast;
    // Also after a failure: the next attempt waits until as much was logged again.
    this.#logBytesAtLast = log.appendedBytes;
    let output: SnapshotOutput | undefined;
    try {
      output = await snapshots.begin(clock);
      const end = await this.#walk(output);
      // The file must never be ahead of the log: recovery takes its position for a proof that the log reached it. What is
      // applied is in the log, and is durable after this whatever the fsync policy says.
      await log.sync();
      await snapshots.install(output);
      const neededFrom = this.#parts.neededFrom() ?? snapshots.previousIndex;
      await log.removeUpTo(Math.min(neededFrom, snapshots.previousIndex) as Index);
      this.#lacksRoom = false;
      const tookMs = Math.round(clock.nowMs() - startedMs);
      events.info({ index: end.index, bytes: snapshots.currentBytes, tookMs }, 'snapshot written');
      return end;
    } catch (error) {
      await output?.abandon().catch(() => undefined);
      if (endsForWantOfRoom(error)) {
        // It is due still, and soon: it may be what makes room.
        this.#logBytesAtLast = bytesBefore;
        this.#foundNoRoom(startedMs);
      } else events.error({ err: error }, 'the snapshot could not be written; the log keeps everything');
      throw error;
    } finally {
      this.#output = undefined;
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

  async #walk(output: SnapshotOutput): Promise<LogEnd> {
    const { store, clock } = this.#parts;
    // Whoever applies holds the lock for a whole frame, so this is between two frames.
    await store.lock.read();
    const end = this.#parts.applied();
    output.start({ ...this.#parts.identity(), end });
    const walk = store.walk((key, value) => {
      output.add(key, value);
    });
    this.#output = output;
    store.lock.releaseRead();
    try {
      while (!walk.step(SLOTS_A_SLICE, () => output.backedUp)) {
        if (output.backedUp) await output.drained();
        await turn(clock);
      }
    } finally {
      walk.end();
    }
    return end;
  }
}
