import type { Files } from '../../src/storage/files.js';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import { aroundFiles } from './around-files.js';
import type { DirectoryState } from './disk-state.js';
import type { FilesCall } from './around-files.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { afterPowerCuts, digestOf } from './power-cuts.js';

/**
 * How many states of the disk are tried for one moment of a run: all that there can be while they are no more. `KV_CRASH_IMAGES`
 * in the place of the usual number is for long runs by hand.
 */
export function statesMax(usual: number): number {
  return Number(process.env.KV_CRASH_IMAGES ?? usual);
}

/** A moment of a run, between two changes of what the disk holds. */
export interface Moment<T> {
  readonly place: string;
  readonly state: DirectoryState;
  /** What was known to be so at this moment. */
  readonly known: T;
}

/** Does work on a disk, and answers every moment of it. */
export async function recordMoments<T>(
  disk: MemoryDisk,
  work: (files: Files) => Promise<unknown>,
  know: () => T,
): Promise<Moment<T>[]> {
  const moments: Moment<T>[] = [];
  let calls = 0;
  let call = 'the beginning';
  const see = (): void => {
    moments.push({ place: call, state: disk.capture(), known: know() });
  };
  see();
  disk.watch(see);
  const meet = (met: FilesCall): void => {
    call = `call ${String(++calls)}, ${met.operation} ${met.file}`;
  };
  const files = aroundFiles(
    disk.mount(),
    (met, run) => {
      meet(met);
      return run();
    },
    (met, run) => {
      meet(met);
      run();
    },
  );
  await work(files);
  call = 'the end';
  see();
  return moments;
}

export interface Tried {
  /** Moments of the run. */
  moments: number;
  /** Those of which every state that there can be was tried. */
  completeMoments: number;
  /** States that were started on: those that differ in what they hold, or in what was known. */
  states: number;
}

export interface CrashedDisk<T> {
  readonly disk: MemoryDisk;
  readonly known: T;
  /** Whether the process alone crashed: then everything that it did is there. */
  readonly isProcessAlone: boolean;
}

/** Shows what crashes at each of the moments may leave, each state once. `keyOf` tells apart what was known. */
export async function atEachMoment<T>(
  moments: readonly Moment<T>[],
  options: { readonly statesMax: number; readonly random: Random; readonly keyOf: (known: T) => string },
  check: (crashed: CrashedDisk<T>) => Promise<void>,
): Promise<Tried> {
  const tried: Tried = { moments: moments.length, completeMoments: 0, states: 0 };
  const seen = new Set<string>();
  for (const { place, state, known } of moments) {
    const { isComplete, disks } = afterPowerCuts(state, options.statesMax, options.random);
    if (isComplete) tried.completeMoments++;
    for (const [at, disk] of disks.entries()) {
      const isProcessAlone = at === 0;
      const key = `${options.keyOf(known)} ${String(isProcessAlone)} ${digestOf(disk)}`;
      if (seen.has(key)) continue;
      seen.add(key);
      tried.states++;
      await check({ disk, known, isProcessAlone }).catch((error: unknown) => {
        const what = isProcessAlone ? 'crash' : 'power cut';
        throw new Error(`after a ${what} at ${place}, state ${String(at)}`, { cause: error });
      });
    }
  }
  return tried;
}

/** A state that a crash may leave, and what the work had told before. */
export type Crash = CrashedDisk<ReadonlySet<string>>;

/**
 * Does work once on a disk that holds `image`, and shows what crashes at each moment of it may leave.
 */
export async function atEachCrash(
  image: Image,
  work: (files: Files, tell: (what: string) => void) => Promise<unknown>,
  check: (crash: Crash) => Promise<void>,
): Promise<Tried> {
  const told = new Set<string>();
  const moments = await recordMoments(
    MemoryDisk.holding(image),
    (files) => work(files, (what) => told.add(what)),
    () => new Set(told),
  );
  const keyOf = (known: ReadonlySet<string>): string => String(known.size);
  const options = { statesMax: statesMax(300), random: seededRandom(1), keyOf };
  return atEachMoment(moments, options, check);
}
