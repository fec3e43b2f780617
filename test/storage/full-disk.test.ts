import { expect } from 'chai';
import type { Index, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import type { FilesCall } from './around-files.js';
import { FailingFiles, writesBytes } from './failing-files.js';
import { DB_PATH, changed, segmentsOf } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import {
  BACKUP,
  CLUSTER,
  bytesOf,
  contentOf,
  emptyDisk,
  framesBehind,
  framesIn,
  openReplica,
  portsOf,
  reasonOf,
  recordBackup,
  sentSnapshot,
} from './replica.js';

/** What finds no room on a full disk. A segment has its room already. */
function needsRoom(call: FilesCall): boolean {
  const { operation, file } = call;
  if (writesBytes(call)) return !file.includes('/segment-');
  return operation === 'create' || operation === 'replace' || operation === 'duplicate';
}

/** Files with a disk that is full from the call of this number on that needs room, until `heal`. */
function fullFrom(disk: MemoryDisk, number: number): FailingFiles {
  const failing = new FailingFiles(disk.mount());
  let needed = 0;
  failing.failWhile((call) => needsRoom(call) && ++needed >= number, 'ENOSPC');
  return failing;
}

function withoutOwner(image: Image): Map<string, string> {
  const rest = [...image].filter(([file]) => !file.endsWith('/lock') && !file.includes('/spare'));
  return new Map(rest.map(([file, content]) => [file, content.toString('latin1')]));
}

async function recordLog(): Promise<{ image: Image; written: Frame[] }> {
  const disk = emptyDisk();
  const { data } = await openReplica(disk.mount());
  const written = framesBehind(EMPTY_LOG, 5, 8);
  for (const frame of written) await data.log!.append([frame]);
  const { end } = data.log!;
  await data.saveState({ ...data.state, commit: end.index, logIndex: 4 as Index });
  await data.close();
  return { image: disk.image(), written };
}

function kept(disk: MemoryDisk, name: RegExp): string[] {
  return [...disk.image().keys()].filter((file) => name.test(file));
}

describe('A data directory that is opened on a full disk', () => {
  it('ShowsEverythingAndChangesNothing', async () => {
    const { image } = await recordLog();
    const whole = contentOf((await openReplica(MemoryDisk.holding(image).mount())).table);
    expect(whole.size).to.be.greaterThan(3);
    const disk = MemoryDisk.holding(image);
    const before = withoutOwner(disk.image());
    const { data, table } = await openReplica(fullFrom(disk, 1).files);
    expect(contentOf(table)).to.deep.equal(whole);
    expect((await reasonOf(data.saveState(data.state))).name).to.equal('DiskFull');
    await data.close();
    expect(withoutOwner(disk.image())).to.deep.equal(before);
  });

  it('CutsNoTornEndBeforeItIsKeptAndTakesNothingBehindIt', async () => {
    const { image, written } = await recordLog();
    const last = segmentsOf(image).at(-1)!;
    const torn = changed(image, last, (content) => {
      // In place of the zeros at the end: not a record, and not zeros.
      content.fill('torn', content.lastIndexOf('v') + 8);
      return content;
    });
    // Each of the calls that keeping it and going on behind it take may be the first that finds no room.
    for (let from = 1, isFull = true; isFull; from++) {
      const disk = MemoryDisk.holding(torn);
      const before = withoutOwner(disk.image());
      const failing = fullFrom(disk, from);
      const { data, table } = await openReplica(failing.files);
      expect(contentOf(table).size).to.be.greaterThan(3);
      const [next] = framesBehind(data.log!.end, 6, 1);
      isFull = (await reasonOf(data.makeReady())).name === 'DiskFull';
      if (isFull) {
        for (let time = 0; time < 3; time++) {
          expect((await reasonOf(data.makeReady())).name).to.equal('DiskFull');
          expect((await reasonOf(data.log!.append([next!]))).name).to.equal('DiskFull');
          expect((await reasonOf(data.log!.reserve(1))).name).to.equal('DiskFull');
          expect(data.log!.hasRoomFor(1)).to.equal(false);
        }
        const after = withoutOwner(disk.image());
        for (const [file, content] of before) expect(after.get(file), file).to.equal(content);
        failing.heal();
        await data.makeReady();
      }
      await data.log!.append([next!]);
      await data.close();
      expect(kept(disk, /\/torn-/)).to.have.length(1);
      const again = await openReplica(disk.mount());
      expect(again.data.log!.end).to.deep.equal(endOf(next!));
      expect((await framesIn(again.data.log!)).length).to.equal(written.length + 1);
      await again.data.close();
    }
  });

  it('ThatCannotKeepADamagedJsonFileLeavesItWhereItIs', async () => {
    const { image } = await recordBackup();
    const bad = changed(image, DB_PATH, (content) => content.fill('x', 100, 110));
    const disk = MemoryDisk.holding(bad);
    const failing = fullFrom(disk, 1);
    const { data } = await openReplica(failing.files, BACKUP);
    expect((await reasonOf(data.makeReady())).name).to.equal('DiskFull');
    expect(disk.image().get(DB_PATH)).to.deep.equal(bad.get(DB_PATH));
    expect(kept(disk, /\/damaged-/)).to.deep.equal([]);
    failing.heal();
    await data.makeReady();
    expect(kept(disk, /\/damaged-/)).to.have.length(1);
    await data.close();
  });
});

/** Does the work with the disk full from each of its calls on, and again once there is room. */
async function againWithRoom(
  image: Image,
  open: Parameters<typeof openReplica>[1],
  prepare: (data: DataDirectory) => Promise<() => Promise<unknown>>,
  check: (disk: MemoryDisk, data: DataDirectory) => Promise<void>,
): Promise<number> {
  for (let from = 1; ; from++) {
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files, open);
    const work = await prepare(data);
    let needed = 0;
    failing.failWhile((call) => needsRoom(call) && ++needed >= from, 'ENOSPC');
    let isFull = false;
    for (let time = 0; time < 3; time++) {
      const reason = await reasonOf(work());
      if (reason.message === 'it was done') break;
      expect(reason.name, `full from call ${String(from)} on: ${reason.message}`).to.equal('DiskFull');
      isFull = true;
    }
    failing.heal();
    if (isFull) await work();
    await check(disk, data);
    if (!isFull) return from - 1;
  }
}

describe('A change of the files that finds no room', () => {
  it('ACutIsDoneOnceThereIsAndKeepsWhatIsCutOnce', async () => {
    const { image, written } = await recordLog();
    const end = endOf(written[3]!);
    const lost = Buffer.concat(written.slice(4).map(bytesOf));
    const places = await againWithRoom(
      image,
      {},
      (data) => Promise.resolve(() => data.log!.truncate(end)),
      async (disk, data) => {
        expect(data.log!.end).to.deep.equal(end);
        const files = kept(disk, /\/lost-/);
        expect(files).to.have.length(1);
        expect(disk.image().get(files[0]!)).to.deep.equal(lost);
        await data.log!.append(framesBehind(end, 6, 2));
        await data.close();
      },
    );
    expect(places).to.be.at.least(2);
  });

  it('AReplacementIsDoneOnceThereIsAndKeepsWhatOnlyThisNodeHasOnce', async () => {
    const { bytes, end, content } = await sentSnapshot();
    const { image } = await recordBackup();
    const places = await againWithRoom(
      image,
      BACKUP,
      async (data) => {
        const arrival = await portsOf(data).replacements.receive();
        await arrival.add(bytes);
        await arrival.finish(end);
        const state = { ...data.state, term: 9 as Term, commit: end.index, logIndex: undefined };
        return () => portsOf(data).replacements.replace(arrival, end, state);
      },
      async (disk, data) => {
        expect(data.log!.end).to.deep.equal(end);
        expect(data.state).to.include({ term: 9, logIndex: end.index, originIndex: end.index });
        expect(kept(disk, /\/lost-/)).to.have.length(1);
        expect(kept(disk, /arriving/)).to.deep.equal([]);
        await data.log!.append(framesBehind(end, 9, 2));
        await data.close();
        const again = await openReplica(disk.mount(), BACKUP);
        expect(again.data.log!.end.index).to.equal(end.index + 2);
        expect(contentOf(again.table)).to.deep.equal(content);
        await again.data.close();
      },
    );
    expect(places).to.be.at.least(4);
  });

  it('AReplacementThatWaitsForItIsFinishedByAStartAndNothingTakesItsMarkAway', async () => {
    const { bytes, end, content } = await sentSnapshot();
    const { image } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files, BACKUP);
    const arrival = await portsOf(data).replacements.receive();
    await arrival.add(bytes);
    await arrival.finish(end);
    failing.failWhile(({ operation }) => operation === 'duplicate', 'ENOSPC');
    const state = { ...data.state, commit: end.index, logIndex: undefined };
    expect((await reasonOf(portsOf(data).replacements.replace(arrival, end, state))).name).to.equal(
      'DiskFull',
    );
    failing.heal();
    expect((await reasonOf(data.saveState(state))).message).to.include('being replaced');
    disk.endProcess();
    const again = await openReplica(disk.mount(), BACKUP);
    expect(again.data.log!.end).to.deep.equal(end);
    expect(contentOf(again.table)).to.deep.equal(content);
    await again.data.close();
  });

  it('AnAdoptionIsDoneOnceThereIs', async () => {
    const disk = emptyDisk();
    await (await openReplica(disk.mount(), BACKUP)).data.close();
    const places = await againWithRoom(
      disk.image(),
      BACKUP,
      (data) => Promise.resolve(() => data.adopt(CLUSTER, { ...data.state, term: 4 as Term })),
      async (made, data) => {
        expect(data.state).to.include({ cluster: CLUSTER, term: 4, logIndex: 0 });
        expect((await reasonOf(data.adopt(CLUSTER, data.state))).message).to.include('already');
        await data.log!.append(framesBehind(EMPTY_LOG, 4, 3));
        await data.close();
        const again = await openReplica(made.mount(), BACKUP);
        expect(again.data.log!.end.index).to.equal(3);
        await again.data.close();
      },
    );
    expect(places).to.be.at.least(3);
  });

  it('ANodeStateIsTheOldOneUntilThereIs', async () => {
    const { image } = await recordLog();
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files);
    const before: { term: Term; end: LogEnd } = { term: data.state.term, end: data.log!.end };
    failing.failWhile(needsRoom, 'ENOSPC');
    expect((await reasonOf(data.saveState({ ...data.state, term: 77 as Term }))).name).to.equal('DiskFull');
    expect(data.state.term).to.equal(before.term);
    failing.heal();
    await data.saveState({ ...data.state, term: 77 as Term });
    await data.close();
    const again = await openReplica(disk.mount());
    expect(again.data.state.term).to.equal(77);
    expect(again.data.log!.end).to.deep.equal(before.end);
    await again.data.close();
  });
});
