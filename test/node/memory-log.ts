import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Log } from '../../src/node/ports.js';

interface Held {
  release(error?: Error): void;
}

/**
 * The log port in memory, with a disk that the test holds in its hand: while `hold` is set, an append waits until the
 * test lets it through, or fails it.
 */
export class MemoryLog implements Log {
  end: LogEnd = EMPTY_LOG;
  appendedBytes = 0;
  hold = false;
  syncs = 0;
  readonly held: Held[] = [];
  /** Of every frame that is in the log: where it begins, and how many entries it has. */
  readonly frames: { readonly firstIndex: Index; readonly count: number }[] = [];
  failSyncWith: Error | undefined;

  async append(frame: Frame): Promise<void> {
    if (frame.firstIndex !== this.end.index + 1 || frame.previous !== this.end.checksum) {
      throw new Error('a frame does not follow the log');
    }
    if (this.hold) {
      await new Promise<void>((resolve, reject) => {
        this.held.push({
          release: (error) => {
            if (error === undefined) resolve();
            else reject(error);
          },
        });
      });
    }
    this.frames.push({ firstIndex: frame.firstIndex, count: frame.count });
    this.end = endOf(frame);
    this.appendedBytes += frame.end - frame.start;
  }

  sync(): Promise<void> {
    this.syncs++;
    return this.failSyncWith === undefined ? Promise.resolve() : Promise.reject(this.failSyncWith);
  }

  removeUpTo(): Promise<void> {
    return Promise.resolve();
  }
}
