import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { TextWord } from '../../src/storage/json-words.js';
import { SnapshotParser } from '../../src/storage/snapshot-parser.js';
import {
  CHECKED_BYTES_A_TURN,
  PARSED_BYTES_A_TURN,
  SnapshotDamage,
  readSnapshot,
} from '../../src/storage/snapshot-reader.js';
import { testSeed, withSeed } from '../random.js';
import { HEAD, PATH, entriesOf, mounted, watchedFiles, written } from './snapshot-fixture.js';
import type { SizedCall } from './snapshot-fixture.js';
import { randomPairs, shown } from './snapshot-words.js';
import type { Pair } from './snapshot-words.js';

/** What a parser finds that is shown the content in pieces of these sizes, over and over. */
function parsedIn(content: Buffer, sizes: readonly number[]): string[] {
  const found: string[] = [];
  const parser = new SnapshotParser(PATH, (key, value) => {
    const copies = [key, value].map(({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)));
    found.push(shown({ key: copies[0]!, value: copies[1]! }));
  });
  for (let at = 0, turn = 0; at < content.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    // The memory of a piece is used again for the next one.
    const piece = Buffer.from(content.subarray(at, at + size));
    parser.read(piece);
    piece.fill(0x21);
    at += size;
  }
  expect(parser.end().count).to.equal(found.length);
  return found.sort();
}

function textPair(key: string, value: string): Pair {
  return { key: Buffer.from(key), value: Buffer.from(value) };
}

/** Gives a content that was changed the checksum that it should have, so that only what was changed is wrong. */
function withChecksum(content: string): Buffer {
  const covered = content.slice(0, content.lastIndexOf('"checksum":'));
  const checksum = crc32(covered).toString(16).padStart(8, '0');
  return Buffer.from(`${covered}"checksum":"${checksum}"}\n`);
}

async function damageOf(content: Buffer, isTaken: boolean): Promise<SnapshotDamage> {
  const take = isTaken ? () => undefined : undefined;
  const thrown: unknown = await readSnapshot(mounted(content), PATH, take).catch((error: unknown) => error);
  if (!(thrown instanceof SnapshotDamage)) throw new Error(`no damage was found: ${String(thrown)}`);
  return thrown;
}

describe('The reader of snapshots', () => {
  it('FindsTheSameEntriesWhereverTheBytesAreCut', async () => {
    await withSeed(testSeed(), async (random) => {
      for (let round = 0; round < 8; round++) {
        const pairs = randomPairs(random, 40);
        const content = await written(pairs);
        const expected = pairs.map(shown).sort();
        for (const sizes of [[content.length], [1], [2], [3, 1], [7]])
          expect(parsedIn(content, sizes)).to.deep.equal(expected);
        const any = Array.from({ length: 20 }, () => 1 + random.below(300));
        expect(parsedIn(content, any)).to.deep.equal(expected);
      }
    });
  });

  it('FindsWordsThatAreLongerThanAnyPiece', async () => {
    const sizes = [PARSED_BYTES_A_TURN - 1, PARSED_BYTES_A_TURN, 2 ** 20 + 1, 3 * 2 ** 20];
    const fillings = ['p', '\u0001', '€"', '\xff\xfe'];
    for (const filling of fillings) {
      const encoding = filling.startsWith('\xff') ? 'latin1' : 'utf8';
      const pairs = sizes.map((size) => ({
        key: Buffer.from(`k${String(size)}`),
        value: Buffer.alloc(size, filling, encoding),
      }));
      pairs.push({ key: Buffer.alloc(200_000, filling, encoding), value: Buffer.from('after') });
      const found = await entriesOf(await written(pairs));
      expect(found.length).to.equal(pairs.length);
      expect(
        pairs
          .map(shown)
          .sort()
          .every((each, at) => each === found[at]),
      ).to.equal(true);
    }
  });

  it('ReadsAPieceOfBoundedSizeAtATime', async () => {
    const pairs = Array.from({ length: 3000 }, (_, at) => textPair(`key ${String(at)}`, 'v'.repeat(900)));
    pairs.push(textPair('large', '\u0001'.repeat(300_000)));
    const content = await written(pairs);
    for (const isTaken of [true, false]) {
      const calls: SizedCall[] = [];
      let taken = 0;
      let takenAtRead = 0;
      let takenMost = 0;
      const files = watchedFiles(mounted(content), calls);
      const take = (): void => {
        // What was read before the next call of the file system is read in one turn.
        if (calls.length > takenAtRead) taken = 0;
        takenAtRead = calls.length;
        takenMost = Math.max(takenMost, ++taken);
      };
      const summary = await readSnapshot(files, PATH, isTaken ? take : undefined);
      expect(summary).to.deep.equal({ head: HEAD, count: pairs.length, bytes: content.length });
      const bound = isTaken ? PARSED_BYTES_A_TURN : CHECKED_BYTES_A_TURN;
      expect(Math.max(...calls.map(({ bytes }) => bytes))).to.equal(bound);
      expect(takenMost).to.be.at.most(PARSED_BYTES_A_TURN / 900 + 1);
    }
  });

  describe('damage', () => {
    let whole = '';
    const lineAt = (text: string): number => {
      expect(whole).to.include(text);
      return whole.lastIndexOf('\n', whole.indexOf(text)) + 1;
    };

    before(async () => {
      const pairs = [textPair('a', 'b'), textPair('quote "', 'new\nline'), textPair('', '')];
      whole = (
        await written([...pairs, { key: Buffer.from([0xff]), value: Buffer.from([0xfe, 0, 1]) }])
      ).toString();
    });

    const cases: [string, (content: string) => string, string, string][] = [
      ['no first line', () => 'x\n', 'first line is not', 'x'],
      ['a first line that never ends', () => 'x'.repeat(10_000), 'first line is not', 'x'],
      [
        'another format',
        (content) => content.replace('kv-snapshot', 'kv-other'),
        'first line is not',
        '{"format',
      ],
      ['no version', (content) => content.replace('"version":1', '"version":0'), 'no version', '{"format'],
      ['a negative index', (content) => content.replace('"index":2', '"index":-2'), 'incomplete', '{"format'],
      [
        'no cluster',
        (content) => content.replace('"cluster":"ab', '"cluster":"xx'),
        'incomplete',
        '{"format',
      ],
      [
        'another list first',
        (content) => content.replace('"data":{', '"date":{'),
        '"data":{ is expected',
        '"data":{',
      ],
      [
        'something before an entry',
        (content) => content.replace('"a":"b"', ' "a":"b"'),
        'an entry or }',
        '"a":"b"',
      ],
      ['blanks inside an entry', (content) => content.replace('"a":"b"', '"a": "b"'), 'malformed', '"a":"b"'],
      [
        'something behind an entry',
        (content) => content.replace('"a":"b"', '"a":"b" '),
        'malformed',
        '"a":"b"',
      ],
      [
        'two entries on a line',
        (content) => content.replace('"a":"b",\n', '"a":"b","c":"d",\n'),
        'malformed',
        '"a":"b"',
      ],
      ['a number as value', (content) => content.replace('"a":"b"', '"a":1'), 'malformed', '"a":"b"'],
      ['a tab in a word', (content) => content.replace('"a":"b"', '"a":"\tb"'), 'malformed', '"a":"b"'],
      ['a line feed in a word', (content) => content.replace('"a":"b"', '"a":"\nb"'), 'malformed', '"a":"b"'],
      ['an unknown escape', (content) => content.replace('\\n', '\\v'), 'malformed', '"quote'],
      ['a cut escape', (content) => content.replace('\\n', '\\u00'), 'malformed', '"quote'],
      ['an escape of no digits', (content) => content.replace('\\n', '\\u00g0'), 'malformed', '"quote'],
      ['half a character', (content) => content.replace('\\n', '\\ud800'), 'malformed', '"quote'],
      ['the other half', (content) => content.replace('\\n', '\\udc00'), 'malformed', '"quote'],
      [
        'a list that is not closed',
        (content) => content.replace('\n},\n', '\n}\n'),
        '}, is expected',
        '},\n"binary',
      ],
      [
        'no second list',
        (content) => content.replace('"binary":[', '"binaries":['),
        '"binary":[ is expected',
        '"binary',
      ],
      ['no base64', (content) => content.replace('/gAB', '/g B'), 'malformed', '["/w=='],
      ['base64 that is cut', (content) => content.replace('/gAB', '/gA'), 'malformed', '["/w=='],
      ['base64 behind its end', (content) => content.replace('/w==', '/w==/gAB'), 'malformed', '["/w=='],
      ['base64 in other quotes', (content) => content.replace('["/w==', "['/w=="), 'malformed', '["/w=='],
      [
        'no count',
        (content) => content.replace('"count":4', '"count":x'),
        'last line is malformed',
        '"count"',
      ],
      [
        'an entry too many',
        (content) => content.replace('"count":4', '"count":3'),
        'as many entries',
        '"count"',
      ],
      [
        'an entry that is missing',
        (content) => content.replace('"a":"b",\n', ''),
        'as many entries',
        '"count"',
      ],
    ];
    for (const [name, change, what, line] of cases) {
      it(`IsNamedWithTheLineWhereItStands: ${name}`, async () => {
        const changed = change(whole);
        expect(changed).to.not.equal(whole);
        const content = changed.includes('"checksum":') ? withChecksum(changed) : Buffer.from(changed);
        const damage = await damageOf(content, true);
        expect(damage.what).to.include(what);
        const shift = name === 'an entry that is missing' ? '"a":"b",\n'.length : 0;
        expect(damage.offset).to.equal(line === 'x' ? 0 : lineAt(line) - shift);
      });
    }

    it('IsNamedWhereTheFileIsCut', async () => {
      for (let length = 0; length < whole.length; length++) {
        for (const isTaken of [true, false]) {
          const damage = await damageOf(Buffer.from(whole).subarray(0, length), isTaken);
          expect(damage.what).to.equal('it is cut short');
          expect(damage.offset).to.equal(whole.lastIndexOf('\n', length - 1) + 1);
        }
      }
    });

    it('IsNamedBehindTheEnd', async () => {
      for (const more of ['x', '\n', whole, ' '.repeat(300)]) {
        for (const isTaken of [true, false]) {
          const damage = await damageOf(Buffer.from(whole + more), isTaken);
          expect([damage.what, damage.offset]).to.deep.equal([
            'something stands behind its end',
            whole.length,
          ]);
        }
      }
    });

    it('IsTheSameWhetherEntriesAreTakenOrNotForAnyFlippedBit', async () => {
      const bytes = Buffer.from(whole);
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const flipped = Buffer.from(bytes);
          flipped[at] = flipped[at]! ^ (1 << bit);
          // A newer version is another matter, and says so.
          if (flipped.toString('latin1').includes('"version":1')) {
            expect((await damageOf(flipped, false)).message).to.equal(
              (await damageOf(flipped, true)).message,
            );
          }
        }
      }
    });
  });
});

describe('The inside of a JSON string', () => {
  function readIn(text: string, pieceBytes: number): string | undefined {
    const word = new TextWord();
    const bytes = Buffer.from(`${text}"`);
    word.begin();
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      const stop = word.read(piece, 0);
      if (stop === -1) return undefined;
      if (stop < piece.length) return word.end() && at + stop === bytes.length - 1 ? show(word) : undefined;
    }
    return undefined;
  }

  function show(word: TextWord): string {
    return word.bytes.toString('utf8', 0, word.length);
  }

  function expected(text: string): string | undefined {
    try {
      const parsed: unknown = JSON.parse(`"${text}"`);
      // Half a character has no bytes.
      return /\p{Surrogate}/u.test(parsed as string) ? undefined : (parsed as string);
    } catch {
      return undefined;
    }
  }

  const PIECES = [
    '\\u00e4',
    '\\u20AC',
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\ude00',
    '\\u0000',
    '\\u007f',
    '\\u0080',
    '\\uffff',
  ]
    .concat([
      '\\n',
      '\\"',
      '\\\\',
      '\\/',
      '\\b',
      '\\f',
      '\\r',
      '\\t',
      '\\x',
      '\\u',
      '\\u12',
      '\\u00G1',
      '\\ud83d\\n',
    ])
    .concat(['a', 'é', '€', '😀', 'x'.repeat(40), '\t', '\u0001', '"', '\\', 'u', '0', 'd']);

  it('IsReadAsJsonParseReadsItWhereverItIsCut', async () => {
    await withSeed(testSeed(), (random) => {
      for (let round = 0; round < 4000; round++) {
        const text = Array.from({ length: random.below(6) }, () => random.pick(PIECES)).join('');
        for (const pieceBytes of [1, 2, 5, 1000])
          expect(readIn(text, pieceBytes), text).to.equal(expected(text));
      }
    });
  });

  it('HasRoomForACharacterThatEndsInTheNextPiece', () => {
    for (const [begun, rest] of [
      ['\\u20a', 'c'],
      ['\\ud83d\\ude0', '0'],
    ] as const) {
      for (const plain of [10_000, 2 ** 21]) {
        const word = new TextWord();
        word.begin();
        const pieces = [begun, rest + 'p'.repeat(plain), '"'].map((piece) => Buffer.from(piece));
        expect(pieces.map((piece) => word.read(piece, 0))).to.deep.equal([begun.length, plain + 1, 0]);
        expect(word.end()).to.equal(true);
        expect(show(word) === `${expected(begun + rest)!}${'p'.repeat(plain)}`).to.equal(true);
      }
    }
  });
});
