import { expect } from 'chai';
import { lastIndexOf } from '../../src/log/frame.js';
import type { Index, Term } from '../../src/engine.js';
import { NoData } from '../../src/storage/check-place.js';
import type { CheckReport, NodeCheck } from '../../src/storage/check-report.js';
import { StorageFault } from '../../src/storage/fault.js';
import type { Files } from '../../src/storage/files.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { ALL_COMMITTED, checkOn } from './checks.js';
import type { IsCommitted } from './checks.js';
import { atEachCrash } from './crashes.js';
import { DB_PATH, fill, record } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';
import {
  BACKUP,
  CLUSTER,
  emptyDisk,
  framesBehind,
  openReplica,
  portsOf,
  recordBackup,
  sentSnapshot,
} from './replica.js';
import type { Replica } from './replica.js';
import { TestNode } from './test-node.js';
import type { Content } from './test-node.js';

const DAMAGED_IMAGES = Number(process.env.KV_CHECK_IMAGES ?? 600);
const SMALL = { segmentBytes: 1024, snapshotLogBytes: 3000 };

const UP_TO_COMMIT: IsCommitted = (state) => (frame) => lastIndexOf(frame) <= state.commit;

/** An image, and what its node takes for committed. */
interface Case {
  readonly image: Image;
  readonly isCommitted: IsCommitted;
}

async function open({
  image,
  isCommitted,
}: Case): Promise<{ replica: Replica; after: Image } | StorageFault> {
  const disk = MemoryDisk.holding(image);
  try {
    const replica = await openReplica(disk.mount(), { isCommitted });
    await replica.data.close();
    return { replica, after: disk.image() };
  } catch (error) {
    if (error instanceof StorageFault) return error;
    throw error;
  }
}

/** Opens the same files for real and holds what the check said against what happened. */
async function expectAgreement(given: Case): Promise<CheckReport | undefined> {
  const opened = await open(given);
  let report: CheckReport;
  try {
    report = await checkOn(given.image, DB_PATH, given.isCommitted);
  } catch (error) {
    if (!(error instanceof NoData)) throw error;
    expect(opened).to.not.be.instanceOf(StorageFault);
    expect((opened as { replica: Replica }).replica.events.map(({ kind }) => kind)).to.deep.equal([
      'created',
    ]);
    return undefined;
  }
  const { verdict } = report;
  if (opened instanceof StorageFault) {
    if (report.kind !== 'something else')
      expect(verdict).to.deep.equal({ kind: 'refuses', reason: opened.message });
    expect(verdict.kind).to.equal('refuses');
    expect(report.damage).to.not.be.empty;
    return report;
  }
  const { data, table, events } = opened.replica;
  if (verdict.kind === 'refuses') throw new Error(`it starts, and the check says: ${verdict.reason}`);
  expect(verdict.keys).to.equal(table.count);
  const { term, index } = data.replayedTo;
  expect([verdict.position.term, verdict.position.index]).to.deep.equal([term, index]);
  const kinds = events.map(({ kind }) => kind);
  if (report.kind !== 'node') expect(kinds).to.deep.equal(['imported']);
  else expectSameRepairs(report, kinds, opened.after);
  return report;
}

function expectSameRepairs(report: NodeCheck, kinds: readonly string[], after: Image): void {
  if (report.verdict.kind === 'refuses') return;
  const repairs = report.verdict.repairs.map(({ kind }) => kind);
  for (const kind of ['torn end cut', 'snapshot made good'] as const) {
    expect(repairs.includes(kind), kind).to.equal(kinds.includes(kind));
  }
  expect(report.log.torn !== undefined).to.equal(kinds.includes('torn end cut'));
  if (kinds.includes('snapshot made good')) expect(report.damage).to.not.be.empty;
  for (const name of report.leftovers.names) expect(after.has(`${report.directory}/${name}`)).to.equal(false);
  for (const { file } of report.kept) expect(after.has(file)).to.equal(true);
}

/** Nodes of every kind, as stops and crashes leave them. */
async function recordCases(): Promise<Case[]> {
  const primaries: Image[] = [];
  for (const stop of ['clean', 'crash'] as const) {
    primaries.push(await record(stop, () => Promise.resolve(), SMALL));
    primaries.push(await record(stop, (node) => fill(node, 12), SMALL));
    primaries.push(
      await record(
        stop,
        async (node) => {
          await fill(node, 25);
          await node.delete('key-3', 'key-4');
          await node.snapshot();
          await fill(node, 25);
          await node.snapshot();
          await fill(node, 9);
          await node.delete('key-1', 'key-never');
        },
        SMALL,
      ),
    );
  }
  const [, filled] = primaries;
  const lone = new Map([[DB_PATH, filled!.get(DB_PATH)!]]);
  const bare = new Map([[DB_PATH, Buffer.from('{"data":{"a":"1","b":"2"}}\n')]]);
  const cases = [...primaries, lone, bare].map((image) => ({ image, isCommitted: ALL_COMMITTED }));
  const { image } = await recordBackup();
  return [...cases, { image, isCommitted: UP_TO_COMMIT }];
}

/** One change that a disk or a person might make. */
function damage(image: Image, random: Random): Image {
  const copy = new Map(image);
  const names = [...image.keys()].filter((name) => name.startsWith(DB_PATH));
  if (names.length === 0) return image;
  const file = random.pick(names);
  const content = Buffer.from(image.get(file)!);
  const at = random.below(content.length + 1);
  const kind = random.below(10);
  if (kind === 0) copy.delete(file);
  else if (kind === 1) copy.set(file, content.subarray(0, at));
  else if (kind === 2) copy.set(file, content.fill(0, at));
  else if (kind === 3) copy.set(file, Buffer.concat([content, random.bytes(1 + random.below(40))]));
  else if (kind === 4) copy.set(file, image.get(random.pick([...image.keys()]))!);
  else if (kind === 5) content.fill(random.bytes(1), at, Math.min(content.length, at + random.below(200)));
  else if (at < content.length) content[at] = content[at]! ^ (1 << random.below(8));
  if (kind > 4) copy.set(file, content);
  return copy;
}

describe('A check and a start', () => {
  it(`AgreeOnRandomDamage: ${String(DAMAGED_IMAGES)} images`, async () => {
    const cases = await recordCases();
    for (const each of cases) expect((await expectAgreement(each))?.damage).to.deep.equal([]);
    await withSeed(testSeed(), async (random) => {
      const verdicts = new Map<string, number>();
      for (let count = 0; count < DAMAGED_IMAGES; count++) {
        const { image, isCommitted } = random.pick(cases);
        let damaged = damage(image, random);
        while (random.next() < 0.3) damaged = damage(damaged, random);
        const report = await expectAgreement({ image: damaged, isCommitted });
        const told = report?.verdict.kind ?? 'no data';
        verdicts.set(told, (verdicts.get(told) ?? 0) + 1);
      }
      expect(verdicts.get('refuses')).to.be.above(DAMAGED_IMAGES / 10);
      expect(verdicts.get('starts')).to.be.above(DAMAGED_IMAGES / 10);
    });
  });

  const expectCrashesWhole = async (
    image: Image,
    isCommitted: IsCommitted,
    work: (files: Files) => Promise<unknown>,
  ): Promise<void> => {
    const { states } = await atEachCrash(image, work, async ({ disk }) => {
      const report = await expectAgreement({ image: disk.image(), isCommitted });
      expect(report?.damage ?? []).to.deep.equal([]);
    });
    expect(states).to.be.above(50);
  };

  it('AgreeOnWhatACrashAtAnyCallLeavesAndFindNoDamageInIt', async () => {
    await expectCrashesWhole(emptyDisk().image(), ALL_COMMITTED, async (files) => {
      const node = await TestNode.start({ files, dbPath: DB_PATH, segmentBytes: 512 });
      await fill(node, 5, new Map<number, Content>());
      await node.snapshot();
      await fill(node, 5);
      await node.snapshot();
      await node.stop();
    });
  });

  it('AgreeOnWhatACrashLeavesOfAnImport', async () => {
    const bare = new Map([[DB_PATH, Buffer.from('{"data":{"a":"1","b":"2"}}\n')]]);
    await expectCrashesWhole(bare, ALL_COMMITTED, async (files) => {
      await (await TestNode.start({ files, dbPath: DB_PATH, segmentBytes: 512 })).stop();
    });
  });

  it('AgreeOnABackupThatIsAddedCutAndReplaced', async () => {
    await expectCrashesWhole(emptyDisk().image(), UP_TO_COMMIT, async (files) => {
      const { data } = await openReplica(files, BACKUP);
      await data.adopt(CLUSTER, { ...data.state, term: 4 as Term });
      await data.log!.append(framesBehind(data.log!.end, 4, 6));
      await data.close();
    });
    const { image } = await recordBackup();
    const { bytes, end } = await sentSnapshot();
    await expectCrashesWhole(image, UP_TO_COMMIT, async (files) => {
      const { data } = await openReplica(files);
      await data.saveState({ ...data.state, logIndex: 8 as Index });
      const frames = framesBehind(data.log!.end, 6, 1);
      await data.log!.append(frames);
      const arrival = await portsOf(data).replacements.receive();
      await arrival.add(bytes);
      await arrival.finish(end);
      const state = { ...data.state, term: 9 as Term, commit: end.index, logIndex: end.index };
      await portsOf(data).replacements.replace(arrival, end, state);
      await data.close();
    });
  });
});
