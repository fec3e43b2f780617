import type { Files, FileLock, OpenFile } from '../../src/storage/files.js';

/** One call of the `Files` port. */
export interface FilesCall {
  readonly operation: keyof Files | keyof OpenFile;
  readonly file: string;
  /** Of a rename: the new name. */
  readonly to?: string;
}

/** Stands between the caller and the files: it runs the call, or fails in its place. */
export type Around = <T>(call: FilesCall, run: () => Promise<T>, write?: PartialWrite) => Promise<T>;

/** Writes only the first bytes of what a `write` was asked to write. */
export type PartialWrite = (length: number) => Promise<void>;

/** As `Around`, for a call that is done when it returns. */
export type AroundNow = (call: FilesCall, run: () => void, write: (length: number) => void) => void;

/** Files with every call led through `around`, or `aroundNow`. */
export function aroundFiles(
  files: Files,
  around: Around,
  aroundNow: AroundNow = (_call, run) => {
    run();
  },
): Files {
  /** Open files by the name that they have now. */
  const names = new Set<{ file: string }>();
  const opened = (file: string, open: OpenFile): OpenFile => {
    const name = { file };
    names.add(name);
    const call = (operation: keyof OpenFile): FilesCall => ({ operation, file: name.file });
    return {
      size: () => around(call('size'), () => open.size()),
      write: (bytes, position) =>
        around(
          call('write'),
          () => open.write(bytes, position),
          (length) => open.write(bytes.subarray(0, length), position),
        ),
      writeGathered: (pieces, position) =>
        around(
          call('writeGathered'),
          () => open.writeGathered(pieces, position),
          (length) => open.writeGathered(firstBytes(pieces, length), position),
        ),
      writeGatheredNow: (pieces, position) => {
        aroundNow(
          call('writeGatheredNow'),
          () => open.writeGatheredNow(pieces, position),
          (length) => open.writeGatheredNow(firstBytes(pieces, length), position),
        );
      },
      read: (bytes, position) => around(call('read'), () => open.read(bytes, position)),
      sync: () => around(call('sync'), () => open.sync()),
      close: () => around(call('close'), () => open.close()),
    };
  };
  const rename = async (from: string, to: string): Promise<void> => {
    await files.rename(from, to);
    for (const name of names) if (name.file === from) name.file = to;
  };
  return {
    open: (file) => around({ operation: 'open', file }, async () => opened(file, await files.open(file))),
    openToRead: (file) =>
      around({ operation: 'openToRead', file }, async () => opened(file, await files.openToRead(file))),
    openDurable: (file) =>
      around({ operation: 'openDurable', file }, async () => opened(file, await files.openDurable(file))),
    create: (file) =>
      around({ operation: 'create', file }, async () => opened(file, await files.create(file))),
    list: (file) => around({ operation: 'list', file }, () => files.list(file)),
    makeDirectory: (file) => around({ operation: 'makeDirectory', file }, () => files.makeDirectory(file)),
    rename: (file, to) => around({ operation: 'rename', file, to }, () => rename(file, to)),
    duplicate: (file, to) => around({ operation: 'duplicate', file }, () => files.duplicate(file, to)),
    remove: (file) => around({ operation: 'remove', file }, () => files.remove(file)),
    replace: (file, bytes) => around({ operation: 'replace', file }, () => files.replace(file, bytes)),
    lock: (file, owner) => around({ operation: 'lock', file }, () => files.lock(file, owner)),
    lockOwner: (file) => around({ operation: 'lockOwner', file }, () => files.lockOwner(file)),
    syncDirectory: (file) => around({ operation: 'syncDirectory', file }, () => files.syncDirectory(file)),
    exists: (file) => around({ operation: 'exists', file }, () => files.exists(file)),
  };
}

function firstBytes(pieces: readonly Buffer[], length: number): readonly Buffer[] {
  return [Buffer.concat(pieces).subarray(0, length)];
}

/** Remembers what was opened and locked, so that all of it can be let go of as the end of a process would. */
export class Holdings {
  readonly #held = new Set<() => Promise<void>>();

  of(files: Files): Files {
    const keep = async (opening: Promise<OpenFile>): Promise<OpenFile> => {
      const open = await opening;
      const close = this.#once(() => open.close());
      return { ...open, close };
    };
    const lock = async (file: string, owner: string): Promise<FileLock | undefined> => {
      const held = await files.lock(file, owner);
      return held && { release: this.#once(() => held.release()) };
    };
    return {
      ...files,
      lock,
      open: (file) => keep(files.open(file)),
      openToRead: (file) => keep(files.openToRead(file)),
      openDurable: (file) => keep(files.openDurable(file)),
      create: (file) => keep(files.create(file)),
    };
  }

  /** How many files and locks are held now. */
  get count(): number {
    return this.#held.size;
  }

  async dropAll(): Promise<void> {
    for (const drop of [...this.#held]) await drop();
  }

  #once(work: () => Promise<void>): () => Promise<void> {
    const drop = (): Promise<void> => {
      if (!this.#held.delete(drop)) return Promise.resolve();
      return work();
    };
    this.#held.add(drop);
    return drop;
  }
}
