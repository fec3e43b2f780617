import path from 'node:path';
import { isFullDisk } from './files.js';
import type { Files, OpenFile } from './files.js';
import { SEGMENT_HEADER_BYTES } from './segment.js';

/** There is no room for another file. Nothing was written, and the same may be tried again. */
export class DiskFull extends Error {
  override readonly name = 'DiskFull';
}

/** A file of zeros that is to become a segment. */
export interface BlankSegment {
  readonly file: OpenFile;
  readonly name: string;
  readonly size: number;
}

const BLANK_NAME = /^spare(-\d+|-large)?$/;
const ZEROS = Buffer.alloc(1024 * 1024);

/** Whether a file is one that a crash kept from becoming a segment. */
export function isBlankName(name: string): boolean {
  return BLANK_NAME.test(name);
}

/**
 * Makes the files that segments are begun in: at their full size and durable, under names that recovery does not look
 * at. One of the usual size is always ready.
 */
export class BlankSegments {
  readonly #files: Files;
  readonly #directory: string;
  readonly #usualSize: number;
  #spare: Promise<BlankSegment> | undefined;
  #ahead: BlankSegment[] = [];
  #count = 0;

  constructor(files: Files, directory: string, usualSize: number) {
    this.#files = files;
    this.#directory = directory;
    this.#usualSize = usualSize;
  }

  /** How large a segment is whose first record has this size. */
  sizeFor(recordSize: number): number {
    return Math.max(SEGMENT_HEADER_BYTES + recordSize, this.#usualSize);
  }

  /** Begins to make the spare, if there is none. */
  prepareSpare(): void {
    this.#spare ??= this.#make(this.#usualSize);
    // Whoever takes it learns of a failure; until then nobody need be told.
    this.#spare.catch(() => undefined);
  }

  /**
   * Resolves once the spare is there.
   *
   * @throws DiskFull where there is no room for it.
   */
  async ready(): Promise<void> {
    const isThere = await this.#spare?.then(
      () => true,
      () => false,
    );
    if (isThere === true) return;
    this.#spare = this.#make(this.#usualSize);
    await this.#spare;
  }

  /** Makes sure that segments of these sizes, to be taken in this order, are there. All of them, or none. */
  async provide(sizes: readonly number[]): Promise<void> {
    const made: BlankSegment[] = [];
    try {
      for (const size of sizes) made.push(await this.take(size));
    } catch (error) {
      for (const blank of made) await this.giveUp(blank);
      throw error;
    }
    this.#ahead.push(...made);
  }

  async take(size: number): Promise<BlankSegment> {
    for (let ahead = this.#ahead.shift(); ahead !== undefined; ahead = this.#ahead.shift()) {
      if (ahead.size === size) return ahead;
      await this.giveUp(ahead);
    }
    if (size === this.#usualSize) {
      this.prepareSpare();
      const spare = await this.#spare?.catch(() => undefined);
      this.#spare = undefined;
      // Where it failed there may be room by now.
      if (spare !== undefined) return spare;
    }
    return this.#make(size);
  }

  /** Lets go of a file that did not become a segment. What cannot be removed now is removed by the next start. */
  async giveUp(blank: { readonly file: OpenFile | undefined; readonly name: string }): Promise<void> {
    await blank.file?.close().catch(() => undefined);
    await this.#files.remove(blank.name).catch(() => undefined);
  }

  async close(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    const opened = await spare?.catch(() => undefined);
    await opened?.file.close();
    for (const blank of this.#ahead.splice(0)) await blank.file.close();
  }

  async #make(size: number): Promise<BlankSegment> {
    const name = path.join(this.#directory, `spare-${String(++this.#count)}`);
    let file: OpenFile | undefined;
    try {
      file = await this.#files.create(name);
      for (let at = 0; at < size; at += ZEROS.length) {
        await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, size - at)), at);
      }
      await file.sync();
      return { file, name, size };
    } catch (error) {
      await this.giveUp({ file, name });
      throw asDiskFull(error, this.#directory);
    }
  }
}

/** Tells a full disk, where the next attempt may find room, from failures that are final. */
export function asDiskFull(error: unknown, directory: string): Error {
  return isFullDisk(error) ? new DiskFull(`no room left in ${directory}`) : asError(error);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
