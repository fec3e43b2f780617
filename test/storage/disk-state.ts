import type { Random } from '../random.js';

const BLOCK_BYTES = 512;

/** Bytes that were written. */
export interface Patch {
  readonly position: number;
  readonly bytes: Buffer;
}

/** What was done to a file and not synced: bytes written, or all of them taken away. */
export type Change = Patch | { readonly position: undefined; readonly bytes?: undefined };

/** A file at one moment: what is durable, and what was done since, in order. Nothing in it is ever changed. */
export interface FileState {
  readonly durable: Buffer;
  readonly changes: readonly Change[];
}

/** A directory at one moment: its durable names, and what each name was since, in order. */
export interface DirectoryState {
  readonly durable: ReadonlyMap<string, EntryState>;
  readonly history: ReadonlyMap<string, readonly (EntryState | undefined)[]>;
}

export type EntryState = FileState | DirectoryState;

/** Bytes of a write, from the first to behind the last. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Decides what a power cut leaves of what was not synced. */
export interface Fate {
  /** Which of the changes of a name is the last that is left, counted from 1; 0 leaves the name as it was durable. */
  name(path: string, changes: number): number;
  truncation(path: string): boolean;
  /** What is left of a write. */
  write(path: string, position: number, length: number): Iterable<Stretch>;
}

/** Files and directories as a power cut left them. */
export type Left = Buffer | LeftDirectory;
export interface LeftDirectory {
  readonly names: ReadonlyMap<string, LeftEntry>;
}
/** `file` is the same object under each name of one file. */
export type LeftEntry = { readonly file: { readonly content: Buffer } } | LeftDirectory;

/** What a power cut leaves. No order between names, and none between writes, is kept. */
export function leftBy(fate: Fate, root: DirectoryState): LeftDirectory {
  const files = new Map<FileState, { readonly file: { readonly content: Buffer } }>();
  const visit = (entry: EntryState, path: string): LeftEntry => {
    if ('changes' in entry) {
      const known = files.get(entry);
      if (known !== undefined) return known;
      const left = { file: { content: contentLeftBy(fate, entry, path) } };
      files.set(entry, left);
      return left;
    }
    return directory(entry, path);
  };
  const directory = ({ durable, history }: DirectoryState, path: string): LeftDirectory => {
    const chosen = new Map(durable);
    for (const [name, states] of history) {
      const last = fate.name(`${path}/${name}`, states.length);
      if (last === 0) continue;
      const entry = states[last - 1];
      if (entry === undefined) chosen.delete(name);
      else chosen.set(name, entry);
    }
    return { names: new Map([...chosen].map(([name, entry]) => [name, visit(entry, `${path}/${name}`)])) };
  };
  return directory(root, '');
}

function contentLeftBy(fate: Fate, { durable, changes }: FileState, path: string): Buffer {
  if (changes.length === 0) return durable;
  let left: Buffer = Buffer.from(durable);
  for (const { position, bytes } of changes) {
    if (position === undefined) {
      if (fate.truncation(path)) left = Buffer.alloc(0);
      continue;
    }
    for (const { from, to } of fate.write(path, position, bytes.length)) {
      if (to > from) left = patch(left, bytes.subarray(from, to), position + from);
    }
  }
  return left;
}

/** Writes into `content`, or into a longer copy of it. */
export function patch(content: Buffer, bytes: Buffer, position: number): Buffer {
  let target = content;
  if (position + bytes.length > content.length) {
    target = Buffer.alloc(position + bytes.length);
    content.copy(target);
  }
  bytes.copy(target, position);
  return target;
}

/** Where the blocks of a write end, the last one's end included. */
export function blockEnds(position: number, length: number): number[] {
  const ends: number[] = [];
  for (let at = 0; at < length; at = ends.at(-1) ?? length) {
    const blockEnd = Math.floor((position + at) / BLOCK_BYTES + 1) * BLOCK_BYTES - position;
    ends.push(Math.min(length, blockEnd));
  }
  return ends;
}

/** Each name, and each block of what was written, survives or does not, or in part. */
export function randomFate(random: Random, survival: number): Fate {
  return {
    name: (_path, changes) => (random.next() >= survival ? 0 : 1 + random.below(changes)),
    truncation: () => random.next() < survival,
    *write(_path, position, length) {
      let from = 0;
      for (const end of blockEnds(position, length)) {
        const isTorn = random.next() < 0.1;
        const to = random.next() < survival ? (isTorn ? from + random.below(end - from) : end) : from;
        yield { from, to };
        from = end;
      }
    },
  };
}
