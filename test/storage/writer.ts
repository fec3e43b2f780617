import type { ByteRange, Operation, Refusal } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import { EntryKind, EntryReader, FrameBuilder } from '../../src/log/entry.js';
import { endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { termAfter } from '../../src/log/term.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import type { NodeState } from '../../src/storage/node-state.js';
import type { SegmentLog } from '../../src/storage/segment-log.js';
import type { ArenaTable } from '../../src/store/arena-table.js';

/** Applies the entries of a frame. */
export function applyFrame(table: ArenaTable, frame: Frame): void {
  const reader = new EntryReader(frame);
  while (reader.nextEntry()) {
    while (reader.nextItem()) {
      if (reader.kind === EntryKind.put) table.put(reader.key, reader.value);
      else table.delete(reader.key);
    }
  }
}

export function eachEntry(table: ArenaTable, show: (key: ByteRange, value: ByteRange) => void): void {
  for (let slot = 0; slot < table.slots; slot++) table.visit(slot, show);
}

/** What was asked for together, and whom to tell. */
interface Batch {
  readonly builder: FrameBuilder;
  readonly answers: ((refused: Refusal | undefined) => void)[];
}

export interface WriterOptions {
  readonly snapshotLogBytes: number;
  withinTurn(): boolean;
}

/** The least that writes to a data directory as a node does: a primary alone, in one term a start. */
export class Writer {
  /** Why nothing more is written. */
  failure: unknown;
  readonly #data: DataDirectory;
  readonly #log: SegmentLog;
  readonly #table: ArenaTable;
  readonly #options: WriterOptions;
  #state: NodeState;
  #waiting: Batch[] = [];
  #writing: Promise<void> | undefined;
  #snapshot: Promise<void> = Promise.resolve();
  #isSnapshotDue = true;
  #bytesAtSnapshot = 0;
  #applied: LogEnd;
  #closing: Promise<void> | undefined;

  private constructor(data: DataDirectory, table: ArenaTable, state: NodeState, options: WriterOptions) {
    this.#data = data;
    this.#log = data.log!;
    this.#table = table;
    this.#state = state;
    this.#applied = this.#log.end;
    this.#options = options;
  }

  static async start(
    data: DataDirectory,
    table: ArenaTable,
    random: number,
    options: WriterOptions,
  ): Promise<Writer> {
    const { end } = data.log!;
    const term = termAfter(data.state.term > end.term ? data.state.term : end.term, random);
    const state: NodeState = { ...data.state, term, logIndex: end.index, cleanEnd: undefined };
    await data.saveState(state);
    const writer = new Writer(data, table, state, options);
    const opening = {
      kind: 'open',
      primary: state.node,
      configuration: undefined,
      lossAfter: undefined,
    } as const;
    const frame = controlFrame(opening, term, end);
    await data.log!.append([frame]);
    writer.#applied = endOf(frame);
    return writer;
  }

  write(operation: Operation): Promise<Refusal | undefined> {
    if (this.failure !== undefined) return Promise.resolve({ code: 'INTERNAL', message: 'failed before' });
    return new Promise((resolve) => {
      let batch = this.#waiting.at(-1);
      if (batch === undefined) this.#waiting.push((batch = { builder: new FrameBuilder(), answers: [] }));
      batch.builder.append(operation);
      batch.answers.push(resolve);
      this.#writing ??= this.#writeAll();
    });
  }

  /** Writes the JSON file, unless it is up to date. */
  snapshot(): Promise<void> {
    const running = this.#snapshot.catch(() => undefined).then(() => this.#writeSnapshot());
    this.#snapshot = running;
    return running;
  }

  fail(error: unknown): void {
    this.failure ??= error;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#snapshot.catch(() => undefined);
    if (this.failure !== undefined) return;
    await this.#log.sync();
    await this.snapshot().catch(() => undefined);
    const { end } = this.#log;
    await this.#data.saveState({ ...this.#state, logIndex: end.index, cleanEnd: end });
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve();
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      const refused = await this.#append(batch.builder);
      for (const answer of batch.answers) answer(refused);
      const grown = this.#log.appendedBytes - this.#bytesAtSnapshot;
      if (this.#isSnapshotDue && grown >= this.#options.snapshotLogBytes) {
        this.#isSnapshotDue = false;
        const done = (): boolean => (this.#isSnapshotDue = true);
        this.snapshot().then(done, done);
      }
    }
    // In the same turn as the last look at what waits: whoever comes next begins anew.
    this.#writing = undefined;
  }

  async #append(builder: FrameBuilder): Promise<Refusal | undefined> {
    if (this.failure !== undefined) return { code: 'INTERNAL', message: 'failed before' };
    const { index, checksum } = this.#log.end;
    const frame = builder.seal(this.#state.term, (index + 1) as typeof index, checksum);
    try {
      const isDone = this.#options.withinTurn() && this.#log.appendNow([frame]);
      if (!isDone) await this.#log.append([frame]);
    } catch (error) {
      if (error instanceof Error && error.name === 'DiskFull') return { code: 'DISK_FULL', message: 'full' };
      this.fail(error);
      return { code: 'UNCONFIRMED', message: String(error) };
    }
    applyFrame(this.#table, frame);
    this.#applied = endOf(frame);
    return undefined;
  }

  async #writeSnapshot(): Promise<void> {
    const { snapshots, state } = this.#data;
    if (snapshots.current?.index === this.#applied.index) return;
    this.#bytesAtSnapshot = this.#log.appendedBytes;
    const output = await snapshots.begin();
    try {
      output.start({ cluster: state.cluster!, node: state.node, end: this.#applied, hasSessions: false });
      eachEntry(this.#table, (key, value) => output.add(key, value));
      await output.drained();
      await this.#log.sync();
      await snapshots.install(output);
      await this.#log.removeUpTo(snapshots.previousIndex);
    } catch (error) {
      await output.abandon().catch(() => undefined);
      throw error;
    }
  }
}
