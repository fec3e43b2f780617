import type { ByteRange, ClusterId, Index, NodeId } from '../engine.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { NodeState } from '../storage/node-state.js';

/** What the node needs from outside. The files implement these for real; tests put fakes in their place. */

export interface Log {
  readonly end: LogEnd;
  /** Grows with every append by the bytes that it took. */
  readonly appendedBytes: number;
  /**
   * Takes a frame that follows the end. It is as safe as the fsync policy says once this resolves. An error whose name
   * is `DiskFull` means that nothing was written; any other is final.
   */
  append(frame: Frame): Promise<void>;
  /** Makes everything that was appended durable. */
  sync(): Promise<void>;
  /** Lets go of what nobody needs who has everything up to `index`. */
  removeUpTo(index: Index): Promise<void>;
}

export interface NodeStates {
  /** Replaces the node state; durable once this resolves. */
  saveState(state: NodeState): Promise<void>;
}

/** A snapshot that is being written. */
export interface SnapshotOutput {
  start(head: { readonly cluster: ClusterId; readonly node: NodeId; readonly end: LogEnd }): void;
  add(key: ByteRange, value: ByteRange): void;
  /** Whether to wait for `drained` before the next entry. */
  readonly backedUp: boolean;
  drained(): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

export interface Snapshots {
  /** What the JSON file holds. */
  readonly current: LogEnd | undefined;
  readonly currentBytes: number;
  /** The log is needed from behind here on. */
  readonly previousIndex: Index;
  begin(): Promise<SnapshotOutput>;
  /** Completes a snapshot and puts it in the current one's place. */
  install(output: SnapshotOutput): Promise<void>;
}
