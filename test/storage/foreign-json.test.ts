import { expect } from 'chai';
import { JsonScanner } from '../../src/storage/json-scanner.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { DB_PATH, expectStart, startOn } from './images.js';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a scanner that is shown the text in pieces of this size takes it. */
function isScanned(text: string, pieceBytes: number): boolean {
  const scanner = new JsonScanner({ value: () => undefined });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (scanner.read(bytes.subarray(at, at + pieceBytes)) !== -1) return false;
  }
  return scanner.end();
}

const BLANKS = ['', '', '', ' ', '\n', '\r\n', '\t '];
const NUMBERS = ['0', '-0', '1', '10', '-12.5', '1e5', '1E+05', '0.5e-3', '123456789012345678901234567890'];
const STRINGS = [
  '""',
  '"a"',
  '"data"',
  '"__proto__"',
  '"\\u00e4\\n"',
  '"\\ud83d\\ude00"',
  '"\ufeffb"',
  '"\\ud800"',
  '"😀"',
];
const STRAYS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '01',
  '1.',
  '.5',
  '-',
  '+1',
  '1e',
  'tru',
  'True',
  'nul',
  "'a'",
  '"',
  '"\\x"',
  '\u0001',
  '\ufeff',
  '/**/',
];

function randomJson(random: Random, depth: number): string {
  const blank = (): string => random.pick(BLANKS);
  const kind = random.below(depth > 0 ? 5 : 3);
  if (kind === 0) return random.pick(NUMBERS);
  if (kind === 1) return random.pick(STRINGS);
  if (kind === 2) return random.pick(['true', 'false', 'null']);
  const items = Array.from({ length: random.below(4) }, () => {
    const name = kind === 3 ? `${random.pick(STRINGS)}${blank()}:` : '';
    return `${blank()}${name}${blank()}${randomJson(random, depth - 1)}${blank()}`;
  });
  return kind === 3 ? `{${blank()}${items.join(',')}}` : `[${blank()}${items.join(',')}]`;
}

/** Takes something out, or puts something in that may not stand there. */
function spoiled(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  return random.below(2) === 0
    ? text.slice(0, at) + text.slice(at + 1 + random.below(2))
    : text.slice(0, at) + random.pick(STRAYS) + text.slice(at);
}

describe('The scanner of JSON', () => {
  it('TakesWhatJsonParseTakesAndNothingElseWhereverItIsCut', async () => {
    await withSeed(testSeed(), (random) => {
      let taken = 0;
      for (let round = 0; round < 6000; round++) {
        const whole = `${random.pick(BLANKS)}${randomJson(random, 4)}${random.pick(BLANKS)}`;
        const text = random.below(3) === 0 ? whole : spoiled(random, whole);
        if (isJson(text)) taken++;
        for (const pieceBytes of [1, 3, 1000])
          expect(isScanned(text, pieceBytes), text).to.equal(isJson(text));
      }
      expect(taken).to.be.within(1000, 5500);
    });
  });

  it('TakesAnyNumberThatJsonParseTakes', async () => {
    await withSeed(testSeed(), (random) => {
      for (let round = 0; round < 5000; round++) {
        const letters = Array.from({ length: 1 + random.below(6) }, () =>
          random.pick(['0', '0', '1', '9', '-', '+', '.', 'e', 'E']),
        );
        const text = letters.join('');
        for (const pieceBytes of [1, 1000]) expect(isScanned(text, pieceBytes), text).to.equal(isJson(text));
      }
    });
  });

  it('TakesWhatIsNestedDeeply', () => {
    const depth = 200_000;
    expect(isScanned('['.repeat(depth) + ']'.repeat(depth), 4096)).to.equal(true);
    expect(isScanned('{"a":'.repeat(depth) + '1' + '}'.repeat(depth), 4096)).to.equal(true);
    expect(isScanned('['.repeat(depth) + ']'.repeat(depth - 1), 4096)).to.equal(false);
    expect(isScanned('['.repeat(depth) + '}', 4096)).to.equal(false);
  });
});

async function importOf(content: string): Promise<Map<string, string> | string> {
  const started = await startOn(new Map([[DB_PATH, Buffer.from(content)]]));
  if (started instanceof Error) return started.message;
  // Every byte stands as one character there.
  const text = (latin1: string): string => Buffer.from(latin1, 'latin1').toString();
  return new Map([...started.content].map(([key, value]) => [text(key), text(value)]));
}

describe('An import', () => {
  it('HoldsWhatJsonParseMakesOfTheFileOrRefusesIt', async () => {
    await withSeed(testSeed(), async (random) => {
      const names = ['"data"', '"data"', '"other"', '"__proto__"', '"\\u0064ata"', '"version"'];
      const keys = ['"a"', '"b"', '"a"', '"__proto__"', '"\\ufeffkey"', '"7"', '"\\u0061"', '"ключ"'];
      const values = ['"1"', '"2"', '"\\n\\"\\\\"', '"\ufeff"', '"\\ud83d\\ude00"', '""'];
      const odd = ['1', 'null', '{}', '["a"]', '"\\ud800"'];
      for (let round = 0; round < 400; round++) {
        const blank = (): string => random.pick(BLANKS);
        const value = (): string => (random.below(25) === 0 ? random.pick(odd) : random.pick(values));
        const list = Array.from({ length: random.below(6) }, () => {
          return `${blank()}${random.pick(keys)}${blank()}:${blank()}${value()}${blank()}`;
        });
        const members = Array.from({ length: 1 + random.below(3) }, () => {
          const content = random.below(5) === 0 ? randomJson(random, 2) : `{${list.join(',')}}`;
          return `${blank()}${random.pick(names)}:${blank()}${content}`;
        });
        const file = `{${members.join(',')}}${blank()}`;
        expect(await importOf(file), file).to.satisfy((found: Map<string, string> | string) => {
          const expected = expectedOf(file);
          if (expected === undefined) return typeof found === 'string';
          expect(found).to.deep.equal(expected);
          return true;
        });
      }
    });
  });

  function expectedOf(file: string): Map<string, string> | undefined {
    const { data } = JSON.parse(file) as { data?: unknown };
    if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
    const entries = Object.entries(data);
    const isFit = ([key, value]: [string, unknown]): boolean =>
      key !== '' && typeof value === 'string' && !/\p{Surrogate}/u.test(key + value);
    return entries.every(isFit) ? new Map(entries as [string, string][]) : undefined;
  }

  it('TakesTheLastOfSeveralValuesAndCountsTheKeyOnce', async () => {
    const many = Array.from({ length: 3000 }, (_, at) => `"k${String(at % 1000)}":"v${String(at)}"`);
    const started = await expectStart(new Map([[DB_PATH, Buffer.from(`{"data":{${many.join(',')}}}`)]]));
    expect(started.events).to.deep.equal([{ kind: 'imported', entries: 1000 }]);
    for (let at = 0; at < 1000; at++)
      expect(started.content.get(`k${String(at)}`)).to.equal(`v${String(at + 2000)}`);
    const { count } = JSON.parse(started.image.get(DB_PATH)!.toString()) as { count: number };
    expect(count).to.equal(1000);
  });

  it('TakesLargeValuesAndSmallOnesTogether', async () => {
    const data = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [
        `k${String(at)}`,
        `\n"${String(at)}ä`.repeat(at % 4 === 0 ? 40_000 : 3),
      ]),
    );
    const found = await importOf(JSON.stringify({ data }, undefined, 2));
    expect(found).to.deep.equal(new Map(Object.entries(data)));
    const begun = await expectStart(new Map([[DB_PATH, Buffer.from(JSON.stringify({ data }))]]));
    const again = await expectStart(new Map([[DB_PATH, begun.image.get(DB_PATH)!]]));
    expect(again.content).to.deep.equal(begun.content);
  });

  it('NamesThePlaceWhereAFileStopsToBeJson', async () => {
    expect(await importOf('{"data":{"a":"b"}} x')).to.include('at byte 19');
    expect(await importOf('{"data":{"a":"b"}')).to.include('at byte 17');
    expect(await importOf('\ufeff{"data":{"a":"b"}}')).to.include('at byte 0');
  });

  it('RefusesMoreFaultsThanItRemembersAlsoWhereTheyAreMadeGood', async () => {
    const faults = Array.from({ length: 101 }, (_, at) => `"k${String(at)}":1`);
    const good = faults.map((fault) => fault.replace(':1', ':"1"'));
    expect(await importOf(`{"data":{${[...faults, ...good].join(',')}}}`)).to.include('no entries');
    const fewer = [...faults.slice(1), ...good].join(',');
    expect(await importOf(`{"data":{${fewer}}}`)).to.have.property('size', 101);
  });
});
