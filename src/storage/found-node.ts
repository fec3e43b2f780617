import path from 'node:path';
import type { ClusterId, Index } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';
import type { DataDirectoryOptions } from './data-directory-options.js';
import { StorageFault, damaged } from './fault.js';
import type { Files } from './files.js';
import { HistoryReading } from './log-history.js';
import { loadNodeState } from './node-state.js';
import type { NodeState } from './node-state.js';
import { recoverLog } from './recovery.js';
import type { RecoveredLog } from './recovery.js';
import { checkArrival } from './replacement.js';
import { segmentName, sequenceOf } from './segment.js';
import { PREVIOUS_NAME, loadSnapshot, previousIndex } from './snapshots.js';
import type { LoadedSnapshot } from './snapshots.js';

/** A node that has run before, with everything that a start needs of it read and found to hold. */
export type ReadNode =
  /** A backup that was made and that no primary has added since. */
  | { readonly kind: 'unadopted'; readonly state: NodeState }
  /** A node with the content of its first day, or of a replacement, and no log behind it yet. */
  | {
      readonly kind: 'not begun';
      readonly state: NodeState;
      readonly cluster: ClusterId;
      readonly loaded: LoadedSnapshot;
      readonly base: LogEnd;
    }
  | {
      readonly kind: 'log';
      readonly state: NodeState;
      readonly cluster: ClusterId;
      readonly loaded: LoadedSnapshot;
      /** The position of the snapshot that was loaded. */
      readonly base: LogEnd;
      readonly history: HistoryReading;
      readonly recovered: RecoveredLog;
    };

export type FoundNode =
  | { readonly kind: 'none' }
  /** Its content is about to be replaced, and what replaces it is whole. */
  | { readonly kind: 'replacing'; readonly state: NodeState; readonly end: LogEnd }
  | ReadNode;

/** What a start has to know, which is also all that looking at a node without starting it needs. */
export type ReadingOptions = Pick<DataDirectoryOptions, 'files' | 'dbPath' | 'target' | 'isCommitted'>;

/**
 * Reads the node whose directory this is, and decides whether it may start. Changes nothing: that is left to `openNode`.
 *
 * @throws StorageFault when it must not start.
 */
export async function findNode(
  options: ReadingOptions,
  directory: string,
  names: readonly string[],
): Promise<FoundNode> {
  const { files, dbPath } = options;
  const found = await loadNodeState(files, directory);
  if (found === undefined) {
    const left = names.find(isOfANode);
    if (left === undefined) return { kind: 'none' };
    const message = `${directory} holds ${left} and no node.json: put node.json back, or move the directory away to start anew from ${dbPath}`;
    throw new StorageFault('damaged', directory, message);
  }
  const { replacing, ...state } = found;
  if (replacing === undefined) return readNode(options, directory, names, state);
  await checkArrival(files, directory, replacing, state);
  return { kind: 'replacing', state, end: replacing };
}

/** Whether only a node that has run leaves a file of this name. */
function isOfANode(name: string): boolean {
  return sequenceOf(name) !== undefined || name === PREVIOUS_NAME;
}

/** Makes sure that there is no JSON file where none belongs. */
export async function refuseContent({ files, dbPath }: ReadingOptions, why: string): Promise<void> {
  if (!(await files.exists(dbPath))) return;
  const message = `${dbPath} is there, and ${why}: move that file away, or give another --db-path`;
  throw new StorageFault('foreign', dbPath, message);
}

async function readUnadopted(
  options: ReadingOptions,
  directory: string,
  names: readonly string[],
  state: NodeState,
): Promise<ReadNode> {
  const left = names.find(isOfANode);
  if (left !== undefined) {
    throw damaged(
      path.join(directory, left),
      'it lies beside the node.json of a backup that was never added',
    );
  }
  await refuseContent(options, 'this backup was not added yet and takes its content from its primary');
  return { kind: 'unadopted', state };
}

/** Reads a node that has run, with this state. As `findNode` otherwise. */
export async function readNode(
  options: ReadingOptions,
  directory: string,
  names: readonly string[],
  state: NodeState,
): Promise<ReadNode> {
  const { files, dbPath } = options;
  const { cluster } = state;
  if (cluster === undefined) return readUnadopted(options, directory, names, state);
  const loaded = await loadSnapshot(files, dbPath, directory, options.target);
  const head = loaded.summary?.head;
  if (head !== undefined && head.cluster !== cluster) {
    const message = `${dbPath} is the snapshot of another cluster: put this node's own file back, or move ${directory} away to start anew from this one`;
    throw new StorageFault('foreign', dbPath, message);
  }
  const base = head?.end ?? EMPTY_LOG;
  const isBegun = state.logIndex !== undefined || names.some((name) => sequenceOf(name) !== undefined);
  if (!isBegun) {
    // A file that cannot be read is not a file that is not there: nothing says that it held nothing.
    if (loaded.mainFault !== undefined || base.index !== state.originIndex)
      throw damaged(dbPath, loaded.mainFault ?? 'it is missing, or not the first content');
    return { kind: 'not begun', state, cluster, loaded, base };
  }
  if (loaded.summary === undefined && state.originIndex > 0) {
    throw damaged(dbPath, `${loaded.mainFault ?? 'it is missing'}, and the log begins behind what it held`);
  }
  const history = new HistoryReading();
  const recovered = await readLog({ options, directory, state, cluster, loaded, base, history });
  await checkBeginning(files, directory, state, recovered);
  return { kind: 'log', state, cluster, loaded, base, history, recovered };
}

interface LogRequest {
  readonly options: ReadingOptions;
  readonly directory: string;
  readonly state: NodeState;
  readonly cluster: ClusterId;
  readonly loaded: LoadedSnapshot;
  readonly base: LogEnd;
  readonly history: HistoryReading;
}

async function readLog(request: LogRequest): Promise<RecoveredLog> {
  const { options, directory, state, cluster, loaded, base, history } = request;
  const isProvenBySnapshot = base.index >= (state.logIndex ?? 0);
  const recovering = recoverLog({
    files: options.files,
    directory,
    cluster,
    node: state.node,
    base,
    provenIndex: isProvenBySnapshot ? base.index : (state.logIndex ?? (0 as Index)),
    provenBy: isProvenBySnapshot ? 'the snapshot' : 'node.json',
    cleanEnd: state.cleanEnd,
    visit: (frame) => {
      history.visit(frame);
    },
    isCommitted: options.isCommitted(state),
    replay: (frame) => options.target.replay(frame),
  });
  return recovering.catch((error: unknown) => {
    if (loaded.mainFault === undefined || !(error instanceof StorageFault)) throw error;
    throw damaged(options.dbPath, `${loaded.mainFault}, and the log cannot make it good: ${error.brief}`);
  });
}

/** The log is only ever cut up to the snapshot before the JSON file: what begins later lacks a segment. */
async function checkBeginning(
  files: Files,
  directory: string,
  state: NodeState,
  found: RecoveredLog,
): Promise<void> {
  const firstIndex = found.start.index + 1;
  const [first] = found.segments;
  if (first === undefined || firstIndex <= state.originIndex + 1) return;
  const reach = await previousIndex(files, directory);
  if (reach === 'unknown' || firstIndex <= (reach ?? state.originIndex) + 1) return;
  const lost = segmentName(first.header.sequence - 1);
  const missing = reach === undefined ? `either ${PREVIOUS_NAME} or the segment before it, ${lost}` : lost;
  const what = `it begins at entry ${String(firstIndex)}, and ${missing}, is missing`;
  throw damaged(first.file, what);
}
