import { showAddress } from '../client/address.js';
import type { EventLog } from '../event-log.js';
import { showPosition } from '../log/term.js';
import { replayFrame } from '../node/applier.js';
import { openDataDirectory } from '../storage/data-directory.js';
import type { DataDirectory, RecoveryEvent } from '../storage/data-directory.js';
import type { FirstStart } from '../storage/data-directory-options.js';
import { systemFiles } from '../storage/files.js';
import type { NodeState } from '../storage/node-state.js';
import { ArenaTable } from '../store/arena-table.js';
import { HASH_SECRET_BYTES } from '../store/keyed-hash.js';
import { Store } from '../store/store.js';
import { committedWith } from './committed-at-start.js';
import { StartFault } from './start-options.js';
import type { StartOptions } from './start-options.js';

/** The data of a node that starts, and the store with what it holds. */
export interface OpenedData {
  readonly data: DataDirectory;
  readonly store: Store;
}

const DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024;
const NODE_ID_BYTES = 16;

/** Where chance comes from: nobody can foresee any of it. */
export interface Chance {
  /** At least 0 and below 1. */
  readonly number: () => number;
  readonly bytes: (count: number) => Buffer;
}

/**
 * Opens or makes the data, and says what counts of how the node was started.
 *
 * @throws StartFault or StorageFault; then nothing is left open.
 */
export async function openData(options: StartOptions, events: EventLog, chance: Chance): Promise<OpenedData> {
  const { isNew, ...opened } = await openFiles(options, events, chance);
  const { data } = opened;
  const objection = options.join === undefined ? undefined : ownClusterObjection(data, options);
  if (objection !== undefined) {
    await data.close();
    throw new StartFault(objection);
  }
  if (!isNew) sayWhatWins(data, options, events);
  return opened;
}

async function openFiles(
  options: StartOptions,
  events: EventLog,
  chance: Chance,
): Promise<OpenedData & { readonly isNew: boolean }> {
  const store = new Store(new ArenaTable({ secret: chance.bytes(HASH_SECRET_BYTES) }));
  let isNew = false;
  const data = await openDataDirectory({
    files: options.files ?? systemFiles,
    dbPath: options.dbPath,
    fsync: options.fsync ?? 'always',
    segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    firstStart: firstStartOf(options),
    isCommitted: committedWith,
    random: () => chance.number(),
    randomIdentity: () => chance.bytes(NODE_ID_BYTES).toString('hex'),
    report: (event) => {
      isNew ||= event.kind === 'created' || event.kind === 'imported';
      reportRecovery(events, options.dbPath, event);
    },
    target: {
      clear: () => {
        store.clear();
      },
      put: (key, value) => {
        store.put(key, value);
      },
      session: (id, lowest, answers) => {
        store.sessions.restore(id, lowest, answers);
      },
      replay: (frame) => {
        replayFrame(store, frame);
      },
    },
  });
  return { data, store, isNew };
}

function firstStartOf({ role, primary, join }: StartOptions): FirstStart {
  const follows = join ?? (role === 'backup' ? primary : undefined);
  return follows === undefined
    ? { role: 'primary' }
    : { role: 'backup', primaryAddress: showAddress(follows) };
}

/** Of data that is a cluster of its own, to which nobody was ever added: it can be part of no other one. */
function ownClusterObjection(
  { state, history }: DataDirectory,
  { dbPath }: StartOptions,
): string | undefined {
  if (state.cluster === undefined || state.role === 'backup') return undefined;
  const known = [state.configuration, ...history.controls.map(({ entry }) => entry.configuration)];
  const peers = known.flatMap((each) => [...(each?.members ?? []), ...(each?.learners ?? [])]);
  if (peers.some(({ node }) => node !== state.node)) return undefined;
  return `${dbPath} holds a cluster of its own, and --join is for a new node or one that was added before: give another --db-path, or leave out --join`;
}

/** What a node knows wins over how it was started. */
function sayWhatWins({ state }: DataDirectory, options: StartOptions, events: EventLog): void {
  const { role, primary, join } = options;
  if (role !== undefined && role !== state.role) {
    events.warn(
      { asked: role, role: state.role },
      '--role is for new data; what this node knows of its role counts',
    );
  }
  if (primary !== undefined && state.cluster !== undefined) {
    events.info(
      { asked: showAddress(primary) },
      '--primary is for a new backup; this one was added to a cluster already',
    );
  }
  if (join !== undefined && state.leftOutAt !== undefined) {
    events.warn(
      { asked: showAddress(join) },
      '--join is for a new node; this one was removed from its cluster, and add-backup at the primary brings it back',
    );
  }
}

/** Until a new backup was added, whoever starts it says where its cluster is. */
export function stateAtStart({ state }: DataDirectory, { primary, join }: StartOptions): NodeState {
  const follows = join ?? primary;
  if (state.cluster !== undefined || follows === undefined) return state;
  return { ...state, primaryAddress: showAddress(follows) };
}

function reportRecovery(events: EventLog, dbPath: string, event: RecoveryEvent): void {
  switch (event.kind) {
    case 'created':
      events.info({ dbPath }, 'new data');
      break;
    case 'imported':
      events.info({ dbPath, entries: event.entries }, 'new data, with the content of the JSON file');
      break;
    case 'recovered': {
      const { snapshotIndex, end, clean } = event;
      events.info({ dbPath, snapshotIndex, position: showPosition(end), cleanStop: clean }, 'data recovered');
      break;
    }
    case 'snapshot made good':
      events.warn(
        { file: dbPath, fault: event.fault, keptAs: event.keptAs },
        'the JSON file was made good from the log',
      );
      break;
    case 'entries kept':
      events.warn(
        { keptAs: event.keptAs },
        'entries that only this node had are kept in a file of their own',
      );
      break;
    case 'torn end cut': {
      const { file, offset, keptAs } = event;
      events.warn({ file, offset, keptAs }, 'an interrupted write was cut off the end of the log');
    }
  }
}
