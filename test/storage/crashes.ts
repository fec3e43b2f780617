import type { Files } from '../../src/storage/files.js';
import { seededRandom } from '../random.js';
import { aroundFiles } from './around-files.js';
import type { FilesCall } from './around-files.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';

const POWER_CUTS = 3;

/** Work that a crash ended, and what it left. */
export interface Crash {
  readonly place: string;
  readonly disk: MemoryDisk;
  /** What the work told before it was ended. */
  readonly told: ReadonlySet<string>;
}

/** How far the call that a crash meets has come. */
const PHASES = ['before', 'in', 'behind'] as const;

/**
 * Does the same work again and again on disks that hold `image`, each time with a crash at the next call to the files: before
 * the call, in the middle of a durable write, and behind it, of the process alone and of the power. Shows what each crash left.
 */
export async function atEachCrash(
  image: Image,
  work: (files: Files, tell: (what: string) => void) => Promise<unknown>,
  check: (crash: Crash) => Promise<void>,
): Promise<number> {
  let crashes = 0;
  for (let call = 1; ; call++) {
    for (const phase of PHASES) {
      for (let cut = 0; cut <= POWER_CUTS; cut++) {
        const disk = MemoryDisk.holding(image);
        const told = new Set<string>();
        let place = '';
        let left = call;
        const meet = (met: FilesCall): void => {
          place = `${cut === 0 ? 'crash' : 'power cut'} ${phase} call ${String(call)}, ${met.operation} ${met.file}`;
          if (phase === 'in') disk.interrupt();
        };
        const crash = (): never => {
          if (cut === 0) disk.endProcess();
          else disk.cutPower(seededRandom(call * 10 + cut));
          throw new Error('crashed');
        };
        const files = aroundFiles(
          disk.mount(),
          async (met, run) => {
            if (--left !== 0) return run();
            meet(met);
            if (phase !== 'before') await run().catch(() => undefined);
            return crash();
          },
          (met, run) => {
            const isNow = --left === 0;
            if (isNow) meet(met);
            if (!isNow || phase !== 'before') run();
            if (isNow) crash();
          },
        );
        await work(files, (what) => {
          if (place === '') told.add(what);
        }).catch((error: unknown) => {
          if (place === '') throw error;
        });
        if (place === '') return crashes;
        crashes++;
        await check({ place, disk, told }).catch((error: unknown) => {
          throw new Error(`after a ${place}`, { cause: error });
        });
      }
    }
  }
  return crashes;
}
