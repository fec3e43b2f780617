import type { Clock } from '../clock.js';
import { endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { Log } from './ports.js';
import { mayWriteWithinTurn, notBeforeAfter, sizeOf } from './writing-within-turn.js';

/** Frames that are written with one sync. */
const GROUP_FRAMES_MAX = 256;
const RETRY_FULL_MS = 500;

export interface LogWriterParts {
  log(): Log;
  readonly clock: Clock;
  /** How many clients there are. Without it no write keeps others waiting. */
  connections?(): number;
  /** Everything up to here is as safe as the fsync policy says. */
  written(end: LogEnd): void;
  /** There is nothing more to write for now. */
  idle(): void;
  /** Told once: the log takes nothing more. */
  failed(error: unknown): void;
  /** Told once for each time that the disk is full, with the error, and when it no longer is. */
  full(error: Error | undefined): void;
}

/**
 * Writes frames to the log in their order, one group at a time; what comes meanwhile is the next group. While the disk is full
 * it tries again and again: nothing that was taken is dropped.
 */
export class LogWriter {
  readonly #parts: LogWriterParts;
  #queue: Frame[] = [];
  #running: Promise<void> | undefined;
  #hasFailed = false;
  #isStopped = false;
  /** Until when a slow write forbids another one within the turn. */
  #notBeforeMs = 0;

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  append(frames: readonly Frame[]): void {
    if (this.#hasFailed) return;
    this.#queue.push(...frames);
    this.#running ??= this.#run();
  }

  /**
   * Makes room for a frame. It has the log for itself meanwhile: what is appended waits.
   *
   * @throws as the log's `reserve`.
   */
  async reserve(frameBytes: number): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    const reserving = this.#parts.log().reserve(frameBytes);
    this.#running = reserving
      .catch(() => undefined)
      .then(() => {
        this.#running = undefined;
        if (this.#queue.length > 0) this.#running = this.#run();
      });
    await reserving;
  }

  /** Gives up what waits for room on the disk: nobody was told that it is there. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when everything that was taken is written, or the log has failed or was stopped. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever else this turn brings goes with the first group.
    await Promise.resolve();
    while (this.#mayWrite) {
      const group = this.#queue.splice(0, GROUP_FRAMES_MAX);
      const last = group.at(-1);
      if (last === undefined) break;
      if (await this.#write(group)) this.#parts.written(endOf(last));
    }
    this.#running = undefined;
    this.#parts.idle();
  }

  get #mayWrite(): boolean {
    return this.#queue.length > 0 && !this.#hasFailed;
  }

  async #append(group: readonly Frame[]): Promise<void> {
    const { clock } = this.#parts;
    const connections = this.#parts.connections?.() ?? Infinity;
    const nowMs = clock.nowMs();
    const moment = { ...sizeOf(group), connections, nowMs, notBeforeMs: this.#notBeforeMs };
    const withinTurn = mayWriteWithinTurn(moment);
    await this.#parts.log().append(group, withinTurn);
    if (!withinTurn) return;
    const afterMs = clock.nowMs();
    this.#notBeforeMs = notBeforeAfter(this.#notBeforeMs, afterMs - nowMs, afterMs);
  }

  async #write(group: readonly Frame[]): Promise<boolean> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        await this.#append(group);
        if (!isFirst) this.#parts.full(undefined);
        return true;
      } catch (error) {
        if (!(error instanceof Error && error.name === 'DiskFull')) {
          this.#hasFailed = true;
          this.#queue = [];
          this.#parts.failed(error);
          return false;
        }
        if (isFirst) this.#parts.full(error);
        if (this.#isStopped) {
          this.#queue = [];
          return false;
        }
        await new Promise<void>((resolve) => {
          this.#parts.clock.after(RETRY_FULL_MS, resolve);
        });
      }
    }
  }
}
