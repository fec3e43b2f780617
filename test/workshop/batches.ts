import path from 'node:path';

/** Files of a folder that are run by one process, one after another: a process that is started costs half a second. */
const BATCH_FILES_MAX = 6;
/** Folders whose files take long each, so that they come first and singly: what is left at the end is short. */
const LONG = ['faults', 'sim', 'storage', 'replication', 'cli'];
const SINGLY = new Set(['faults', 'sim']);

/**
 * The files in the order in which they are run, and which of them by one process.
 *
 * @param files - by their paths below the folder of the tests.
 */
export function batchesOf(files: readonly string[]): string[][] {
  const folders = new Map<string, string[]>();
  for (const file of [...files].sort()) {
    const folder = file.split(path.sep)[0] ?? '';
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const ordered = [...folders].sort(([one], [other]) => rank(one) - rank(other));
  return ordered.flatMap(([folder, ofFolder]) => slices(ofFolder, SINGLY.has(folder) ? 1 : BATCH_FILES_MAX));
}

function rank(folder: string): number {
  const at = LONG.indexOf(folder);
  return at === -1 ? LONG.length : at;
}

function slices(files: readonly string[], most: number): string[][] {
  const count = Math.ceil(files.length / most);
  return Array.from({ length: count }, (_, at) => files.slice(at * most, (at + 1) * most));
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
