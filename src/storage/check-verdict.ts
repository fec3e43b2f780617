import path from 'node:path';
import { EMPTY_LOG } from '../log/frame.js';
import type { CheckOptions } from './check-options.js';
import type { DataPlace } from './check-place.js';
import type { Repair, Verdict } from './check-report.js';
import type { FoundNode, ReadNode } from './found-node.js';
import { ARRIVING_NAME } from './replacement.js';
import { readSnapshot } from './snapshot-reader.js';
import { PREVIOUS_NAME } from './snapshots.js';

type StartVerdict = Extract<Verdict, { readonly kind: 'starts' }>;

/** What a start that is not refused would do, and what the node would hold. */
export async function startVerdict(
  options: CheckOptions,
  place: DataPlace,
  found: FoundNode,
): Promise<StartVerdict> {
  switch (found.kind) {
    case 'none':
      throw new Error('there is no node where there was one a moment ago');
    case 'replacing': {
      const { files } = options;
      const { count } = await readSnapshot(files, path.join(place.directory, ARRIVING_NAME));
      const repair = { kind: 'replacement finished', position: found.end } as const;
      return { kind: 'starts', repairs: [repair], keys: count, position: found.end };
    }
    case 'unadopted':
      return { kind: 'starts', repairs: [], keys: 0, position: EMPTY_LOG };
    default: {
      const position = found.kind === 'log' ? found.recovered.replayedTo : found.base;
      const keys = await keysOf(options, place, found);
      return { kind: 'starts', repairs: repairsOf(place, found), keys, position };
    }
  }
}

type NodeWithSnapshot = Exclude<ReadNode, { readonly kind: 'unadopted' }>;

function repairsOf({ directory }: DataPlace, found: NodeWithSnapshot): Repair[] {
  const repairs: Repair[] = [];
  const { mainFault, summary } = found.loaded;
  if (mainFault !== undefined) {
    const from = summary === undefined ? undefined : path.join(directory, PREVIOUS_NAME);
    repairs.push({ kind: 'snapshot made good', from });
  }
  const torn = found.kind === 'log' ? found.recovered.torn : undefined;
  if (torn !== undefined) repairs.push({ kind: 'torn end cut', file: torn.file, offset: torn.offset });
  return repairs;
}

/** The snapshot is read once more only where entries of the log may concern keys that it holds. */
async function keysOf(
  { files, keys }: CheckOptions,
  { dbPath, directory }: DataPlace,
  { loaded }: NodeWithSnapshot,
): Promise<number> {
  if (loaded.summary === undefined) return keys.total(0);
  if (keys.needsSnapshot) {
    const file = loaded.mainFault === undefined ? dbPath : path.join(directory, PREVIOUS_NAME);
    await readSnapshot(files, file, (key) => {
      keys.inSnapshot(key);
    });
  }
  return keys.total(loaded.summary.count);
}
