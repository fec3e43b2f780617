import { isWrite } from '../commands/command.js';
import type { WriteCommand } from '../commands/command.js';
import { findCommand } from '../commands/resolve.js';
import { EntryBatch, wholeRange } from '../engine.js';
import { EntryRequests } from '../protocol/entry-requests.js';
import type { RequestLimits } from '../protocol/limits.js';
import type { RequestReader } from '../protocol/request-reader.js';
import type { PendingWrite } from './pending.js';
import type { Submissions } from './submissions.js';

const NAME = 'SET';

/** Puts that come together and are handed over together, for the connections of one server. Nothing is kept from one call to the next. */
export class RowWrites {
  readonly #entries = new EntryBatch();
  readonly #requests: EntryRequests;
  /** What these puts are when they are handed over by themselves. */
  readonly #command: WriteCommand;

  constructor(limits: RequestLimits) {
    this.#requests = new EntryRequests(NAME, limits);
    const command = findCommand(wholeRange(Buffer.from(NAME)));
    if (command === undefined || !isWrite(command)) throw new Error(`${NAME} is no write`);
    this.#command = command;
  }

  /** Hands over what comes next from a reader, as far as it is such a row. Undefined: nothing was read. */
  submit(reader: RequestReader, submissions: Submissions, countMax: number): PendingWrite | undefined {
    if (!submissions.takesTogether()) return undefined;
    const entries = this.#entries;
    reader.findEntries(this.#requests, entries, countMax);
    if (entries.keys.count === 0) return undefined;
    const write = submissions.putEach(entries, this.#command);
    if (write !== undefined) reader.takeUpTo(entries.valueEnds[write.requests - 1] ?? 0);
    entries.keys.end();
    return write;
  }
}
