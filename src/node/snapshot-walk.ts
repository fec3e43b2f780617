import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import { LASTING_BYTES_MIN, copyRange } from '../engine.js';
import type { ByteRange } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import type { StateSum } from '../store/state-sum.js';
import type { SessionWalk } from '../store/sessions.js';
import type { Store } from '../store/store.js';
import type { Walk } from '../store/walk.js';
import type { SnapshotOutput } from './ports.js';

/** How far the walk goes in one turn, or less far: it stops also when its output has rendered as much as it should in one. */
const SLOTS_A_SLICE = 500;
/** A session may have 1,024 answers, and a line of ten kilobytes. */
const SESSIONS_A_SLICE = 10;
/** So much may change before the file is open, and is kept for it with its old value. */
const SESSION_EARLY_BYTES = 100;
export const EARLY_BYTES_MAX = 1024 * 1024;

/**
 * Goes through the store for one snapshot. What it meets is the map, and the sessions, at the moment when this was made: an entry that changes
 * before the walk reaches it is shown first, with its old value, and when the file falls behind, applying waits for it.
 */
export class SnapshotWalk {
  readonly end: LogEnd;
  readonly #clock: Clock;
  readonly #walk: Walk;
  readonly #sessions: SessionWalk;
  /** Whether there were sessions at that moment. */
  readonly hasSessions: boolean;
  readonly #sum: StateSum | undefined;
  #output: SnapshotOutput | undefined;
  /** What changed before the output was open, to be shown to it. */
  #early: ((output: SnapshotOutput) => void)[] = [];
  #earlyBytes = 0;
  #opened: Promise<unknown> = Promise.resolve();
  #hasFailed = false;

  /**
   * Nobody may be writing to the store in this turn.
   *
   * @param end - the position that the store is at.
   * @param sum - takes in all that is met, when it is wanted.
   */
  constructor(store: Store, end: LogEnd, clock: Clock, sum: StateSum | undefined) {
    this.end = end;
    this.#clock = clock;
    this.#sum = sum;
    this.#walk = store.walk((key, value) => {
      this.#visit(key, value);
    });
    this.hasSessions = store.sessions.count > 0;
    this.#sessions = store.sessions.walk((id, lowest, answers) => {
      this.#visitSession(id, lowest, answers);
    });
  }

  /** What was met, added up; undefined where nobody wanted it. */
  get checksum(): string | undefined {
    return this.#sum?.text;
  }

  /** Whether applying has to wait for the file, or for the sum. */
  get isBehind(): boolean {
    if (this.#hasFailed) return false;
    if (this.#sum?.isFull === true) return true;
    return this.#output?.isFull ?? this.#earlyBytes >= EARLY_BYTES_MAX;
  }

  async caughtUp(): Promise<void> {
    // A failure of the file is the snapshot's own matter, and ends the wait as well.
    await this.#opened.catch(() => undefined);
    await this.#output?.drained().catch(() => undefined);
    while (!this.#hasFailed && this.#sum?.isFull === true) await this.#addUp(this.#sum);
  }

  /** Gives everything to the output, as soon as that is open. */
  async run(
    opening: Promise<SnapshotOutput>,
    start: (output: SnapshotOutput) => void,
  ): Promise<SnapshotOutput> {
    this.#opened = opening;
    try {
      const output = await opening;
      start(output);
      for (const show of this.#early) show(output);
      this.#early = [];
      this.#output = output;
      const isEnough = (): boolean => output.backedUp || this.#sum?.isBusy === true;
      while (!this.#sessions.step(SESSIONS_A_SLICE, isEnough)) await this.#rest(output);
      while (!this.#walk.step(SLOTS_A_SLICE, isEnough)) await this.#rest(output);
      while (this.#sum?.isBusy === true) await this.#addUp(this.#sum);
      return output;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    } finally {
      this.#walk.end();
      this.#sessions.end();
    }
  }

  /** Until there is more to be gone through. */
  async #rest(output: SnapshotOutput): Promise<void> {
    while (this.#sum?.isBusy === true) await this.#addUp(this.#sum);
    if (output.backedUp) await output.drained();
    await turn(this.#clock);
  }

  async #addUp(sum: StateSum): Promise<void> {
    sum.step();
    await turn(this.#clock);
  }

  #visit(key: ByteRange, value: ByteRange): void {
    this.#sum?.add(key, value);
    if (this.#output !== undefined) {
      this.#output.add(key, value);
      return;
    }
    const bytes = value.end - value.start;
    const keptKey = copyRange(key);
    const keptValue = bytes >= LASTING_BYTES_MIN ? value : copyRange(value);
    this.#early.push((output) => {
      output.add(keptKey, keptValue);
    });
    this.#earlyBytes += key.end - key.start + bytes;
  }

  #visitSession(id: number, lowest: number, answers: Int32Array): void {
    this.#sum?.addSession(id, lowest, answers);
    if (this.#output !== undefined) {
      this.#output.addSession(id, lowest, answers);
      return;
    }
    this.#early.push((output) => {
      output.addSession(id, lowest, answers);
    });
    this.#earlyBytes += SESSION_EARLY_BYTES + answers.byteLength;
  }
}
