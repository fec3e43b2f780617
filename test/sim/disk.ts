import type { Clock } from '../../src/clock.js';
import type { Files } from '../../src/storage/files.js';
import type { Random } from '../random.js';
import { aroundFiles } from '../storage/around-files.js';
import type { Around, AroundNow, FilesCall } from '../storage/around-files.js';
import { InjectedFailure, writesBytes } from '../storage/failing-files.js';
import { MemoryDisk } from '../storage/memory-files.js';

/** Calls that take time on a disk. The others are answered from the system's memory. */
const WRITING = new Set<FilesCall['operation']>([
  'create',
  'write',
  'writeGathered',
  'rename',
  'duplicate',
  'remove',
]);
const SYNCING = new Set<FilesCall['operation']>(['sync', 'syncDirectory', 'replace']);

/** A disk with a temper: it takes its time, is full for a while, and fails. It outlives the processes that use it. */
export class SimulatedDisk {
  readonly memory = new MemoryDisk();
  /** Whether there is any left: for new files, for anything but what has its room already, as segments have, or for anything at all. */
  room: 'enough' | 'for no new file' | 'for nothing new' | 'for nothing' = 'enough';
  /** The next sync fails, once. */
  failsNextSync = false;
  /** How long the longest sync takes. */
  syncMsMax = 4;
  /** Failures that were told to a process. */
  failures = 0;

  constructor() {
    // The directory that holds the data was there before any node was.
    this.memory.put('/data/README', Buffer.alloc(0));
  }

  /** The files, for the process whose clock this is. Calls of a process that has ended are never answered. */
  mount(clock: Clock, random: Random): Files {
    const delay = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
    const syncing = async (call: FilesCall): Promise<void> => {
      await delay(random.next() * random.next() * this.syncMsMax);
      this.#failIfDue(call);
    };
    const around: Around = async (call, run) => {
      if (WRITING.has(call.operation)) await delay(random.next() * 0.2);
      if (this.#isTooMuch(call)) this.#refuse(call);
      if (!SYNCING.has(call.operation)) return run();
      // What was synced before the process hears of it, and what was not yet, are both there at a crash.
      await syncing(call);
      const result = await run();
      await delay(random.next() * 0.2);
      return result;
    };
    const aroundNow: AroundNow = (call, run) => {
      if (this.#isTooMuch(call)) this.#refuse(call);
      this.#failIfDue(call);
      run();
    };
    const durable: FilesCall = { operation: 'sync', file: 'a segment' };
    return aroundFiles(
      this.memory.mount(() => syncing(durable)),
      around,
      aroundNow,
    );
  }

  #isTooMuch({ operation, file }: FilesCall): boolean {
    if (this.room === 'enough') return false;
    if (operation === 'create') return true;
    if (this.room === 'for no new file') return false;
    if (operation === 'replace' || operation === 'duplicate') return true;
    return writesBytes({ operation, file }) && (this.room === 'for nothing' || !file.includes('/segment-'));
  }

  #refuse(call: FilesCall): never {
    this.failures++;
    throw new InjectedFailure('ENOSPC', call);
  }

  #failIfDue(call: FilesCall): void {
    if (!this.failsNextSync || (call.operation !== 'sync' && call.operation !== 'writeGatheredNow')) return;
    this.failsNextSync = false;
    this.failures++;
    throw new InjectedFailure('EIO', call);
  }
}
