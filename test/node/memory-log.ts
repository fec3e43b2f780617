import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, FRAME_ROOM_BYTES, endOf, lastIndexOf, readFrame } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Log } from '../../src/node/ports.js';

interface Held {
  release(error?: Error): void;
}

/** The error of a log that has no room. */
export function diskFull(): Error {
  const error = new Error('no room');
  error.name = 'DiskFull';
  return error;
}

/**
 * The log port in memory, with a disk that the test holds in its hand: while `hold` is set, an append waits until the
 * test lets it through, or fails it.
 */
export class MemoryLog implements Log {
  appendedBytes = 0;
  hold = false;
  syncs = 0;
  sparesGivenUp = 0;
  readonly held: Held[] = [];
  /** As `hold`, for making room. */
  holdReserve = false;
  readonly reserving: Held[] = [];
  failSyncWith: Error | undefined;
  failReserveWith: Error | undefined;
  /** How often room for another segment was looked for. */
  looks = 0;
  /** Frames up to this size fit into the current segment. */
  roomBytes = 0;
  /** How many frames each append took. */
  readonly groups: number[] = [];
  /** After which entries frames were read. */
  readonly reads: Index[] = [];
  #start: LogEnd = EMPTY_LOG;
  #frames: Frame[] = [];
  #isBusy = false;

  /** Begins behind this. */
  constructor(start: LogEnd = EMPTY_LOG) {
    this.#start = start;
  }

  get end(): LogEnd {
    const last = this.#frames.at(-1);
    return last === undefined ? this.#start : endOf(last);
  }

  /** Of every frame that is in the log: where it begins, and how many entries it has. */
  get frames(): { readonly firstIndex: Index; readonly count: number }[] {
    return this.#frames.map(({ firstIndex, count }) => ({ firstIndex, count }));
  }

  hasRoomFor(frameBytes: number, behind: readonly Frame[] = []): boolean {
    return behind.reduce((sum, { start, end }) => sum + end - start, frameBytes) <= this.roomBytes;
  }

  makeReady(): Promise<void> {
    this.looks++;
    return this.failReserveWith === undefined ? Promise.resolve() : Promise.reject(this.failReserveWith);
  }

  reserve(frameBytes: number): Promise<void> {
    if (this.#isBusy) throw new Error('room is made while something is being appended');
    if (this.holdReserve) return holdIn(this.reserving);
    if (this.hasRoomFor(frameBytes)) return Promise.resolve();
    this.looks++;
    return this.failReserveWith === undefined ? Promise.resolve() : Promise.reject(this.failReserveWith);
  }

  async append(frames: readonly Frame[]): Promise<void> {
    if (this.#isBusy) throw new Error('two appends at once');
    this.#isBusy = true;
    try {
      if (this.hold) await holdIn(this.held);
      this.groups.push(frames.length);
      for (const frame of frames) this.#append(frame);
    } finally {
      this.#isBusy = false;
    }
  }

  appendNow(frames: readonly Frame[]): boolean {
    if (this.#isBusy) throw new Error('two appends at once');
    if (this.hold) return false;
    this.groups.push(frames.length);
    for (const frame of frames) this.#append(frame);
    return true;
  }

  #append(frame: Frame): void {
    if (frame.firstIndex !== this.end.index + 1 || frame.previous !== this.end.checksum) {
      throw new Error('a frame does not follow the log');
    }
    // As on a disk: what is read later does not change with the buffer that was written.
    this.#frames.push(copyOf(frame));
    this.appendedBytes += frame.end - frame.start;
  }

  read(after: Index, bytesMax: number): Promise<readonly Frame[] | 'trimmed'> {
    this.reads.push(after);
    if (after < this.#start.index) return Promise.resolve('trimmed');
    const found: Frame[] = [];
    let bytes = 0;
    for (const frame of this.#frames.filter(({ firstIndex }) => firstIndex > after)) {
      bytes += frame.end - frame.start;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(copyOf(frame));
    }
    return Promise.resolve(found);
  }

  truncate(end: LogEnd): Promise<string> {
    this.#frames = this.#frames.filter((frame) => lastIndexOf(frame) <= end.index);
    return Promise.resolve('lost.log');
  }

  sync(): Promise<void> {
    this.syncs++;
    return this.failSyncWith === undefined ? Promise.resolve() : Promise.reject(this.failSyncWith);
  }

  giveUpSpares(): Promise<void> {
    this.sparesGivenUp++;
    return Promise.resolve();
  }

  removeUpTo(index: Index): Promise<void> {
    for (let first = this.#frames[0]; first !== undefined; first = this.#frames[0]) {
      if (lastIndexOf(first) > index) break;
      this.#start = endOf(first);
      this.#frames.shift();
    }
    return Promise.resolve();
  }
}

/** Waits until the test says how it went. */
function holdIn(held: Held[]): Promise<void> {
  return new Promise((resolve, reject) => {
    held.push({
      release: (error) => {
        if (error === undefined) resolve();
        else reject(error);
      },
    });
  });
}

function copyOf(frame: Frame): Frame {
  const bytes = Buffer.from(frame.bytes.subarray(frame.start - FRAME_ROOM_BYTES, frame.end));
  const copy = readFrame(bytes, FRAME_ROOM_BYTES, bytes.length);
  if (typeof copy === 'string') throw new Error(`a frame is ${copy}`);
  return copy;
}
