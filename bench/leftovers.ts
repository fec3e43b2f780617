import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * What a bench has started and put on the disk. It is ended and removed when the bench ends, however that comes about: by
 * its last line, an error that nobody caught, or a signal.
 */

const running = new Set<ChildProcess>();
const directories = new Set<string>();
let isWatching = false;

const STATUS_OF_SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

function watchTheEnd(): void {
  if (isWatching) return;
  isWatching = true;
  process.on('exit', leaveNothing);
  for (const [signal, status] of Object.entries(STATUS_OF_SIGNALS)) {
    process.once(signal, () => process.exit(status));
  }
}

function leaveNothing(): void {
  for (const child of running) signalGroup(child, 'SIGKILL');
  for (const directory of directories) removeAtOnce(directory);
}

/** A process that does not outlive this one. It leads a group, so that what it forks ends with it. */
export function startProcess(
  program: string,
  words: readonly string[],
  options: Pick<SpawnOptions, 'stdio' | 'env'>,
): ChildProcess {
  watchTheEnd();
  const child = spawn(program, words, { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  // A program that is not there: whoever waits for it hears of its exit.
  child.once('error', () => running.delete(child));
  return child;
}

/** Ends a process and what it forked; resolves when it has ended. */
export async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  signalGroup(child, signal);
  await ended;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile, which is what was wanted.
  }
}

/** A directory of one's own that is gone when the bench has ended. */
export function scratchDirectory(parent: string): string {
  watchTheEnd();
  const directory = mkdtempSync(path.join(parent, 'kv-bench-'));
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  removeAtOnce(directory);
  directories.delete(directory);
}

function removeAtOnce(directory: string): void {
  // A process that was just killed may have a write under way that adds a file.
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
