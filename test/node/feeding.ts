import type { Index, NodeId, Term } from '../../src/engine.js';
import { Feeder } from '../../src/node/feeder.js';
import { FrameCache } from '../../src/node/frame-cache.js';
import type { SnapshotSource } from '../../src/node/ports.js';
import { TransferPace } from '../../src/node/transfer-pace.js';
import type { Input, LinkId } from '../../src/replication/state.js';
import { HeldClock, MemorySnapshots, SILENT } from './engine-fixture.js';
import { MemoryLog } from './memory-log.js';

export const B = 'b' as NodeId;
export const MIB = 1024 * 1024;

/** A call that the test lets go on. */
export interface Held {
  goOn(): void;
  fail(): void;
}

/** Snapshots of which each opening, and each read, is held when the test says so. */
export class HeldSnapshots extends MemorySnapshots {
  size = 2 * MIB;
  openings: Held[] = [];
  reads: Held[] = [];
  holdsOpenings = false;
  holdsReads = false;
  opened = 0;
  open = 0;

  constructor(index = 7) {
    super();
    this.current = { term: 1 as Term, index: index as Index, checksum: 1 };
  }

  override async openCurrent(): Promise<SnapshotSource> {
    this.opened++;
    const end = this.current!;
    if (this.holdsOpenings) await held(this.openings);
    this.open++;
    let isOpen = true;
    return {
      end,
      size: this.size,
      read: async (offset, bytesMax) => {
        if (this.holdsReads) await held(this.reads);
        if (!isOpen) throw new Error('it is closed');
        return Buffer.alloc(Math.min(bytesMax, this.size - offset));
      },
      close: () => {
        if (isOpen) this.open--;
        isOpen = false;
        return Promise.resolve();
      },
    };
  }
}

export function held(calls: Held[]): Promise<void> {
  return new Promise((resolve, reject) => {
    calls.push({ goOn: resolve, fail: () => reject(new Error('EIO')) });
  });
}

/** A feeder on ports that the test holds. */
export function feeding(snapshots = new HeldSnapshots()) {
  const log = new MemoryLog();
  const inputs: Input[] = [];
  const clock = new HeldClock();
  const node = { commit: 0 };
  const cache = new FrameCache(3 as Index);
  const feeder = new Feeder({
    cache,
    snapshots,
    events: SILENT,
    pace: new TransferPace({ clock, commit: () => node.commit as Index, log: () => log }),
    log: () => log,
    takeSnapshot: () => Promise.resolve(),
    input: (input) => void inputs.push(input),
  });
  const ask = (link: number, offset = 0, isFirst = offset === 0): void => {
    const end = isFirst ? undefined : snapshots.current;
    feeder.perform({ kind: 'feed snapshot', peer: B, link: link as LinkId, offset, end });
  };
  const stop = (): void => {
    feeder.perform({ kind: 'stop snapshot', peer: B });
  };
  const parts = (): string[] =>
    inputs.flatMap((input) =>
      input.kind === 'fed snapshot' ? [`${String(input.link)}@${String(input.offset)}`] : [],
    );
  return { feeder, cache, inputs, snapshots, log, clock, node, ask, stop, parts };
}

/** Everything that follows without a call that is held. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
