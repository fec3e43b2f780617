import { expect } from 'chai';
import type { ByteRange } from '../../src/engine.js';
import type { Table } from '../../src/store/table.js';
import { seededRandom, testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';

export function range(content: string | Buffer): ByteRange {
  const bytes = Buffer.from(content);
  return { bytes, start: 0, end: bytes.length };
}

export function textOf(part: ByteRange): string {
  return part.bytes.toString('latin1', part.start, part.end);
}

function valueOf(table: Table, key: string): string | undefined {
  const slot = table.find(range(key));
  return slot === -1 ? undefined : textOf(table.valueAt(slot));
}

function contentOf(table: Table): Map<string, string> {
  const content = new Map<string, string>();
  for (let slot = 0; slot < table.slots; slot++) {
    table.visit(slot, (key, value) => {
      expect(content.has(textOf(key)), 'a key has one slot').to.equal(false);
      content.set(textOf(key), textOf(value));
    });
  }
  return content;
}

function checkAgainst(table: Table, model: Map<string, string>): void {
  expect(table.count).to.equal(model.size);
  let bytes = 0;
  for (const [key, value] of model) bytes += key.length + value.length;
  expect(table.dataBytes).to.equal(bytes);
  expect(contentOf(table)).to.deep.equal(model);
  for (const [key, value] of model) expect(valueOf(table, key)).to.equal(value);
}

/** One random change of both, among few enough keys that they meet. */
function change(random: Random, table: Table, model: Map<string, string>, keys: number): void {
  const key = `key${String(random.below(keys))}`;
  if (random.next() < 0.4) {
    expect(table.delete(range(key))).to.equal(model.delete(key));
    return;
  }
  const value = random.bytes(random.below(40)).toString('latin1');
  table.put(range(key), range(Buffer.from(value, 'latin1')));
  model.set(key, value);
}

/** What every table owes its users. Run on each kind of table there is. */
export function tableContract(name: string, make: () => Table): void {
  describe(`${name} keeps the table's contract`, () => {
    it('HostileKeysAreOrdinaryKeys', () => {
      const table = make();
      const keys = [
        '__proto__',
        'constructor',
        'toString',
        '0',
        '-1',
        '1e3',
        'hasOwnProperty',
        'a\0b',
        '\xff\xfe',
      ];
      for (const key of keys) expect(valueOf(table, key)).to.equal(undefined);
      for (const key of keys) table.put(range(Buffer.from(key, 'latin1')), range(`of ${key}`));
      expect(table.count).to.equal(keys.length);
      for (const key of keys) {
        const slot = table.find(range(Buffer.from(key, 'latin1')));
        expect(table.valueAt(slot).bytes.includes(`of ${key}`)).to.equal(true);
      }
    });

    it('TakesCopiesOfKeysAndValues', () => {
      const table = make();
      const key = Buffer.from('key');
      const value = Buffer.from('value');
      table.put({ bytes: key, start: 0, end: 3 }, { bytes: value, start: 0, end: 5 });
      key.fill(0);
      value.fill(0);
      expect(valueOf(table, 'key')).to.equal('value');
    });

    it('ReadsRangesInsideLargerBuffers', () => {
      const table = make();
      const line = Buffer.from('PUT key value!');
      table.put({ bytes: line, start: 4, end: 7 }, { bytes: line, start: 8, end: 13 });
      expect(contentOf(table)).to.deep.equal(new Map([['key', 'value']]));
    });

    it('KeepsEmptyValuesApartFromMissingKeys', () => {
      const table = make();
      table.put(range('empty'), range(''));
      expect(valueOf(table, 'empty')).to.equal('');
      expect(valueOf(table, 'missing')).to.equal(undefined);
    });

    it('BehavesAsAMapThroughRandomChanges', async () => {
      const seed = testSeed();
      await withSeed(seed, (random) => {
        for (const keys of [3, 50, 5000]) {
          const table = make();
          const model = new Map<string, string>();
          for (let step = 0; step < 20_000; step++) change(random, table, model, keys);
          checkAgainst(table, model);
        }
      });
    });

    it('AKeyKeepsItsSlotWhileTheTableGrowsAndChanges', () => {
      const random = seededRandom(7);
      const table = make();
      table.put(range('stays'), range('here'));
      const slot = table.find(range('stays'));
      const model = new Map<string, string>();
      for (let step = 0; step < 20_000; step++) change(random, table, model, 9000);
      table.put(range('stays'), range('with another, longer value'));
      expect(table.find(range('stays'))).to.equal(slot);
    });

    it('ToldOfASlotBeforeItIsFilledOverwrittenOrFreed', () => {
      const table = make();
      const seen: string[] = [];
      table.watch = (slot) => {
        let was = 'free';
        table.visit(slot, (key, value) => (was = `${textOf(key)}=${textOf(value)}`));
        seen.push(was);
      };
      table.put(range('a'), range('1'));
      table.put(range('a'), range('2'));
      table.delete(range('a'));
      table.delete(range('a'));
      expect(seen).to.deep.equal(['free', 'a=1', 'a=2']);
    });
  });
}
