import { refusal } from '../../src/engine.js';
import type { ByteRange, ClusterId, Index, NodeId, Refusal, Term, ValueSink } from '../../src/engine.js';
import type { Cancel, NodeClock } from '../../src/clock.js';
import type { EventLog } from '../../src/event-log.js';
import type { LogEnd } from '../../src/log/frame.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type {
  Network,
  Replacements,
  SnapshotOutput,
  SnapshotSource,
  Snapshots,
} from '../../src/node/ports.js';
import { ReplicaEngine } from '../../src/node/replica-engine.js';
import type { ReplicaEngineParts } from '../../src/node/engine-parts.js';
import { historyBehind } from '../../src/storage/log-history.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { makeTable } from '../store/make-table.js';
import { Store } from '../../src/store/store.js';
import { MemoryLog } from './memory-log.js';

export function range(content: string | Buffer): ByteRange {
  const bytes = Buffer.from(content);
  return { bytes, start: 0, end: bytes.length };
}

interface Timer {
  dueMs: number;
  readonly periodMs: number | undefined;
  readonly work: () => void;
}

/** A clock that stands still until the test moves it. */
export class HeldClock implements NodeClock {
  /** How far the wall clock is ahead. */
  wallAheadMs = 1_800_000_000_000;
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  wallMs(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, work: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: undefined, work });
  }

  every(periodMs: number, work: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, work });
  }

  nextTurn(work: () => void): void {
    setImmediate(work);
  }

  /** Lets this much time pass: whatever falls due meanwhile runs, in its order. */
  pass(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > untilMs) break;
      this.#nowMs = next.dueMs;
      if (next.periodMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.periodMs;
      next.work();
    }
    this.#nowMs = untilMs;
  }

  /** Whether something is to be done once, after so long. */
  isDueIn(delayMs: number): boolean {
    return [...this.#timers].some(
      ({ dueMs, periodMs }) => periodMs === undefined && dueMs === this.#nowMs + delayMs,
    );
  }

  #add(timer: Timer): Cancel {
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
}

/** The snapshot port in memory: it keeps what the last one held. */
export class MemorySnapshots implements Snapshots {
  current: LogEnd | undefined;
  currentBytes = 0;
  previousIndex = 0 as Index;
  content = new Map<string, string>();
  sessions = new Map<number, { readonly lowest: number; readonly answers: readonly number[] }>();
  /** While set, every entry leaves the file behind, until the test calls `catchUp`. */
  isSlow = false;
  failWith: Error | undefined;
  /** How many were begun. */
  begun = 0;
  #waiters: (() => void)[] = [];

  catchUp(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  begin(): Promise<SnapshotOutput> {
    this.begun++;
    if (this.failWith !== undefined) return Promise.reject(this.failWith);
    const content = new Map<string, string>();
    const sessions: typeof this.sessions = new Map();
    let end: LogEnd | undefined;
    let backedUp = false;
    const output = {
      start: (head: { readonly end: LogEnd }) => {
        end = head.end;
      },
      add: (key: ByteRange, value: ByteRange) => {
        content.set(textOf(key), textOf(value));
        backedUp = this.isSlow;
      },
      addSession: (id: number, lowest: number, answers: Int32Array) => {
        sessions.set(id, { lowest, answers: [...answers] });
        backedUp = this.isSlow;
      },
      get backedUp() {
        return backedUp;
      },
      get isFull() {
        return backedUp;
      },
      drained: () =>
        new Promise<void>((resolve) => {
          if (!backedUp) resolve();
          this.#waiters.push(() => {
            backedUp = false;
            resolve();
          });
        }),
      finish: () => {
        this.content = content;
        this.sessions = sessions;
        this.current = end;
        return Promise.resolve();
      },
      abandon: () => Promise.resolve(),
    };
    return Promise.resolve(output);
  }

  install(output: SnapshotOutput): Promise<void> {
    return output.finish();
  }

  openCurrent(): Promise<SnapshotSource | undefined> {
    return Promise.resolve(undefined);
  }
}

export function textOf(part: ByteRange): string {
  return part.bytes.toString('latin1', part.start, part.end);
}

export const SILENT: EventLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Nobody else is there. */
const NO_NETWORK: Network = {
  observe: () => undefined,
  reach: () => undefined,
  identify: () => Promise.resolve(refusal('UNREACHABLE', 'there is no network')),
};

/** What a node has no use for that shares its log with nobody. */
const NO_REPLACEMENTS: Replacements = {
  receive: () => Promise.reject(new Error('nothing arrives')),
  replace: () => Promise.reject(new Error('nothing arrives')),
  load: () => Promise.reject(new Error('nothing arrives')),
  adopt: () => Promise.reject(new Error('nobody adopts this node')),
};

export interface EngineFixture {
  readonly engine: ReplicaEngine;
  readonly log: MemoryLog;
  readonly snapshots: MemorySnapshots;
  readonly clock: HeldClock;
  readonly store: Store;
  /** Every node state that was saved, in order. */
  readonly states: NodeState[];
  readonly failures: unknown[];
}

export const NEW_STATE: NodeState = {
  cluster: 'c'.repeat(32) as ClusterId,
  node: 'd'.repeat(32) as NodeId,
  role: 'primary',
  term: 0 as Term,
  vote: undefined,
  configuration: undefined,
  leftOutAt: undefined,
  lastPrimary: undefined,
  primaryAddress: undefined,
  commit: 0 as Index,
  originIndex: 0 as Index,
  logIndex: undefined,
  cleanEnd: undefined,
};

/** An engine on ports that the test holds. */
export async function startEngine(parts: Partial<ReplicaEngineParts> = {}): Promise<EngineFixture> {
  const log = new MemoryLog();
  const snapshots = new MemorySnapshots();
  const clock = new HeldClock();
  const store = parts.store ?? new Store(makeTable());
  const states: NodeState[] = [];
  const failures: unknown[] = [];
  const engine = await ReplicaEngine.start({
    store,
    log: () => log,
    snapshots,
    replacements: NO_REPLACEMENTS,
    network: NO_NETWORK,
    clock,
    events: SILENT,
    state: NEW_STATE,
    states: {
      saveState: (state) => {
        states.push(state);
        return Promise.resolve();
      },
    },
    history: historyBehind(EMPTY_LOG),
    replayedTo: EMPTY_LOG,
    fsync: 'always',
    acks: undefined,
    waitingBytesMax: 1024 * 1024,
    writeTimeoutMs: 5000,
    snapshotLogBytes: Infinity,
    address: () => '127.0.0.1:0',
    random: () => 0.5,
    failed: (error) => void failures.push(error),
    replaced: () => undefined,
    ...parts,
  });
  return { engine, log, snapshots, clock, store, states, failures };
}

/** What a write came to: how many keys it touched, or why it was refused. */
export type Outcome = number | Refusal;

export function codeOf(outcome: Outcome): string | undefined {
  return typeof outcome === 'number' ? undefined : outcome.code;
}

export function put(engine: ReplicaEngine, key: string, value: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const observer = {
      written: (refused: Refusal | undefined, count: number) => {
        resolve(refused ?? count);
      },
    };
    engine.write({ kind: 'put', key: range(key), value: range(value) }, observer);
  });
}

/** Gathers the values of a read; `null` for a missing key. */
export class Values implements ValueSink {
  readonly values: (string | null)[] = [];
  /** Says how many it can take. */
  valuesMax = Infinity;

  get isFull(): boolean {
    return this.values.length > this.valuesMax;
  }

  hit(bytes: Buffer, start: number, end: number): void {
    this.values.push(bytes.toString('latin1', start, end));
  }

  miss(): void {
    this.values.push(null);
  }
}

export function get(engine: ReplicaEngine, key: string): string | null | undefined {
  const sink = new Values();
  engine.read(range(key), sink);
  return sink.values[0];
}

/** Resolves when the condition holds; the test's time limit bounds the wait. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
