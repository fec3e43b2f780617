import type { NodeClock } from '../../src/clock.js';
import type { Engine, FsyncPolicy, Index, Position, Role, Service, Term } from '../../src/engine.js';
import type { EventLog } from '../../src/event-log.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Network } from '../../src/node/ports.js';
import type { Timing, Windows } from '../../src/replication/timing.js';
import type { Files } from '../../src/storage/files.js';
import type { Random } from '../random.js';
import type { Planted } from './planted.js';

/** What the simulator looks at after each step. */
export interface Inspection {
  readonly role: Role;
  readonly service: Service;
  readonly term: Term;
  readonly commit: Index;
  readonly applied: Index;
  readonly last: Position;
}

/** Told what happens to the log of one node, at the moment when it is asked for. */
export interface LogWatcher {
  /** The log as it was found at the start: frames that follow `base`. */
  opened(base: LogEnd, frames: readonly Frame[]): void;
  appending(frames: readonly Frame[]): void;
  /** The append wrote nothing: the disk was full. */
  notAppended(frames: readonly Frame[]): void;
  truncating(end: LogEnd): void;
  truncated(end: LogEnd): void;
  /** A snapshot takes the place of everything. */
  replacing(end: LogEnd): void;
}

/** All that a simulated node gets from outside. */
export interface NodePorts {
  readonly address: string;
  /** `backup` needs `primaryAddress`. Only a node without data looks at it. */
  readonly role: Role;
  readonly primaryAddress: string | undefined;
  readonly files: Files;
  readonly dbPath: string;
  readonly network: Network;
  readonly clock: NodeClock;
  readonly random: Random;
  readonly events: EventLog;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly snapshotLogBytes: number;
  readonly timing: Timing;
  readonly windows: Windows;
  /** How many clients the node takes there to be. */
  readonly connections: number;
  readonly sessionIdleMs: number;
  readonly watcher: LogWatcher;
  /** Told what the node did, where it must not. */
  report(what: string): void;
  readonly planted: Planted | undefined;
  /** The node must not go on. */
  failed(error: unknown): void;
}

export interface RunningNode {
  readonly engine: Engine;
  inspect(): Inspection;
  /** Every pair of the map, in any order. Undefined while an entry is applied in part. */
  content(): ReadonlyMap<string, string> | undefined;
  /** A clean stop: the engine first, then the files. */
  close(): Promise<void>;
}

/** Opens the data and starts a node on it. Rejects when it cannot start. */
export type StartNode = (ports: NodePorts) => Promise<RunningNode>;
