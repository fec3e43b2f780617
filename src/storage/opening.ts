import path from 'node:path';
import type { ClusterId, Index, NodeId } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';
import { isBlankName } from './blank-segments.js';
import type { DataDirectoryOptions } from './data-directory-options.js';
import { StorageFault, damaged } from './fault.js';
import type { Files } from './files.js';
import { importContent } from './import.js';
import { HistoryReading, historyBehind } from './log-history.js';
import type { LogHistory } from './log-history.js';
import { loadNodeState, saveNodeState } from './node-state.js';
import type { NodeState } from './node-state.js';
import { recoverLog } from './recovery.js';
import type { RecoveredLog } from './recovery.js';
import { ARRIVING_NAME, finishReplacement } from './replacement.js';
import { SegmentLog } from './segment-log.js';
import { segmentName, sequenceOf } from './segment.js';
import { PREVIOUS_NAME, SnapshotFiles, loadSnapshot, previousIndex } from './snapshots.js';
import type { LoadedSnapshot } from './snapshots.js';

/** What was found in a directory, or made there. */
export interface OpenedNode {
  readonly state: NodeState;
  /** Undefined while no cluster has the node. */
  readonly log: SegmentLog | undefined;
  readonly snapshots: SnapshotFiles;
  readonly history: LogHistory;
  /** The position of what the target holds. */
  readonly replayedTo: LogEnd;
}

/** Opens the node whose directory this is, or makes one. */
export async function openNode(options: DataDirectoryOptions, directory: string): Promise<OpenedNode> {
  const { files } = options;
  const names = (await files.list(directory)) ?? [];
  const found = await loadNodeState(files, directory);
  if (found === undefined) return makeNode(options, directory, names);
  const { replacing, ...state } = found;
  if (replacing !== undefined) {
    const finished = await finishReplacement(files, options.dbPath, directory, names, {
      ...found,
      replacing,
    });
    return resumeNode(options, directory, (await files.list(directory)) ?? [], finished);
  }
  return resumeNode(options, directory, names, state);
}

async function makeNode(
  options: DataDirectoryOptions,
  directory: string,
  names: string[],
): Promise<OpenedNode> {
  const { dbPath } = options;
  const left = names.find((name) => sequenceOf(name) !== undefined || name === PREVIOUS_NAME);
  if (left !== undefined) {
    const message = `${directory} holds ${left} and no node.json: put node.json back, or move the directory away to start anew from ${dbPath}`;
    throw new StorageFault('damaged', directory, message);
  }
  return options.firstStart.role === 'primary'
    ? makePrimary(options, directory)
    : makeBackup(options, directory, options.firstStart.primaryAddress);
}

const NEW_NODE = {
  vote: undefined,
  lastPrimary: undefined,
  configuration: undefined,
  leftOutAt: undefined,
  primaryAddress: undefined,
  commit: 0 as Index,
  originIndex: 0 as Index,
  logIndex: undefined,
  cleanEnd: undefined,
} as const;

async function makePrimary(options: DataDirectoryOptions, directory: string): Promise<OpenedNode> {
  const { files, dbPath } = options;
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
    ...NEW_NODE,
    ...identity,
    role: 'primary',
    term: base.term,
    commit: base.index,
    originIndex: base.index,
  };
  // From here on the directory is a node's. Its log is not begun, and the state says so.
  await saveNodeState(files, directory, state);
  const log = await SegmentLog.create({ ...options, directory, ...identity }, base);
  options.report(
    imported === undefined ? { kind: 'created' } : { kind: 'imported', entries: imported.entries },
  );
  const snapshots = new SnapshotFiles(files, dbPath, directory, imported?.summary, 0 as Index);
  return { state, log, snapshots, history: historyBehind(base), replayedTo: base };
}

async function makeBackup(
  options: DataDirectoryOptions,
  directory: string,
  primaryAddress: string,
): Promise<OpenedNode> {
  await refuseContent(options, 'a new backup takes its content from its primary');
  const node = options.randomIdentity() as NodeId;
  const term = EMPTY_LOG.term;
  const state: NodeState = { ...NEW_NODE, cluster: undefined, node, role: 'backup', term, primaryAddress };
  await saveNodeState(options.files, directory, state);
  options.report({ kind: 'created' });
  return withoutLog(options, directory, state);
}

function withoutLog(options: DataDirectoryOptions, directory: string, state: NodeState): OpenedNode {
  const snapshots = new SnapshotFiles(options.files, options.dbPath, directory, undefined, 0 as Index);
  return { state, log: undefined, snapshots, history: historyBehind(EMPTY_LOG), replayedTo: EMPTY_LOG };
}

async function refuseContent({ files, dbPath }: DataDirectoryOptions, why: string): Promise<void> {
  if (!(await files.exists(dbPath))) return;
  const message = `${dbPath} is there, and ${why}: move that file away, or give another --db-path`;
  throw new StorageFault('foreign', dbPath, message);
}

/** A backup that was made and that no primary has added since. */
async function resumeUnadopted(
  options: DataDirectoryOptions,
  directory: string,
  names: string[],
  state: NodeState,
): Promise<OpenedNode> {
  const left = names.find((name) => sequenceOf(name) !== undefined || name === PREVIOUS_NAME);
  if (left !== undefined) {
    throw damaged(
      path.join(directory, left),
      'it lies beside the node.json of a backup that was never added',
    );
  }
  await refuseContent(options, 'this backup was not added yet and takes its content from its primary');
  await removeLeftovers(options.files, directory, names);
  return withoutLog(options, directory, state);
}

async function resumeNode(
  options: DataDirectoryOptions,
  directory: string,
  names: string[],
  state: NodeState,
): Promise<OpenedNode> {
  const { files, dbPath } = options;
  const { cluster, node } = state;
  if (cluster === undefined) return resumeUnadopted(options, directory, names, state);
  const loaded = await loadSnapshot(files, dbPath, directory, options.target);
  const head = loaded.summary?.head;
  if (head !== undefined && head.cluster !== cluster) {
    const message = `${dbPath} is the snapshot of another cluster: put this node's own file back, or move ${directory} away to start anew from this one`;
    throw new StorageFault('foreign', dbPath, message);
  }
  const base = head?.end ?? EMPTY_LOG;
  const logOptions = { ...options, directory, cluster, node };
  const isBegun = state.logIndex !== undefined || names.some((name) => sequenceOf(name) !== undefined);
  if (!isBegun) {
    // A file that cannot be read is not a file that is not there: nothing says that it held nothing.
    if (loaded.mainFault !== undefined || base.index !== state.originIndex)
      throw damaged(dbPath, loaded.mainFault ?? 'it is missing, or not the first content');
    await removeLeftovers(files, directory, names);
    const log = await SegmentLog.create(logOptions, base);
    const snapshots = new SnapshotFiles(files, dbPath, directory, loaded.summary, 0 as Index);
    return { state, log, snapshots, history: historyBehind(base), replayedTo: base };
  }
  if (loaded.summary === undefined && state.originIndex > 0) {
    throw damaged(dbPath, `${loaded.mainFault ?? 'it is missing'}, and the log begins behind what it held`);
  }
  const history = new HistoryReading();
  const found = await readLog({ options, directory, state, cluster, loaded, base, history });
  await checkBeginning(files, directory, state, found);
  await removeLeftovers(files, directory, names);
  await keepWhatIsCut(options, directory, loaded, found);
  const log = await SegmentLog.resume(logOptions, found);
  const clean = state.cleanEnd !== undefined;
  options.report({ kind: 'recovered', snapshotIndex: base.index, end: log.end, clean });
  const main = loaded.mainFault === undefined ? loaded.summary : undefined;
  const usedPrevious = loaded.mainFault === undefined ? (0 as Index) : base.index;
  const snapshots = new SnapshotFiles(files, dbPath, directory, main, usedPrevious);
  return { state, log, snapshots, history: history.behind(found.start), replayedTo: found.replayedTo };
}

interface LogRequest {
  readonly options: DataDirectoryOptions;
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

/** What `Files.replace` may leave of the files that are written with it. */
const REPLACEMENT = /^(node\.json|torn-segment-\d+-\d+)\.\d+$/;

/** Files that a crash left half made. */
async function removeLeftovers(files: Files, directory: string, names: string[]): Promise<void> {
  const isLeftover = (name: string): boolean =>
    name.endsWith('.new') ||
    name.endsWith('.new.binary') ||
    REPLACEMENT.test(name) ||
    name === ARRIVING_NAME ||
    isBlankName(name);
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
