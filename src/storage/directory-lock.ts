import path from 'node:path';
import { StorageFault } from './fault.js';
import { readWhole } from './files.js';
import type { FileLock, Files } from './files.js';

const LOCK_NAME = 'lock';

/**
 * Keeps every other server out of a data directory for as long as the lock is held.
 *
 * @throws StorageFault when another server has it.
 */
export async function lockDirectory(files: Files, directory: string): Promise<FileLock> {
  const file = path.join(directory, LOCK_NAME);
  const lock = await files.lock(file, `${String(process.pid)}\n`);
  if (lock !== undefined) return lock;
  const left = (await readWhole(files, file)).toString('latin1');
  const owner = /^\d+\n$/.test(left) ? ` (process ${left.trim()})` : '';
  const message = `${directory} is in use by another server${owner}: stop that one, or give this one another --db-path`;
  throw new StorageFault('in use', directory, message);
}
