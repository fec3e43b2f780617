import { patch } from './disk-state.js';
import type { Change, FileState, Patch } from './disk-state.js';

/** The content of a file: what is durable, and what was done since, in order. */
export class MemoryFile {
  current: Buffer;
  isLocked = false;
  readonly #changed: () => void;
  #durable: Buffer;
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
    this.#durable = patch(Buffer.from(this.#durable), change.bytes, change.position);
    this.#changes = [...before, ...this.#changes.slice(at + 1)];
    this.#changed();
  }

  truncate(): void {
    this.#changes.push({ position: undefined });
    this.current = Buffer.alloc(0);
    this.#changed();
  }

  sync(): void {
    this.#durable = Buffer.from(this.current);
    this.#changes = [];
    this.#changed();
  }

  capture(): FileState {
    return { durable: this.#durable, changes: [...this.#changes] };
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
