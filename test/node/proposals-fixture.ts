import type { Index, Refusal, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { FrameCache } from '../../src/node/frame-cache.js';
import { Proposals } from '../../src/node/proposals.js';
import { HeldClock, range, until } from './engine-fixture.js';

export const TIMEOUT_MS = 5000;
const NONE = 0 as Index;

/** Proposals whose surroundings the test holds: each write gets a frame of its own unless the log is said to be busy. */
export class Fixture {
  readonly clock = new HeldClock();
  readonly cache = new FrameCache(NONE);
  readonly proposed: Frame[] = [];
  /** What the writes came to, in the order of being told: `name` or `name:CODE`. */
  readonly told: string[] = [];
  readonly failures: unknown[] = [];
  readonly reserving: { fulfil(error?: Error): void }[] = [];
  last: LogEnd = EMPTY_LOG;
  term = 1 as Term;
  objection: Refusal | undefined;
  isHeld = false;
  isLogBusy = false;
  gatheredMsMax = 0;
  mayTakeAhead = false;
  /** Room is made only when the test says so. */
  holdsReserve = false;
  failReserveWith: Error | undefined;
  readonly proposals = new Proposals({
    clock: this.clock,
    cache: this.cache,
    waitingBytesMax: 1024 * 1024,
    writeTimeoutMs: TIMEOUT_MS,
    objection: () => this.objection,
    admit: () => undefined,
    admitEach: (_entries, count) => count,
    isHeld: () => this.isHeld,
    isLogBusy: () => this.isLogBusy,
    gatheredMsMax: () => this.gatheredMsMax,
    hasRoomFor: () => !this.holdsReserve && this.failReserveWith === undefined,
    reserve: () => this.#reserve(),
    mayTakeAhead: () => this.mayTakeAhead,
    isStuck: () => false,
    tail: () => ({ term: this.term, last: this.last }),
    propose: (frame) => {
      this.proposed.push(frame);
      this.cache.add(frame);
      this.last = endOf(frame);
    },
    failed: (error) => void this.failures.push(error),
    whoIsSilent: () => 'db-2:7001',
  });

  #reserve(): Promise<void> {
    if (this.failReserveWith !== undefined) return Promise.reject(this.failReserveWith);
    if (!this.holdsReserve) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.reserving.push({
        fulfil: (error) => {
          if (error === undefined) resolve();
          else reject(error);
        },
      });
    });
  }

  write(name: string, valueBytes = 1): void {
    const observer = {
      written: (refused: Refusal | undefined) => {
        this.told.push(refused === undefined ? name : `${name}:${refused.code}`);
      },
    };
    this.proposals.write({ kind: 'put', key: range(name), value: range('v'.repeat(valueBytes)) }, observer);
  }

  /** Makes one write and waits until it is proposed. */
  async propose(name: string): Promise<Frame> {
    const before = this.proposed.length;
    this.write(name);
    await until(() => this.proposed.length > before);
    return this.proposed.at(-1)!;
  }

  /** What applying a committed frame does. */
  apply(frame: Frame): void {
    for (const observer of this.proposals.observersOf(frame)) observer?.written(undefined, 1);
    this.proposals.applied(frame);
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async turns(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await this.turn();
  }
}
