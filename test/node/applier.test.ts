import { expect } from 'chai';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import type { Operation, WriteObserver } from '../../src/engine.js';
import { Applier, ITEMS_A_SLICE } from '../../src/node/applier.js';
import type { Pause } from '../../src/node/applier.js';
import { Store } from '../../src/store/store.js';
import { frameOf, range } from '../log/frames.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { makeTable } from '../store/make-table.js';
import { textOf } from './engine-fixture.js';

/** All that a store holds. */
function contentOf(store: Store): Map<string, string> {
  const content = new Map<string, string>();
  const walk = store.walk((key, value) => void content.set(textOf(key), textOf(value)));
  walk.step(Infinity, () => false);
  return content;
}

function anyKey(random: Random): string {
  return `k${String(random.below(random.pick([3, 300])))}`;
}

/** Mostly rows of puts, with anything else between them. */
function anyOperation(random: Random): Operation {
  const key = range(anyKey(random));
  const value = range('v'.repeat(random.below(60)) + String(random.below(1000)));
  const other = random.below(25);
  if (other === 0) return { kind: 'delete', keys: [key, range(anyKey(random))] };
  if (other === 1) return { kind: 'putMany', pairs: [key, value, range(anyKey(random)), range('x')] };
  if (other === 2) return { kind: 'putMany', pairs: [key, value] };
  return { kind: 'put', key, value };
}

function applyTo(map: Map<string, string>, operation: Operation): number {
  if (operation.kind === 'delete') return operation.keys.filter((key) => map.delete(textOf(key))).length;
  const pairs = operation.kind === 'put' ? [operation.key, operation.value] : operation.pairs;
  for (let at = 0; at < pairs.length; at += 2) map.set(textOf(pairs[at]!), textOf(pairs[at + 1]!));
  return pairs.length / 2;
}

describe('A frame that is applied', () => {
  const seed = testSeed();
  it(`IsTheMapAfterEachOfItsEntriesWheneverSomebodyIsTold, seed ${String(seed)}`, async () => {
    await withSeed(seed, (random) => {
      for (let round = 0; round < 40; round++) {
        const store = new Store(makeTable());
        const expected = new Map<string, string>();
        for (let frames = 0; frames < 3; frames++) applyAny(random, store, expected);
        expect(contentOf(store)).to.deep.equal(expected);
      }
    });
  });

  it('PausesAfterASliceOfPutsAndGoesOnWhereItWas', () => {
    const store = new Store(makeTable());
    const count = 2 * ITEMS_A_SLICE + BATCH_KEYS_MAX;
    const puts = Array.from({ length: count }, (_, at) => put(`k${String(at)}`));
    const applier = new Applier(store, frameOf(puts), [], () => false);
    const counts: number[] = [];
    for (let pause = applier.run(); pause !== undefined; pause = applier.run()) {
      expect(pause).to.equal('turn');
      counts.push(store.count);
    }
    expect(counts).to.deep.equal([ITEMS_A_SLICE, 2 * ITEMS_A_SLICE]);
    expect(store.count).to.equal(count);
  });

  it('WaitsForASnapshotThatIsBehindAfterEachPut', () => {
    const store = new Store(makeTable());
    const applier = new Applier(store, frameOf([put('a'), put('b'), put('a')]), [], () => true);
    const pauses: (Pause | undefined)[] = [];
    do pauses.push(applier.run());
    while (pauses.at(-1) !== undefined);
    expect(pauses).to.deep.equal(['snapshot', 'snapshot', 'snapshot', undefined]);
    expect(store.count).to.equal(2);
  });
});

function put(key: string): Operation {
  return { kind: 'put', key: range(key), value: range('v') };
}

/** Applies a frame, and looks at the store whenever an observer is told. */
function applyAny(random: Random, store: Store, expected: Map<string, string>): void {
  const operations = Array.from({ length: 1 + random.below(300) }, () => anyOperation(random));
  let told = 0;
  const observers = operations.map((operation, at): WriteObserver | undefined => {
    if (random.below(3) === 0) return undefined;
    return {
      written: (refused, count) => {
        let last = 0;
        while (told <= at) last = applyTo(expected, operations[told++]!);
        expect(refused).to.equal(undefined);
        expect(count, operation.kind).to.equal(last);
        expect(store.count).to.equal(expected.size);
        for (const key of keysOf(operation)) expect(valueIn(store, key), key).to.equal(expected.get(key));
      },
    };
  });
  const applier = new Applier(store, frameOf(operations), observers, () => random.below(20) === 0);
  while (applier.run() !== undefined);
  while (told < operations.length) applyTo(expected, operations[told++]!);
}

function keysOf(operation: Operation): string[] {
  if (operation.kind === 'delete') return operation.keys.map(textOf);
  if (operation.kind === 'put') return [textOf(operation.key)];
  return operation.pairs.filter((_, at) => at % 2 === 0).map(textOf);
}

function valueIn(store: Store, key: string): string | undefined {
  let found: string | undefined;
  store.read(range(key), {
    isFull: false,
    hit: (bytes, start, end) => {
      found = bytes.toString('latin1', start, end);
    },
    miss: () => undefined,
  });
  return found;
}
