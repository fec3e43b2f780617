import type { Index, Term } from '../../src/engine.js';
import { EntryKind, EntryReader } from '../../src/log/entry.js';
import { EMPTY_LOG, lastIndexOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';

/** One entry, by the frame that it stands in. */
export interface MirroredEntry {
  readonly index: Index;
  readonly term: Term;
  /** Of its frame. */
  readonly checksum: number;
  /** The keys that it deletes, and what it puts, one character a byte. */
  readonly deletes: readonly string[];
  readonly puts: readonly (readonly [key: string, value: string])[];
}

/** What stands in one node's log, as far as it was asked to be written. */
export class LogMirror {
  #base: LogEnd = EMPTY_LOG;
  #entries: MirroredEntry[] = [];

  /** The log holds what follows this. */
  get base(): LogEnd {
    return this.#base;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get entries(): readonly MirroredEntry[] {
    return this.#entries;
  }

  at(index: number): MirroredEntry | undefined {
    return this.#entries[index - this.#base.index - 1];
  }

  restart(base: LogEnd): void {
    this.#base = base;
    this.#entries = [];
  }

  add(entries: readonly MirroredEntry[]): void {
    this.#entries.push(...entries);
  }

  cut(lastIndex: number): void {
    this.#entries.length = Math.max(0, Math.min(this.#entries.length, lastIndex - this.#base.index));
  }
}

/** The entries of a frame. */
export function entriesOf(frame: Frame): MirroredEntry[] {
  const { term, checksum } = frame;
  const reader = new EntryReader(frame);
  const entries: MirroredEntry[] = [];
  const text = (range: { start: number; end: number }): string =>
    frame.bytes.toString('latin1', range.start, range.end);
  while (reader.nextEntry()) {
    const deletes: string[] = [];
    const puts: [string, string][] = [];
    const isPut = reader.kind === EntryKind.put;
    while (reader.nextItem()) {
      if (isPut) puts.push([text(reader.key), text(reader.value)]);
      else deletes.push(text(reader.key));
    }
    entries.push({ index: reader.index, term, checksum, deletes, puts });
  }
  if (entries.at(-1)?.index !== lastIndexOf(frame))
    throw new Error('a frame holds fewer entries than it says');
  return entries;
}
