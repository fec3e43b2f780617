import path from 'node:path';

/** Files of a folder that are run by one process, one after another: a process that is started costs half a second. */
const BATCH_FILES_MAX = 6;
/** Its tests wait most of their time, for processes; those of the others compute. Each of its files takes long. */
const WAITING = 'faults';
/** Folders whose files take long as well: they come before the others, so that what is left at the end is short. */
const LONG = ['sim', 'storage', 'replication', 'cli'];
const SINGLY = new Set([WAITING, 'sim']);

/**
 * The files in the order in which they are run, and which of them by one process. Files that wait and files that compute are
 * mixed evenly, so that the machine is neither idle nor crowded.
 *
 * @param files - by their paths below the folder of the tests.
 */
export function batchesOf(files: readonly string[]): string[][] {
  const folders = new Map<string, string[]>();
  for (const file of [...files].sort()) {
    const folder = file.split(path.sep)[0] ?? '';
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const waiting = slices(WAITING, folders.get(WAITING) ?? []);
  folders.delete(WAITING);
  const computing = [...folders]
    .sort(([one], [other]) => rank(one) - rank(other))
    .flatMap(([folder, ofFolder]) => slices(folder, ofFolder));
  return [...spread(waiting), ...spread(computing)]
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}

function rank(folder: string): number {
  const at = LONG.indexOf(folder);
  return at === -1 ? LONG.length : at;
}

function slices(folder: string, files: readonly string[]): string[][] {
  const most = SINGLY.has(folder) ? 1 : BATCH_FILES_MAX;
  const count = Math.ceil(files.length / most);
  return Array.from({ length: count }, (_, at) => files.slice(at * most, (at + 1) * most));
}

/** Where each item has its place when they are laid out evenly from 0 to 1. */
function spread<T>(items: readonly T[]): { item: T; at: number }[] {
  return items.map((item, index) => ({ item, at: index / items.length }));
}

/** Works on all the items, so many at a time, and begins them in their order. */
export async function eachOf<T>(
  items: readonly T[],
  atATime: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}
