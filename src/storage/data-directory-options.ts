import type { FsyncPolicy, Index } from '../engine.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { Files } from './files.js';
import type { NodeState } from './node-state.js';
import type { SnapshotTarget } from './snapshots.js';

/** Receives what the files hold, in the order in which it came about. */
export interface RecoveryTarget extends SnapshotTarget {
  replay(frame: Frame): Promise<void> | void;
}

/** How a data directory begins that is not there yet. Once it is there, what it holds counts. */
export type FirstStart =
  /** A cluster of its own, with the content of the JSON file if there is one. */
  | { readonly role: 'primary' }
  /** Empty, until the node at this address adds it. */
  | { readonly role: 'backup'; readonly primaryAddress: string };

export interface DataDirectoryOptions {
  readonly files: Files;
  /** The JSON file. What belongs to it lies beside it, in a directory of the same name and `.d`. */
  readonly dbPath: string;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly firstStart: FirstStart;
  readonly target: RecoveryTarget;
  /**
   * Says of each frame behind the snapshot, in order, whether it is committed. From the first one on that is not,
   * nothing is shown to the target, and no more is asked.
   */
  isCommitted(state: NodeState): (frame: Frame) => boolean;
  random(): number;
  randomIdentity(): string;
  /** Told of what is worth a line in the log. */
  report(event: RecoveryEvent): void;
}

export type RecoveryEvent =
  | { readonly kind: 'created' }
  | { readonly kind: 'imported'; readonly entries: number }
  | {
      readonly kind: 'recovered';
      readonly snapshotIndex: Index;
      readonly end: LogEnd;
      readonly clean: boolean;
    }
  /** The JSON file could not be used; its content was made good from the one before and the log. */
  | { readonly kind: 'snapshot made good'; readonly fault: string; readonly keptAs: string | undefined }
  /** A write that a crash interrupted was cut off the end of the log. */
  | {
      readonly kind: 'torn end cut';
      readonly file: string;
      readonly offset: number;
      readonly keptAs: string;
    }
  /** Entries that only this node had were kept aside before its content was replaced. */
  | { readonly kind: 'entries kept'; readonly keptAs: string };
