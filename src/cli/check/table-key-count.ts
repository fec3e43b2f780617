import type { ByteRange } from '../../engine.js';
import { EntryKind, EntryReader } from '../../log/entry.js';
import type { Frame } from '../../log/frame.js';
import { sessionIdAt } from '../../log/session-id.js';
import type { KeyCount } from '../../storage/check-options.js';
import { Sessions } from '../../store/sessions.js';
import type { Table } from '../../store/table.js';

const NO_VALUE: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };

/** Holds the keys that the log behind the snapshot concerns, and neither values nor the snapshot's other keys. */
export class TableKeyCount implements KeyCount {
  readonly #present: Table;
  readonly #deleted: Table;
  readonly #sessions = new Sessions();
  #alsoInSnapshot = 0;

  constructor(makeTable: () => Table) {
    this.#present = makeTable();
    this.#deleted = makeTable();
  }

  get needsSnapshot(): boolean {
    return this.#present.count + this.#deleted.count > 0;
  }

  clear(): void {
    this.#present.clear();
    this.#deleted.clear();
    this.#sessions.clear();
  }

  session(id: number, lowest: number, answers: Int32Array): void {
    this.#sessions.restore(id, lowest, answers);
  }

  replay(frame: Frame): void {
    const reader = new EntryReader(frame);
    while (reader.nextEntry()) {
      if (!this.#isApplied(reader, frame)) continue;
      const isPut = reader.kind === EntryKind.put;
      const to = isPut ? this.#present : this.#deleted;
      const from = isPut ? this.#deleted : this.#present;
      while (reader.nextItem()) {
        from.delete(reader.key);
        to.put(reader.key, NO_VALUE);
      }
    }
  }

  /** Whether a start would apply what an entry does to keys. Of answers it is enough to know that there is one. */
  #isApplied(reader: EntryReader, frame: Frame): boolean {
    const sessions = this.#sessions;
    if (reader.kind === EntryKind.openSession) sessions.open(sessionIdAt(frame.term, reader.index));
    while (reader.nextSession()) sessions.expire(reader.session);
    if (!reader.isInSession) return true;
    const { session, number, lowest } = reader;
    if (sessions.begin(session, number, lowest) !== 'new') return false;
    sessions.record(session, number, 0);
    return true;
  }

  inSnapshot(key: ByteRange): void {
    if (this.#present.find(key) >= 0 || this.#deleted.find(key) >= 0) this.#alsoInSnapshot++;
  }

  total(snapshotCount: number): number {
    return snapshotCount - this.#alsoInSnapshot + this.#present.count;
  }
}
