import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ClusterId, Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import type { Store } from '../store/store.js';
import type { Log, SnapshotOutput, Snapshots } from './ports.js';

/** How far the walk goes in one turn, or less far: it stops also when its output has rendered as much as it should in one. */
const SLOTS_A_SLICE = 500;

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
  #logBytesAtLast: number;

  constructor(parts: SnapshotterParts) {
    this.#parts = parts;
    this.#logBytesAtLast = 0;
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
    if (this.#running !== undefined) return;
    const { snapshots, logBytes } = this.#parts;
    const grown = this.#parts.log().appendedBytes - this.#logBytesAtLast;
    if (grown < Math.max(logBytes, snapshots.currentBytes)) return;
    this.write().catch(() => undefined);
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
    return snapshots.current?.index === applied.index ? applied : this.#write();
  }

  async #write(): Promise<LogEnd> {
    const { clock, snapshots, events } = this.#parts;
    const log = this.#parts.log();
    const startedMs = clock.nowMs();
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
      const tookMs = Math.round(clock.nowMs() - startedMs);
      events.info({ index: end.index, bytes: snapshots.currentBytes, tookMs }, 'snapshot written');
      return end;
    } catch (error) {
      events.error({ err: error }, 'the snapshot could not be written; the log keeps everything');
      await output?.abandon().catch(() => undefined);
      throw error;
    } finally {
      this.#output = undefined;
    }
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
