import type { Cancel, Clock } from '../clock.js';
import { endOf, sizeOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { RETRY_FULL_MS, isDiskFull } from './disk-room.js';
import type { DiskRoom } from './disk-room.js';
import type { Log } from './ports.js';
import { NO_SLOW_WRITES, afterWrite, mayWriteWithinTurn } from './writing-within-turn.js';

/** Frames that are written with one sync. */
const GROUP_FRAMES_MAX = 256;

export interface LogWriterParts {
  log(): Log;
  readonly clock: Clock;
  /** Whether a write waits for the disk, and not for the kernel's memory alone. */
  readonly isDurable: boolean;
  /** How many clients there are. Without it no write that waits for the disk keeps others waiting. */
  connections?(): number;
  /** Told each time that the disk is full, and when it no longer is. */
  readonly room: Pick<DiskRoom, 'lacks' | 'found'>;
  /** Everything up to here is as safe as the fsync policy says. */
  written(end: LogEnd): void;
  /** A group is being written beside other work: where there is room, another one may be taken. */
  writing(): void;
  /** There is nothing more to write for now. */
  idle(): void;
  /** Told once: the log takes nothing more. */
  failed(error: unknown): void;
}

/** A group that is being written, where it ends, and whether it was written in the end: no promise where that is known at once. */
interface Writing {
  readonly end: LogEnd;
  readonly outcome: boolean | Promise<boolean>;
}

/**
 * Writes frames to the log in their order, one group at a time; what comes meanwhile is the next group.
 *
 * While the disk is full, what was taken is tried again and again, and nothing of it is dropped. Room for what was not taken yet is
 * looked for here: until it is found, only what fits into the current segment passes.
 */
export class LogWriter {
  readonly #parts: LogWriterParts;
  #queue: Frame[] = [];
  #running: Promise<void> | undefined;
  /** Being written beside other work: what comes meanwhile is written behind it. */
  #underWay: readonly Frame[] = [];
  #hasFailed = false;
  #isStopped = false;
  #slowWrites = NO_SLOW_WRITES;
  /** Why there is no room for another segment, and when it is looked for again. */
  #full: { readonly error: unknown; readonly look: Cancel } | undefined;

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Whether a frame of this size can be appended now, with nothing to be done for it before but what is being written. */
  hasRoomFor(frameBytes: number): boolean {
    if (this.#hasFailed || !(this.isIdle || this.#underWay.length > 0)) return false;
    return this.#parts.log().hasRoomFor(frameBytes, [...this.#underWay, ...this.#queue]);
  }

  append(frames: readonly Frame[]): void {
    if (this.#hasFailed) return;
    this.#queue.push(...frames);
    this.#running ??= this.#run();
  }

  /**
   * Makes room for a frame. It has the log for itself meanwhile: what is appended waits. Where no room was found a moment ago this
   * fails at once.
   *
   * @throws as the log's `reserve`.
   */
  async reserve(frameBytes: number): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    if (this.#full !== undefined && !this.#parts.log().hasRoomFor(frameBytes)) throw this.#full.error;
    const reserving = this.#parts.log().reserve(frameBytes);
    this.#exclude(
      reserving.catch((error: unknown) => {
        if (isDiskFull(error)) this.#lookLater(error);
      }),
    );
    await reserving;
  }

  /** Gives up what waits for room on the disk: nobody was told that it is there. */
  stop(): void {
    this.#isStopped = true;
    this.#full?.look.cancel();
  }

  /** Resolves when everything that was taken is written, or the log has failed or was stopped. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Nothing is appended before this is done. */
  #exclude(work: Promise<void>): void {
    this.#running = work.then(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#running = this.#run();
    });
  }

  #lookLater(error: unknown): void {
    if (this.#isStopped) return;
    this.#full?.look.cancel();
    const look = this.#parts.clock.after(RETRY_FULL_MS, () => void this.#look());
    this.#full = { error, look };
    this.#parts.room.lacks('a segment');
  }

  async #look(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    if (this.#isStopped || this.#hasFailed) return;
    const looking = this.#parts
      .log()
      .makeReady()
      .catch((error: unknown) => error);
    this.#exclude(
      looking.then((error) => {
        if (isDiskFull(error)) {
          this.#lookLater(error);
          return;
        }
        // Any other failure is told to whoever needs the segment.
        this.#full = undefined;
        this.#parts.room.found('a segment');
      }),
    );
    await looking;
    await this.idle();
    this.#parts.idle();
  }

  async #run(): Promise<void> {
    // Whatever else this turn brings goes with the first group; and what links were given is sent before anybody waits for a disk.
    await Promise.resolve();
    await Promise.resolve();
    for (let writing = this.#writeNext('soonest'); writing !== undefined;) {
      const { end, outcome } = writing;
      const isWritten = typeof outcome === 'boolean' ? outcome : await outcome;
      // What was taken while this was written beside other work is written while this is applied.
      const next = typeof outcome === 'boolean' ? undefined : this.#writeNext('beside');
      if (isWritten) this.#parts.written(end);
      writing = next ?? this.#writeNext('soonest');
    }
    this.#running = undefined;
    this.#parts.idle();
  }

  /** Begins to write the next group; undefined when there is none, or the log takes nothing more. */
  #writeNext(how: 'soonest' | 'beside'): Writing | undefined {
    const group = this.#queue.splice(0, GROUP_FRAMES_MAX);
    const last = group.at(-1);
    if (last === undefined) return undefined;
    return { end: endOf(last), outcome: how === 'beside' ? this.#writeBeside(group) : this.#write(group) };
  }

  /** Writes while everything else waits, where that pays; answers whether it did. */
  #appendNow(group: readonly Frame[]): boolean {
    const { clock, isDurable } = this.#parts;
    const connections = this.#parts.connections?.() ?? Infinity;
    const nowMs = clock.nowMs();
    const { bytes, entries } = sizeOf(group);
    const moment = { bytes, entries, isDurable, connections, nowMs, slowWrites: this.#slowWrites };
    if (!mayWriteWithinTurn(moment)) return false;
    if (!this.#parts.log().appendNow(group)) return false;
    const afterMs = clock.nowMs();
    this.#slowWrites = afterWrite(this.#slowWrites, afterMs - nowMs, afterMs, connections);
    return true;
  }

  /** Answers whether the group was written: at once where that was done within the turn, or where it failed there. */
  #write(group: readonly Frame[]): boolean | Promise<boolean> {
    try {
      if (!this.#appendNow(group)) return this.#writeBeside(group);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#parts.room.found('entries');
    return true;
  }

  async #writeBeside(group: readonly Frame[]): Promise<boolean> {
    const { room, clock } = this.#parts;
    for (;;) {
      try {
        await this.#appendBeside(group);
        room.found('entries');
        return true;
      } catch (error) {
        if (!isDiskFull(error)) {
          this.#fail(error);
          return false;
        }
      }
      room.lacks('entries');
      if (this.#isStopped) {
        this.#queue = [];
        return false;
      }
      await new Promise<void>((resolve) => {
        clock.after(RETRY_FULL_MS, resolve);
      });
    }
  }

  async #appendBeside(group: readonly Frame[]): Promise<void> {
    const appending = this.#parts.log().append(group);
    this.#underWay = group;
    try {
      this.#parts.writing();
      await appending;
    } finally {
      this.#underWay = [];
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#queue = [];
    this.#parts.failed(error);
  }
}
