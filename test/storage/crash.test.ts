import { expect } from 'chai';
import type { FsyncPolicy, Operation } from '../../src/engine.js';
import { seededRandom, testSeed } from '../random.js';
import type { Random } from '../random.js';
import { aroundFiles } from './around-files.js';
import type { Around, AroundNow, FilesCall } from './around-files.js';
import { DB_PATH } from './images.js';
import { MemoryDisk } from './memory-files.js';
import { TestNode, range } from './test-node.js';
import type { Content } from './test-node.js';

const SEEDS = Number(process.env.KV_CRASH_SEEDS ?? 250);
const LIVES = 5;
const OPERATIONS_A_LIFE = 40;
const CALLS_A_LIFE = 160;

interface Submitted {
  readonly operation: Operation;
  isAcknowledged: boolean;
}

function randomKey(random: Random): string {
  return `key-${String(random.below(12))}`;
}

function randomOperation(random: Random, number: number): Operation {
  const value = (): string => `${String(number)} `.repeat(1 + random.below(random.next() < 0.05 ? 300 : 12));
  const kind = random.next();
  if (kind < 0.2) return { kind: 'delete', keys: [randomKey(random), randomKey(random)].map(range) };
  if (kind < 0.4) {
    const pairs = [randomKey(random), value(), randomKey(random), value()].map(range);
    return { kind: 'putMany', pairs };
  }
  return { kind: 'put', key: range(randomKey(random)), value: range(value()) };
}

function text({ bytes, start, end }: { bytes: Buffer; start: number; end: number }): string {
  return bytes.toString('latin1', start, end);
}

function applyTo(content: Map<string, string>, operation: Operation): void {
  switch (operation.kind) {
    case 'put':
      content.set(text(operation.key), text(operation.value));
      break;
    case 'putMany':
      for (let at = 0; at < operation.pairs.length; at += 2) {
        content.set(text(operation.pairs[at]!), text(operation.pairs[at + 1]!));
      }
      break;
    case 'delete':
      for (const key of operation.keys) content.delete(text(key));
  }
}

const sameContent = (a: Content, b: Content): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);

/** A disk, and what nodes on it were told over several lives, each ended by a crash at a random call. */
class CrashRun {
  readonly #random: Random;
  readonly #disk: MemoryDisk;
  readonly #fsync: FsyncPolicy;
  /** What the last start found. */
  #base = new Map<string, string>();
  #submitted: Submitted[] = [];
  /** How many segments were begun in files that had been segments before. */
  recycledCount = 0;
  /** Spares that were. */
  readonly #recycled = new Set<string>();
  /** Whether no crash since the last start may have cost what was acknowledged. */
  #isAllKept = true;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#fsync = this.#random.pick(['always', 'always', 'everysec', 'off']);
    const isImport = this.#random.next() < 0.3;
    const content = Buffer.from(isImport ? '{"data":{"key-1":"imported"}}' : '');
    if (isImport) this.#base.set('key-1', 'imported');
    this.#disk = MemoryDisk.holding(new Map([[isImport ? DB_PATH : '/data/other', content]]));
  }

  async run(): Promise<void> {
    for (let life = 0; life < LIVES; life++) await this.#live();
    const node = await this.#start(this.#disk.mount());
    this.#check(node.content);
    await node.stop();
  }

  #start(files: ReturnType<MemoryDisk['mount']>): Promise<TestNode> {
    return TestNode.start({
      files,
      dbPath: DB_PATH,
      fsync: this.#fsync,
      segmentBytes: 1024,
      snapshotLogBytes: 3000,
      random: this.#random,
      withinTurn: () => this.#random.next() < 0.3,
    });
  }

  async #live(): Promise<void> {
    const crash = { isDone: false, left: 1 + this.#random.below(CALLS_A_LIFE) };
    // The call that the crash meets is done, or not, or under way.
    const meet = (): boolean => {
      crash.isDone = true;
      const phase = this.#random.pick(['before', 'in', 'behind']);
      if (phase === 'in') this.#disk.interrupt();
      return phase !== 'before';
    };
    const around: Around = async (call, run) => {
      this.#noteRecycled(call);
      if (--crash.left !== 0) return run();
      const running = meet() ? run() : undefined;
      await running?.catch(() => undefined);
      return this.#crash();
    };
    const aroundNow: AroundNow = (_call, run) => {
      const isNow = --crash.left === 0;
      if (!isNow || meet()) run();
      if (isNow) this.#crash();
    };
    let node: TestNode | undefined;
    try {
      node = await this.#start(aroundFiles(this.#disk.mount(), around, aroundNow));
      this.#check(node.content);
      await this.#work(node, crash);
    } catch (error) {
      if (!crash.isDone) throw error;
    }
    await node?.finish().catch(() => undefined);
    if (crash.isDone) return;
    try {
      this.#crash();
    } catch {
      // Nobody was in a call.
    }
  }

  /** The content is what the last start found, and a prefix of what was submitted since, every acknowledged one included. */
  #check(content: Content): void {
    const state = new Map(this.#base);
    const acknowledged = this.#submitted.findLastIndex(({ isAcknowledged }) => isAcknowledged) + 1;
    const atLeast = this.#isAllKept ? acknowledged : 0;
    for (let count = 0; count <= this.#submitted.length; count++) {
      if (count >= atLeast && sameContent(state, content)) {
        this.#base = new Map(content);
        this.#submitted = [];
        this.#isAllKept = true;
        return;
      }
      if (count < this.#submitted.length) applyTo(state, this.#submitted[count]!.operation);
    }
    const what = `${String(acknowledged)} of ${String(this.#submitted.length)} acknowledged`;
    throw new Error(`the content is no state after them: ${what}, fsync ${this.#fsync}`);
  }

  async #work(node: TestNode, crash: { readonly isDone: boolean }): Promise<void> {
    const waiting: Promise<unknown>[] = [];
    for (let count = 0; count < OPERATIONS_A_LIFE && !crash.isDone; count++) {
      const submitted = { operation: randomOperation(this.#random, count), isAcknowledged: false };
      this.#submitted.push(submitted);
      waiting.push(
        node.write(submitted.operation).then((refused) => {
          // What is answered after the power went was answered to nobody.
          if (refused === undefined && !crash.isDone) submitted.isAcknowledged = true;
        }),
      );
      const next = this.#random.next();
      if (next < 0.05) waiting.push(node.snapshot().catch(() => undefined));
      if (next < 0.1) node.tick();
      if (next > 0.6) await Promise.all(waiting);
    }
    await Promise.all(waiting);
  }

  /** Counts the segments that are begun in files which were segments before. */
  #noteRecycled({ operation, file, to }: FilesCall): void {
    if (operation !== 'rename' || to === undefined) return;
    if (file.includes('segment-')) this.#recycled.add(to);
    else if (to.includes('segment-') && this.#recycled.delete(file)) this.recycledCount++;
  }

  #crash(): never {
    const isPowerCut = this.#random.next() < 0.7;
    if (isPowerCut && this.#fsync !== 'always') this.#isAllKept = false;
    if (isPowerCut) this.#disk.cutPower(this.#random);
    else this.#disk.endProcess();
    throw new Error('crashed');
  }
}

describe('A node that crashes at random calls, again and again', () => {
  it(`KeepsEveryAcknowledgedWriteAndAPrefixOfAll: ${String(SEEDS)} seeds`, async function () {
    this.timeout(0);
    const first = testSeed();
    let recycled = 0;
    for (let at = 0; at < SEEDS; at++) {
      const seed = first + at;
      try {
        const run = new CrashRun(seed);
        await run.run();
        recycled += run.recycledCount;
      } catch (error) {
        throw new Error(`failed with KV_SEED=${String(seed)} KV_CRASH_SEEDS=1`, { cause: error });
      }
    }
    expect(recycled).to.be.at.least(SEEDS / 2);
  });
});
