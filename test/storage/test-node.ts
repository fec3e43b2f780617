import type { Clock } from '../../src/clock.js';
import type { ByteRange, FsyncPolicy, Operation, Refusal } from '../../src/engine.js';
import type { EventLog } from '../../src/event-log.js';
import { replayFrame } from '../../src/node/applier.js';
import { ReplicaEngine } from '../../src/node/replica-engine.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory, RecoveryEvent } from '../../src/storage/data-directory.js';
import type { Files } from '../../src/storage/files.js';
import { HashTable } from '../../src/store/hash-table.js';
import { Store } from '../../src/store/store.js';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';

export interface NodeOptions {
  readonly files: Files;
  readonly dbPath: string;
  readonly fsync?: FsyncPolicy;
  readonly segmentBytes?: number;
  readonly snapshotLogBytes?: number;
  readonly random?: Random;
}

export const SEGMENT_BYTES = 4096;
/** Content of a node by key, every byte of keys and values as one character. */
export type Content = ReadonlyMap<string, string>;

const SILENT: EventLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A clock whose timers run when the test says so. */
class HandClock implements Clock {
  readonly #periodic = new Set<() => void>();

  nowMs(): number {
    return 0;
  }

  after(): { cancel: () => void } {
    throw new Error('no timer is expected here');
  }

  every(_periodMs: number, work: () => void): { cancel: () => void } {
    this.#periodic.add(work);
    return { cancel: () => this.#periodic.delete(work) };
  }

  nextTurn(work: () => void): void {
    setImmediate(work);
  }

  tick(): void {
    for (const work of this.#periodic) work();
  }
}

export function range(content: string | Buffer): ByteRange {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  return { bytes, start: 0, end: bytes.length };
}

/** A node on given files: its data, its store and its engine, without a server around them. */
export class TestNode {
  readonly events: readonly RecoveryEvent[];
  readonly data: DataDirectory;
  /** The last reason why the node had to stop, if it had to. */
  failure: unknown;
  #engine: ReplicaEngine | undefined;
  readonly #table: HashTable;
  readonly #clock = new HandClock();

  private constructor(data: DataDirectory, table: HashTable, events: readonly RecoveryEvent[]) {
    this.data = data;
    this.#table = table;
    this.events = events;
  }

  static async start(options: NodeOptions): Promise<TestNode> {
    const random = options.random ?? seededRandom(Math.floor(Math.random() * 2 ** 31));
    const fsync = options.fsync ?? 'always';
    const events: RecoveryEvent[] = [];
    let table = new HashTable(1);
    const data = await openDataDirectory({
      files: options.files,
      dbPath: options.dbPath,
      fsync,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
      random: () => random.next(),
      randomIdentity: () => random.bytes(16).toString('hex'),
      report: (event) => events.push(event),
      target: {
        clear: () => (table = new HashTable(1)),
        put: (key, value) => table.put(key, value),
        replay: (frame) => {
          replayFrame(new Store(table), frame);
        },
      },
    });
    const node = new TestNode(data, table, events);
    try {
      await node.#serve(options, fsync, random);
    } catch (error) {
      await data.close();
      throw error;
    }
    return node;
  }

  get engine(): ReplicaEngine {
    return this.#engine!;
  }

  get content(): Content {
    const content = new Map<string, string>();
    for (let slot = 0; slot < this.#table.slots; slot++) {
      this.#table.visit(slot, (key, value) => content.set(latin1(key), latin1(value)));
    }
    return content;
  }

  write(operation: Operation): Promise<Refusal | undefined> {
    return new Promise((resolve) => {
      this.engine.write(operation, { written: (refused) => resolve(refused) });
    });
  }

  /** Undefined once the write is acknowledged. */
  put(key: string | Buffer, value: string | Buffer): Promise<Refusal | undefined> {
    return this.write({ kind: 'put', key: range(key), value: range(value) });
  }

  delete(...keys: string[]): Promise<Refusal | undefined> {
    return this.write({ kind: 'delete', keys: keys.map(range) });
  }

  /** Writes the JSON file. */
  async snapshot(): Promise<void> {
    const answer = await this.engine.snapshot();
    if ('code' in answer) throw new Error(answer.message);
  }

  /** Lets the period of `everysec` pass. */
  tick(): void {
    this.#clock.tick();
  }

  async stop(): Promise<void> {
    await this.engine.close();
    await this.data.close();
  }

  /** Lets go of the files as they are: to the next start it is a crash. */
  abandon(): Promise<void> {
    return this.data.close();
  }

  async #serve(options: NodeOptions, fsync: FsyncPolicy, random: Random): Promise<void> {
    this.#engine = await ReplicaEngine.start({
      store: new Store(this.#table),
      log: this.data.log,
      states: this.data,
      snapshots: this.data.snapshots,
      state: this.data.state,
      clock: this.#clock,
      events: SILENT,
      fsync,
      waitingBytesMax: 2 ** 30,
      snapshotLogBytes: options.snapshotLogBytes ?? 2 ** 40,
      address: () => 'nowhere',
      random: () => random.next(),
      failed: (error) => (this.failure = error),
    });
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
