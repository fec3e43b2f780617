import type { FileLock, Files, OpenFile } from '../../src/storage/files.js';
import type { Random } from '../random.js';

const BLOCK_BYTES = 512;

type Change = { readonly position: number; readonly bytes: Buffer } | { readonly position: undefined };

/** The content of a file: what is durable, and what was done since, in order. */
class MemoryFile {
  current: Buffer;
  isLocked = false;
  #durable: Buffer;
  #changes: Change[] = [];

  constructor(content: Buffer) {
    this.#durable = content;
    this.current = Buffer.from(content);
  }

  write(bytes: Buffer, position: number): void {
    const copy = Buffer.from(bytes);
    this.#changes.push({ position, bytes: copy });
    this.current = patch(this.current, copy, position);
  }

  truncate(): void {
    this.#changes.push({ position: undefined });
    this.current = Buffer.alloc(0);
  }

  sync(): void {
    this.#durable = Buffer.from(this.current);
    this.#changes = [];
  }

  /** Each block of what was not synced survives or does not, or in part. */
  cut(random: Random, survival: number): void {
    let left = this.#durable;
    for (const { position, ...change } of this.#changes) {
      if (position === undefined) {
        if (random.next() < survival) left = Buffer.alloc(0);
        continue;
      }
      const { bytes } = change as { bytes: Buffer };
      for (let at = 0; at < bytes.length;) {
        const blockEnd = Math.floor((position + at) / BLOCK_BYTES + 1) * BLOCK_BYTES - position;
        const end = Math.min(bytes.length, blockEnd);
        const isTorn = random.next() < 0.1;
        const kept = random.next() < survival ? (isTorn ? at + random.below(end - at) : end) : at;
        if (kept > at) left = patch(left, bytes.subarray(at, kept), position + at);
        at = end;
      }
    }
    this.#durable = left;
    this.current = Buffer.from(left);
    this.#changes = [];
  }
}

function patch(content: Buffer, bytes: Buffer, position: number): Buffer {
  let target = content;
  if (position + bytes.length > content.length) {
    target = Buffer.alloc(position + bytes.length);
    content.copy(target);
  }
  bytes.copy(target, position);
  return target;
}

type Entry = MemoryFile | MemoryDirectory;

/** Names: as they are durable, as they are, and what each was in between. */
class MemoryDirectory {
  readonly current = new Map<string, Entry>();
  #durable = new Map<string, Entry>();
  readonly #history = new Map<string, (Entry | undefined)[]>();

  set(name: string, entry: Entry | undefined): void {
    const states = this.#history.get(name) ?? [];
    this.#history.set(name, [...states, entry]);
    if (entry === undefined) this.current.delete(name);
    else this.current.set(name, entry);
  }

  sync(): void {
    this.#durable = new Map(this.current);
    this.#history.clear();
  }

  /** Each name that was not synced is as it was at any one moment since: no order between names is kept. */
  cut(random: Random, survival: number): void {
    for (const [name, states] of this.#history) {
      if (random.next() >= survival) continue;
      const entry = random.pick(states);
      if (entry === undefined) this.#durable.delete(name);
      else this.#durable.set(name, entry);
    }
    this.current.clear();
    for (const [name, entry] of this.#durable) this.current.set(name, entry);
    this.#history.clear();
    for (const entry of new Set(this.current.values())) entry.cut(random, survival);
  }
}

/** All the files of a disk, by path. */
export type Image = ReadonlyMap<string, Buffer>;

/**
 * A disk in memory. Written bytes and names are lost, kept or torn at a power cut unless they were synced, as a
 * seed decides; a crash of the process alone keeps them.
 */
export class MemoryDisk {
  #root = new MemoryDirectory();
  #life = 0;

  /** A disk that holds these files, all of it durable. */
  static holding(image: Image): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [file, content] of image) disk.put(file, content);
    return disk;
  }

  /** Stores a file durably, as if it had always been there. */
  put(file: string, content: Buffer): void {
    const [directory, name] = this.#place(file, true);
    directory.set(name, new MemoryFile(Buffer.from(content)));
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

  /** The process that used the disk is gone: nothing that it still does reaches the disk. */
  endProcess(): void {
    this.#life++;
    this.#everyFile((file) => (file.isLocked = false));
  }

  /** As `endProcess`, and what was not synced is at the mercy of chance. */
  cutPower(random: Random): void {
    this.endProcess();
    this.#root.cut(random, random.pick([0, 0.5, 0.9, 1]));
  }

  /** The files as a process sees them that starts now. */
  mount(): Files {
    const life = this.#life;
    const alive = async <T>(work: () => T): Promise<T> => {
      await Promise.resolve();
      if (life !== this.#life) throw new Error('the process that made this call is gone');
      return work();
    };
    return {
      open: (file) => alive(() => this.#opened(this.#file(file), alive)),
      openToRead: (file) => alive(() => readOnly(this.#opened(this.#file(file), alive))),
      create: (file) => alive(() => this.#opened(this.#created(file), alive)),
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

  #opened(file: MemoryFile, alive: <T>(work: () => T) => Promise<T>): OpenFile {
    let isOpen = true;
    const whenOpen = <T>(work: () => T): Promise<T> =>
      alive(() => {
        if (!isOpen) throw systemError('EBADF', 'the file is closed');
        return work();
      });
    return {
      size: () => whenOpen(() => file.current.length),
      write: (bytes, position) => whenOpen(() => file.write(bytes, position)),
      read: (bytes, position) => whenOpen(() => file.current.subarray(position).copy(bytes)),
      sync: () => whenOpen(() => file.sync()),
      close: () => alive(() => void (isOpen = false)),
    };
  }

  #created(path: string): MemoryFile {
    const [directory, name] = this.#place(path, false);
    const file = new MemoryFile(Buffer.alloc(0));
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
    const file = new MemoryFile(Buffer.from(bytes));
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
    const last = names.pop() ?? '';
    let directory = this.#root;
    for (const name of names) {
      let next = directory.current.get(name);
      if (next === undefined && isMade) directory.set(name, (next = new MemoryDirectory()));
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

function readOnly(file: OpenFile): OpenFile {
  const refuse = async (): Promise<never> => {
    await Promise.resolve();
    throw systemError('EBADF', 'the file is open for reading');
  };
  return { ...file, write: refuse };
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

function missing(path: string): Error {
  return systemError('ENOENT', `no such file or directory '${path}'`);
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
