import type { Position } from '../engine.js';
import type { NodeState } from './node-state.js';
import type { SnapshotHead } from './snapshot-format.js';

/** One place where something is not as it was written. */
export interface Damage {
  readonly file: string;
  /** Where in the file, in bytes, as far as it is known. */
  readonly offset: number | undefined;
  /** What is wrong, with the name of the file in it. */
  readonly message: string;
}

/** A snapshot: the JSON file, the one before it, or one that was to replace everything. */
export interface SnapshotCheck {
  readonly file: string;
  /** `none`: it is not there, and need not be. */
  readonly state: 'whole' | 'damaged' | 'missing' | 'none' | 'not looked at';
  /** Of a whole one. */
  readonly head: SnapshotHead | undefined;
  readonly entries: number;
  readonly bytes: number;
}

export interface SegmentCheck {
  readonly file: string;
  /** Dead: the log was cut before its first entry, so nothing of it counts any more. */
  readonly state: 'live' | 'dead' | 'damaged';
  /** Of what is whole in it and still the log's; undefined when that is nothing. */
  readonly first: Position | undefined;
  readonly last: Position | undefined;
  readonly frames: number;
  readonly entries: number;
  /** Up to the end of its last whole record. */
  readonly usedBytes: number;
  readonly bytes: number;
}

export interface LogCheck {
  readonly segments: readonly SegmentCheck[];
  /** Its last whole entry; undefined when nothing can be read of it. */
  readonly end: Position | undefined;
  /** The write that a crash interrupted. */
  readonly torn: { readonly file: string; readonly offset: number; readonly bytes: number } | undefined;
}

/** A file that a start put aside, for a person to look at. No start reads it. */
export interface KeptFile {
  readonly file: string;
  readonly kind: 'torn end' | 'lost entries' | 'damaged snapshot' | 'imported file';
  readonly bytes: number;
  readonly entries: number | undefined;
  /** Of lost entries. */
  readonly first: Position | undefined;
  readonly last: Position | undefined;
}

/** What a start would do, other than to begin where the last one ended. */
export type Repair =
  /** The JSON file is restored, from the one before when that is named, else from the log alone. */
  | { readonly kind: 'snapshot made good'; readonly from: string | undefined }
  | { readonly kind: 'torn end cut'; readonly file: string; readonly offset: number }
  | { readonly kind: 'replacement finished'; readonly position: Position };

export type Verdict =
  | {
      readonly kind: 'starts';
      readonly repairs: readonly Repair[];
      readonly keys: number;
      /** The position of what these keys are. */
      readonly position: Position;
    }
  | { readonly kind: 'refuses'; readonly reason: string };

interface Checked {
  /** The JSON file. */
  readonly dbPath: string;
  readonly damage: readonly Damage[];
  readonly verdict: Verdict;
}

/** The data of a node. */
export interface NodeCheck extends Checked {
  readonly kind: 'node';
  readonly directory: string;
  /** Undefined when it cannot be read. */
  readonly state: NodeState | undefined;
  /** Set while everything that the node holds is replaced; then this is looked at in place of the JSON file and the log. */
  readonly arrival: SnapshotCheck | undefined;
  readonly snapshot: SnapshotCheck;
  readonly previous: SnapshotCheck;
  readonly log: LogCheck;
  /** Entries of the log behind the last one that the node may take for committed when it starts. */
  readonly uncommittedEntries: number;
  readonly kept: readonly KeptFile[];
  /** Spare files for the log, and what a crash left half made: nothing in them counts. */
  readonly spares: FileGroup;
  readonly leftovers: FileGroup;
  /** Names that no node makes; they are not looked at. */
  readonly unknown: readonly string[];
}

export interface FileGroup {
  readonly names: readonly string[];
  readonly bytes: number;
}

/** A file by itself, as what a new node would begin with. */
export interface FileCheck extends Checked {
  readonly kind: 'snapshot' | 'bare' | 'something else';
  readonly bytes: number;
}

export type CheckReport = NodeCheck | FileCheck;

/** Whether everything is as it was written. The end of a write that a crash interrupted is no damage. */
export function isWhole({ damage, verdict }: CheckReport): boolean {
  return damage.length === 0 && verdict.kind === 'starts';
}
