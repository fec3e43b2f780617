import { refusal } from '../../src/engine.js';
import type {
  ClusterId,
  Engine,
  Guarantees,
  Index,
  NodeId,
  Position,
  Reconfiguration,
  Reconfigured,
  Refusal,
  Status,
  Term,
} from '../../src/engine.js';
import { termAfter } from '../../src/log/term.js';

/** The term that people are shown as `count`. */
export function term(count: number): Term {
  return termAfter(((count - 1) * 2 ** 28) as Term, 0.5);
}

export function position(count: number, index: number): Position {
  return { term: term(count), index: index as Index };
}

export const GUARANTEES: Guarantees = {
  fsync: 'always',
  acks: 'majority',
  failover: 'manual',
  linearizableReads: true,
};

/** A primary with a backup that is in step with it, and one that was never heard. */
export const STATUS: Status = {
  role: 'primary',
  service: 'serving',
  advice: undefined,
  primary: '127.0.0.1:7001',
  primarySilentMs: undefined,
  behindMs: undefined,
  node: 'a'.repeat(32) as NodeId,
  cluster: 'c'.repeat(32) as ClusterId,
  term: term(3),
  position: position(3, 42),
  commit: 41 as Index,
  applied: 40 as Index,
  keys: 7,
  dataBytes: 70,
  dataBytesMax: undefined,
  sessions: 5,
  snapshot: position(2, 12),
  waitingBytes: 0,
  guarantees: GUARANTEES,
  members: [
    {
      node: 'a'.repeat(32) as NodeId,
      address: '127.0.0.1:7001',
      role: 'primary',
      state: 'member',
      acked: position(3, 42),
      lag: 0,
      lagBytes: 0,
      silentMs: undefined,
    },
    {
      node: 'b'.repeat(32) as NodeId,
      address: '[::1]:7002',
      role: 'backup',
      state: 'silent',
      acked: position(2, 40),
      lag: 2,
      lagBytes: 600,
      silentMs: 6000.4,
    },
    {
      node: 'd'.repeat(32) as NodeId,
      address: 'db-3:7003',
      role: 'backup',
      state: 'learner',
      acked: undefined,
      lag: undefined,
      lagBytes: undefined,
      silentMs: undefined,
    },
  ],
};

export const RECONFIGURED: Reconfigured = {
  status: STATUS,
  found: [],
  leftOut: [],
  handedOverBy: undefined,
  knownUpTo: undefined,
};

/** The seam in memory, without data: it keeps what it was asked for, and answers what the test set. */
export class FakeEngine implements Engine {
  readonly guarantees = GUARANTEES;
  readonly asked: Reconfiguration[] = [];
  state: Status = STATUS;
  outcome: Refusal | Reconfigured | Error = RECONFIGURED;

  read(): Refusal {
    return refusal('NOT_PRIMARY', 'unknown is the primary');
  }

  readEach(): Refusal {
    return this.read();
  }

  readAll(_keys: unknown, _sink: unknown, done: (refused?: Refusal) => void): void {
    done(this.read());
  }

  write(): void {
    throw new Error('no command of these tests writes');
  }

  putEach(): number {
    return 0;
  }

  openSession(): void {
    throw new Error('no command of these tests opens a session');
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async *scan(): AsyncIterable<never> {
    yield* [];
  }

  count(): number {
    return this.state.keys;
  }

  snapshot(): Promise<Position> {
    return Promise.resolve(this.state.position);
  }

  status(): Status {
    return this.state;
  }

  reconfigure(change: Reconfiguration): Promise<Refusal | Reconfigured> {
    this.asked.push(change);
    return this.outcome instanceof Error ? Promise.reject(this.outcome) : Promise.resolve(this.outcome);
  }

  handOver(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
