import type { FileLock, Files, OpenFile } from '../../src/storage/files.js';
import type { Random } from '../random.js';
import { leftBy, randomFate } from './disk-state.js';
import type { DirectoryState, EntryState, Fate, LeftDirectory } from './disk-state.js';
import { MemoryFile } from './memory-file.js';

type Entry = MemoryFile | MemoryDirectory;

/** Names: as they are durable, as they are, and what each was in between. */
class MemoryDirectory {
  readonly current = new Map<string, Entry>();
  readonly #changed: () => void;
  #durable = new Map<string, Entry>();
  readonly #history = new Map<string, (Entry | undefined)[]>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set(name: string, entry: Entry | undefined): void {
    const states = this.#history.get(name) ?? [];
    this.#history.set(name, [...states, entry]);
    if (entry === undefined) this.current.delete(name);
    else this.current.set(name, entry);
    this.#changed();
  }

  sync(): void {
    this.#durable = new Map(this.current);
    this.#history.clear();
    this.#changed();
  }

  capture(captured: Map<Entry, EntryState>): DirectoryState {
    const stateOf = (entry: Entry): EntryState => {
      let state = captured.get(entry);
      if (state === undefined) {
        state = entry.capture(captured);
        captured.set(entry, state);
      }
      return state;
    };
    const durable = [...this.#durable].map(([name, entry]) => [name, stateOf(entry)] as const);
    const history = [...this.#history].map(
      ([name, entries]) => [name, entries.map((entry) => entry && stateOf(entry))] as const,
    );
    return { durable: new Map(durable), history: new Map(history) };
  }
}

/** What becomes of a write that is durable when it returns. */
interface Durably {
  isInterrupted(): boolean;
  whileWriting(): Promise<void>;
}

/** All the files of a disk, by path. */
export type Image = ReadonlyMap<string, Buffer>;

/**
 * A disk in memory. Written bytes and names are lost, kept or torn at a power cut unless they were synced, as a
 * seed decides; a crash of the process alone keeps them.
 */
export class MemoryDisk {
  readonly #changed = (): void => {
    this.#watcher?.();
  };
  #root = new MemoryDirectory(this.#changed);
  #life = 0;
  #watcher: (() => void) | undefined;
  #isInterrupted = false;

  /** A disk that holds these files, all of it durable. */
  static holding(image: Image): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [file, content] of image) disk.put(file, content);
    return disk;
  }

  /** A disk as a power cut leaves it at that moment. */
  static afterPowerCut(state: DirectoryState, fate: Fate): MemoryDisk {
    const disk = new MemoryDisk();
    disk.#root = disk.#rebuilt(leftBy(fate, state), new Map());
    return disk;
  }

  /** Stores a file durably, as if it had always been there. */
  put(file: string, content: Buffer): void {
    const [directory, name] = this.#place(file, true);
    directory.set(name, new MemoryFile(Buffer.from(content), this.#changed));
    this.#everyDirectory((each) => each.sync());
  }

  take(file: string): void {
    const [directory, name] = this.#place(file, false);
    directory.set(name, undefined);
    directory.sync();
  }

  image(): Map<string, Buffer> {
    const image = new Map<string, Buffer>();
    const visit = (directory: MemoryDirectory, prefix: string): void => {
      for (const [name, entry] of directory.current) {
        if (entry instanceof MemoryDirectory) visit(entry, `${prefix}/${name}`);
        else image.set(`${prefix}/${name}`, Buffer.from(entry.current));
      }
    };
    visit(this.#root, '');
    return image;
  }

  /** From now on, a write that should be durable when it returns is under way when the next crash comes. */
  interrupt(): void {
    this.#isInterrupted = true;
  }

  /** The process that used the disk is gone: nothing that it still does reaches the disk. */
  endProcess(): void {
    this.#life++;
    this.#isInterrupted = false;
    this.#everyFile((file) => (file.isLocked = false));
  }

  /** As `endProcess`, and what was not synced is at the mercy of chance. */
  cutPower(random: Random): void {
    this.endProcess();
    const fate = randomFate(random, random.pick([0, 0.5, 0.9, 1]));
    this.#root = this.#rebuilt(leftBy(fate, this.capture()), new Map());
  }

  /** What it holds at this moment, and what of that is durable. */
  capture(): DirectoryState {
    return this.#root.capture(new Map());
  }

  /** From now on, `see` is called after each change of what is stored or durable. */
  watch(see: () => void): void {
    this.#watcher = see;
  }

  #rebuilt(left: LeftDirectory, files: Map<object, MemoryFile>): MemoryDirectory {
    const directory = new MemoryDirectory(this.#changed);
    for (const [name, entry] of left.names) {
      if (!('file' in entry)) {
        directory.set(name, this.#rebuilt(entry, files));
        continue;
      }
      const file = files.get(entry.file) ?? new MemoryFile(entry.file.content, this.#changed);
      files.set(entry.file, file);
      directory.set(name, file);
    }
    directory.sync();
    return directory;
  }

  /**
   * The files as a process sees them that starts now.
   *
   * @param whileWriting - awaited by each durable write when its bytes are on their way.
   */
  mount(whileWriting: () => Promise<void> = () => Promise.resolve()): Files {
    const life = this.#life;
    const now = <T>(work: () => T): T => {
      if (life !== this.#life) throw new Error('the process that made this call is gone');
      return work();
    };
    const alive = async <T>(work: () => T): Promise<T> => {
      await Promise.resolve();
      return now(work);
    };
    const durably: Durably = {
      isInterrupted: () => this.#isInterrupted,
      whileWriting,
    };
    return {
      open: (file) => alive(() => this.#opened(this.#file(file), now)),
      openToRead: (file) => alive(() => readOnly(this.#opened(this.#file(file), now))),
      openDurable: (file) => alive(() => this.#opened(this.#file(file), now, durably)),
      create: (file) => alive(() => this.#opened(this.#created(file), now)),
      list: (path) =>
        alive(() => {
          const directory = this.#find(path);
          return directory instanceof MemoryDirectory ? [...directory.current.keys()] : undefined;
        }),
      makeDirectory: (path) => alive(() => void this.#place(`${path}/.`, true)),
      rename: (from, to) => alive(() => this.#rename(from, to)),
      duplicate: (from, to) => alive(() => this.#duplicate(from, to)),
      remove: (file) => alive(() => this.#remove(file)),
      replace: (file, bytes) => alive(() => this.#replace(file, bytes)),
      lock: (file, owner) => alive(() => this.#lock(file, owner)),
      lockOwner: (file) => alive(() => this.#lockOwner(file)),
      syncDirectory: (path) =>
        alive(() => {
          const directory = this.#find(path);
          if (!(directory instanceof MemoryDirectory)) throw missing(path);
          directory.sync();
        }),
      exists: (file) => alive(() => this.#find(file) !== undefined),
    };
  }

  #opened(file: MemoryFile, now: <T>(work: () => T) => T, durably?: Durably): OpenFile {
    let isOpen = true;
    const whenOpenNow = <T>(work: () => T): T =>
      now(() => {
        if (!isOpen) throw systemError('EBADF', 'the file is closed');
        return work();
      });
    const whenOpen = async <T>(work: () => T): Promise<T> => {
      await Promise.resolve();
      return whenOpenNow(work);
    };
    const write = async (bytes: Buffer, position: number): Promise<void> => {
      const change = await whenOpen(() => file.write(bytes, position));
      if (durably === undefined) return;
      await durably.whileWriting();
      if (!durably.isInterrupted()) whenOpenNow(() => file.makeDurable(change));
    };
    return {
      size: () => whenOpen(() => file.current.length),
      write,
      writeGathered: (pieces, position) => write(Buffer.concat(pieces), position),
      writeGatheredNow(pieces, position) {
        const change = whenOpenNow(() => file.write(Buffer.concat(pieces), position));
        if (durably?.isInterrupted() === false) file.makeDurable(change);
      },
      read: (bytes, position) => whenOpen(() => file.current.subarray(position).copy(bytes)),
      sync: () => whenOpen(() => file.sync()),
      async close() {
        await Promise.resolve();
        now(() => (isOpen = false));
      },
    };
  }

  #created(path: string): MemoryFile {
    const [directory, name] = this.#place(path, false);
    const file = new MemoryFile(Buffer.alloc(0), this.#changed);
    directory.set(name, file);
    return file;
  }

  #rename(from: string, to: string): void {
    const file = this.#file(from);
    const [source, name] = this.#place(from, false);
    const [target, newName] = this.#place(to, false);
    // Two names of one file: the system does nothing then.
    if (target.current.get(newName) === file) return;
    target.set(newName, file);
    source.set(name, undefined);
  }

  #duplicate(from: string, to: string): void {
    const [directory, name] = this.#place(to, false);
    const file = this.#file(from);
    directory.set(`${name}.new`, file);
    directory.set(name, file);
    directory.set(`${name}.new`, undefined);
  }

  #remove(path: string): void {
    const [directory, name] = this.#place(path, false);
    if (directory.current.has(name)) directory.set(name, undefined);
  }

  #replace(path: string, bytes: Buffer): void {
    const [directory, name] = this.#place(path, false);
    const file = new MemoryFile(Buffer.from(bytes), this.#changed);
    directory.set(`${name}.12345`, file);
    directory.set(name, file);
    directory.set(`${name}.12345`, undefined);
  }

  #lock(path: string, owner: string): FileLock | undefined {
    const found = this.#find(path);
    const file = found instanceof MemoryFile ? found : this.#created(path);
    if (file.isLocked) return undefined;
    file.isLocked = true;
    file.truncate();
    file.write(Buffer.from(owner), 0);
    const life = this.#life;
    const release = (): void => {
      if (life === this.#life) file.isLocked = false;
    };
    return { release: () => Promise.resolve().then(release) };
  }

  #lockOwner(path: string): string | undefined {
    const found = this.#find(path);
    return found instanceof MemoryFile && found.isLocked ? found.current.toString('latin1') : undefined;
  }

  #file(path: string): MemoryFile {
    const found = this.#find(path);
    if (!(found instanceof MemoryFile)) throw missing(path);
    return found;
  }

  #find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root;
    for (const name of namesOf(path)) {
      if (!(entry instanceof MemoryDirectory)) return undefined;
      entry = entry.current.get(name);
    }
    return entry;
  }

  /** The directory that a path lies in, and the name there. */
  #place(path: string, isMade: boolean): [MemoryDirectory, string] {
    const names = namesOf(path);
    const last = names.at(-1) ?? '';
    let directory = this.#root;
    for (const name of names.slice(0, -1)) {
      let next = directory.current.get(name);
      if (next === undefined && isMade) directory.set(name, (next = new MemoryDirectory(this.#changed)));
      if (!(next instanceof MemoryDirectory)) throw missing(path);
      directory = next;
    }
    return [directory, last];
  }

  #everyDirectory(work: (directory: MemoryDirectory) => void): void {
    const visit = (directory: MemoryDirectory): void => {
      work(directory);
      for (const entry of directory.current.values()) if (entry instanceof MemoryDirectory) visit(entry);
    };
    visit(this.#root);
  }

  #everyFile(work: (file: MemoryFile) => void): void {
    this.#everyDirectory((directory) => {
      for (const entry of directory.current.values()) if (entry instanceof MemoryFile) work(entry);
    });
  }
}

/** The few paths of a run are asked for again and again. */
const NAMES_MAX = 10_000;
const namesByPath = new Map<string, readonly string[]>();

function namesOf(path: string): readonly string[] {
  const known = namesByPath.get(path);
  if (known !== undefined) return known;
  const names = path.split('/').filter((name) => name !== '');
  if (namesByPath.size === NAMES_MAX) namesByPath.clear();
  namesByPath.set(path, names);
  return names;
}

function missing(path: string): Error {
  return systemError('ENOENT', `no such file or directory '${path}'`);
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

function readOnly(file: OpenFile): OpenFile {
  const refuse = async (): Promise<never> => {
    await Promise.resolve();
    throw systemError('EBADF', 'the file is open for reading');
  };
  return {
    ...file,
    write: refuse,
    writeGathered: refuse,
    writeGatheredNow() {
      throw systemError('EBADF', 'the file is open for reading');
    },
  };
}
