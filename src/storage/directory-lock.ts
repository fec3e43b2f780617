import path from 'node:path';
import { StorageFault } from './fault.js';
import { readWhole } from './files.js';
import type { FileLock, Files } from './files.js';

export const LOCK_NAME = 'lock';

/**
 * Keeps every other server out of a data directory for as long as the lock is held.
 *
 * @throws StorageFault when another server has it.
 */
export async function lockDirectory(files: Files, directory: string): Promise<FileLock> {
  const file = path.join(directory, LOCK_NAME);
  const lock = await files.lock(file, `${String(process.pid)}\n`);
  if (lock !== undefined) return lock;
  const owner = shownOwner((await readWhole(files, file)).toString('latin1'));
  const message = `${directory} is in use by another server${owner}: stop that one, or give this one another --db-path`;
  throw new StorageFault('in use', directory, message);
}

/**
 * Makes sure that no server has a data directory open at this moment, without a trace.
 *
 * @throws StorageFault when one has it.
 */
export async function refuseInUse(files: Files, directory: string): Promise<void> {
  const left = await files.lockOwner(path.join(directory, LOCK_NAME));
  if (left === undefined) return;
  const message = `${directory} is in use by a server${shownOwner(left)}, which changes it at any moment: stop that one first, or name a copy that was made while none ran`;
  throw new StorageFault('in use', directory, message);
}

function shownOwner(left: string): string {
  return /^\d+\n$/.test(left) ? ` (process ${left.trim()})` : '';
}
