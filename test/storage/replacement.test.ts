import { expect } from 'chai';
import type { Index, Term } from '../../src/engine.js';
import type { LogEnd } from '../../src/log/frame.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import type { Files } from '../../src/storage/files.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { makeTable } from '../store/make-table.js';
import { atEachCrash } from './crashes.js';
import { FailingFiles } from './failing-files.js';
import { DB_PATH, changed } from './images.js';
import { MemoryDisk } from './memory-files.js';
import {
  CLUSTER,
  contentOf,
  framesBehind,
  openReplica,
  portsOf,
  reasonOf,
  recordBackup,
  sentSnapshot,
} from './replica.js';

const ARRIVING = `${DB_PATH}.d/arriving.json`;

async function receive(data: DataDirectory, bytes: Buffer, pieceBytes = 1000) {
  const arrival = await portsOf(data).replacements.receive();
  for (let at = 0; at < bytes.length; at += pieceBytes)
    await arrival.add(bytes.subarray(at, at + pieceBytes));
  expect(arrival.size).to.equal(bytes.length);
  return arrival;
}

async function loaded(data: DataDirectory): Promise<Map<string, string>> {
  const table = makeTable();
  await data.load({ put: (key, value) => table.put(key, value), session: () => undefined });
  return contentOf(table);
}

describe('An arrival', () => {
  it('IsRefusedUnlessItIsWholeAndWhatWasAnnounced', async () => {
    const { bytes, end } = await sentSnapshot();
    const { image } = await recordBackup();
    const { data } = await openReplica(MemoryDisk.holding(image).mount());
    const flipped = Buffer.from(bytes);
    flipped[300] = flipped[300]! ^ 1;
    const foreign = Buffer.from(bytes.toString('latin1').replaceAll(CLUSTER, 'd0'.repeat(16)), 'latin1');
    const cases: [Buffer, LogEnd][] = [
      [bytes.subarray(0, -1), end],
      [Buffer.alloc(0), end],
      [flipped, end],
      [foreign, end],
      [bytes, { ...end, index: 41 as Index }],
      [bytes, { ...end, checksum: 1 }],
    ];
    for (const [sent, announced] of cases) {
      const arrival = await receive(data, sent);
      expect((await reasonOf(arrival.finish(announced))).name).to.equal('SnapshotDamage');
      expect(
        (await reasonOf(portsOf(data).replacements.replace(arrival, end, data.state))).message,
      ).to.include('whole');
      await arrival.abandon();
    }
    const first = await receive(data, bytes);
    const second = await receive(data, bytes);
    await first.abandon();
    await second.finish(end);
    await portsOf(data).replacements.replace(second, end, data.state);
    await data.close();
  });

  it('ThatACrashLeftIsRemoved', async () => {
    const { bytes } = await sentSnapshot();
    const { image, content } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const { data } = await openReplica(disk.mount());
    await receive(data, bytes);
    disk.endProcess();
    expect(disk.image().has(ARRIVING)).to.equal(true);
    expect(contentOf((await openReplica(disk.mount())).table)).to.deep.equal(content);
    expect(disk.image().has(ARRIVING)).to.equal(false);
  });
});

describe('A node whose content is replaced', () => {
  const newState = (data: DataDirectory, end: LogEnd): NodeState => ({
    ...data.state,
    term: 9 as Term,
    commit: end.index,
    logIndex: end.index,
  });

  it('HoldsTheNewContentAndItsLogBeginsBehindIt', async () => {
    const { bytes, end, content } = await sentSnapshot();
    const { image, lost } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const { data, events } = await openReplica(disk.mount());
    const begun = await data.snapshots.begin();
    begun.start({ cluster: CLUSTER, node: data.state.node, end: data.replayedTo, hasSessions: false });
    const arrival = await receive(data, bytes);
    await arrival.finish(end);
    const { log } = data;
    await portsOf(data).replacements.replace(arrival, end, newState(data, end));
    expect(data.log).to.equal(log);
    expect(data.log!.end).to.deep.equal(end);
    expect(await data.log!.read(10 as Index, 100)).to.equal('trimmed');
    expect(await data.log!.read(end.index, 100)).to.deep.equal([]);
    expect(data.history).to.deep.equal({
      start: end,
      spans: [{ term: end.term, firstIndex: end.index, isLossy: false }],
      controls: [],
    });
    expect([data.replayedTo, data.snapshots.current]).to.deep.equal([end, end]);
    expect(await loaded(data)).to.deep.equal(content);
    // A snapshot of what is gone must not take the new one's place.
    expect((await reasonOf(data.snapshots.install(begun))).message).to.include('replaced meanwhile');
    const [kept] = events.flatMap((event) => (event.kind === 'entries kept' ? [event.keptAs] : []));
    expect(disk.image().get(kept!)?.equals(lost)).to.equal(true);
    const frames = framesBehind(end, 9, 5);
    await data.log!.append(frames);
    // Where the content begins is for the directory to know.
    await data.saveState({ ...data.state, originIndex: 0 as Index, commit: 45 as Index });
    await data.close();
    expect(disk.image().has(ARRIVING)).to.equal(false);
    const again = await openReplica(disk.mount());
    expect(again.data.replayedTo.index).to.equal(45);
    expect(again.data.history.spans).to.deep.equal([{ term: 9, firstIndex: 40, isLossy: false }]);
    await again.data.close();
  });

  it('KeepsNothingAsideWhenAllOfItsLogWasCommitted', async () => {
    const { bytes, end } = await sentSnapshot();
    const { image } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const { data } = await openReplica(disk.mount());
    await data.saveState({ ...data.state, commit: 10 as Index });
    const arrival = await receive(data, bytes);
    await arrival.finish(end);
    await portsOf(data).replacements.replace(arrival, end, newState(data, end));
    expect([...disk.image().keys()].filter((file) => file.includes('/lost-'))).to.deep.equal([]);
    await data.close();
  });

  it('IsTheOldOneOrTheNewOneAfterACrashAtAnyCall', async () => {
    const { bytes, end, content } = await sentSnapshot();
    const { image, content: oldContent, lost } = await recordBackup();
    const frames = framesBehind(end, 9, 3);
    const work = async (files: Files, tell: (what: string) => void): Promise<void> => {
      const { data } = await openReplica(files);
      const arrival = await receive(data, bytes);
      await arrival.finish(end);
      await portsOf(data).replacements.replace(arrival, end, newState(data, end));
      tell('replaced');
      await data.log!.append(frames);
      tell('appended');
    };
    let versions = [0, 0];
    const crashes = await atEachCrash(image, work, async (crash) => {
      const checkOnce = async (disk: MemoryDisk): Promise<void> => {
        const { data, table } = await openReplica(disk.mount());
        const isNew = data.state.term === 9;
        if (crash.known.has('replaced')) expect(isNew).to.equal(true);
        versions = isNew ? [versions[0]!, versions[1]! + 1] : [versions[0]! + 1, versions[1]!];
        expect(contentOf(table)).to.deep.equal(isNew ? content : oldContent);
        const last = data.log!.end.index - (isNew ? 40 : 0);
        if (isNew) expect(last).to.be.at.least(crash.known.has('appended') ? 3 : 0);
        else expect(last).to.be.at.least(10);
        const kept = [...disk.image()].filter(([file]) => file.includes('/lost-'));
        if (isNew) expect(kept.some(([, each]) => each.equals(lost))).to.equal(true);
        expect(disk.image().has(ARRIVING)).to.equal(false);
        await data.log!.append(framesBehind(data.log!.end, 99, 2));
        await data.close();
      };
      const left = crash.disk.image();
      await checkOnce(crash.disk);
      await checkOnce(crash.disk);
      // The start that finishes the work may be interrupted as well.
      const state = JSON.parse(left.get(`${DB_PATH}.d/node.json`)!.toString()) as { replacing: unknown };
      // Each place once: what differs is how much of it was durable.
      if (state.replacing === null || !crash.isProcessAlone) return;
      await atEachCrash(
        left,
        async (files) => (await openReplica(files)).data.close(),
        ({ disk }) => checkOnce(disk),
      );
    });
    expect(crashes.completeMoments).to.equal(crashes.moments);
    expect(crashes.states).to.be.greaterThan(150);
    expect(Math.min(...versions)).to.be.greaterThan(50);
  }).timeout(60_000);

  it('TakesNoNewStateOnceAReplacementFailedHalfWay', async () => {
    const { bytes, end, content } = await sentSnapshot();
    const { image } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files);
    const arrival = await receive(data, bytes);
    await arrival.finish(end);
    failing.failWhile(({ operation }) => operation === 'rename', 'ENOSPC');
    expect(
      (await reasonOf(portsOf(data).replacements.replace(arrival, end, newState(data, end)))).name,
    ).to.equal('DiskFull');
    failing.failWhile(({ operation, file }) => operation === 'rename' && !file.includes('lost'), 'ENOSPC');
    const old = data.state;
    const failure = await reasonOf(portsOf(data).replacements.replace(arrival, end, newState(data, end)));
    expect(failure.message).to.include('next start');
    failing.heal();
    expect((await reasonOf(data.saveState(old))).message).to.include('next start');
    await data.close();
    expect(contentOf((await openReplica(disk.mount())).table)).to.deep.equal(content);
  });

  it('IsRefusedByNameWhereWhatShouldReplaceItIsDamaged', async () => {
    const { bytes, end } = await sentSnapshot();
    const { image } = await recordBackup();
    const disk = MemoryDisk.holding(image);
    const failing = new FailingFiles(disk.mount());
    const { data } = await openReplica(failing.files);
    const arrival = await receive(data, bytes);
    await arrival.finish(end);
    failing.failWhile(({ operation, file }) => operation === 'duplicate' && file === ARRIVING, 'EIO');
    await reasonOf(portsOf(data).replacements.replace(arrival, end, newState(data, end)));
    disk.endProcess();
    const left = disk.image();
    for (const content of [undefined, bytes.subarray(0, 100), Buffer.alloc(0)]) {
      const damagedImage = changed(left, ARRIVING, () => content && Buffer.from(content));
      const at = MemoryDisk.holding(damagedImage);
      const fault = await reasonOf(openReplica(at.mount()));
      expect(fault.kind).to.equal('damaged');
      expect(fault.file).to.equal(ARRIVING);
      for (const [file, was] of damagedImage) {
        if (!file.endsWith('/lock')) expect(at.image().get(file)?.equals(was), file).to.equal(true);
      }
    }
  });
});
