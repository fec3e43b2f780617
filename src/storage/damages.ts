import type { Damage } from './check-report.js';
import { StorageFault } from './fault.js';
import { errorCode } from './files.js';
import { SnapshotDamage } from './snapshot-reader.js';

/** Gathers what is wrong, so that one thing does not hide the next. */
export class Damages {
  readonly #list: Damage[] = [];

  get list(): readonly Damage[] {
    return this.#list;
  }

  add(damage: Damage): void {
    const isKnown = this.#list.some(({ file, offset }) => file === damage.file && offset === damage.offset);
    if (!isKnown) this.#list.push(damage);
  }

  concerns(file: string): boolean {
    return this.#list.some((damage) => damage.file === file);
  }

  /** Does the work; what it throws because of the state of a file is noted, and the answer is false then. */
  async during(file: string, work: () => Promise<void> | void): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.add(damageOf(error, file));
      return false;
    }
  }
}

/** What an error says of a file. Errors that say nothing of it are thrown on. */
export function damageOf(error: unknown, file: string): Damage {
  if (error instanceof StorageFault) {
    return { file: error.file, offset: error.offset, message: error.brief };
  }
  if (error instanceof SnapshotDamage) {
    return { file: error.file, offset: error.offset, message: error.message };
  }
  const code = errorCode(error);
  if (code === undefined) throw error;
  const unreadable = pathOf(error) ?? file;
  return { file: unreadable, offset: undefined, message: `${unreadable} cannot be read (${code})` };
}

function pathOf(error: unknown): string | undefined {
  const named = error instanceof Error && 'path' in error ? error.path : undefined;
  return typeof named === 'string' ? named : undefined;
}
