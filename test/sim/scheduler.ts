import { crc32 } from 'node:zlib';
import type { Cancel } from '../../src/clock.js';

const RECENT_MAX = Number(process.env.KV_SIM_LINES ?? 400);
/** Lines are added to the trace so many characters at a time: the sum over them is the sum over each in turn. */
const PENDING_CHARS_MAX = 4096;

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly label: string;
  work: (() => void) | undefined;
}

/** A schedule that goes on without end: something calls itself again and again. */
export class TooManyEvents extends Error {}

/**
 * Runs events one after the other, by their time and then by the order in which they were asked for. Whatever an event set
 * going by promises is over before the next one begins. Nothing in it depends on the time of the machine, so the same
 * calls give the same run.
 */
export class Scheduler {
  /** Called after each event, once everything that follows from it at once has happened. */
  afterEach: () => void = () => undefined;
  readonly #eventsMax: number;
  readonly #heap: Event[] = [];
  readonly #recent: string[] = [];
  #nowMs = 0;
  #sequence = 0;
  #count = 0;
  #trace = 0;
  /** Lines that the trace does not hold yet. */
  #pending = '';

  constructor(eventsMax = 2_000_000) {
    this.#eventsMax = eventsMax;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have run. */
  get count(): number {
    return this.#count;
  }

  /** A checksum of everything that has happened, and when. */
  get trace(): number {
    this.#sumUp();
    return this.#trace;
  }

  /** What happened last, oldest first. */
  get recent(): readonly string[] {
    return [...this.#recent];
  }

  /** A number larger than any that was given out before: orders what happens at one time. */
  stamp(): number {
    return ++this.#sequence;
  }

  after(delayMs: number, label: string, work: () => void): Cancel {
    // Whole microseconds: a time that people can read is the exact one.
    const atMs = Math.round((this.#nowMs + Math.max(0, delayMs)) * 1000) / 1000;
    const event: Event = { atMs, sequence: this.stamp(), label, work };
    push(this.#heap, event);
    return { cancel: () => void (event.work = undefined) };
  }

  /** Adds to the trace something that is not an event of its own. */
  note(text: string): void {
    const line = `${this.#nowMs.toFixed(3)} ${text}`;
    this.#pending += line;
    if (this.#pending.length > PENDING_CHARS_MAX) this.#sumUp();
    this.#recent.push(line);
    if (this.#recent.length > 2 * RECENT_MAX) this.#recent.splice(0, RECENT_MAX);
  }

  #sumUp(): void {
    this.#trace = crc32(this.#pending, this.#trace);
    this.#pending = '';
  }

  /** Runs events until the condition holds, none is left, or the next one is later than `untilMs`. */
  async run(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    await drained();
    while (!isDone()) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return;
      }
      pop(this.#heap);
      if (next.work === undefined) continue;
      if (++this.#count > this.#eventsMax) throw new TooManyEvents(`more than ${String(this.#eventsMax)}`);
      this.#nowMs = next.atMs;
      this.note(next.label);
      next.work();
      await drained();
      this.afterEach();
    }
  }
}

/**
 * Between two rounds of Node's loop the system is asked what happened outside, and in a simulation nothing ever did. So this
 * many immediates are asked for at a time: all of them run in one round, and between any two of them Node settles every
 * promise and tells of rejections that nobody handles.
 */
const IMMEDIATES_A_ROUND = 64;
let immediatesLeft = 0;
const waiting: (() => void)[] = [];

/** Resolves when every promise that can be settled without an event is settled, and what waited for it has run. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (immediatesLeft >= waiting.length) return;
    immediatesLeft += IMMEDIATES_A_ROUND;
    for (let count = 0; count < IMMEDIATES_A_ROUND; count++) setImmediate(passOn);
  });
}

function passOn(): void {
  immediatesLeft--;
  waiting.shift()?.();
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs === b.atMs ? a.sequence < b.sequence : a.atMs < b.atMs;
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (isBefore(heap[parent]!, event)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (isBefore(last, heap[child]!)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}

/**
 * A running program. While it is paused, as by SIGSTOP, nothing of it runs and time goes on; what came due meanwhile happens when
 * it goes on. Once it was ended, nothing of it ever runs again.
 */
export class Process {
  readonly name: string;
  readonly #scheduler: Scheduler;
  #isAlive = true;
  #isPaused = false;
  #backlog: { readonly label: string; readonly work: () => void }[] = [];
  #watchers = new Set<() => void>();
  /** Set when something of it ran, and cleared by who looks at it. */
  hasRun = false;

  constructor(scheduler: Scheduler, name: string) {
    this.#scheduler = scheduler;
    this.name = name;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  post(delayMs: number, label: string, work: () => void): Cancel {
    let isCancelled = false;
    const name = `${this.name} ${label}`;
    const event = this.#scheduler.after(delayMs, name, () => {
      this.run(label, () => {
        if (!isCancelled) work();
      });
    });
    return {
      cancel: () => {
        isCancelled = true;
        event.cancel();
      },
    };
  }

  /** Runs it now, or when the process goes on, or never. */
  run(label: string, work: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isPaused) {
      this.#backlog.push({ label, work });
      return;
    }
    this.hasRun = true;
    work();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const { label, work } of backlog) this.post(0, `late ${label}`, work);
  }

  end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#backlog = [];
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }

  /** Calls it once when the process ends, unless it is taken back before. */
  whenEnded(watcher: () => void): Cancel {
    this.#watchers.add(watcher);
    return { cancel: () => void this.#watchers.delete(watcher) };
  }
}
