import type { ByteRange } from '../engine.js';
import type { Frame } from '../log/frame.js';
import type { DataDirectoryOptions } from './data-directory-options.js';
import type { ReadingProgress } from './reading-files.js';

/** Counts the keys that a node would hold, without holding its content. */
export interface KeyCount {
  /** Forgets everything: another snapshot is read. */
  clear(): void;
  /** A session that the snapshot holds: by it is decided which writes of it are applied. */
  session(id: number, lowest: number, answers: Int32Array): void;
  /** What a start would replay, in order, behind the snapshot's sessions. */
  replay(frame: Frame): void;
  /** Whether what was replayed concerns any key, so that it matters which ones the snapshot holds. */
  readonly needsSnapshot: boolean;
  /** A key of the snapshot, once everything was replayed. */
  inSnapshot(key: ByteRange): void;
  /** @param snapshotCount - how many entries the snapshot has. */
  total(snapshotCount: number): number;
}

export interface CheckOptions extends Pick<DataDirectoryOptions, 'files' | 'isCommitted'> {
  readonly keys: KeyCount;
  readonly progress?: ReadingProgress | undefined;
}
