import { expect } from 'chai';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import { viewOf } from '../../src/copying.js';
import { Arena } from '../../src/store/arena.js';
import { LARGE_PLACES } from '../../src/store/place.js';
import { Slots } from '../../src/store/slots.js';
import { Store } from '../../src/store/store.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { makeTable } from './make-table.js';
import { range, textOf } from './table-contract.js';

const KEYS = 60;
const VALUE_BYTES_MAX = 300;

/** Keys with their values right behind them, or apart, and something else in between; some of the keys more than once. */
function fill(store: Store, random: Random, model: Map<string, string>): void {
  const { keys, valueStarts, valueEnds } = store.puts;
  const count = 1 + random.below(BATCH_KEYS_MAX);
  const pieces: string[] = [];
  let at = 0;
  const add = (piece: string): number => {
    pieces.push(piece);
    at += piece.length;
    return at;
  };
  const starts = Array.from({ length: count }, (_, place) => {
    const key = `${'k'.repeat(random.below(6))}${String(random.below(KEYS))}`;
    const value = String.fromCharCode(97 + random.below(26)).repeat(random.below(VALUE_BYTES_MAX));
    model.set(key, value);
    add('-'.repeat(random.below(4)));
    const start = at;
    keys.ends[place] = add(key);
    if (random.next() < 0.3) add('-'.repeat(random.below(4)));
    valueStarts[place] = at;
    valueEnds[place] = add(value);
    return start;
  });
  keys.begin(Buffer.from(pieces.join('')));
  keys.starts.set(starts);
  keys.count = count;
}

describe('Puts whose keys were looked for together', () => {
  for (const [what, options] of [
    ['', {}],
    [' in tiny pages', { pageBytes: 512, cellsABucket: 4 }],
  ] as const) {
    it(`AreWhatTheyAreOneByOne${what}`, async () => {
      await withSeed(testSeed(), (random) => {
        const table = makeTable(random.below(2 ** 31), options);
        const store = new Store(table);
        const model = new Map<string, string>();
        for (let round = 0; round < 300; round++) {
          fill(store, random, model);
          store.findForPuts();
          for (let place = 0; place < store.puts.keys.count; place++) store.putFound(place);
          for (const key of [...model.keys()].filter(() => random.next() < 0.1)) {
            expect(store.delete(range(key))).to.equal(true);
            model.delete(key);
          }
          expect(table.count).to.equal(model.size);
        }
        for (const [key, value] of model)
          expect(textOf(table.valueAt(table.find(range(key))))).to.equal(value);
        table.verify();
      });
    });
  }

  it('AreSeenByAWalkUnderWayAsTheMapWasWhenItBegan', async () => {
    await withSeed(testSeed(), (random) => {
      const store = new Store(makeTable(random.below(2 ** 31), {}));
      const model = new Map<string, string>();
      const putAll = (): void => {
        fill(store, random, model);
        store.findForPuts();
        for (let place = 0; place < store.puts.keys.count; place++) store.putFound(place);
      };
      for (let round = 0; round < 100; round++) {
        putAll();
        const expected = new Map(model);
        const seen = new Map<string, string>();
        const walk = store.walk((key, value) => {
          expect(seen.has(textOf(key)), textOf(key)).to.equal(false);
          seen.set(textOf(key), textOf(value));
        });
        do putAll();
        while (!walk.step(random.below(20) + 1, () => false));
        walk.end();
        expect(seen).to.deep.equal(expected);
      }
    });
  });
});

describe('A key of a record', () => {
  it('IsAsLongAndHasTheSameBytes', () => {
    const slots = new Slots();
    const arena = new Arena(slots, 4096);
    const long = 'k'.repeat(300);
    const has = (place: number, key: string): boolean =>
      arena.hasShortKey(place, viewOf(Buffer.from(`--${key}`)), 2, 2 + key.length);
    for (const key of ['', 'a', 'abc', 'abcd', 'abcdefgh', 'abcdefghi']) {
      const place = arena.add(slots.next, range(key), range('value'))!;
      expect(has(place, key), key).to.equal(true);
      expect(has(place, `${key}v`), `one more byte than ${key}`).to.equal(false);
      if (key === '') continue;
      expect(has(place, key.slice(0, -1)), `one less than ${key}`).to.equal(false);
      for (let at = 0; at < key.length; at++)
        expect(has(place, `${key.slice(0, at)}-${key.slice(at + 1)}`), `another byte in ${key}`).to.equal(
          false,
        );
    }
    expect(has(arena.add(slots.next, range(long), range(''))!, long), 'long').to.equal(false);
    expect(has(LARGE_PLACES, 'abc'), 'no record of the arena').to.equal(false);
  });
});
