import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import type { EventLog } from '../event-log.js';

/** While the disk is full, whoever needs room looks again after this long, and not sooner. */
export const RETRY_FULL_MS = 500;

/** What may find no room. */
export type RoomFor =
  /** What a start has to write before it begins. */
  | 'the start'
  /** Term, vote and members, or a change of the log that everything behind it waits for. */
  | 'the node state'
  /** Entries that were taken and have to get into the log. */
  | 'entries'
  /** The log's next segment; what fits into the current one is still taken. */
  | 'a segment'
  /** A snapshot that the primary sends. */
  | 'a snapshot';

/** Whether something was not done because the disk is full: nothing was changed, and it may be tried again. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && error.name === 'DiskFull';
}

/** Whether a file of its own could not be written for want of room. What is written of it may be anything. */
export function endsForWantOfRoom(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return isDiskFull(error) || code === 'ENOSPC' || code === 'EDQUOT';
}

/** A stop came while something waited for room. What had to be noted was not. */
export class StoppedWithoutRoom extends Error {
  override readonly name = 'DiskFull';

  constructor() {
    super('the node was stopped while something waited for room on the disk');
  }
}

/** What a client is told whose write or change was refused for want of room. */
export function diskFull(what: string): Refusal {
  return refusal(
    'DISK_FULL',
    `the disk is full, ${what}: make room on it and try again; the server need not be restarted`,
  );
}

/** Knows who finds no room on the disk, and says once that it is full, and once that it no longer is. */
export class DiskRoom {
  readonly #lacking = new Set<RoomFor>();
  readonly #events: EventLog;
  readonly #changed: () => void;

  /** @param changed - told when the disk has become full, and when there is room again. */
  constructor(events: EventLog, changed: () => void) {
    this.#events = events;
    this.#changed = changed;
  }

  get isFull(): boolean {
    return this.#lacking.size > 0;
  }

  /** Nothing at all can be written: what fits into the current segment is not taken either. */
  get isStuck(): boolean {
    return this.isStateStuck || this.isLogStuck;
  }

  /** The files are not as they are to be, and nothing else may change them. */
  get isStateStuck(): boolean {
    return this.#lacking.has('the start') || this.#lacking.has('the node state');
  }

  get isLogStuck(): boolean {
    return this.#lacking.has('entries');
  }

  /** Whether the log needs room. Once a snapshot is written, it may let go of some of what it holds. */
  get isLogShort(): boolean {
    return this.isLogStuck || this.#lacking.has('a segment');
  }

  lacks(what: RoomFor): void {
    if (this.#lacking.has(what)) return;
    const wasFull = this.isFull;
    this.#lacking.add(what);
    if (!wasFull)
      this.#events.error(
        { noRoomFor: what },
        'the disk is full: make room on it; reads go on, and so does everything else once there is room, without a restart',
      );
    this.#changed();
  }

  found(what: RoomFor): void {
    if (!this.#lacking.delete(what)) return;
    if (!this.isFull) this.#events.info({}, 'there is room on the disk again');
    this.#changed();
  }
}
