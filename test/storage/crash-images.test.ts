import { expect } from 'chai';
import type { FsyncPolicy, Operation } from '../../src/engine.js';
import type { Files } from '../../src/storage/files.js';
import { seededRandom, testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { atEachMoment, recordMoments, statesMax } from './crashes.js';
import type { CrashedDisk, Tried } from './crashes.js';
import { DB_PATH, framesOf, record, segmentsOf } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { TestNode, range } from './test-node.js';
import type { Content } from './test-node.js';

/** On one of so many states the node also writes on, crashes, and is started again. */
const GOES_ON_EVERY = 4;

/** How far a run had come. */
interface Known {
  /** Writes up to here were acknowledged. */
  readonly acknowledged: number;
  /** Writes up to here were asked for. */
  readonly submitted: number;
}

/** What a run asked for, in order, and what the content is after each of it. */
class Story {
  /** The content after so many writes. */
  readonly #states: string[];
  readonly #current: Map<string, string>;
  #submitted = 0;
  #acknowledged = 0;

  constructor(content: Content) {
    this.#current = new Map(content);
    this.#states = [textOf(this.#current)];
  }

  get known(): Known {
    return { acknowledged: this.#acknowledged, submitted: this.#submitted };
  }

  get content(): Content {
    return this.#current;
  }

  async write(node: TestNode, operation: Operation): Promise<void> {
    const number = ++this.#submitted;
    applyTo(this.#current, operation);
    this.#states.push(textOf(this.#current));
    expect(await node.write(operation)).to.equal(undefined);
    this.#acknowledged = Math.max(this.#acknowledged, number);
  }

  /** Throws unless the content is what the first writes lead to, as many as are at least there and at most were sent. */
  check(content: Content, { acknowledged, submitted }: Known): void {
    const found = this.#states.indexOf(textOf(content), acknowledged);
    if (found !== -1 && found <= submitted) return;
    const earlier = this.#states.indexOf(textOf(content));
    const what = earlier === -1 ? 'no content that there ever was' : `the content after ${String(earlier)}`;
    throw new Error(`${what}; acknowledged ${String(acknowledged)}, sent ${String(submitted)}`);
  }
}

function textOf(content: Content): string {
  return JSON.stringify([...content].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const latin1 = ({ bytes, start, end }: { bytes: Buffer; start: number; end: number }): string =>
  bytes.toString('latin1', start, end);

function applyTo(content: Map<string, string>, operation: Operation): void {
  if (operation.kind === 'put') content.set(latin1(operation.key), latin1(operation.value));
  else if (operation.kind === 'delete') for (const key of operation.keys) content.delete(latin1(key));
  else {
    for (let at = 0; at < operation.pairs.length; at += 2) {
      content.set(latin1(operation.pairs[at]!), latin1(operation.pairs[at + 1]!));
    }
  }
}

/** Each write changes the content, so that the content tells how many of them there were. */
function operationOf(number: number, random: Random): Operation {
  const key = (): string => `key-${String(random.below(9))}${random.below(4) === 0 ? '\xff' : ''}`;
  const value = (): string => `${String(number)}\xfe `.repeat(1 + random.below(number % 11 === 0 ? 260 : 30));
  const put = { kind: 'put', key: range(key()), value: range(value()) } as const;
  const kind = random.below(10);
  if (kind < 2) return { kind: 'putMany', pairs: [key(), value(), key(), value()].map(range) };
  return kind < 4 ? { kind: 'putMany', pairs: [put.key, put.value] } : put;
}

interface Run {
  readonly name: string;
  readonly fsync?: FsyncPolicy;
  readonly segmentBytes?: number;
  readonly image: (random: Random) => Promise<Image> | Image;
  readonly work: (life: Life) => Promise<void>;
}

/** Starts and stops of nodes on one disk, and the writes that they are asked for. */
class Life {
  readonly story: Story;
  readonly #run: Run;
  readonly #files: Files;
  readonly #random: Random;
  #node: TestNode | undefined;
  #number = 0;

  constructor(run: Run, files: Files, random: Random, story: Story) {
    this.#run = run;
    this.#files = files;
    this.#random = random;
    this.story = story;
  }

  get node(): TestNode {
    if (this.#node === undefined) throw new Error('no node was started');
    return this.#node;
  }

  async start(snapshotLogBytes?: number): Promise<void> {
    this.#node = await startNode(this.#run, this.#files, this.#random, snapshotLogBytes);
    this.story.check(this.#node.content, this.story.known);
  }

  /** Writes in groups that arrive together, and deletes now and then what the last one wrote. */
  async write(groups: number, groupMax = 4): Promise<void> {
    for (let group = 0; group < groups; group++) {
      const writes: Promise<void>[] = [];
      for (let size = 1 + this.#random.below(groupMax); size > 0; size--) {
        const operation = operationOf(++this.#number, this.#random);
        writes.push(this.story.write(this.node, operation));
        if (this.#number % 7 !== 0 || operation.kind !== 'put') continue;
        writes.push(this.story.write(this.node, { kind: 'delete', keys: [operation.key] }));
      }
      await Promise.all(writes);
    }
  }

  async put(key: string, value: string): Promise<void> {
    await this.story.write(this.node, { kind: 'put', key: range(key), value: range(value) });
  }

  stop(): Promise<void> {
    return this.node.stop();
  }
}

function startNode(run: Run, files: Files, random: Random, snapshotLogBytes = 2 ** 40): Promise<TestNode> {
  const { fsync = 'always', segmentBytes = 4096 } = run;
  return TestNode.start({ files, dbPath: DB_PATH, fsync, segmentBytes, snapshotLogBytes, random });
}

const nothing = (): Image => new Map([['/data/other', Buffer.alloc(0)]]);

async function stoppedNode(stop: 'clean' | 'crash', random: Random): Promise<Map<string, Buffer>> {
  return record(stop, async (node) => {
    for (let number = 1; number <= 30; number++) await node.write(operationOf(number, random));
    await node.snapshot();
    for (let number = 31; number <= 36; number++) await node.write(operationOf(number, random));
  });
}

/** The last frame of the log is half there, as after a crash. */
async function tornNode(random: Random): Promise<Image> {
  const image = await stoppedNode('crash', random);
  const last = segmentsOf(image).findLast((file) => framesOf(image.get(file)!).length > 0)!;
  const frame = framesOf(image.get(last)!).at(-1)!;
  return image.set(last, Buffer.from(image.get(last)!).fill(0, frame.start + 40, frame.end));
}

const RUNS: readonly Run[] = [
  {
    name: 'a first start, a clean stop, and another start',
    image: nothing,
    async work(life) {
      await life.start();
      await life.write(8);
      await life.stop();
      await life.start();
      await life.write(4);
      await life.stop();
    },
  },
  {
    name: 'segments that fill up and are used again behind snapshots',
    image: nothing,
    async work(life) {
      await life.start(6000);
      await life.write(30);
      await life.put('large', 'l'.repeat(9000));
      await life.write(20);
      await life.stop();
      await life.start(3000);
      await life.write(20);
      await life.stop();
    },
  },
  {
    name: 'snapshots beside writes',
    image: nothing,
    async work(life) {
      await life.start();
      for (let round = 0; round < 4; round++) {
        const snapshot = life.node.snapshot();
        await life.write(3);
        await snapshot;
      }
      await life.stop();
    },
  },
  {
    name: 'a torn end that is cut, and writes behind it',
    image: tornNode,
    async work(life) {
      await life.start(4000);
      await life.write(12);
      await life.stop();
    },
  },
  {
    name: 'a damaged JSON file that is made good',
    async image(random) {
      const image = await stoppedNode('clean', random);
      return image.set(DB_PATH, image.get(DB_PATH)!.subarray(0, 200));
    },
    async work(life) {
      await life.start();
      await life.write(3);
      await life.node.snapshot();
      await life.write(3);
      await life.stop();
    },
  },
  {
    name: 'an import of a bare file',
    image: () => new Map([[DB_PATH, Buffer.from('{"data":{"key-1":"imported","other":"\\u00e4"}}')]]),
    async work(life) {
      await life.start(3000);
      await life.write(10);
      await life.stop();
    },
  },
  {
    name: 'a start from the JSON file of another node',
    async image(random) {
      const image = await stoppedNode('clean', random);
      return new Map([[DB_PATH, image.get(DB_PATH)!]]);
    },
    async work(life) {
      await life.start(3000);
      await life.write(10);
      await life.stop();
    },
  },
  {
    name: 'writes that are not synced one by one',
    fsync: 'off',
    image: nothing,
    async work(life) {
      await life.start(3000);
      await life.write(6, 2);
      await life.node.log.sync();
      await life.write(6, 2);
      await life.stop();
    },
  },
];

/** What a node finds on an image before the run begins. */
async function contentOn(run: Run, image: Image, random: Random): Promise<Content> {
  const node = await startNode(run, MemoryDisk.holding(image).mount(), random);
  const { content } = node;
  await node.abandon();
  return content;
}

async function checkRun(run: Run, random: Random): Promise<Tried> {
  const image = await run.image(random);
  const story = new Story(await contentOn(run, image, random));
  const disk = MemoryDisk.holding(image);
  const moments = await recordMoments(
    disk,
    (files) => run.work(new Life(run, files, random, story)),
    () => story.known,
  );
  let starts = 0;
  const check = async (crashed: CrashedDisk<Known>): Promise<void> => {
    const isAllKept = crashed.isProcessAlone || run.fsync === undefined;
    const known = isAllKept ? crashed.known : { ...crashed.known, acknowledged: 0 };
    const node = await startNode(run, crashed.disk.mount(), random);
    const { content } = node;
    story.check(content, known);
    for (const event of node.events) {
      if (event.kind === 'torn end cut') expect(crashed.disk.image().get(event.keptAs)).to.not.be.empty;
    }
    if (++starts % GOES_ON_EVERY === 0) {
      expect(await node.put('more', String(starts))).to.equal(undefined);
      crashed.disk.endProcess();
      const again = await startNode(run, crashed.disk.mount(), random);
      expect(textOf(again.content)).to.equal(textOf(new Map(content).set('more', String(starts))));
      await again.stop();
    }
  };
  const keyOf = ({ acknowledged, submitted }: Known): string =>
    `${String(acknowledged)}-${String(submitted)}`;
  return atEachMoment(moments, { statesMax: statesMax(60), random, keyOf }, check);
}

describe('Every state that a crash may leave', () => {
  for (const run of RUNS) {
    it(`IsStartedOnWithEveryAcknowledgedWriteAndNothingThatWasNotSent: ${run.name}`, async function () {
      this.timeout(process.env.KV_CRASH_IMAGES === undefined ? 120_000 : 0);
      await withSeed(testSeed(), async (random) => {
        const { moments, completeMoments, states } = await checkRun(run, seededRandom(random.below(2 ** 31)));
        const complete = completeMoments === moments ? 'all' : `at ${String(completeMoments)} all`;
        process.stdout.write(
          `      ${String(states)} states of the disk at ${String(moments)} moments, ${complete} that there can be\n`,
        );
        expect(states).to.be.greaterThan(moments / 4);
      });
    });
  }
});
