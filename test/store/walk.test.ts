import { expect } from 'chai';
import { makeTable } from './make-table.js';
import { Store } from '../../src/store/store.js';
import { testSeed, withSeed } from '../random.js';
import { range, textOf } from './table-contract.js';

const never = (): boolean => false;

describe('A walk over the store', () => {
  it('SeesTheMapAtOneMomentWhileItChanges', async () => {
    const seed = testSeed();
    await withSeed(seed, (random) => {
      for (let round = 0; round < 200; round++) {
        const store = new Store(makeTable(round));
        const model = new Map<string, string>();
        const step = (): void => {
          const key = `k${String(random.below(60))}`;
          if (random.next() < 0.4) {
            store.delete(range(key));
            model.delete(key);
          } else {
            const value = String(random.below(1_000_000));
            store.put(range(key), range(value));
            model.set(key, value);
          }
        };
        for (let count = random.below(100); count > 0; count--) step();
        const atBegin = new Map(model);
        const seen = new Map<string, string>();
        const walk = store.walk((key, value) => {
          expect(seen.has(textOf(key)), 'each key once').to.equal(false);
          seen.set(textOf(key), textOf(value));
        });
        while (!walk.step(1 + random.below(5), never)) {
          for (let count = random.below(20); count > 0; count--) step();
        }
        expect(seen).to.deep.equal(atBegin);
      }
    });
  });

  it('StopsASliceWhenItsVisitorHasEnough', () => {
    const store = new Store(makeTable());
    for (let key = 0; key < 10; key++) store.put(range(String(key)), range('v'));
    let visited = 0;
    const walk = store.walk(() => {
      visited++;
    });
    expect(walk.step(100, () => visited >= 3)).to.equal(false);
    expect(visited).to.equal(3);
    expect(walk.step(100, never)).to.equal(true);
    expect(visited).to.equal(10);
  });

  it('OnlyOneAtATimeAndAnAbandonedOneLetsGo', () => {
    const store = new Store(makeTable());
    store.put(range('a'), range('1'));
    const walk = store.walk(() => undefined);
    expect(() => store.walk(() => undefined)).to.throw('another walk');
    walk.end();
    expect(store.walk(() => undefined).step(10, never)).to.equal(true);
  });
});

describe('Pages of keys', () => {
  it('ListEveryKeyThatStaysExactlyOnceWhileOthersComeAndGo', async () => {
    const seed = testSeed();
    await withSeed(seed, (random) => {
      const store = new Store(makeTable(3));
      for (let key = 0; key < 5000; key++) store.put(range(`stays${String(key)}`), range('v'));
      const seen = new Map<string, number>();
      const { end } = store.stretch(0, Infinity);
      for (let from = 0; from < end;) {
        const page = store.page(from, end);
        for (const key of page.keys) {
          const name = key.toString();
          if (name.startsWith('stays')) seen.set(name, (seen.get(name) ?? 0) + 1);
        }
        from = page.next;
        for (let count = 0; count < 2000; count++) {
          const other = range(`other${String(random.below(3000))}`);
          if (random.next() < 0.5) store.put(other, range('v'));
          else store.delete(other);
          store.put(range(`stays${String(random.below(5000))}`), range('changed'));
        }
      }
      expect(seen.size).to.equal(5000);
      expect([...seen.values()].every((times) => times === 1)).to.equal(true);
    });
  });

  it('StayShortWhenKeysAreLong', () => {
    const store = new Store(makeTable(3));
    const long = 'x'.repeat(60_000);
    for (let key = 0; key < 100; key++) store.put(range(`${long}${String(key)}`), range('v'));
    const page = store.page(0, 100);
    expect(page.keys.length).to.be.at.most(6);
    expect(page.next).to.equal(page.keys.length);
    expect(store.page(0, 100, 1).keys).to.have.length(1);
  });
});

describe('A stretch of slots', () => {
  it('HoldsAboutAsManyKeysAsAreWantedAndTheWholeIterationEachKeyOnce', () => {
    const store = new Store(makeTable(3));
    for (let key = 0; key < 1000; key++) store.put(range(`k${String(key)}`), range('v'));
    // Every second slot is free from here on.
    for (let key = 0; key < 1000; key += 2) store.delete(range(`k${String(key)}`));
    const seen: string[] = [];
    const lengths: number[] = [];
    for (let from = 0; ;) {
      const { end, cursor } = store.stretch(from, 10);
      const { keys, next } = store.page(from, end);
      expect(next).to.equal(end);
      lengths.push(keys.length);
      seen.push(...keys.map(String));
      if (cursor === 0) break;
      expect(cursor).to.equal(end);
      from = cursor;
    }
    expect(lengths).to.deep.equal(Array.from({ length: 50 }, () => 10));
    expect(new Set(seen).size).to.equal(500);
  });

  it('IsBoundedWhereNearlyAllKeysWereDeleted', () => {
    const store = new Store(makeTable(3));
    for (let key = 0; key < 1000; key++) store.put(range(`k${String(key)}`), range('v'));
    for (let key = 0; key < 999; key++) store.delete(range(`k${String(key)}`));
    expect(store.stretch(0, 10)).to.deep.equal({ end: 100, cursor: 100 });
    expect(store.stretch(0, 1)).to.deep.equal({ end: 10, cursor: 10 });
    expect(store.stretch(990, 10)).to.deep.equal({ end: 1000, cursor: 0 });
  });

  it('EndsAtOnceBehindTheLastSlotAndInAnEmptyStore', () => {
    const store = new Store(makeTable(3));
    for (const keys of [10, Infinity]) expect(store.stretch(0, keys)).to.deep.equal({ end: 0, cursor: 0 });
    store.put(range('k'), range('v'));
    expect(store.stretch(0, Infinity)).to.deep.equal({ end: 1, cursor: 0 });
    const { end, cursor } = store.stretch(2 ** 60, 10);
    expect([end, cursor]).to.deep.equal([1, 0]);
    expect(store.page(2 ** 60, end).keys).to.deep.equal([]);
  });
});
