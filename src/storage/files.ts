import fs from 'node:fs';
import writeFileAtomic from 'write-file-atomic';

/**
 * What storage needs of a file system, and nothing more, so that tests can put one in its place that fails or
 * loses what was not synced. Every call that fails rejects with the system's error, its `code` included.
 */
export interface Files {
  /** Opens a file that must be there. */
  open(file: string): Promise<OpenFile>;
  /** Opens a file that must be there. What is written through it is durable once the write returns. */
  openDurable(file: string): Promise<OpenFile>;
  /** The same for reading alone: it needs no right to write, and writing fails. */
  openToRead(file: string): Promise<OpenFile>;
  /** Opens a new, empty file for writing, in place of one of that name, which keeps its content under other names. */
  create(file: string): Promise<OpenFile>;
  /** Names in a directory; undefined when there is no such directory. */
  list(directory: string): Promise<string[] | undefined>;
  makeDirectory(directory: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name, or copies it where the file system cannot. */
  duplicate(from: string, to: string): Promise<void>;
  remove(file: string): Promise<void>;
  /**
   * Puts a small file, whole and with its bytes durable, in place of one of that name. A crash may leave a file
   * of the same name, a dot and digits.
   */
  replace(file: string, bytes: Buffer): Promise<void>;
  /**
   * Takes a file for the caller alone, making it when there is none, and leaves `owner` in it for people to read;
   * undefined when another holds it. The lock goes with the process, however it ends.
   */
  lock(file: string, owner: string): Promise<FileLock | undefined>;
  /** What the one left in the file who holds its lock now; undefined when nobody does. Changes nothing. */
  lockOwner(file: string): Promise<string | undefined>;
  /** Makes the names in a directory durable: what was created, renamed or removed there. */
  syncDirectory(directory: string): Promise<void>;
  exists(file: string): Promise<boolean>;
}

/** Keeps everybody else from locking a file for as long as it is held. */
export interface FileLock {
  release(): Promise<void>;
}

export interface OpenFile {
  size(): Promise<number>;
  /** Writes all the bytes, or rejects. */
  write(bytes: Buffer, position: number): Promise<void>;
  /** Writes pieces, one behind the other, as one write; all of them, or rejects. */
  writeGathered(pieces: readonly Buffer[], position: number): Promise<void>;
  /** As `writeGathered`, done when it returns: until then the whole process waits. */
  writeGatheredNow(pieces: readonly Buffer[], position: number): void;
  /** Fills the buffer as far as the file reaches, and answers how many bytes that were. */
  read(bytes: Buffer, position: number): Promise<number>;
  /** Returns once everything written so far is durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Linux makes a write with this flag as durable as `fdatasync` would. Elsewhere it promises less, as on macOS, where the
 * drive may keep the bytes in its cache, or is not there: then each write is followed by a sync.
 */
const O_DURABLE = process.platform === 'linux' ? fs.constants.O_DSYNC : undefined;

export const systemFiles: Files = {
  open: (file) => openFile(file, 'r+'),
  async openDurable(file) {
    if (O_DURABLE !== undefined) return openFile(file, fs.constants.O_RDWR | O_DURABLE);
    return syncingEachWrite(await fs.promises.open(file, 'r+'));
  },
  openToRead: (file) => openFile(file, 'r'),
  async create(file) {
    // Truncating what is there would empty it under every other name that it has.
    await fs.promises.rm(file, { force: true });
    return openFile(file, 'wx+');
  },
  async list(directory) {
    try {
      return await fs.promises.readdir(directory);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  async makeDirectory(directory) {
    await fs.promises.mkdir(directory, { recursive: true });
  },
  rename: (from, to) => fs.promises.rename(from, to),
  async duplicate(from, to) {
    const temporary = `${to}.new`;
    await fs.promises.rm(temporary, { force: true });
    try {
      await fs.promises.link(from, temporary);
    } catch {
      // A file system without hard links: a copy costs more and serves as well.
      try {
        await fs.promises.copyFile(from, temporary);
      } catch (error) {
        // Half a copy takes room where there may be none.
        await fs.promises.rm(temporary, { force: true });
        throw error;
      }
      const copy = await openFile(temporary, 'r+');
      await copy.sync().finally(() => copy.close());
    }
    await fs.promises.rename(temporary, to);
    // Where both were names of one file already, a rename leaves the two of them.
    await fs.promises.rm(temporary, { force: true });
  },
  remove: (file) => fs.promises.rm(file, { force: true }),
  async replace(file, bytes) {
    // The library writes once, and a disk that is nearly full takes a part of that without an error. This writes all or
    // fails, and the library, which waits for it, then writes over bytes that are there.
    const options = { tmpfileCreated: (temporary: string) => fs.promises.writeFile(temporary, bytes) };
    await writeFileAtomic(file, bytes, options);
  },
  lock: lockFile,
  lockOwner,
  async syncDirectory(directory) {
    const handle = await fs.promises.open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  },
  async exists(file) {
    try {
      await fs.promises.stat(file);
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  },
};

/**
 * The kernel holds the lock for the open file and lets go when the process ends: there is no stale lock to clear,
 * and no process number to mistake for another's.
 */
async function lockFile(file: string, owner: string): Promise<FileLock | undefined> {
  const { tryLock } = await import('fs-native-extensions');
  const handle = await fs.promises.open(file, fs.constants.O_RDWR | fs.constants.O_CREAT);
  try {
    if (!tryLock(handle.fd)) {
      await handle.close();
      return undefined;
    }
    // In place of what stands there, which takes no room of its own.
    const { bytesWritten } = await handle.write(owner, 0).catch(orNothingWhereFull);
    await handle.truncate(bytesWritten);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { release: () => handle.close() };
}

/** The owner's name is for people: a lock without it, on a full disk, is as good a lock. */
function orNothingWhereFull(error: unknown): { readonly bytesWritten: number } {
  if (isFullDisk(error)) return { bytesWritten: 0 };
  throw error;
}

async function lockOwner(file: string): Promise<string | undefined> {
  const { tryLock, unlock } = await import('fs-native-extensions');
  let handle: fs.promises.FileHandle;
  try {
    handle = await fs.promises.open(file, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // Shared, since a file that is open for reading takes no other; and for a moment, so that no server meets it.
    if (!tryLock(handle.fd, { shared: true })) return (await handle.readFile()).toString('latin1');
    unlock(handle.fd);
    return undefined;
  } finally {
    await handle.close();
  }
}

async function openFile(file: string, flags: 'r' | 'r+' | 'wx+' | number): Promise<OpenFile> {
  return openFileOf(await fs.promises.open(file, flags));
}

function openFileOf(handle: fs.promises.FileHandle): OpenFile {
  return {
    size: async () => (await handle.stat()).size,
    async write(bytes, position) {
      for (let written = 0; written < bytes.length;) {
        const rest = bytes.length - written;
        written += (await handle.write(bytes, written, rest, position + written)).bytesWritten;
      }
    },
    async writeGathered(pieces, position) {
      for (let left = pieces, at = position; left.length > 0;) {
        const { bytesWritten } = await handle.writev(left, at);
        at += bytesWritten;
        left = behind(left, bytesWritten);
      }
    },
    writeGatheredNow(pieces, position) {
      for (let left = pieces, at = position; left.length > 0;) {
        const bytesWritten = fs.writevSync(handle.fd, left, at);
        at += bytesWritten;
        left = behind(left, bytesWritten);
      }
    },
    async read(bytes, position) {
      let filled = 0;
      while (filled < bytes.length) {
        const rest = bytes.length - filled;
        const { bytesRead } = await handle.read(bytes, filled, rest, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

function syncingEachWrite(handle: fs.promises.FileHandle): OpenFile {
  const file = openFileOf(handle);
  return {
    ...file,
    async write(bytes, position) {
      await file.write(bytes, position);
      await handle.datasync();
    },
    async writeGathered(pieces, position) {
      await file.writeGathered(pieces, position);
      await handle.datasync();
    },
    writeGatheredNow(pieces, position) {
      file.writeGatheredNow(pieces, position);
      fs.fdatasyncSync(handle.fd);
    },
  };
}

/** What is left of pieces when so many of their bytes are done. */
export function behind(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let done = bytes;
  for (const [at, piece] of pieces.entries()) {
    if (done < piece.length) return [piece.subarray(done), ...pieces.slice(at + 1)];
    done -= piece.length;
  }
  return [];
}

/** The system's short name for what went wrong, such as `ENOSPC`. */
export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether something failed for want of room, so that it may pass once there is some. */
export function isFullDisk(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** All the bytes of a file. */
export async function readWhole(files: Files, file: string): Promise<Buffer> {
  const open = await files.open(file);
  try {
    const bytes = Buffer.allocUnsafeSlow(await open.size());
    const filled = await open.read(bytes, 0);
    return bytes.subarray(0, filled);
  } finally {
    await open.close();
  }
}
