import path from 'node:path';
import type { Clock } from '../clock.js';
import type { ByteRange, Index } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import { Exclusive } from './exclusive.js';
import { StorageFault, damaged } from './fault.js';
import type { Files, OpenFile } from './files.js';
import { NotJson, readForeignJson } from './foreign-json.js';
import { LOADED_BYTES_A_TURN, SnapshotDamage, readSnapshot } from './snapshot-reader.js';
import type { EntryTaker, SessionTaker } from './snapshot-parser.js';
import type { SnapshotSummary } from './snapshot-reader.js';
import { SnapshotWriter } from './snapshot-writer.js';

const TEMPORARY_NAME = 'snapshot.new';
export const PREVIOUS_NAME = 'previous.json';

/** The JSON file and the one before it. */
export class SnapshotFiles {
  readonly #files: Files;
  readonly #main: string;
  readonly #directory: string;
  /** What the JSON file holds; undefined while there is none that can be read. */
  #current: SnapshotSummary | undefined;
  /** The log is needed from behind here on, to make good a JSON file that is damaged. */
  #previousIndex: Index;
  /** The snapshot that was begun last: only this one may still take the JSON file's place. */
  #begun: object | undefined;
  /** Names are changed one after the other, and nobody opens the JSON file meanwhile. */
  readonly #names = new Exclusive();

  constructor(
    files: Files,
    main: string,
    directory: string,
    current: SnapshotSummary | undefined,
    previous: Index,
  ) {
    this.#files = files;
    this.#main = main;
    this.#directory = directory;
    this.#current = current;
    this.#previousIndex = previous;
  }

  get current(): LogEnd | undefined {
    return this.#current?.head.end;
  }

  get currentBytes(): number {
    return this.#current?.bytes ?? 0;
  }

  get previousIndex(): Index {
    return this.#previousIndex;
  }

  /**
   * Opens a file for a snapshot beside the current one.
   *
   * @param clock - gives others a turn while the snapshot is written; without one nobody is served meanwhile.
   */
  async begin(clock?: Clock): Promise<SnapshotWriter> {
    this.#begun = undefined;
    const writer = await SnapshotWriter.create(this.#files, this.#temporary, clock);
    this.#begun = writer;
    return writer;
  }

  /**
   * Completes the snapshot that was begun and puts it in the place of the current one, which becomes the one before.
   * The new file is read back first: a bad disk must not cost the good snapshot.
   */
  async install(writer: { finish(): Promise<void> }): Promise<void> {
    await writer.finish();
    const summary = await readSnapshot(this.#files, this.#temporary);
    await this.#names.run(async () => {
      if (this.#begun !== writer) throw new Error('what this snapshot was begun from was replaced meanwhile');
      if (this.#current !== undefined) {
        await this.#files.duplicate(this.#main, path.join(this.#directory, PREVIOUS_NAME));
        await this.#files.syncDirectory(this.#directory);
        this.#previousIndex = this.#current.head.end.index;
      }
      await this.#files.rename(this.#temporary, this.#main);
      await this.#files.syncDirectory(path.dirname(this.#main));
      this.#current = summary;
    });
  }

  /**
   * Changes the JSON file by other means: `work` answers what it holds afterwards. A snapshot that was begun before is
   * not installed any more.
   */
  async supersede(work: () => Promise<SnapshotSummary>): Promise<void> {
    await this.#names.run(async () => {
      this.#begun = undefined;
      this.#current = await work();
      this.#previousIndex = 0 as Index;
    });
  }

  /** Opens the JSON file as it is now: it stays readable until it is closed, whatever is installed. */
  openCurrent(): Promise<OpenSnapshot | undefined> {
    return this.#names.run(async () => {
      if (this.#current === undefined) return undefined;
      const { head, bytes } = this.#current;
      const file = await this.#files.open(this.#main);
      const size = await file.size();
      if (size === bytes) return new OpenSnapshot(file, head.end, size);
      await file.close();
      throw damaged(this.#main, `it is ${String(size)} bytes long and was written with ${String(bytes)}`);
    });
  }

  get #temporary(): string {
    return path.join(this.#directory, TEMPORARY_NAME);
  }
}

/** A snapshot that is read in pieces, as it was when it was opened. */
export class OpenSnapshot {
  readonly end: LogEnd;
  readonly size: number;
  readonly #file: OpenFile;

  constructor(file: OpenFile, end: LogEnd, size: number) {
    this.#file = file;
    this.end = end;
    this.size = size;
  }

  /** The bytes from `offset` on, as many as there are and no more than `bytesMax`. */
  async read(offset: number, bytesMax: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(bytesMax, this.size - offset)));
    const filled = await this.#file.read(bytes, offset);
    return bytes.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Receives the entries of a snapshot. */
export interface SnapshotTarget {
  /** Forgets what was put: a file turned out to be damaged, and another one is tried. */
  clear(): void;
  put(key: ByteRange, value: ByteRange): void;
  /** A session of a client. The answers, from the lowest number on, may be kept; a negative one stands for one that was not seen. */
  session(id: number, lowest: number, answers: Int32Array): void;
}

export interface LoadedSnapshot {
  readonly summary: SnapshotSummary | undefined;
  /** Why the JSON file could not be used, if it could not, without its name. */
  readonly mainFault: string | undefined;
}

/** Loads the JSON file of a node that has run before, or the one before it when that one is damaged. */
export async function loadSnapshot(
  files: Files,
  main: string,
  directory: string,
  target: SnapshotTarget,
): Promise<LoadedSnapshot> {
  const previous = path.join(directory, PREVIOUS_NAME);
  const first = await tryLoad(files, main, target);
  if (first === undefined && !(await files.exists(previous)))
    return { summary: undefined, mainFault: undefined };
  if (first !== undefined && !(first instanceof SnapshotDamage))
    return { summary: first, mainFault: undefined };
  if (first !== undefined && (await isForeignJson(files, main))) {
    const message = `${main} was not written by the node whose data is in ${directory}: put the node's own file back, or move ${directory} away to start anew from this one`;
    throw new StorageFault('foreign', main, message);
  }
  const mainFault = first === undefined ? 'it is missing' : `${first.what} at byte ${String(first.offset)}`;
  const second = await tryLoad(files, previous, target);
  // The log may still reach back to its very beginning, and then it has everything.
  if (second instanceof SnapshotDamage) {
    return { summary: undefined, mainFault: `${mainFault}, ${second.message}` };
  }
  return { summary: second, mainFault };
}

/** What the snapshot before the JSON file holds: undefined when there is none, unknown when it is damaged. */
export async function previousIndex(files: Files, directory: string): Promise<Index | 'unknown' | undefined> {
  const previous = path.join(directory, PREVIOUS_NAME);
  if (!(await files.exists(previous))) return undefined;
  try {
    return (await readSnapshot(files, previous)).head.end.index;
  } catch (error) {
    if (error instanceof SnapshotDamage) return 'unknown';
    throw error;
  }
}

/** Shows everything that a snapshot holds. */
export function readTo(
  files: Files,
  file: string,
  target: Pick<SnapshotTarget, 'put' | 'session'>,
  pause?: () => Promise<void>,
  bytesATurn?: number,
): Promise<SnapshotSummary> {
  const put: EntryTaker = (key, value) => {
    target.put(key, value);
  };
  const session: SessionTaker = (id, lowest, answers) => {
    target.session(id, lowest, answers);
  };
  return readSnapshot(files, file, put, pause, session, bytesATurn);
}

/** Undefined when there is no such file. */
async function tryLoad(
  files: Files,
  file: string,
  target: SnapshotTarget,
): Promise<SnapshotSummary | SnapshotDamage | undefined> {
  if (!(await files.exists(file))) return undefined;
  target.clear();
  try {
    return await readTo(files, file, target, undefined, LOADED_BYTES_A_TURN);
  } catch (error) {
    target.clear();
    if (error instanceof SnapshotDamage) return error;
    throw error;
  }
}

/** Whole JSON that is no snapshot was put there on purpose. */
async function isForeignJson(files: Files, file: string): Promise<boolean> {
  try {
    return !(await readForeignJson(files, file, {})).isSnapshot;
  } catch (error) {
    if (error instanceof NotJson) return false;
    throw error;
  }
}
