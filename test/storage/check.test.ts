import { expect } from 'chai';
import type { Index } from '../../src/engine.js';
import { NoData } from '../../src/storage/check-place.js';
import { isWhole } from '../../src/storage/check-report.js';
import { StorageFault } from '../../src/storage/fault.js';
import { readingFiles } from '../../src/storage/reading-files.js';
import { aroundFiles } from './around-files.js';
import { checkFileOn, checkNodeOn, checkOn, checkWith } from './checks.js';
import { FailingFiles } from './failing-files.js';
import {
  DB_PATH,
  NODE_PATH,
  PREVIOUS_PATH,
  changed,
  fill,
  flipped,
  framesOf,
  record,
  segmentPath,
  segmentsOf,
} from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import { openReplica, portsOf, recordBackup, sentSnapshot } from './replica.js';
import { TestNode } from './test-node.js';

const SMALL = { segmentBytes: 1024 };
const DIRECTORY = `${DB_PATH}.d`;

/** A node with two snapshots and several segments, of which the first and the last hold frames behind both. */
function recordNode(stop: 'clean' | 'crash'): Promise<Map<string, Buffer>> {
  return record(
    stop,
    async (node) => {
      await fill(node, 6);
      await node.snapshot();
      await fill(node, 20);
      await node.snapshot();
      await fill(node, 20);
    },
    SMALL,
  );
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => new Error('it was done'),
    (error: unknown) => error as Error,
  );
}

describe('A check of a node', () => {
  it('TellsWhatIsInEachFile', async () => {
    const image = await recordNode('crash');
    const report = await checkNodeOn(image);
    expect(isWhole(report)).to.equal(true);
    expect(report.state?.role).to.equal('primary');
    expect(report.state?.cleanEnd).to.equal(undefined);
    expect(report.snapshot).to.include({ file: DB_PATH, state: 'whole', bytes: image.get(DB_PATH)!.length });
    expect(report.snapshot.head?.end.index).to.equal(27);
    expect(report.previous).to.include({ file: PREVIOUS_PATH, state: 'whole' });
    expect(report.previous.head?.end.index).to.equal(7);
    const { segments, end, torn } = report.log;
    expect(segments.map(({ file }) => file)).to.deep.equal(segmentsOf(image));
    expect([end?.index, torn]).to.deep.equal([47, undefined]);
    for (const [at, segment] of segments.entries()) {
      const frames = framesOf(image.get(segment.file)!);
      expect(segment).to.include({ state: 'live', bytes: SMALL.segmentBytes, frames: frames.length });
      expect(segment.last?.index).to.equal(frames.at(-1)?.lastIndex);
      expect(segment.entries).to.equal(segment.last!.index - segment.first!.index + 1);
      const next = segments[at + 1];
      if (next !== undefined) expect(next.first?.index).to.equal(segment.last!.index + 1);
    }
    expect(report.verdict).to.include({ kind: 'starts', keys: 11 });
    expect(report.verdict).to.have.deep.property('repairs', []);
  });

  it('TellsACleanStopFromAnotherOne', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    expect((await checkNodeOn(image)).state?.cleanEnd?.index).to.equal(4);
  });

  it('TellsATornEndWhichIsNoDamageAfterACrash', async () => {
    const image = await record('crash', (node) => fill(node, 5));
    const file = segmentPath(1);
    const last = framesOf(image.get(file)!).at(-1)!;
    const torn = changed(image, file, (content) => content.fill(0, last.end - 5));
    const report = await checkNodeOn(torn);
    expect(isWhole(report)).to.equal(true);
    expect(report.log.torn).to.include({ file, offset: last.start });
    expect(report.log.torn?.bytes).to.be.within(1, last.end - last.start);
    expect(report.verdict).to.have.deep.property('repairs', [
      { kind: 'torn end cut', file, offset: last.start },
    ]);
    const clean = await record('clean', (node) => fill(node, 5));
    const damaged = changed(clean, file, (content) => content.fill(0, last.end - 5));
    expect(isWhole(await checkNodeOn(damaged))).to.equal(false);
  });

  it('ListsAllThatIsDamagedWhateverWasFoundBefore', async () => {
    let image: Image = await recordNode('crash');
    const segments = segmentsOf(image);
    expect(segments.length).to.be.above(4);
    const [first, second, third, fourth] = segments as [string, string, string, string];
    image = flipped(image, first, 12, 1);
    image = flipped(image, second, framesOf(image.get(second)!)[1]!.start + 30, 1);
    image = changed(image, third, (content) => content.subarray(0, 900));
    image = changed(image, fourth, () => undefined);
    image = flipped(image, DB_PATH, 400, 1);
    image = flipped(image, PREVIOUS_PATH, 300, 1);
    const report = await checkNodeOn(image);
    const damaged = report.damage.map(({ file }) => file);
    expect(damaged).to.include.members([first, second, third, DB_PATH, PREVIOUS_PATH]);
    const missing = report.damage.find(({ message }) =>
      message.includes(`${fourth.split('/').at(-1)!}, is missing`),
    );
    expect(missing?.file).to.equal(segments[4]);
    const offsetOf = (file: string): number | undefined =>
      report.damage.find((damage) => damage.file === file)?.offset;
    expect(offsetOf(first)).to.equal(0);
    expect(offsetOf(second)).to.equal((framesOf(image.get(second)!).at(-1)!.end + 7) & ~7);
    expect(offsetOf(third)).to.equal(900);
    expect(report.snapshot.state).to.equal('damaged');
    expect(report.verdict.kind).to.equal('refuses');
    expect(report.log.segments.map(({ state }) => state).slice(0, 3)).to.deep.equal(Array(3).fill('damaged'));
    expect(report.log.segments.at(-1)?.state).to.equal('live');
  });

  it('SeesTheLogAndTheSnapshotsAlsoWhenTheNodeStateIsDamaged', async () => {
    const image = flipped(await recordNode('crash'), NODE_PATH, 40, 1);
    const report = await checkNodeOn(image);
    expect(report.state).to.equal(undefined);
    expect(report.damage.map(({ file }) => file)).to.deep.equal([NODE_PATH]);
    expect(report.log.end?.index).to.equal(47);
    expect(report.snapshot.state).to.equal('whole');
    expect(report.verdict).to.have.property('reason').that.includes('node.json is damaged');
  });

  it('SaysThatAStartMakesADamagedJsonFileGood', async () => {
    const image = await recordNode('crash');
    for (const [broken, message] of [
      [flipped(image, DB_PATH, 400, 1), 'at byte'],
      [changed(image, DB_PATH, () => undefined), 'is missing'],
    ] as const) {
      const report = await checkNodeOn(broken);
      expect(isWhole(report)).to.equal(false);
      expect(report.damage.map(({ file }) => file)).to.deep.equal([DB_PATH]);
      expect(report.damage[0]?.message).to.include(message);
      expect(report.verdict).to.include({ kind: 'starts', keys: 11 });
      expect(report.verdict).to.have.deep.property('repairs', [
        { kind: 'snapshot made good', from: PREVIOUS_PATH },
      ]);
    }
  });

  it('CountsDamageThatNoStartLooksAt', async () => {
    const image = flipped(await recordNode('clean'), PREVIOUS_PATH, 300, 1);
    const report = await checkNodeOn(image);
    expect(report.verdict.kind).to.equal('starts');
    expect(report.damage.map(({ file }) => file)).to.deep.equal([PREVIOUS_PATH]);
    expect(isWhole(report)).to.equal(false);
  });

  it('DoesNotMissAJsonFileThatWasNeverWritten', async () => {
    const image = await record('crash', (node) => fill(node, 3));
    image.delete(DB_PATH);
    const report = await checkNodeOn(image);
    expect([report.snapshot.state, report.previous.state]).to.deep.equal(['none', 'none']);
    expect(isWhole(report)).to.equal(true);
  });

  it('KnowsDeadSegmentsAndWhatWasKeptOfThem', async () => {
    const { image } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const { data } = await openReplica(disk.mount());
    const log = data.log!;
    const [frame] = (await log.read(7 as Index, 1)) as unknown as [{ previous: number; term: number }];
    await data.saveState({ ...data.state, logIndex: 7 as Index });
    await log.truncate({ ...data.replayedTo, index: 7 as Index, checksum: frame.previous });
    await data.close();
    const report = await checkNodeOn(disk.image());
    expect(isWhole(report), JSON.stringify(report.damage)).to.equal(true);
    expect(report.log.end?.index).to.equal(7);
    const dead = report.log.segments.filter(({ state }) => state === 'dead');
    expect(dead.length).to.be.above(0);
    expect(dead.every(({ entries, first }) => entries === 0 && first === undefined)).to.equal(true);
    const [kept] = report.kept;
    expect(kept).to.include({ file: `${DIRECTORY}/lost-5.log`, kind: 'lost entries', entries: 3 });
    expect([kept?.first?.index, kept?.last?.index]).to.deep.equal([8, 10]);
    const broken = await checkNodeOn(flipped(disk.image(), kept!.file, kept!.bytes - 3, 1));
    expect(broken.damage.map(({ file }) => file)).to.deep.equal([kept!.file]);
    expect(broken.damage[0]?.offset).to.be.within(1, kept!.bytes - 1);
    const cut = await checkNodeOn(changed(disk.image(), kept!.file, (content) => content.subarray(0, -1)));
    expect(cut.damage.map(({ file }) => file)).to.deep.equal([kept!.file]);
  });

  it('SaysThatAStartFinishesAReplacement', async () => {
    const { image } = await recordBackup();
    const { bytes, end, content } = await sentSnapshot();
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files);
    const arrival = await portsOf(data).replacements.receive();
    await arrival.add(bytes);
    await arrival.finish(end);
    failing.failWhile(({ operation, file }) => operation === 'rename' && file.endsWith('.json.new'), 'EIO');
    const state = { ...data.state, commit: end.index, logIndex: end.index };
    await failureOf(portsOf(data).replacements.replace(arrival, end, state));
    disk.endProcess();
    const report = await checkNodeOn(disk.image());
    expect(isWhole(report), JSON.stringify(report.damage)).to.equal(true);
    expect(report.arrival).to.include({ state: 'whole', entries: content.size });
    expect(report.snapshot.state).to.equal('not looked at');
    expect(report.leftovers.names).to.not.include('arriving.json');
    expect(report.verdict).to.include({ kind: 'starts', keys: content.size });
    const [repair] = (report.verdict as { repairs: readonly { kind: string }[] }).repairs;
    expect(repair).to.include({ kind: 'replacement finished' });
    const without = await checkNodeOn(changed(disk.image(), `${DIRECTORY}/arriving.json`, () => undefined));
    expect(without.arrival?.state).to.equal('missing');
    expect(without.verdict.kind).to.equal('refuses');
  });

  it('NamesEntriesThatAreNotYetCommitted', async () => {
    const { image } = await recordBackup();
    const report = await checkOn(image, DB_PATH, (state) => (frame) => frame.firstIndex <= state.commit);
    expect(report).to.include({ kind: 'node', uncommittedEntries: 3 });
  });

  it('TellsLeftoversSparesAndWhatItDoesNotKnow', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    const names = [
      'snapshot.new',
      'node.json.123',
      'notes.txt',
      'imported.json',
      'damaged-4.json',
      'torn-segment-0000000001-128',
    ];
    for (const name of names) image.set(`${DIRECTORY}/${name}`, Buffer.from('left'));
    image.set(`${DIRECTORY}/imported.json`, Buffer.from('{"data":{"a":"1"}}'));
    const report = await checkNodeOn(image);
    expect(report.leftovers.names).to.deep.equal(['node.json.123', 'snapshot.new']);
    expect(report.unknown).to.deep.equal(['notes.txt']);
    expect(report.kept.map(({ kind, entries }) => [kind, entries])).to.deep.equal([
      ['damaged snapshot', undefined],
      ['imported file', undefined],
      ['torn end', undefined],
    ]);
    expect(isWhole(report)).to.equal(true);
    const broken = await checkNodeOn(new Map(image).set(`${DIRECTORY}/imported.json`, Buffer.alloc(0)));
    expect(broken.damage.map(({ file }) => file)).to.deep.equal([`${DIRECTORY}/imported.json`]);
  });

  it('NamesFilesThatCannotBeReadAndLooksAtTheOthers', async () => {
    const image = flipped(await recordNode('clean'), PREVIOUS_PATH, 300, 1);
    const second = segmentsOf(image)[1]!;
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    failing.failWhile(({ operation, file }) => operation === 'read' && file === second, 'EIO');
    const report = await checkWith(failing.files, DB_PATH);
    expect(report.damage.map(({ file }) => file)).to.have.members([second, PREVIOUS_PATH]);
    expect(report.damage.map(({ message }) => message)).to.include(`${second} cannot be read (EIO)`);
    expect(report.verdict).to.have.property('reason').that.includes('EIO');
  });
});

describe('A check of what is no node', () => {
  it('TellsWhatANewNodeWouldBeginWith', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    for (const place of ['/data/copy.json', PREVIOUS_PATH]) {
      const report = await checkFileOn(new Map([[place, image.get(DB_PATH)!]]), place);
      expect(report).to.include({ kind: 'snapshot', dbPath: place });
      expect(report.verdict).to.include({ kind: 'starts', keys: 3 });
      expect(isWhole(report)).to.equal(true);
      const damaged = flipped(new Map([[place, image.get(DB_PATH)!]]), place, 300, 1);
      const broken = await checkFileOn(damaged, place);
      expect([broken.kind, broken.verdict.kind, broken.damage.length]).to.deep.equal([
        'snapshot',
        'refuses',
        1,
      ]);
    }
    const bare = await checkFileOn(new Map([[DB_PATH, Buffer.from(' {"data":{"a":"1"}}')]]));
    expect([bare.kind, isWhole(bare)]).to.deep.equal(['bare', true]);
    for (const text of ['', 'some text', '[1]', '{"data":1}', '{"da', '\u0000\u0001']) {
      const other = await checkFileOn(new Map([[DB_PATH, Buffer.from(text)]]));
      expect([other.kind, isWhole(other)], text).to.deep.equal(['something else', false]);
      expect(other.damage[0]?.message).to.include(DB_PATH);
    }
  });

  it('SaysWhatToNameWhereThereIsNothingToCheck', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    const renamed = new Map(
      [...image].map(([file, content]) => [file.replace('.json.d/', '.copy/'), content]),
    );
    const cases: [Image, string, RegExp][] = [
      [image, '/data/none.json', /is not there/],
      [image, '/data', /is a directory, and no data of a node is in it/],
      [renamed, '/data/kv-store.copy', /let its name end in \.d/],
      [image, NODE_PATH, /name \/data\/kv-store\.json\.d/],
      [image, segmentPath(1), /name \/data\/kv-store\.json\.d/],
    ];
    for (const [given, named, message] of cases) {
      const failure = await failureOf(checkOn(given, named));
      expect(failure, named).to.be.instanceOf(NoData);
      expect(failure.message).to.match(message);
    }
  });

  it('TakesTheDirectoryForTheFileBesideIt', async () => {
    const image = await record('clean', (node) => fill(node, 3));
    const byFile = await checkNodeOn(image);
    for (const named of [DIRECTORY, `${DIRECTORY}/`, `${DIRECTORY}//`]) {
      expect(await checkNodeOn(image, named)).to.deep.equal(byFile);
    }
  });
});

describe('A check of data that a server has open', () => {
  it('IsRefusedAndNamesTheProcess', async () => {
    const disk = new MemoryDisk();
    disk.put('/data/other', Buffer.alloc(0));
    const node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH });
    const failure = await failureOf(checkWith(disk.mount(), DB_PATH));
    expect(failure).to.be.instanceOf(StorageFault);
    expect(failure).to.include({ kind: 'in use' });
    expect(failure.message).to.include(`process ${String(process.pid)}`);
    await node.stop();
    expect(isWhole(await checkWith(disk.mount(), DB_PATH))).to.equal(true);
  });

  it('IsRefusedAlsoWhenTheServerIsStartedMeanwhile', async () => {
    for (const isStopped of [false, true]) {
      const disk = MemoryDisk.holding(await record('clean', (node) => fill(node, 3)));
      let node: TestNode | undefined;
      const files = aroundFiles(disk.mount(), async ({ operation, file }, run) => {
        if (operation === 'openToRead' && file === segmentPath(1) && node === undefined) {
          node = await TestNode.start({ files: disk.mount(), dbPath: DB_PATH });
          if (isStopped) await node.stop();
        }
        return run();
      });
      const failure = await failureOf(checkWith(files, DB_PATH));
      expect(failure).to.include({ name: 'StorageFault', kind: 'in use' });
      expect(failure.message).to.include(isStopped ? 'was changed while it was read' : 'in use by a server');
    }
  });
});

describe('Files that are only looked at', () => {
  it('RefuseEverythingThatWouldChangeThem', async () => {
    const disk = MemoryDisk.holding(new Map([['/data/a', Buffer.from('text')]]));
    const read: string[] = [];
    const files = readingFiles(disk.mount(), (file, bytes, size) => {
      read.push(`${file} ${String(bytes)} of ${String(size)}`);
    });
    const open = await files.open('/data/a');
    for (const work of [
      () => open.write(Buffer.alloc(1), 0),
      () => open.sync(),
      () => open.writeGathered([Buffer.alloc(1)], 0),
      () => Promise.resolve().then(() => open.writeGatheredNow([Buffer.alloc(1)], 0)),
      () => files.openDurable('/data/a'),
      () => files.create('/data/b'),
      () => files.makeDirectory('/data/b'),
      () => files.rename('/data/a', '/data/b'),
      () => files.duplicate('/data/a', '/data/b'),
      () => files.remove('/data/a'),
      () => files.replace('/data/a', Buffer.alloc(1)),
      () => files.lock('/data/lock', 'me'),
      () => files.syncDirectory('/data'),
    ]) {
      expect((await failureOf(work())).message).to.include('only looked at');
    }
    const bytes = Buffer.alloc(3);
    await open.read(bytes, 0);
    expect(read).to.deep.equal(['/data/a 3 of 4']);
    expect([...disk.image().keys()]).to.deep.equal(['/data/a']);
  });
});
