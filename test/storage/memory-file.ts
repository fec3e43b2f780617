import { patch } from './disk-state.js';
import type { Change, FileState, Patch } from './disk-state.js';

/** The content of a file: what is durable, and what was done since, in order. */
export class MemoryFile {
  current: Buffer;
  isLocked = false;
  readonly #changed: () => void;
  #durable: Buffer;
  /** Somebody else holds on to the durable bytes: they are copied before they are changed. */
  #isDurableShared = true;
  #changes: Change[] = [];

  constructor(content: Buffer, changed: () => void) {
    this.#durable = content;
    this.current = Buffer.from(content);
    this.#changed = changed;
  }

  write(bytes: Buffer, position: number): Patch {
    const change = { position, bytes: Buffer.from(bytes) };
    this.#changes.push(change);
    this.current = patch(this.current, change.bytes, position);
    this.#changed();
    return change;
  }

  /** Makes exactly the bytes of one write durable. */
  makeDurable(change: Patch): void {
    const at = this.#changes.indexOf(change);
    // It was synced meanwhile.
    if (at < 0) return;
    const before = this.#changes.slice(0, at).flatMap((each) => without(each, change));
    this.#makeDurable(change);
    this.#changes = [...before, ...this.#changes.slice(at + 1)];
    this.#changed();
  }

  truncate(): void {
    this.#changes.push({ position: undefined });
    this.current = Buffer.alloc(0);
    this.#changed();
  }

  sync(): void {
    // What was made durable by itself meanwhile comes behind a truncation, and not before it.
    const wasTruncated = this.#changes.some(({ position }) => position === undefined);
    if (wasTruncated) this.#makeDurable({ position: undefined });
    const changes = wasTruncated ? [{ position: 0, bytes: this.current }] : this.#changes;
    for (const change of changes) this.#makeDurable(change);
    this.#changes = [];
    this.#changed();
  }

  capture(): FileState {
    this.#isDurableShared = true;
    return { durable: this.#durable, changes: [...this.#changes] };
  }

  #makeDurable({ position, bytes }: Change): void {
    if (position === undefined) {
      this.#durable = Buffer.alloc(0);
    } else {
      if (this.#isDurableShared) this.#durable = Buffer.from(this.#durable);
      this.#durable = patch(this.#durable, bytes, position);
    }
    this.#isDurableShared = false;
  }
}

/** What a change does outside of another one's bytes. */
function without(change: Change, { position, bytes }: Patch): Change[] {
  if (change.position === undefined) return [change];
  const end = position + bytes.length;
  const left = change.bytes.subarray(0, Math.max(0, position - change.position));
  const right = change.bytes.subarray(Math.max(0, end - change.position));
  return [
    { position: change.position, bytes: left },
    { position: change.position + change.bytes.length - right.length, bytes: right },
  ].filter((each) => each.bytes.length > 0);
}
