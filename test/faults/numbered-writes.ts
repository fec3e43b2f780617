import { openDataDirectory } from '../../src/storage/data-directory.js';
import { systemFiles } from '../../src/storage/files.js';
import { EntryKind, EntryReader } from '../../src/log/entry.js';
import { sessionIdAt } from '../../src/log/session-id.js';
import type { Frame } from '../../src/log/frame.js';
import type { ByteRange } from '../../src/engine.js';

/** What the log of a node holds of writes under sessions, and what its entries make of an empty map. */
export interface NumberedWrites {
  /** Entries whose number stands in an earlier entry of its session: what a client sent again. */
  readonly repeated: number;
  /** Of those, the ones that would have left another value or another answer if they had taken effect. */
  readonly telling: number;
  readonly content: ReadonlyMap<string, string>;
}

/**
 * Reads the log of a node that does not run, and applies it by the promise alone: each number of a session once. It shares no code with
 * the servers but what reads the files and frames.
 */
export async function numberedWritesOf(dbPath: string): Promise<NumberedWrites> {
  const model = new Model();
  const data = await openDataDirectory({
    files: systemFiles,
    dbPath,
    fsync: 'always',
    segmentBytes: 1024 * 1024,
    firstStart: { role: 'primary' },
    isCommitted: () => () => true,
    random: () => 0.5,
    randomIdentity: () => '0'.repeat(32),
    report: () => undefined,
    target: {
      clear: () => model.clear(),
      put: (key, value) => void model.content.set(textOf(key), textOf(value)),
      session: (id, lowest, answers) => model.restore(id, lowest, answers),
      replay: (frame) => model.apply(frame),
    },
  });
  await data.close();
  return model;
}

class Model implements NumberedWrites {
  repeated = 0;
  telling = 0;
  readonly content = new Map<string, string>();
  /** Of each session, the answers by number. None is ever forgotten. */
  readonly #sessions = new Map<number, Map<number, number>>();

  clear(): void {
    this.content.clear();
    this.#sessions.clear();
  }

  restore(id: number, lowest: number, answers: Int32Array): void {
    const known = new Map<number, number>();
    for (const [at, answer] of answers.entries()) if (answer >= 0) known.set(lowest + at, answer);
    this.#sessions.set(id, known);
  }

  apply(frame: Frame): void {
    const reader = new EntryReader(frame);
    while (reader.nextEntry()) {
      const { kind, isInSession, session, number, index } = reader;
      if (kind === EntryKind.openSession) this.#sessions.set(sessionIdAt(frame.term, index), new Map());
      if (kind !== EntryKind.put && kind !== EntryKind.delete) continue;
      const answers = isInSession ? this.#sessions.get(session) : undefined;
      if (isInSession && answers === undefined) continue;
      const before = answers?.get(number);
      if (before !== undefined) {
        this.#passOver(reader, before);
        continue;
      }
      const answer = this.#take(reader);
      answers?.set(number, answer);
    }
  }

  #take(reader: EntryReader): number {
    let count = 0;
    while (reader.nextItem()) {
      const key = textOf(reader.key);
      if (reader.kind === EntryKind.put) this.content.set(key, textOf(reader.value));
      if (reader.kind === EntryKind.put || this.content.delete(key)) count++;
    }
    return count;
  }

  #passOver(reader: EntryReader, answer: number): void {
    this.repeated++;
    let isTelling = false;
    let count = 0;
    while (reader.nextItem()) {
      const value = this.content.get(textOf(reader.key));
      if (reader.kind === EntryKind.put) isTelling ||= value !== textOf(reader.value);
      if (reader.kind === EntryKind.put || value !== undefined) count++;
    }
    const isOtherState = reader.kind === EntryKind.delete && count > 0;
    if (isTelling || isOtherState || count !== answer) this.telling++;
  }
}

function textOf({ bytes, start, end }: ByteRange): string {
  return bytes.toString('latin1', start, end);
}
