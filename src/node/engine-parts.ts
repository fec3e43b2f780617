import type { NodeClock } from '../clock.js';
import type { AcksPolicy, ClusterId, FailoverPolicy, FsyncPolicy } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import type { ReplicationRules } from '../replication/rules.js';
import type { Timing, Windows } from '../replication/timing.js';
import type { LogHistory } from '../storage/log-history.js';
import type { NodeState } from '../storage/node-state.js';
import type { Store } from '../store/store.js';
import type { Log, Network, NodeStates, Replacements, Snapshots } from './ports.js';

/** How far a new backup is that asks to be added, by itself. */
export interface JoiningCluster {
  /** Whose nodes may add it, wherever they are: the cluster that it asked. Undefined until one has answered. */
  readonly cluster: ClusterId | undefined;
  /** What it does or waits for, for an operator. */
  readonly progress: string;
}

/** What a node is made of. */
export interface ReplicaEngineParts {
  readonly store: Store;
  /** Undefined until a new backup was added to a cluster. */
  log(): Log | undefined;
  readonly states: NodeStates;
  readonly snapshots: Snapshots;
  readonly replacements: Replacements;
  readonly network: Network;
  readonly clock: NodeClock;
  readonly events: EventLog;
  /** What the files hold, and how much of it the store has. */
  readonly state: NodeState;
  readonly history: LogHistory;
  readonly replayedTo: LogEnd;
  readonly fsync: FsyncPolicy;
  /** For a new cluster; for one that is there, the primary changes it. */
  readonly acks: AcksPolicy | undefined;
  /** As `acks`. */
  readonly failover?: FailoverPolicy | undefined;
  /** Of a node that asks to be added by itself. Without it only the primary that an operator named may add a new one. */
  readonly joining?: JoiningCluster | undefined;
  readonly waitingBytesMax: number;
  /** Bytes of all keys and values; no bound when not given. */
  readonly dataBytesMax?: number | undefined;
  /** As a backup it refuses reads while what it would show may be older; no bound when not given. */
  readonly readsBehindMaxMs?: number | undefined;
  /** A session that no client uses for so long, while this node takes writes, is ended; an hour when not given. */
  readonly sessionIdleMs?: number | undefined;
  readonly writeTimeoutMs: number;
  readonly snapshotLogBytes: number;
  readonly timing?: Timing;
  readonly windows?: Windows;
  readonly rules?: ReplicationRules;
  /** How many clients there are. Without it no write keeps others waiting, see writing-within-turn.ts. */
  connections?(): number;
  /** Where others reach this node. */
  address(): string;
  random(): number;
  /** Does what opening the files put off for want of room; an error whose name is `DiskFull` means that there still is none. */
  makeReady?(): Promise<void>;
  /** Told once when the node must not go on: its log took a failure. */
  failed(error: unknown): void;
  /** The content was replaced by another history: what clients were shown may be gone. */
  replaced(): void;
}
