import path from 'node:path';
import type { Index } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import { isBlankName } from './blank-segments.js';
import type { CheckOptions } from './check-options.js';
import { checkKept, keptKind, sizeOf } from './check-kept.js';
import { checkLog } from './check-log.js';
import type { DataPlace } from './check-place.js';
import type { Damage, FileGroup, LogCheck, NodeCheck, SnapshotCheck } from './check-report.js';
import { startVerdict } from './check-verdict.js';
import { Damages, damageOf } from './damages.js';
import { LOCK_NAME, refuseInUse } from './directory-lock.js';
import { StorageFault } from './fault.js';
import { readWhole } from './files.js';
import type { Files } from './files.js';
import { findNode } from './found-node.js';
import type { FoundNode } from './found-node.js';
import { NODE_STATE_NAME, loadNodeState } from './node-state.js';
import type { StoredNodeState } from './node-state.js';
import { isLeftover } from './opening.js';
import { ARRIVING_NAME } from './replacement.js';
import { sequenceOf } from './segment.js';
import { readSnapshot } from './snapshot-reader.js';
import type { SnapshotSummary } from './snapshot-reader.js';
import { PREVIOUS_NAME } from './snapshots.js';

/** What a start would make of the files. */
type Start =
  | { readonly found: FoundNode; readonly refusal: undefined }
  | { readonly found: undefined; readonly refusal: Refusal };

interface Refusal {
  readonly damage: Damage;
  /** With what to do about it. */
  readonly reason: string;
}

/** What is in the files that a start goes by. */
type Survey = Pick<NodeCheck, 'snapshot' | 'previous' | 'arrival' | 'log'>;

const NO_LOG: LogCheck = { segments: [], end: undefined, torn: undefined };

/** Checks the files of a node: first what a start would make of them, then each one by itself. */
export async function checkNode(options: CheckOptions, place: DataPlace): Promise<NodeCheck> {
  const { files } = options;
  const { dbPath, directory, names } = place;
  const before = await stateBytes(files, directory);
  const damages = new Damages();
  const start = await askStart(options, place);
  const state = await loadState(files, directory, damages);
  const survey =
    state?.replacing === undefined
      ? await surveyFiles(files, place, { start, state, damages })
      : await surveyArrival(files, place, damages);
  const kept = await checkKept(files, directory, names, damages);
  if (start.refusal !== undefined && !damages.concerns(start.refusal.damage.file)) {
    damages.add(start.refusal.damage);
  }
  const verdict =
    start.found === undefined
      ? ({ kind: 'refuses', reason: start.refusal.reason } as const)
      : await startVerdict(options, place, start.found);
  await refuseChanged(files, place, before);
  const isNeeded = (name: string): boolean => name === ARRIVING_NAME && survey.arrival !== undefined;
  return {
    kind: 'node',
    dbPath,
    directory,
    state,
    ...survey,
    uncommittedEntries: uncommittedEntries(start.found),
    kept,
    spares: await group(files, place, isBlankName),
    leftovers: await group(files, place, (name) => isHalfMade(name) && !isNeeded(name)),
    unknown: names.filter((name) => !isOfANode(name)).sort(),
    damage: damages.list,
    verdict,
  };
}

async function askStart(options: CheckOptions, place: DataPlace): Promise<Start> {
  const { files, isCommitted, keys } = options;
  const { dbPath, directory, names } = place;
  const target = {
    clear: () => {
      keys.clear();
    },
    put: () => undefined,
    session: keys.session.bind(keys),
    replay: keys.replay.bind(keys),
  };
  try {
    const found = await findNode({ files, dbPath, isCommitted, target }, directory, names);
    return { found, refusal: undefined };
  } catch (error) {
    const damage = damageOf(error, directory);
    const reason = error instanceof StorageFault ? error.message : damage.message;
    return { found: undefined, refusal: { damage, reason } };
  }
}

async function loadState(
  files: Files,
  directory: string,
  damages: Damages,
): Promise<StoredNodeState | undefined> {
  let state: StoredNodeState | undefined;
  await damages.during(path.join(directory, NODE_STATE_NAME), async () => {
    state = await loadNodeState(files, directory);
  });
  return state;
}

interface Known {
  readonly start: Start;
  readonly state: StoredNodeState | undefined;
  readonly damages: Damages;
}

async function surveyFiles(files: Files, place: DataPlace, known: Known): Promise<Survey> {
  const { start, state, damages } = known;
  const { dbPath, directory, names } = place;
  const loaded = start.found !== undefined && 'loaded' in start.found ? start.found.loaded : undefined;
  const held = loaded?.mainFault === undefined ? loaded?.summary : undefined;
  const found = held === undefined ? await checkSnapshot(files, dbPath, known) : wholeSnapshot(dbPath, held);
  const isMissed = loaded?.mainFault !== undefined || start.refusal?.damage.file === dbPath;
  const isMissing = found.state === 'none' && isMissed;
  if (isMissing) damages.add({ file: dbPath, offset: undefined, message: `${dbPath} is missing` });
  const snapshot = isMissing ? ({ ...found, state: 'missing' } as const) : found;
  const previous = await checkSnapshot(files, path.join(directory, PREVIOUS_NAME), known);
  const end = snapshot.head?.end ?? previous.head?.end ?? EMPTY_LOG;
  const isProvenBySnapshot = end.index >= (state?.logIndex ?? 0);
  const log = await checkLog(
    {
      files,
      directory,
      names,
      owner: state?.cluster === undefined ? undefined : { cluster: state.cluster, node: state.node },
      provenIndex: isProvenBySnapshot ? end.index : (state?.logIndex ?? (0 as Index)),
      provenBy: isProvenBySnapshot ? 'the snapshot' : NODE_STATE_NAME,
      cleanEnd: state?.cleanEnd,
    },
    damages,
  );
  return { snapshot, previous, arrival: undefined, log };
}

/** While everything is replaced, what is replaced may be there in any part. */
async function surveyArrival(files: Files, place: DataPlace, damages: Damages): Promise<Survey> {
  const { dbPath, directory } = place;
  const file = path.join(directory, ARRIVING_NAME);
  const found = await checkSnapshot(files, file, { damages });
  if (found.state === 'none') damages.add({ file, offset: undefined, message: `${file} is missing` });
  const arrival = found.state === 'none' ? ({ ...found, state: 'missing' } as const) : found;
  const previous = notLookedAt(path.join(directory, PREVIOUS_NAME));
  return { snapshot: notLookedAt(dbPath), previous, arrival, log: NO_LOG };
}

function wholeSnapshot(file: string, { head, count, bytes }: SnapshotSummary): SnapshotCheck {
  return { file, state: 'whole', head, entries: count, bytes };
}

function notLookedAt(file: string): SnapshotCheck {
  return { file, state: 'not looked at', head: undefined, entries: 0, bytes: 0 };
}

async function checkSnapshot(
  files: Files,
  file: string,
  { start, state, damages }: Partial<Known> & Pick<Known, 'damages'>,
): Promise<SnapshotCheck> {
  let found: SnapshotCheck = { ...notLookedAt(file), state: 'none' };
  await damages.during(file, async () => {
    if (!(await files.exists(file))) return;
    found = { ...found, state: 'damaged', bytes: await sizeOf(files, file) };
    // What a start says of a file of something else says more than where it is no snapshot.
    const refused = start?.refusal?.damage;
    if (refused?.file === file && refused.offset === undefined) damages.add(refused);
    else found = wholeSnapshot(file, await readSnapshot(files, file));
    const cluster = found.head?.cluster;
    if (cluster === undefined || state?.cluster === undefined || cluster === state.cluster) return;
    damages.add({ file, offset: undefined, message: `${file} is the snapshot of another cluster` });
  });
  return damages.concerns(file) && found.state === 'whole' ? { ...found, state: 'damaged' } : found;
}

function uncommittedEntries(found: FoundNode | undefined): number {
  return found?.kind === 'log' ? found.recovered.end.index - found.recovered.replayedTo.index : 0;
}

function isHalfMade(name: string): boolean {
  return isLeftover(name) && !isBlankName(name);
}

function isOfANode(name: string): boolean {
  return (
    name === NODE_STATE_NAME ||
    name === LOCK_NAME ||
    name === PREVIOUS_NAME ||
    sequenceOf(name) !== undefined ||
    keptKind(name) !== undefined ||
    isLeftover(name)
  );
}

async function group(
  files: Files,
  { directory, names }: DataPlace,
  isMeant: (name: string) => boolean,
): Promise<FileGroup> {
  const meant = names.filter(isMeant).sort();
  let bytes = 0;
  for (const name of meant) bytes += await sizeOf(files, path.join(directory, name)).catch(() => 0);
  return { names: meant, bytes };
}

/** Undefined when it cannot be read, which is said elsewhere. */
async function stateBytes(files: Files, directory: string): Promise<Buffer | undefined> {
  return readWhole(files, path.join(directory, NODE_STATE_NAME)).catch(() => undefined);
}

/** A server that was started meanwhile has changed the node state: what was read of its files may be of two moments. */
async function refuseChanged(files: Files, place: DataPlace, before: Buffer | undefined): Promise<void> {
  const { directory } = place;
  await refuseInUse(files, directory);
  const after = await stateBytes(files, directory);
  if (before === undefined ? after === undefined : after?.equals(before) === true) return;
  const message = `${directory} was changed while it was read: check it again when no server uses it`;
  throw new StorageFault('in use', directory, message);
}
