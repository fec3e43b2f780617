import type { ByteRange, FsyncPolicy, Operation, Refusal } from '../../src/engine.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory, RecoveryEvent } from '../../src/storage/data-directory.js';
import type { Files } from '../../src/storage/files.js';
import type { SegmentLog } from '../../src/storage/segment-log.js';
import type { ArenaTable } from '../../src/store/arena-table.js';
import { makeTable } from '../store/make-table.js';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import { Writer, applyFrame, eachEntry } from './writer.js';

export interface NodeOptions {
  readonly files: Files;
  readonly dbPath: string;
  readonly fsync?: FsyncPolicy;
  readonly segmentBytes?: number;
  readonly snapshotLogBytes?: number;
  readonly random?: Random;
  /** Whether the next write may keep everything else waiting. */
  withinTurn?(): boolean;
}

export const SEGMENT_BYTES = 4096;
/** Content of a node by key, every byte of keys and values as one character. */
export type Content = ReadonlyMap<string, string>;

export function range(content: string | Buffer): ByteRange {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  return { bytes, start: 0, end: bytes.length };
}

/** A node on given files, as far as its files are concerned: a primary alone. */
export class TestNode {
  readonly events: readonly RecoveryEvent[];
  readonly data: DataDirectory;
  readonly #table: ArenaTable;
  readonly #writer: Writer;
  readonly #isSyncedBySecond: boolean;

  private constructor(
    data: DataDirectory,
    table: ArenaTable,
    writer: Writer,
    events: readonly RecoveryEvent[],
    fsync: FsyncPolicy,
  ) {
    this.data = data;
    this.#table = table;
    this.#writer = writer;
    this.events = events;
    this.#isSyncedBySecond = fsync === 'everysec';
  }

  static async start(options: NodeOptions): Promise<TestNode> {
    const random = options.random ?? seededRandom(Math.floor(Math.random() * 2 ** 31));
    const fsync = options.fsync ?? 'always';
    const events: RecoveryEvent[] = [];
    let table = makeTable();
    const data = await openDataDirectory({
      files: options.files,
      dbPath: options.dbPath,
      fsync,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
      firstStart: { role: 'primary' },
      isCommitted: () => () => true,
      random: () => random.next(),
      randomIdentity: () => random.bytes(16).toString('hex'),
      report: (event) => events.push(event),
      target: {
        clear: () => (table = makeTable()),
        put: (key, value) => table.put(key, value),
        session: () => undefined,
        replay: (frame) => applyFrame(table, frame),
      },
    });
    try {
      await data.makeReady();
      const writer = await Writer.start(data, table, random.next(), {
        snapshotLogBytes: options.snapshotLogBytes ?? 2 ** 40,
        withinTurn: () => options.withinTurn?.() ?? false,
      });
      return new TestNode(data, table, writer, events, fsync);
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  /** A primary has a log from the start. */
  get log(): SegmentLog {
    return this.data.log!;
  }

  /** The first reason why the node had to stop, if it had to. */
  get failure(): unknown {
    return this.#writer.failure;
  }

  get content(): Content {
    const content = new Map<string, string>();
    eachEntry(this.#table, (key, value) => content.set(latin1(key), latin1(value)));
    return content;
  }

  write(operation: Operation): Promise<Refusal | undefined> {
    return this.#writer.write(operation);
  }

  /** Undefined once the write is acknowledged. */
  put(key: string | Buffer, value: string | Buffer): Promise<Refusal | undefined> {
    return this.write({ kind: 'put', key: range(key), value: range(value) });
  }

  delete(...keys: string[]): Promise<Refusal | undefined> {
    return this.write({ kind: 'delete', keys: keys.map(range) });
  }

  /** Writes the JSON file. */
  snapshot(): Promise<void> {
    return this.#writer.snapshot();
  }

  /** Lets the period of `everysec` pass. */
  tick(): void {
    if (!this.#isSyncedBySecond) return;
    this.log.sync().catch((error: unknown) => {
      this.#writer.fail(error);
    });
  }

  /** Finishes what was accepted and says in the node state that it did, and keeps the files open. */
  finish(): Promise<void> {
    return this.#writer.close();
  }

  async stop(): Promise<void> {
    await this.finish();
    await this.data.close();
  }

  /** Lets go of the files as they are: to the next start it is a crash. */
  abandon(): Promise<void> {
    return this.data.close();
  }
}

function latin1(part: ByteRange): string {
  return part.bytes.toString('latin1', part.start, part.end);
}

/** Starts a node, shows it to `work`, and lets go of it without a clean stop. */
export async function withNode<T>(
  options: NodeOptions,
  work: (node: TestNode) => Promise<T> | T,
): Promise<T> {
  const node = await TestNode.start(options);
  try {
    return await work(node);
  } finally {
    await node.abandon();
  }
}
