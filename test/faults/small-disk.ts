import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const BALLAST_NAME = 'ballast';
const BLOCK = Buffer.alloc(4096);

/** A real file system of a few megabytes, in memory, that can be filled to its last byte. */
export class SmallDisk {
  /** What lies on it, for every process of this machine. */
  readonly path: string;
  readonly #remove: () => Promise<void>;

  private constructor(directory: string, remove: () => Promise<void>) {
    this.path = directory;
    this.#remove = remove;
  }

  /** @param size - as `mount` takes it, such as `8m`. */
  static async make(size: string): Promise<SmallDisk> {
    const mountPoint = mkdtempSync(path.join(os.tmpdir(), 'understudy-disk-'));
    const own = await SmallDisk.#inNamespace(mountPoint, size);
    if (typeof own !== 'string') return own;
    const mounted = run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mountPoint);
    if (mounted === undefined)
      return new SmallDisk(mountPoint, () => {
        run('umount', '--lazy', mountPoint);
        rmSync(mountPoint, { recursive: true, force: true });
        return Promise.resolve();
      });
    rmSync(mountPoint, { recursive: true, force: true });
    throw new Error(
      `this test mounts a small tmpfs, and may not: neither in a namespace of its own (unshare -rm: ${own}) nor as this user (${mounted}). Allow user namespaces, or run the tests as root`,
    );
  }

  /**
   * In a mount namespace of its own, which takes no rights on most machines and is gone with the process that holds it. Others
   * reach it through that process.
   */
  static async #inNamespace(mountPoint: string, size: string): Promise<SmallDisk | string> {
    const script = `mount -t tmpfs -o size=${size} tmpfs '${mountPoint}' && echo mounted && exec cat`;
    const holder = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    holder.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const isMounted = await new Promise<boolean>((resolve) => {
      holder.stdout.once('data', () => resolve(true));
      holder.once('error', (error) => {
        said += error.message;
        resolve(false);
      });
      holder.once('close', () => resolve(false));
    });
    if (!isMounted) return said.trim();
    const seen = path.join('/proc', String(holder.pid), 'root', mountPoint);
    return new SmallDisk(seen, () => end(holder, mountPoint));
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(path.join(this.path, BALLAST_NAME), 'a');
    try {
      for (;;) writeSync(file, BLOCK);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` has taken, or so much of it. */
  makeRoom(bytes?: number): void {
    const ballast = path.join(this.path, BALLAST_NAME);
    if (bytes === undefined) rmSync(ballast, { force: true });
    else truncateSync(ballast, statSync(ballast).size - bytes);
  }

  remove(): Promise<void> {
    return this.#remove();
  }
}

async function end(holder: ChildProcess, mountPoint: string): Promise<void> {
  const ended = once(holder, 'close');
  holder.kill('SIGKILL');
  await ended;
  rmSync(mountPoint, { recursive: true, force: true });
}

/** Why it failed; undefined when it did not. */
function run(...words: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}
