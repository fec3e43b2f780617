import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { wholeRange } from '../../src/engine.js';
import { CHECK_BYTES_A_TURN, WORDWISE_BYTES_MIN } from '../../src/storage/json-escapes.js';
import { CHUNK_BYTES } from '../../src/storage/snapshot-output.js';
import {
  FULL_BYTES,
  SMALL_PAIR_BYTES_MAX,
  SnapshotWriter,
  WAITING_BYTES_MAX,
} from '../../src/storage/snapshot-writer.js';
import { testSeed, withSeed } from '../random.js';
import { FailingFiles } from './failing-files.js';
import { MemoryDisk } from './memory-files.js';
import {
  CountingClock,
  HEAD,
  PATH,
  entriesOf,
  heldFiles,
  watchedFiles,
  writePairs,
  written,
} from './snapshot-fixture.js';
import type { SizedCall } from './snapshot-fixture.js';
import { randomPairs, randomWord, shown } from './snapshot-words.js';
import type { Pair } from './snapshot-words.js';

/** The lines of a list, sorted, without the commas between them. */
function sortedLines(content: string, opens: string, closes: string): string[] {
  const from = content.indexOf(`\n${opens}`) + opens.length + 1;
  const inside = content.slice(from, content.indexOf(`\n${closes}\n`, from));
  return inside === '' ? [] : inside.slice(1).split(',\n').sort();
}

function isText({ key, value }: Pair): boolean {
  return isUtf8(key) && isUtf8(value);
}

/** Checks a file against what `JSON.stringify` makes of the same pairs, against `JSON.parse`, and against its own checksum. */
async function expectFile(content: Buffer, pairs: readonly Pair[]): Promise<void> {
  const text = content.toString();
  const textLines = pairs.filter(isText).map(({ key, value }) => {
    return `${JSON.stringify(key.toString())}:${JSON.stringify(value.toString())}`;
  });
  const binaryLines = pairs
    .filter((pair) => !isText(pair))
    .map(({ key, value }) => {
      return `["${key.toString('base64')}","${value.toString('base64')}"]`;
    });
  expect(sortedLines(text, '"data":{', '},')).to.deep.equal(textLines.sort());
  expect(sortedLines(text, '"binary":[', '],')).to.deep.equal(binaryLines.sort());
  const parsed = JSON.parse(text) as { binary: unknown[]; count: number; checksum: string };
  expect([parsed.binary.length, parsed.count]).to.deep.equal([binaryLines.length, pairs.length]);
  const covered = crc32(content.subarray(0, content.lastIndexOf('"checksum":')));
  expect(parsed.checksum).to.equal(covered.toString(16).padStart(8, '0'));
  expect(await entriesOf(content)).to.deep.equal(pairs.map(shown).sort());
}

function pair(key: string, value: Buffer): Pair {
  return { key: Buffer.from(key), value };
}

describe('The writer of snapshots', () => {
  it('WritesAnyBytesAsJsonStringifyDoesOrInBase64', async () => {
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 30; round++) {
        const pairs = randomPairs(random, random.below(60));
        await expectFile(await written(pairs), pairs);
      }
    });
  });

  it('WritesEveryByteAloneAndEveryCharacterOfTheFirstPlanes', async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => pair(`b${String(byte)}`, Buffer.from([byte])));
    const characters = Array.from({ length: 0x1100 }, (_, at) =>
      String.fromCodePoint(at * 0x100 + (at % 256)),
    );
    const isCharacter = (text: string): boolean => !/\p{Surrogate}/u.test(text);
    const texts = characters.filter(isCharacter).map((text) => pair(`c${text}`, Buffer.from(text)));
    await expectFile(await written([...bytes, ...texts]), [...bytes, ...texts]);
  });

  it('WritesEveryByteAtEveryPlaceOfAValueThatIsLookedAtByWords', async () => {
    const length = WORDWISE_BYTES_MIN + 13;
    const pairs: Pair[] = [];
    for (let byte = 0; byte < 256; byte++) {
      for (let at = 0; at < length; at++) {
        const value = Buffer.alloc(length, 'p');
        value[at] = byte;
        // Keys of several lengths let the values begin anywhere in a word.
        pairs.push(pair(`${String(byte)} ${String(at)}`, value));
      }
    }
    await expectFile(await written(pairs), pairs);
  });

  it('WritesBytesBesideEachOtherThatBorrowFromTheNext', async () => {
    const special = [0x00, 0x01, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7f];
    const pairs = special.flatMap((first) =>
      special.flatMap((second) =>
        [0, 1, 2, 3].map((at) => {
          const value = Buffer.alloc(WORDWISE_BYTES_MIN, 'p');
          value.set([first, second], at + 8);
          return pair(`${String(first)} ${String(second)} ${String(at)}`, value);
        }),
      ),
    );
    await expectFile(await written(pairs), pairs);
  });

  it('WritesLargeValuesOfAnyBytes', async () => {
    await withSeed(testSeed(), async (random) => {
      const pairs = Array.from({ length: 12 }, (_, at) => ({
        key: Buffer.concat([Buffer.from(String(at)), randomWord(random, random.pick([3, 20_000]))]),
        value: randomWord(
          random,
          random.pick([100, SMALL_PAIR_BYTES_MAX, 60_000, 2 * CHUNK_BYTES + random.below(9)]),
        ),
      }));
      await expectFile(await written(pairs), pairs);
    });
  });

  it('WritesPairsAtAndPastTheBoundOfSmallOnes', async () => {
    for (const filling of ['p', '\u0001', 'é', '\xff']) {
      const sizes = [-2, -1, 0, 1, 2].map((more) => SMALL_PAIR_BYTES_MAX + more);
      const pairs = sizes.map((size, at) =>
        pair(`k${String(at)}`, Buffer.alloc(size - 2, filling, 'latin1')),
      );
      await expectFile(await written(pairs), pairs);
    }
  });

  it('CutsEscapesAndCharactersAtNoChunk', async () => {
    // Behind so many plain bytes the escape, or the character, lies across the end of the first chunk at each of its bytes.
    const before = CHUNK_BYTES - ',\n"k":"'.length;
    for (const part of ['\u0001', '"', '😀']) {
      for (let back = -1; back <= 7; back++) {
        const value = Buffer.from('p'.repeat(before - back) + part.repeat(3) + 'q'.repeat(20_000));
        await expectFile(await written([pair('k', value)]), [pair('k', value)]);
      }
    }
    for (let more = 0; more <= 6; more++) {
      const broken = Buffer.alloc(CHUNK_BYTES + more, 0xff);
      await expectFile(await written([pair('k', broken)]), [pair('k', broken)]);
    }
  });

  it('TellsTextFromBytesWhereverItsLookAtALargeValueIsCut', async () => {
    for (const character of ['é', '€', '😀']) {
      const bytes = Buffer.from(character);
      for (let back = 0; back <= bytes.length; back++) {
        const text = Buffer.alloc(CHECK_BYTES_A_TURN + 10, 'p');
        bytes.copy(text, CHECK_BYTES_A_TURN - back);
        const broken = Buffer.from(text);
        broken[CHECK_BYTES_A_TURN - back] = 0x80;
        for (const value of [text, broken]) {
          const content = await written([pair('k', value)]);
          const binaryLines = sortedLines(content.toString(), '"binary":[', '],').length;
          expect(binaryLines).to.equal(isUtf8(value) ? 0 : 1);
        }
      }
    }
    const onlyContinued = pair('k', Buffer.alloc(CHECK_BYTES_A_TURN + 10, 0x80));
    expect(sortedLines((await written([onlyContinued])).toString(), '"binary":[', '],')).to.have.length(1);
  });

  it('PutsCommasBetweenPairsWhicheverOfThemTurnOutToBeBinary', async () => {
    const kinds: Pair[] = [
      pair('small', Buffer.from('text')),
      pair('small binary', Buffer.from([0xff])),
      pair('large', Buffer.alloc(20_000, 'p')),
      pair('large binary', Buffer.alloc(20_000, 0xff)),
    ];
    for (const first of kinds) {
      await expectFile(await written([first]), [first]);
      for (const second of kinds) {
        for (const third of kinds) {
          const pairs = [first, second, third].map(({ key, value }, at) =>
            pair(`${key.toString()}${String(at)}`, value),
          );
          await expectFile(await written(pairs), pairs);
        }
      }
    }
    await expectFile(await written([]), []);
  });

  it('IsBackedUpAtItsBoundAndTakesNoMoreMemoryThanThat', async () => {
    const { files, release } = heldFiles(new MemoryDisk().mount());
    const writer = await SnapshotWriter.create(files, PATH);
    writer.start(HEAD);
    const lasting = Buffer.alloc(WAITING_BYTES_MAX / 8, 'p');
    const key = wholeRange(Buffer.alloc(0));
    // The first line waits as well.
    for (let count = 0; count < 7; count++) writer.add(key, wholeRange(lasting));
    expect(writer.backedUp).to.equal(false);
    writer.add(key, wholeRange(lasting));
    expect(writer.backedUp).to.equal(true);
    release();
    await writer.drained();
    expect(writer.backedUp).to.equal(false);
    await writer.abandon();
  });

  it('IsFullAtItsBoundBehindWhatIsBeingWritten', async () => {
    const { files, release } = heldFiles(new MemoryDisk().mount());
    const writer = await SnapshotWriter.create(files, PATH);
    writer.start(HEAD);
    // The first line is being written, and does not count.
    const key = wholeRange(Buffer.alloc(0));
    const lasting = wholeRange(Buffer.alloc(FULL_BYTES / 8, 'p'));
    for (let count = 0; count < 7; count++) writer.add(key, lasting);
    expect([writer.backedUp, writer.isFull]).to.deep.equal([true, false]);
    writer.add(key, lasting);
    expect(writer.isFull).to.equal(true);
    release();
    await writer.drained();
    expect(writer.isFull).to.equal(false);
    await writer.abandon();
  });

  it('IsNotFullForALongValueThatIsBeingWritten', async () => {
    const { files, release } = heldFiles(new MemoryDisk().mount());
    const writer = await SnapshotWriter.create(files, PATH);
    release();
    writer.start(HEAD);
    await writer.drained();
    const long = wholeRange(Buffer.alloc(4 * FULL_BYTES, 'p'));
    writer.add(wholeRange(Buffer.from('k')), long);
    expect([writer.backedUp, writer.isFull]).to.deep.equal([true, false]);
    await writer.drained();
    await writer.abandon();
  });

  it('RendersNoMoreInOneTurnThanItsBoundOfAnyPairs', async () => {
    for (const [key, value] of [
      ['', ''],
      ['k'.repeat(16), 'v'.repeat(64)],
      ['k', '\u0001'.repeat(SMALL_PAIR_BYTES_MAX - 1)],
      ['k', '\xff'.repeat(4000)],
    ] as const) {
      const { files, release } = heldFiles(new MemoryDisk().mount());
      const writer = await SnapshotWriter.create(files, PATH);
      writer.start(HEAD);
      const range = [wholeRange(Buffer.from(key)), wholeRange(Buffer.from(value, 'latin1'))] as const;
      let rendered = 0;
      for (; !writer.backedUp; rendered += JSON.stringify([key, value]).length) writer.add(...range);
      expect(rendered).to.be.within(WAITING_BYTES_MAX / 4, WAITING_BYTES_MAX + 3 * CHUNK_BYTES);
      release();
      await writer.abandon();
    }
  });

  it('GivesOthersATurnAfterEachPieceOfALargeValue', async () => {
    const escaped = pair('k', Buffer.alloc(CHUNK_BYTES, 1));
    const text = pair('k', Buffer.alloc(2 * CHECK_BYTES_A_TURN + 1, 'p'));
    const bytes = pair('k', Buffer.alloc(2 * CHECK_BYTES_A_TURN + 1, 0xff));
    // Whether it is text is looked at first; bytes show at once that they are none.
    for (const [each, turns] of [
      [escaped, 0],
      [text, 2],
      [bytes, 0],
    ] as const) {
      const calls: SizedCall[] = [];
      const clock = new CountingClock();
      const files = watchedFiles(new MemoryDisk().mount(), calls);
      await (await writePairs(files, [each], clock)).finish();
      expect(Math.max(...calls.map((call) => call.bytes))).to.be.within(CHUNK_BYTES - 6, CHUNK_BYTES);
      expect(clock.turns).to.equal(turns);
    }
  });

  it('CopiesWhatIsBorrowedAlsoOfALargePair', async () => {
    const pairs = [
      { key: Buffer.alloc(60_000, 'k'), value: Buffer.alloc(4095, 'v') },
      { key: Buffer.alloc(20_000, 'l'), value: Buffer.alloc(4096, 'v') },
    ];
    await expectFile(await written(pairs), pairs);
  });

  it('TellsOfAFailureAndLeavesNothingBehind', async () => {
    for (const failing of ['write', 'create', 'read', 'sync'] as const) {
      const disk = new MemoryDisk();
      const injected = new FailingFiles(disk.mount());
      const writer = await SnapshotWriter.create(injected.files, PATH);
      injected.failWhile(({ operation }) => operation === failing, 'EIO');
      writer.start(HEAD);
      for (let count = 0; count < 20; count++) {
        writer.add(wholeRange(Buffer.from([0xff, count])), wholeRange(Buffer.alloc(20_000, count)));
        writer.add(wholeRange(Buffer.from([0xff, count])), wholeRange(Buffer.from('small')));
      }
      const failed: unknown = await writer.finish().catch((error: unknown) => error);
      expect((failed as Error).message).to.include('injected');
      injected.heal();
      await writer.abandon();
      expect([...disk.image().keys()]).to.deep.equal([]);
    }
  });

  it('CanBeAbandonedWhileALargeValueIsBeingWritten', async () => {
    const disk = new MemoryDisk();
    const { files, release } = heldFiles(disk.mount());
    const writer = await SnapshotWriter.create(files, PATH);
    writer.start(HEAD);
    writer.add(wholeRange(Buffer.from('k')), wholeRange(Buffer.alloc(4 * CHUNK_BYTES, 'p')));
    writer.add(wholeRange(Buffer.from('l')), wholeRange(Buffer.alloc(4 * CHUNK_BYTES, 0xff)));
    const abandoned = writer.abandon();
    release();
    await abandoned;
    expect([...disk.image().keys()]).to.deep.equal([]);
  });
});
