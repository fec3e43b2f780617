import path from 'node:path';
import type { ClusterId, FsyncPolicy, Index, NodeId } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { lockDirectory } from './directory-lock.js';
import { StorageFault, damaged } from './fault.js';
import { errorCode } from './files.js';
import type { FileLock, Files } from './files.js';
import { importContent } from './import.js';
import { loadNodeState, saveNodeState } from './node-state.js';
import type { NodeState } from './node-state.js';
import { recoverLog } from './recovery.js';
import type { RecoveredLog } from './recovery.js';
import { LARGE_SPARE_NAME, SegmentLog } from './segment-log.js';
import { segmentName, sequenceOf } from './segment.js';
import { PREVIOUS_NAME, SnapshotFiles, loadSnapshot, previousIndex } from './snapshots.js';
import type { LoadedSnapshot, SnapshotTarget } from './snapshots.js';

/** Receives what the files hold, in the order in which it came about. */
export interface RecoveryTarget extends SnapshotTarget {
  replay(frame: Frame): Promise<void> | void;
}

export interface DataDirectoryOptions {
  readonly files: Files;
  /** The JSON file. What belongs to it lies beside it, in a directory of the same name and `.d`. */
  readonly dbPath: string;
  readonly fsync: FsyncPolicy;
  readonly segmentBytes: number;
  readonly target: RecoveryTarget;
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
    };

/** The open files of one node. */
export interface DataDirectory {
  readonly state: NodeState;
  readonly log: SegmentLog;
  readonly snapshots: SnapshotFiles;
  /** Replaces the node state, and resolves once it is durable. */
  saveState(state: NodeState): Promise<void>;
  /** Closes the files and lets the next server in. */
  close(): Promise<void>;
}

/**
 * Opens the data of a node, making it when there is none, and shows it to the target.
 *
 * @throws StorageFault when the data is in use, damaged or not this node's; nothing was changed then.
 */
export async function openDataDirectory(options: DataDirectoryOptions): Promise<DataDirectory> {
  const directory = `${options.dbPath}.d`;
  await makeDirectory(options.files, options.dbPath, directory);
  const lock = await lockDirectory(options.files, directory);
  try {
    return await openLocked(options, directory, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function makeDirectory(files: Files, dbPath: string, directory: string): Promise<void> {
  try {
    await files.makeDirectory(directory);
    await files.syncDirectory(path.dirname(path.resolve(dbPath)));
  } catch (error) {
    const message = `${directory} cannot be made (${errorCode(error) ?? String(error)}): give a --db-path in a directory that can be written to`;
    throw new StorageFault('unreadable', directory, message);
  }
}

async function openLocked(
  options: DataDirectoryOptions,
  directory: string,
  lock: FileLock,
): Promise<DataDirectory> {
  const { files } = options;
  const names = (await files.list(directory)) ?? [];
  const found = await loadNodeState(files, directory);
  const opened =
    found === undefined
      ? await makeNode(options, directory, names)
      : await resumeNode(options, directory, names, found);
  return {
    ...opened,
    saveState: (state) => saveNodeState(files, directory, state),
    async close() {
      await opened.log.close().finally(() => lock.release());
    },
  };
}

type Opened = Pick<DataDirectory, 'state' | 'log' | 'snapshots'>;

async function makeNode(options: DataDirectoryOptions, directory: string, names: string[]): Promise<Opened> {
  const { files, dbPath } = options;
  const left = names.find((name) => sequenceOf(name) !== undefined || name === PREVIOUS_NAME);
  if (left !== undefined) {
    const message = `${directory} holds ${left} and no node.json: put node.json back, or move the directory away to start anew from ${dbPath}`;
    throw new StorageFault('damaged', directory, message);
  }
  const identity = {
    cluster: options.randomIdentity() as ClusterId,
    node: options.randomIdentity() as NodeId,
  };
  const hasContent = await files.exists(dbPath);
  const imported = hasContent
    ? await importContent(files, dbPath, directory, identity, options.target)
    : undefined;
  const base = imported?.summary.head.end ?? EMPTY_LOG;
  const state: NodeState = {
    ...identity,
    role: 'primary',
    term: base.term,
    originIndex: base.index,
    logIndex: undefined,
    cleanEnd: undefined,
  };
  // From here on the directory is a node's. Its log is not begun, and the state says so.
  await saveNodeState(files, directory, state);
  const log = await SegmentLog.create({ ...options, directory, ...identity }, base);
  options.report(
    imported === undefined ? { kind: 'created' } : { kind: 'imported', entries: imported.entries },
  );
  const snapshots = new SnapshotFiles(files, dbPath, directory, imported?.summary, 0 as Index);
  return { state, log, snapshots };
}

async function resumeNode(
  options: DataDirectoryOptions,
  directory: string,
  names: string[],
  state: NodeState,
): Promise<Opened> {
  const { files, dbPath, target } = options;
  const loaded = await loadSnapshot(files, dbPath, directory, target);
  const head = loaded.summary?.head;
  if (head !== undefined && (head.cluster !== state.cluster || head.node !== state.node)) {
    const message = `${dbPath} is the snapshot of another node: put this node's own file back, or move ${directory} away to start anew from this one`;
    throw new StorageFault('foreign', dbPath, message);
  }
  const base = head?.end ?? EMPTY_LOG;
  const identity = { cluster: state.cluster, node: state.node };
  const logOptions = { ...options, directory, ...identity };
  const isBegun = state.logIndex !== undefined || names.some((name) => sequenceOf(name) !== undefined);
  if (!isBegun) {
    // A file that cannot be read is not a file that is not there: nothing says that it held nothing.
    if (loaded.mainFault !== undefined || base.index !== state.originIndex)
      throw damaged(dbPath, loaded.mainFault ?? 'it is missing, or not the first content');
    const log = await SegmentLog.create(logOptions, base);
    return { state, log, snapshots: new SnapshotFiles(files, dbPath, directory, loaded.summary, 0 as Index) };
  }
  if (loaded.summary === undefined && state.originIndex > 0) {
    throw damaged(dbPath, `${loaded.mainFault ?? 'it is missing'}, and the log begins behind what it held`);
  }
  const isProvenBySnapshot = base.index >= (state.logIndex ?? 0);
  const recovering = recoverLog({
    files,
    directory,
    ...identity,
    base,
    provenIndex: isProvenBySnapshot ? base.index : (state.logIndex ?? (0 as Index)),
    provenBy: isProvenBySnapshot ? 'the snapshot' : 'node.json',
    cleanEnd: state.cleanEnd,
    replay: (frame) => target.replay(frame),
  });
  const found = await recovering.catch((error: unknown) => {
    if (loaded.mainFault === undefined || !(error instanceof StorageFault)) throw error;
    throw damaged(dbPath, `${loaded.mainFault}, and the log cannot make it good: ${error.brief}`);
  });
  await checkBeginning(files, directory, state, found);
  await removeLeftovers(files, directory, names);
  await keepWhatIsCut(options, directory, loaded, found);
  const log = await SegmentLog.resume(logOptions, found);
  const clean = state.cleanEnd !== undefined;
  options.report({ kind: 'recovered', snapshotIndex: base.index, end: log.end, clean });
  const main = loaded.mainFault === undefined ? loaded.summary : undefined;
  const usedPrevious = loaded.mainFault === undefined ? (0 as Index) : base.index;
  return { state, log, snapshots: new SnapshotFiles(files, dbPath, directory, main, usedPrevious) };
}

/** The log is only ever cut up to the snapshot before the JSON file: what begins later lacks a segment. */
async function checkBeginning(
  files: Files,
  directory: string,
  state: NodeState,
  found: RecoveredLog,
): Promise<void> {
  const [first] = found.segments;
  if (first === undefined || first.header.firstIndex <= state.originIndex + 1) return;
  const reach = await previousIndex(files, directory);
  if (reach === 'unknown' || first.header.firstIndex <= (reach ?? state.originIndex) + 1) return;
  const lost = segmentName(first.header.sequence - 1);
  const what = `it begins at entry ${String(first.header.firstIndex)}, and the segment before it, ${lost}, is missing`;
  throw damaged(first.file, what);
}

/** What `Files.replace` may leave of the files that are written with it. */
const REPLACEMENT = /^(node\.json|torn-segment-\d+-\d+)\.\d+$/;

/** Files that a crash left half made. */
async function removeLeftovers(files: Files, directory: string, names: string[]): Promise<void> {
  const isLeftover = (name: string): boolean =>
    name.endsWith('.new') ||
    name.endsWith('.new.binary') ||
    REPLACEMENT.test(name) ||
    name === LARGE_SPARE_NAME;
  for (const name of names.filter(isLeftover)) await files.remove(path.join(directory, name));
}

/** Nothing that cannot be read is thrown away: it is moved to where a person can look at it. */
async function keepWhatIsCut(
  options: DataDirectoryOptions,
  directory: string,
  loaded: LoadedSnapshot,
  found: RecoveredLog,
): Promise<void> {
  const { files, dbPath } = options;
  if (loaded.mainFault !== undefined) {
    const isThere = await files.exists(dbPath);
    const keptAs = path.join(directory, `damaged-${String(found.end.index)}.json`);
    if (isThere) {
      await files.duplicate(dbPath, keptAs);
      await files.syncDirectory(directory);
    }
    options.report({
      kind: 'snapshot made good',
      fault: loaded.mainFault,
      keptAs: isThere ? keptAs : undefined,
    });
  }
  if (found.torn === undefined) return;
  const sequence = found.segments.at(-1)?.header.sequence ?? 0;
  const keptAs = path.join(directory, `torn-${segmentName(sequence)}-${String(found.torn.offset)}`);
  await files.replace(keptAs, found.torn.bytes);
  await files.syncDirectory(directory);
  options.report({ kind: 'torn end cut', file: found.torn.file, offset: found.torn.offset, keptAs });
}
