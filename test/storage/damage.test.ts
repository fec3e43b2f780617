import { expect } from 'chai';
import type { NodeId } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import type { Configuration } from '../../src/log/control.js';
import { StorageFault } from '../../src/storage/fault.js';
import { END_MARK_BYTES, SEGMENT_HEADER_BYTES, writtenUpTo } from '../../src/storage/segment.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import {
  DB_PATH,
  NODE_PATH,
  PREVIOUS_PATH,
  changed,
  flipped,
  framesOf,
  record,
  segmentsOf,
  startOn,
} from './images.js';
import type { PlacedFrame, Stop } from './images.js';
import type { Image } from './memory-files.js';
import { SEGMENT_BYTES, range } from './test-node.js';
import type { Content, TestNode } from './test-node.js';

const LENGTHS_A_FILE = 60;
const TEXT = 'text \xe2\x82\xac\n"'; // As UTF-8.
const BINARY = '\xff\xfe\0binary';

const configuration: Configuration = {
  members: [{ node: 'a'.repeat(32) as NodeId, address: '[::1]:7001' }],
  learners: [],
  acks: 'majority',
  failover: 'manual',
};

/** The files of a node, and what it had acknowledged. */
interface Recorded {
  readonly image: Image;
  /** All files but the lock, which holds nothing. */
  readonly files: readonly string[];
  readonly content: Content;
  readonly withoutLastFrame: Content;
  readonly last: PlacedFrame & { readonly file: string };
}

/**
 * Fills several segments with entries of all kinds, text and binary, and writes snapshots, so that segments are let go of
 * and used again; several segments with live entries are left, and two snapshots.
 */
async function fillAll(node: TestNode): Promise<{ content: Content; withoutLastFrame: Content }> {
  const put = async (key: string, value: string): Promise<void> =>
    void expect(await node.put(key, value)).to.equal(undefined);
  const grow = async (segments: number): Promise<void> => {
    for (let count = 0; count < segments * 3; count++)
      await put(`key-${String(count % 3)}`, 'v'.repeat(1200));
  };
  await put('text', TEXT);
  await put('kept', TEXT);
  await put('binary', BINARY);
  await node.log.append([
    controlFrame({ kind: 'configure', configuration }, node.data.state.term, node.log.end),
  ]);
  for (const segments of [2, 2, 1]) {
    await grow(segments);
    expect(await node.delete('key-0', 'key-1', 'key-2')).to.equal(undefined);
    await node.snapshot();
  }
  await put('large', 'l'.repeat(SEGMENT_BYTES));
  await put(BINARY, TEXT.repeat(3));
  await grow(1);
  expect(await node.write({ kind: 'putMany', pairs: ['a', BINARY, '\xc3\xa4', ''].map(range) })).to.equal(
    undefined,
  );
  expect(await node.delete('text', 'large')).to.equal(undefined);
  const withoutLastFrame = node.content;
  await put('last', TEXT);
  return { content: node.content, withoutLastFrame };
}

async function recordAll(stop: Stop): Promise<Recorded> {
  let contents = { content: new Map() as Content, withoutLastFrame: new Map() as Content };
  const image = await record(stop, async (node) => void (contents = await fillAll(node)));
  const files = [...image.keys()].filter((file) => file.startsWith(DB_PATH) && !file.endsWith('/lock'));
  const file = segmentsOf(image).findLast((each) => framesOf(image.get(each)!).length > 0)!;
  return { image, files, ...contents, last: { file, ...framesOf(image.get(file)!).at(-1)! } };
}

type Outcome = 'refused' | 'the same' | 'without the last frame';

/**
 * Starts on a damaged image. It is refused, naming one of the files that were touched, or has the same content; only where
 * the last frame may be touched after a crash may it be missing, and then it was kept aside and told of.
 */
async function outcomeOn(
  image: Image,
  recorded: Recorded,
  damage: { readonly what: string; readonly names: readonly string[]; readonly mayCutLast: boolean },
): Promise<Outcome> {
  const started = await startOn(image);
  if (started instanceof StorageFault) {
    const isNamed = damage.names.some((name) => started.message.includes(name));
    if (!isNamed) throw new Error(`${damage.what}: refused without its name: ${started.message}`);
    return 'refused';
  }
  if (isSame(started.content, recorded.content)) return 'the same';
  if (!damage.mayCutLast || !isSame(started.content, recorded.withoutLastFrame)) {
    throw new Error(`${damage.what}: started with other content`);
  }
  const cut = started.events.find((event) => event.kind === 'torn end cut');
  const kept = cut && started.image.get(cut.keptAs);
  if (cut?.file !== recorded.last.file || kept === undefined || kept.length === 0) {
    throw new Error(`${damage.what}: the last frame was not kept aside`);
  }
  return 'without the last frame';
}

function isSame(a: Content, b: Content): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);

function show(what: string, outcomes: ReadonlyMap<Outcome, number>): void {
  const counts = [...outcomes].map(([outcome, count]) => `${String(count)} ${outcome}`);
  process.stdout.write(`      ${what}: ${counts.join(', ')}\n`);
}

class Outcomes {
  readonly counts = new Map<Outcome, number>();

  add(outcome: Outcome): Outcome {
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
    return outcome;
  }
}

for (const stop of ['clean', 'crash'] as const) {
  describe(`All the files of a node after a ${stop === 'clean' ? 'clean stop' : 'crash'}`, () => {
    let recorded: Recorded;
    before(async () => void (recorded = await recordAll(stop)));

    it('HoldWhatTheseTestsAreAbout', () => {
      const { image, files } = recorded;
      expect(files).to.include.members([DB_PATH, NODE_PATH, PREVIOUS_PATH]);
      const segments = segmentsOf(image);
      expect(segments.length).to.be.greaterThan(2);
      expect(nameOf(segments[0]!)).to.not.equal('segment-0000000001');
      expect(files.some((file) => nameOf(file).startsWith('spare'))).to.equal(true);
      expect(segments.some((file) => hasStaleRecords(image.get(file)!))).to.equal(true);
      const snapshot = image.get(DB_PATH)!.toString();
      expect(snapshot)
        .to.include(`"kept":"text`)
        .and.include(Buffer.from(BINARY, 'latin1').toString('base64'));
    });

    it(`AreEachRefusedOrMadeGoodWithAnyByteOfThemChanged: ${stop}`, async function () {
      this.timeout(300_000);
      const { image, files, last } = recorded;
      const outcomes = new Outcomes();
      const cutAt: number[] = [];
      const spares = files.filter((file) => nameOf(file).startsWith('spare'));
      await withSeed(testSeed(), async (random) => {
        for (const file of files) {
          // No start reads them: one byte of each of them at a time.
          if (spares.indexOf(file) > 0) continue;
          const others = file === spares[0] ? spares.slice(1) : [];
          for (let at = 0; at < image.get(file)!.length; at++) {
            const mayCutLast = stop === 'crash' && file === last.file && at >= last.start && at < last.end;
            const damage = { what: `${file} at ${String(at)}`, names: [nameOf(file)], mayCutLast };
            const pattern = 1 + random.below(255);
            let damaged = flipped(image, file, at, pattern);
            for (const other of others) {
              if (at < image.get(other)!.length) damaged = flipped(damaged, other, at, pattern);
            }
            const outcome = await outcomeOn(damaged, recorded, damage);
            if (outcomes.add(outcome) === 'without the last frame') cutAt.push(at);
          }
        }
      });
      show('flipped bytes', outcomes.counts);
      // Nothing else is behind it that could prove that it was whole.
      const wholeFrame = Array.from({ length: last.end - last.start }, (_, at) => last.start + at);
      expect(cutAt).to.deep.equal(stop === 'crash' ? wholeFrame : []);
    });

    it(`AreEachRefusedOrMadeGoodCutShortAnywhere: ${stop}`, async () => {
      const { image, files } = recorded;
      const outcomes = new Outcomes();
      await withSeed(testSeed(), async (random) => {
        for (const file of files) {
          for (const length of lengths(image.get(file)!.length, random)) {
            const cut = changed(image, file, (content) => content.subarray(0, length));
            const what = `${file} cut to ${String(length)}`;
            outcomes.add(await outcomeOn(cut, recorded, { what, names: [nameOf(file)], mayCutLast: false }));
          }
        }
      });
      show('files cut short', outcomes.counts);
    });

    it(`AreEachMissed: ${stop}`, async () => {
      const { image, files } = recorded;
      const outcomes = new Outcomes();
      const newest = segmentsOf(image).at(-1);
      for (const file of files) {
        // After a crash nothing says that there was a newest segment.
        if (stop === 'crash' && file === newest) continue;
        // Of a segment, the one before it or behind it may tell.
        const names = [segmentsOf(image).includes(file) ? 'segment-' : nameOf(file)];
        const damage = { what: `${file} missing`, names, mayCutLast: false };
        outcomes.add(
          await outcomeOn(
            changed(image, file, () => undefined),
            recorded,
            damage,
          ),
        );
      }
      show('missing files', outcomes.counts);
    });

    it(`AreRefusedOrMadeGoodWhereOneStandsInThePlaceOfAnother: ${stop}`, async () => {
      const { image, files } = recorded;
      const outcomes = new Outcomes();
      for (const one of files) {
        for (const other of files.filter((file) => file !== one)) {
          const names = [nameOf(one), nameOf(other)];
          const copied = new Map(image).set(one, image.get(other)!);
          const what = `${other} in the place of ${one}`;
          outcomes.add(await outcomeOn(copied, recorded, { what, names, mayCutLast: false }));
          if (one > other) continue;
          const swapped = new Map(copied).set(other, image.get(one)!);
          const damage = { what: `${one} and ${other} swapped`, names, mayCutLast: false };
          outcomes.add(await outcomeOn(swapped, recorded, damage));
        }
      }
      show('files in the place of others', outcomes.counts);
    });
  });
}

/** Whether a segment was one before, and what it held then still stands behind what it holds now. */
function hasStaleRecords(segment: Buffer): boolean {
  const end = recordEnd(framesOf(segment).at(-1)?.end ?? SEGMENT_HEADER_BYTES) + END_MARK_BYTES;
  return writtenUpTo(segment, end) > end;
}

function recordEnd(frameEnd: number): number {
  return Math.ceil(frameEnd / 8) * 8;
}

/** Lengths that a file may be cut to: none, all but one byte, and others. */
function lengths(size: number, random: Random): number[] {
  const others = Array.from({ length: LENGTHS_A_FILE }, () => random.below(size));
  return [0, size - 1, ...others];
}
