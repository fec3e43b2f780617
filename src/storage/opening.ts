import path from 'node:path';
import type { ClusterId, Index, NodeId } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import type { LogEnd } from '../log/frame.js';
import { DiskFull, asDiskFull, isBlankName } from './blank-segments.js';
import type { DataDirectoryOptions } from './data-directory-options.js';
import type { Files } from './files.js';
import { findNode, readNode, refuseContent } from './found-node.js';
import type { ReadNode } from './found-node.js';
import { importContent } from './import.js';
import { historyBehind } from './log-history.js';
import type { LogHistory } from './log-history.js';
import { saveNodeState } from './node-state.js';
import type { NodeState } from './node-state.js';
import type { RecoveredLog } from './recovery.js';
import { ARRIVING_NAME, finishReplacement } from './replacement.js';
import { SegmentLog } from './segment-log.js';
import { segmentName } from './segment.js';
import { SnapshotFiles } from './snapshots.js';
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
  /**
   * What found no room and must be done before anything is changed: it keeps what is cut, and goes on behind it. It may be called
   * again after it has thrown `DiskFull`. Undefined when all is done.
   */
  readonly putOff: (() => Promise<void>) | undefined;
}

/** Opens the node whose directory this is, or makes one. */
export async function openNode(options: DataDirectoryOptions, directory: string): Promise<OpenedNode> {
  const { files, dbPath } = options;
  const names = (await files.list(directory)) ?? [];
  const found = await findNode(options, directory, names);
  switch (found.kind) {
    case 'none':
      return options.firstStart.role === 'primary'
        ? makePrimary(options, directory)
        : makeBackup(options, directory, options.firstStart.primaryAddress);
    case 'replacing': {
      const { state } = found;
      await finishReplacement(files, dbPath, directory, names, state);
      const left = (await files.list(directory)) ?? [];
      return resumeNode(options, directory, left, await readNode(options, directory, left, state));
    }
    default:
      return resumeNode(options, directory, names, found);
  }
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
  return { state, log, snapshots, history: historyBehind(base), replayedTo: base, putOff: undefined };
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
  const history = historyBehind(EMPTY_LOG);
  return { state, log: undefined, snapshots, history, replayedTo: EMPTY_LOG, putOff: undefined };
}

/** Goes on with a node that was read: makes good what can be, and opens its log. */
async function resumeNode(
  options: DataDirectoryOptions,
  directory: string,
  names: readonly string[],
  found: ReadNode,
): Promise<OpenedNode> {
  const { files, dbPath } = options;
  const { state } = found;
  await removeLeftovers(files, directory, names);
  if (found.kind === 'unadopted') return withoutLog(options, directory, state);
  const { cluster, loaded, base } = found;
  const logOptions = { ...options, directory, cluster, node: state.node };
  if (found.kind === 'not begun') {
    const log = await SegmentLog.create(logOptions, base);
    const snapshots = new SnapshotFiles(files, dbPath, directory, loaded.summary, 0 as Index);
    return { state, log, snapshots, history: historyBehind(base), replayedTo: base, putOff: undefined };
  }
  const { recovered } = found;
  const log = await SegmentLog.resume(logOptions, recovered);
  const putOff = await unlessDone(log, goingOn(options, directory, loaded, recovered, log));
  const clean = state.cleanEnd !== undefined;
  options.report({ kind: 'recovered', snapshotIndex: base.index, end: log.end, clean });
  const main = loaded.mainFault === undefined ? loaded.summary : undefined;
  const usedPrevious = loaded.mainFault === undefined ? (0 as Index) : base.index;
  const snapshots = new SnapshotFiles(files, dbPath, directory, main, usedPrevious);
  const history = found.history.behind(recovered.start);
  return { state, log, snapshots, history, replayedTo: recovered.replayedTo, putOff };
}

/** What has to be done before a log that was read is appended to. Nothing is cut before it is kept. */
function goingOn(
  options: DataDirectoryOptions,
  directory: string,
  loaded: LoadedSnapshot,
  found: RecoveredLog,
  log: SegmentLog,
): () => Promise<void> {
  let isKept = false;
  return async () => {
    if (!isKept) await keepWhatIsCut(options, directory, loaded, found);
    isKept = true;
    await log.goOnAfresh();
  };
}

/** Does the work; where the disk is full, it is the answer, to be done later. */
async function unlessDone(
  log: SegmentLog,
  work: () => Promise<void>,
): Promise<(() => Promise<void>) | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof DiskFull) return work;
    await log.close().catch(() => undefined);
    throw error;
  }
}

/** What `Files.replace` may leave of the files that are written with it. */
const REPLACEMENT = /^(node\.json|torn-segment-\d+-\d+)\.\d+$/;

/** Whether a file of this name is one that a crash left half made, which a start removes. */
export function isLeftover(name: string): boolean {
  return (
    name.endsWith('.new') ||
    name.endsWith('.new.binary') ||
    name.endsWith('.new.sessions') ||
    REPLACEMENT.test(name) ||
    name === ARRIVING_NAME ||
    isBlankName(name)
  );
}

async function removeLeftovers(files: Files, directory: string, names: readonly string[]): Promise<void> {
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
      await orDiskFull(directory, files.duplicate(dbPath, keptAs));
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
  await orDiskFull(directory, files.replace(keptAs, found.torn.bytes));
  await files.syncDirectory(directory);
  options.report({ kind: 'torn end cut', file: found.torn.file, offset: found.torn.offset, keptAs });
}

async function orDiskFull(directory: string, work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    throw asDiskFull(error, directory);
  });
}
