import type { Files, OpenFile } from './files.js';

/** Told what is being read, and how far it is. */
export type ReadingProgress = (file: string, bytesRead: number, size: number) => void;

/** Files that are only ever looked at: whatever would change one of them fails, and none is opened for writing. */
export function readingFiles(files: Files, progress: ReadingProgress = () => undefined): Files {
  const refuse = (what: string): Promise<never> => Promise.reject(onlyLookedAt(what));
  const openToRead = async (file: string): Promise<OpenFile> => {
    const open = await files.openToRead(file);
    const size = await open.size();
    return {
      size: () => open.size(),
      async read(bytes, position) {
        const filled = await named(file, open.read(bytes, position));
        progress(file, position + filled, size);
        return filled;
      },
      write: () => refuse(file),
      writeGathered: () => refuse(file),
      writeGatheredNow() {
        throw onlyLookedAt(file);
      },
      sync: () => refuse(file),
      close: () => open.close(),
    };
  };
  return {
    open: openToRead,
    openToRead,
    list: (directory) => files.list(directory),
    exists: (file) => files.exists(file),
    lockOwner: (file) => files.lockOwner(file),
    openDurable: refuse,
    create: refuse,
    makeDirectory: refuse,
    rename: refuse,
    duplicate: (_from, to) => refuse(to),
    remove: refuse,
    replace: refuse,
    lock: refuse,
    syncDirectory: refuse,
  };
}

function onlyLookedAt(what: string): Error {
  return new Error(`${what} would be changed, and it is only looked at`);
}

/** The system names the file where one cannot be opened, and not where it cannot be read. */
async function named<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw error instanceof Error && !('path' in error) ? Object.assign(error, { path: file }) : error;
  }
}
