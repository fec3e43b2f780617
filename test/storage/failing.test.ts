import { expect } from 'chai';
import type { FsyncPolicy, Index, Term } from '../../src/engine.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, NO_CHECKSUM } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { SegmentLog } from '../../src/storage/segment-log.js';
import { systemFiles } from '../../src/storage/files.js';
import { seededRandom } from '../random.js';
import { Holdings } from './around-files.js';
import type { FilesCall } from './around-files.js';
import { FailingFiles, changesFiles, writesBytes } from './failing-files.js';
import type { FailureCode } from './failing-files.js';
import { DB_PATH } from './images.js';
import { MemoryDisk } from './memory-files.js';
import { inScratch } from './scratch.js';
import { TestNode, range, withNode } from './test-node.js';
import type { Content } from './test-node.js';
import type { Files } from '../../src/storage/files.js';

const TINY = { segmentBytes: 512 };

function emptyDisk(): MemoryDisk {
  return MemoryDisk.holding(new Map([['/data/other', Buffer.alloc(0)]]));
}

/** What a node was told and what it answered, over several lives. */
interface Story {
  acknowledged: Map<string, string>;
  /** Values that may stand in the place of the acknowledged ones: their writes failed. */
  uncertain: Map<string, Set<string | undefined>>;
}

function newStory(): Story {
  return { acknowledged: new Map(), uncertain: new Map() };
}

async function putInStory(node: TestNode, story: Story, key: string, value: string): Promise<boolean> {
  const refused = await node.put(key, value);
  if (refused === undefined) {
    story.acknowledged.set(key, value);
    story.uncertain.delete(key);
    return true;
  }
  if (refused.code === 'UNCONFIRMED') {
    const values = story.uncertain.get(key) ?? new Set();
    story.uncertain.set(key, values.add(value));
  }
  return false;
}

function checkStory(story: Story, content: Content): void {
  for (const [key, value] of content) {
    if (story.acknowledged.get(key) === value) continue;
    if (story.uncertain.get(key)?.has(value) !== true) throw new Error(`${key} has a value from nowhere`);
  }
  for (const key of story.acknowledged.keys()) {
    if (!content.has(key)) throw new Error(`${key} was acknowledged and is missing`);
  }
}

/** One life of a node: it starts, writes over several segments with snapshots between, and stops. */
async function live(files: Files, story: Story, label: string, dbPath = DB_PATH): Promise<void> {
  const node = await TestNode.start({ files, dbPath, ...TINY });
  try {
    checkStory(story, node.content);
    for (let count = 0; count < 12; count++) {
      const hadFailed = node.failure !== undefined;
      const isAcknowledged = await putInStory(
        node,
        story,
        `key-${String(count % 5)}`,
        `${label} ${String(count)}`,
      );
      if (hadFailed && isAcknowledged) throw new Error('a value from nowhere: acknowledged after a failure');
      if (count === 6 || count === 10) await node.snapshot().catch(() => undefined);
    }
  } finally {
    await node.finish().catch(() => undefined);
    await node.data.close().catch(() => undefined);
  }
}

async function callsOf(work: (files: Files) => Promise<void>, disk: MemoryDisk): Promise<FilesCall[]> {
  const failing = new FailingFiles(disk.mount());
  await work(failing.files);
  return failing.calls;
}

describe('A failure of one call', () => {
  for (const code of ['EIO', 'ENOSPC'] as const) {
    for (const lives of [0, 1]) {
      it(`LosesNothingAcknowledged: ${code} in life ${String(lives + 1)}`, () => failEachCall(code, lives));
    }
  }

  async function failEachCall(code: FailureCode, livesBefore: number): Promise<void> {
    const prepare = async (): Promise<[MemoryDisk, Story]> => {
      const disk = emptyDisk();
      const story = newStory();
      for (let life = 0; life < livesBefore; life++) await live(disk.mount(), story, 'before');
      return [disk, story];
    };
    const [first, firstStory] = await prepare();
    const calls = await callsOf((files) => live(files, firstStory, 'now'), first);
    expect(calls.length).to.be.greaterThan(50);
    for (const [at, call] of calls.entries()) {
      const [disk, story] = await prepare();
      const failing = new FailingFiles(disk.mount());
      failing.failOnce(at + 1, code);
      const place = `${code} at call ${String(at + 1)}, ${call.operation} ${call.file}`;
      try {
        await live(failing.files, story, 'now').catch((error: unknown) => {
          if (error instanceof Error && /nowhere|missing/.test(error.message)) throw error;
        });
        disk.endProcess();
        await withNode({ files: disk.mount(), dbPath: DB_PATH, ...TINY }, (node) => {
          checkStory(story, node.content);
        });
      } catch (error) {
        throw new Error(`after ${place}`, { cause: error });
      }
    }
  }

  it('LeavesNoFileOpen', async () => {
    const calls = await callsOf((files) => live(files, newStory(), 'now'), emptyDisk());
    for (const at of calls.keys()) {
      const holdings = new Holdings();
      const failing = new FailingFiles(holdings.of(emptyDisk().mount()));
      failing.failOnce(at + 1, 'EIO');
      await live(failing.files, newStory(), 'now').catch(() => undefined);
      // Calls that go on beside each other may come in another order than before.
      const call = failing.calls[at]!;
      if (call.operation === 'close') continue;
      expect(holdings.count, `${call.operation} ${call.file}`).to.equal(0);
    }
  });
});

describe('A crash of the process at any call', () => {
  const bare = Buffer.from('{"data":{"imported":"1","other":"2"}}');

  /** Lives with content that was imported, and writes on. */
  async function liveImported(files: Files, story: Story, dbPath = DB_PATH): Promise<void> {
    const node = await TestNode.start({ files, dbPath, ...TINY });
    expect(node.content.get('imported')).to.equal('1');
    for (let count = 0; count < 6; count++) await putInStory(node, story, `key-${String(count)}`, 'now');
    await node.snapshot();
    await node.stop();
  }

  async function checkImported(files: Files, story: Story, dbPath = DB_PATH): Promise<void> {
    await withNode({ files, dbPath, ...TINY }, (node) => {
      const content = new Map(node.content);
      expect(content.get('imported')).to.equal('1');
      expect(content.get('other')).to.equal('2');
      content.delete('imported');
      content.delete('other');
      checkStory(story, content);
    });
  }

  it('LeavesImportedContentWholeAndTheDirectoryUsable', async () => {
    const prepare = (): MemoryDisk => MemoryDisk.holding(new Map([[DB_PATH, bare]]));
    const calls = await callsOf((files) => liveImported(files, newStory()), prepare());
    for (const at of calls.keys()) {
      const disk = prepare();
      const story = newStory();
      const failing = new FailingFiles(disk.mount());
      failing.dieAt(at + 1);
      await liveImported(failing.files, story).catch(() => undefined);
      disk.endProcess();
      await checkImported(disk.mount(), story);
      await checkImported(disk.mount(), story);
    }
  });

  it('DoesSoOnTheRealDisk', async () => {
    const dying = async (at: number): Promise<number> =>
      inScratch(async (directory) => {
        const dbPath = `${directory}/kv-store.json`;
        const placed = await systemFiles.create(dbPath);
        await placed.write(bare, 0);
        await placed.close();
        const holdings = new Holdings();
        const failing = new FailingFiles(holdings.of(systemFiles));
        failing.dieAt(at);
        const story = newStory();
        await liveImported(failing.files, story, dbPath).catch(() => undefined);
        await holdings.dropAll();
        await checkImported(systemFiles, story, dbPath);
        return failing.calls.length;
      });
    const calls = await dying(Infinity);
    for (let at = 1; at <= calls; at += 3) await dying(at);
  });
});

/** Frames that follow one another, each with one put. */
class FrameSource {
  #index = 1;
  #previous = NO_CHECKSUM;

  next(bytes = 100): Frame {
    const builder = new FrameBuilder();
    const value = Buffer.alloc(bytes, 'v');
    builder.append({ kind: 'put', key: range('k'), value: range(value) });
    return builder.seal(1 as Term, this.#index as Index, this.#previous);
  }

  taken(frame: Frame): void {
    this.#index++;
    this.#previous = frame.checksum;
  }
}

async function makeLog(
  files: Files,
  fsync: FsyncPolicy = 'always',
): Promise<{ log: SegmentLog; frames: FrameSource }> {
  const identity = 'ab'.repeat(16) as never;
  const random = seededRandom(1);
  const log = await SegmentLog.create(
    {
      files,
      directory: '/data',
      cluster: identity,
      node: identity,
      fsync,
      segmentBytes: 512,
      random: () => random.next(),
    },
    EMPTY_LOG,
  );
  return { log, frames: new FrameSource() };
}

async function append(
  log: SegmentLog,
  frames: FrameSource,
  bytes?: number,
  withinTurn = false,
): Promise<void> {
  const frame = frames.next(bytes);
  if (!withinTurn || !log.appendNow([frame])) await log.append([frame]);
  frames.taken(frame);
}

/** Appends until that fails, which it has to soon. */
async function firstFailure(log: SegmentLog, frames: FrameSource): Promise<Error> {
  for (let count = 0; count < 20; count++) {
    const reason = await reasonOf(append(log, frames, 150));
    if (reason.message !== 'it was done') return reason;
  }
  throw new Error('no append failed');
}

async function reasonOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => new Error('it was done'),
    (error: unknown) => error as Error,
  );
}

describe('The log', () => {
  for (const fsync of ['always', 'everysec', 'off'] as const) {
    it(`TakesNothingMoreAndSyncsNothingMoreAfterAFailedSync: ${fsync}`, async () => {
      const failing = new FailingFiles(emptyDisk().mount());
      const { log, frames } = await makeLog(failing.files, fsync);
      await append(log, frames);
      // With `always` each write syncs.
      failing.failWhile((call) => call.operation === 'sync' || writesBytes(call), 'EIO');
      if (fsync === 'always') expect((await reasonOf(append(log, frames))).message).to.include('EIO');
      expect((await reasonOf(log.sync())).message).to.include('EIO');
      failing.heal();
      const before = failing.calls.length;
      expect((await reasonOf(append(log, frames))).message).to.include('EIO');
      expect((await reasonOf(log.sync())).message).to.include('EIO');
      expect(failing.calls.length).to.equal(before);
    });
  }

  for (const withinTurn of [false, true]) {
    it(`TakesNothingMoreAfterAFailedWrite: ${withinTurn ? 'within the turn' : 'beside others'}`, async () => {
      const failing = new FailingFiles(emptyDisk().mount());
      const { log, frames } = await makeLog(failing.files);
      failing.failWhile(writesBytes, 'ENOSPC');
      expect((await reasonOf(append(log, frames, 100, withinTurn))).name).to.not.equal('DiskFull');
      failing.heal();
      expect((await reasonOf(append(log, frames, 100, withinTurn))).message).to.include('ENOSPC');
      expect((await reasonOf(log.sync())).message).to.include('ENOSPC');
    });
  }

  /** Two who want the same sync: of one failure the kernel may tell only one of them. */
  it('FailsEveryoneWhoWaitsForTheSyncThatFailed', async () => {
    let syncs = 0;
    const failing = new FailingFiles(emptyDisk().mount());
    const { log, frames } = await makeLog(failing.files, 'off');
    await append(log, frames);
    failing.failWhile((call) => call.operation === 'sync' && ++syncs === 1, 'EIO');
    const work = [log.sync()];
    // The sync is under way: whoever comes now must not start another.
    for (let turns = 0; syncs === 0; turns++) {
      if (turns > 100) throw new Error('no sync was begun');
      await Promise.resolve();
    }
    work.push(log.sync(), log.sync());
    const outcomes = await Promise.allSettled(work);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
    expect(syncs).to.equal(1);
  });

  it('AcknowledgesNothingThatWasUnderWayWhenASyncFailed', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const { log, frames } = await makeLog(failing.files, 'off');
    await append(log, frames);
    failing.failWhile(({ operation }) => operation === 'sync', 'EIO');
    const syncing = reasonOf(log.sync());
    const appending = reasonOf(append(log, frames));
    expect((await syncing).message).to.include('EIO');
    expect((await appending).message).to.include('EIO');
  });

  it('RefusesToSyncOnceItIsClosedHoweverOftenItIsAsked', async () => {
    const { log, frames } = await makeLog(emptyDisk().mount(), 'off');
    await append(log, frames);
    await log.close();
    for (let count = 0; count < 3; count++) expect((await reasonOf(log.sync())).message).to.include('closed');
  });

  it('RefusesWithDiskFullAndGoesOnOnceThereIsRoom', async () => {
    const making = ['create', 'write', 'sync', 'openDurable', 'writeGathered', 'rename'] as const;
    for (const operation of making) {
      const failing = new FailingFiles(emptyDisk().mount());
      const { log, frames } = await makeLog(failing.files);
      const full = (call: FilesCall): boolean => call.operation === operation && call.file.includes('spare');
      await append(log, frames);
      failing.failWhile(full, 'ENOSPC');
      expect((await firstFailure(log, frames)).name, operation).to.equal('DiskFull');
      const { end } = log;
      expect((await reasonOf(append(log, frames, 150))).name).to.equal('DiskFull');
      expect((await reasonOf(append(log, frames, 5000))).name).to.equal('DiskFull');
      expect(log.end).to.deep.equal(end);
      failing.heal();
      await append(log, frames, 150);
      await append(log, frames, 5000);
      for (let count = 0; count < 10; count++) await append(log, frames, 150);
      await log.close();
    }
  });

  it('DoesNotRefuseForARoomThatWasMissingEarlier', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const { log, frames } = await makeLog(failing.files);
    // The spare that is made ahead finds no room; nobody needs it yet.
    let failures = 0;
    failing.failWhile((call) => call.operation === 'create' && ++failures > 0, 'ENOSPC');
    for (let count = 0; count < 2; count++) await append(log, frames, 150);
    for (let turns = 0; failures === 0 && turns < 100; turns++) await Promise.resolve();
    expect(failures).to.equal(1);
    failing.heal();
    for (let count = 0; count < 6; count++) await append(log, frames, 150);
  });

  it('StopsForGoodWhenASegmentCannotBeMadeForAnotherReason', async () => {
    const making = [
      'create',
      'write',
      'sync',
      'openDurable',
      'writeGathered',
      'rename',
      'syncDirectory',
    ] as const;
    for (const operation of making) {
      const failing = new FailingFiles(emptyDisk().mount());
      const { log, frames } = await makeLog(failing.files);
      const isNew = ({ file }: FilesCall): boolean => file.includes('spare') || file === '/data';
      failing.failWhile((call) => call.operation === operation && isNew(call), 'EIO');
      expect((await firstFailure(log, frames)).message).to.include('EIO');
      failing.heal();
      expect((await reasonOf(append(log, frames))).message).to.include('EIO');
    }
  });

  it('RemovesSegmentsOldestFirstAndTriesAgainWhatFailed', async () => {
    const disk = emptyDisk();
    const failing = new FailingFiles(disk.mount());
    const { log, frames } = await makeLog(failing.files);
    for (let count = 0; count < 12; count++) await append(log, frames, 150);
    const { index } = log.end;
    failing.failWhile(({ operation }) => operation === 'remove', 'EIO');
    expect((await reasonOf(log.removeUpTo(index))).message).to.include('EIO');
    failing.heal();
    await log.removeUpTo(index);
    const left = [...disk.image().keys()].filter((file) => file.includes('segment-'));
    expect(left).to.have.length(1);
  });
});

describe('A node on a failing disk', () => {
  it('AnswersNoOkAfterAFailedSyncAndStops', async () => {
    for (const fsync of ['always', 'everysec'] as const) {
      const failing = new FailingFiles(emptyDisk().mount());
      const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH, fsync });
      expect(await node.put('a', '1')).to.equal(undefined);
      failing.failWhile((call) => call.operation === 'sync' || writesBytes(call), 'EIO');
      if (fsync === 'everysec') node.tick();
      const refused = [await node.put('b', '2'), await node.put('c', '3')];
      expect(['UNCONFIRMED', 'INTERNAL']).to.include(refused[0]?.code);
      expect(refused[1]?.code).to.equal('INTERNAL');
      expect(node.failure).to.be.instanceOf(Error);
      await node.abandon();
    }
  });

  it('ReadsOnWhileTheDiskIsFullAndWritesAgainAfterwards', async () => {
    const failing = new FailingFiles(emptyDisk().mount());
    const node = await TestNode.start({ files: failing.files, dbPath: DB_PATH, ...TINY });
    const story = newStory();
    failing.failWhile((call) => changesFiles(call) && !call.file.includes('segment-'), 'ENOSPC');
    let code: string | undefined;
    for (let count = 0; code === undefined && count < 50; count++) {
      const refused = await node.put(`key-${String(count)}`, 'v'.repeat(100));
      code = refused?.code;
      if (refused === undefined) story.acknowledged.set(`key-${String(count)}`, 'v'.repeat(100));
    }
    expect(code).to.equal('DISK_FULL');
    expect(node.content).to.deep.equal(story.acknowledged);
    expect(node.failure).to.equal(undefined);
    failing.heal();
    expect(await node.put('room', 'again')).to.equal(undefined);
    story.acknowledged.set('room', 'again');
    await node.stop();
    await withNode({ files: failing.files, dbPath: DB_PATH, ...TINY }, (again) => {
      expect(again.content).to.deep.equal(story.acknowledged);
    });
  });
});
