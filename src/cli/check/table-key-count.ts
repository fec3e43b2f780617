import type { ByteRange } from '../../engine.js';
import { EntryKind, EntryReader } from '../../log/entry.js';
import type { Frame } from '../../log/frame.js';
import type { KeyCount } from '../../storage/check-options.js';
import type { Table } from '../../store/table.js';

const NO_VALUE: ByteRange = { bytes: Buffer.alloc(0), start: 0, end: 0 };

/** Holds the keys that the log behind the snapshot concerns, and neither values nor the snapshot's other keys. */
export class TableKeyCount implements KeyCount {
  readonly #present: Table;
  readonly #deleted: Table;
  #alsoInSnapshot = 0;

  constructor(makeTable: () => Table) {
    this.#present = makeTable();
    this.#deleted = makeTable();
  }

  get needsSnapshot(): boolean {
    return this.#present.count + this.#deleted.count > 0;
  }

  replay(frame: Frame): void {
    const reader = new EntryReader(frame);
    while (reader.nextEntry()) {
      const isPut = reader.kind === EntryKind.put;
      const to = isPut ? this.#present : this.#deleted;
      const from = isPut ? this.#deleted : this.#present;
      while (reader.nextItem()) {
        from.delete(reader.key);
        to.put(reader.key, NO_VALUE);
      }
    }
  }

  inSnapshot(key: ByteRange): void {
    if (this.#present.find(key) >= 0 || this.#deleted.find(key) >= 0) this.#alsoInSnapshot++;
  }

  total(snapshotCount: number): number {
    return snapshotCount - this.#alsoInSnapshot + this.#present.count;
  }
}
