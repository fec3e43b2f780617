import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import type { Index, WriteObserver } from '../engine.js';
import { endOf, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { Store } from '../store/store.js';
import { Applier } from './applier.js';
import type { Pause } from './applier.js';
import type { FrameCache } from './frame-cache.js';
import type { Log } from './ports.js';

const READ_BYTES = 1024 * 1024;

export interface ApplyLoopParts {
  readonly store: Store;
  readonly cache: FrameCache;
  readonly clock: Clock;
  log(): Log;
  snapshotIsBehind(): boolean;
  snapshotCaughtUp(): Promise<void>;
  /** Who waits for the entries of this frame, in their order. */
  observersOf(frame: Frame): readonly (WriteObserver | undefined)[];
  /** Told after each frame was applied. */
  applied(frame: Frame): void;
  failed(error: unknown): void;
}

/**
 * Applies the log to the store, frame by frame, as far as it is committed.
 *
 * Invariants: frames are applied in the order of the log; nothing is applied before it is committed, nor before it is in this
 * node's own log. On a backup the first may come earlier, while its own disk is slow, full or failing. Without the second the
 * store, and with it the JSON file, could be ahead of the log: the next start would take the file's position for a proof that
 * the log has lost something.
 */
export class ApplyLoop {
  readonly #parts: ApplyLoopParts;
  #end: LogEnd;
  #commit: Index;
  #isRunning = false;
  #done: Promise<void> = Promise.resolve();
  #isHeld = false;
  #isBetweenEntries = false;
  readonly #snapshotIsBehind = (): boolean => this.#parts.snapshotIsBehind();

  constructor(parts: ApplyLoopParts, end: LogEnd) {
    this.#parts = parts;
    this.#end = end;
    this.#commit = end.index;
  }

  /** Where the last applied frame ends. The store is the map at this position whenever nobody writes to it. */
  get end(): LogEnd {
    return this.#end;
  }

  /** How far it is to apply: what is known here to be committed. */
  get committed(): Index {
    return this.#commit;
  }

  /** How far it gets with what has happened until now. What is committed behind it waits for this node's own disk. */
  get reach(): Index {
    return Math.min(this.#commit, this.#parts.cache.writtenIndex) as Index;
  }

  /**
   * Whether the caller runs inside the call to a write's observer. The store is locked then, and yet is the map at
   * exactly that write's position.
   */
  get isBetweenEntries(): boolean {
    return this.#isBetweenEntries;
  }

  commit(index: Index): void {
    if (index > this.#commit) this.#commit = index;
    this.goOn();
  }

  /** Applies what may be applied now: more is committed, or more is in the log. */
  goOn(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const rest = this.#begin();
    if (rest === undefined) this.#isRunning = false;
    else this.#done = this.#finish(rest);
  }

  /** Resolves when everything that is committed and in the log is applied. */
  async idle(): Promise<void> {
    while (this.#isRunning) await this.#done;
  }

  /** Stops applying, and resolves when nothing is being applied. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    await this.idle();
  }

  /** Goes on from a content that was put in the store's place. */
  resume(end: LogEnd): void {
    this.#isHeld = false;
    this.#end = end;
    // What was committed of the content before may have gone further, and is gone with it.
    this.#commit = end.index;
  }

  /** Most of the time there is nothing to wait for, and no promise either. */
  #begin(): Promise<void> | undefined {
    try {
      return this.#applyCached();
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  async #finish(first: Promise<void>): Promise<void> {
    try {
      for (let rest: Promise<void> | undefined = first; rest !== undefined;) {
        const before = this.#end.index;
        await rest;
        // A frame that is committed in part waits for the rest.
        rest = this.#end.index === before ? undefined : this.#applyCached();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isRunning = false;
  }

  #fail(error: unknown): void {
    this.#isHeld = true;
    this.#parts.failed(error);
  }

  /** Applies frames for as long as there is nothing to wait for; what to wait for before it goes on. */
  #applyCached(): Promise<void> | undefined {
    while (this.#mayApply((this.#end.index + 1) as Index)) {
      const frame = this.#parts.cache.next(this.#end.index);
      if (frame === undefined) return this.#applyRead();
      // As above: committed in part.
      if (!this.#mayApply(lastIndexOf(frame))) break;
      const rest = this.#apply(frame);
      if (rest !== undefined) return rest;
    }
    return undefined;
  }

  async #applyRead(): Promise<void> {
    for (const frame of await this.#read()) {
      if (!this.#mayApply(lastIndexOf(frame))) break;
      const rest = this.#apply(frame);
      if (rest !== undefined) await rest;
    }
  }

  #mayApply(index: Index): boolean {
    return index <= this.reach && !this.#isHeld;
  }

  async #read(): Promise<readonly Frame[]> {
    const frames = await this.#parts.log().read(this.#end.index, READ_BYTES);
    if (frames === 'trimmed' || frames.length === 0) {
      throw new Error(
        `the log does not have the entry behind ${String(this.#end.index)}, which is committed`,
      );
    }
    return frames;
  }

  /** Applies a frame: at once, which most are, or resolving when it is done. */
  #apply(frame: Frame): Promise<void> | undefined {
    const { store } = this.#parts;
    const observers = this.#parts.observersOf(frame);
    const applier = new Applier(store, frame, observers, this.#snapshotIsBehind);
    if (!store.lock.tryWrite()) return this.#applyLater(frame, applier);
    const pause = this.#runApplier(frame, applier);
    return pause === undefined ? undefined : this.#applyOn(frame, applier, pause);
  }

  async #applyLater(frame: Frame, applier: Applier): Promise<void> {
    await this.#parts.store.lock.write();
    const pause = this.#runApplier(frame, applier);
    if (pause !== undefined) await this.#applyOn(frame, applier, pause);
  }

  async #applyOn(frame: Frame, applier: Applier, first: Pause): Promise<void> {
    for (let pause: Pause | undefined = first; pause !== undefined;) {
      try {
        if (pause === 'snapshot') await this.#parts.snapshotCaughtUp();
        else await turn(this.#parts.clock);
      } catch (error) {
        this.#parts.store.lock.releaseWrite();
        throw error;
      }
      pause = this.#runApplier(frame, applier);
    }
  }

  /** Goes on with a frame, with the lock held, and lets go of it when the frame is applied or that failed. */
  #runApplier(frame: Frame, applier: Applier): Pause | undefined {
    let pause: Pause | undefined;
    this.#isBetweenEntries = true;
    try {
      pause = applier.run();
      if (pause === undefined) this.#end = endOf(frame);
    } finally {
      this.#isBetweenEntries = false;
      if (pause === undefined) this.#parts.store.lock.releaseWrite();
    }
    if (pause === undefined) this.#parts.applied(frame);
    return pause;
  }
}
