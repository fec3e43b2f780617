import { expect } from 'chai';
import { BATCH_KEYS_MAX, KeyBatch, LASTING_BYTES_MIN } from '../../src/engine.js';
import type { ByteRange } from '../../src/engine.js';
import { ArenaTable } from '../../src/store/arena-table.js';
import { viewOf } from '../../src/copying.js';
import { KeyedHash } from '../../src/store/keyed-hash.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { FoundKeys } from '../../src/store/table.js';
import { makeTable } from './make-table.js';
import { range, tableContract, textOf } from './table-contract.js';

const TINY = { pageBytes: 256, cellsABucket: 4 };

tableContract('ArenaTable', () => new ArenaTable({ secret: Buffer.from('a secret') }));
tableContract('ArenaTable of tiny pages and buckets', () => makeTable(5, TINY));
tableContract('ArenaTable in which nothing fits a page', () =>
  makeTable(6, { pageBytes: 32, cellsABucket: 8 }),
);
tableContract('ArenaTable with few pages', () => makeTable(7, { ...TINY, pagesMax: 5 }));

/** With `KV_MODEL=large` the table grows past 2^24 keys and 4 GiB, which takes 8 GiB of memory and a minute or two. */
const GROWN_KEYS = process.env.KV_MODEL === 'large' ? 2 ** 24 + 500_000 : 100_000;

function key(number: number): ByteRange {
  return range(`key:${String(number)}`);
}

function valueOf(table: ArenaTable, name: ByteRange): Buffer | undefined {
  const slot = table.find(name);
  if (slot === -1) return undefined;
  const { bytes, start, end } = table.valueAt(slot);
  return Buffer.from(bytes.subarray(start, end));
}

/** Two keys that share a hash under this secret: among so many there are some. */
function twins(secret: Buffer): [string, string] {
  const hash = new KeyedHash(secret);
  const seen = new Map<number, string>();
  for (let number = 0; number < 1_000_000; number++) {
    const name = `key:${String(number)}`;
    const found = hash.of(viewOf(Buffer.from(name)), 0, name.length);
    const other = seen.get(found);
    if (other !== undefined) return [other, name];
    seen.set(found, name);
  }
  throw new Error('no two keys share a hash');
}

/** Looks up several keys together. */
function valuesOf(table: ArenaTable, names: readonly string[]): (string | undefined)[] {
  const keys = new KeyBatch();
  keys.begin(Buffer.from(names.join('')));
  keys.count = names.length;
  let at = 0;
  for (const [place, name] of names.entries()) {
    keys.starts[place] = at;
    keys.ends[place] = at += name.length;
  }
  const found = new FoundKeys();
  table.findEach(keys, found);
  return names.map((_, place) => {
    const slot = found.slots[place] ?? -1;
    return slot === -1 ? undefined : textOf(table.valueAt(slot));
  });
}

/** Does one random operation on both, and holds what it answers against the model. */
function step(random: Random, table: ArenaTable, model: Map<string, string>, keys: number): void {
  const name = `key:${String(random.below(keys))}`;
  const kind = random.next();
  if (kind < 0.3) {
    const slot = table.find(range(name));
    expect(slot === -1 ? undefined : textOf(table.valueAt(slot))).to.equal(model.get(name));
  } else if (kind < 0.55) {
    expect(table.delete(range(name))).to.equal(model.delete(name));
  } else {
    // Most fit a page, some do not.
    const value = String.fromCharCode(97 + random.below(26)).repeat(random.below(kind < 0.6 ? 300 : 50));
    table.put(range(name), range(value));
    model.set(name, value);
  }
}

describe('A table over arenas', () => {
  it('EqualsAMapThroughAMillionRandomOperations', async function () {
    this.timeout(120_000);
    const seed = testSeed();
    await withSeed(seed, (random) => {
      for (const [keys, operations] of [
        [20, 100_000],
        [400, 300_000],
        [20_000, 600_000],
      ] as const) {
        const table = makeTable(random.below(2 ** 31), TINY);
        const model = new Map<string, string>();
        for (let operation = 0; operation < operations; operation++) step(random, table, model, keys);
        table.verify();
        expect(table.count).to.equal(model.size);
        for (const [name, value] of model)
          expect(textOf(table.valueAt(table.find(range(name))))).to.equal(value);
        for (const name of model.keys()) table.delete(range(name));
        table.verify();
        expect([table.count, table.dataBytes]).to.deep.equal([0, 0]);
      }
    });
  });

  it('FindsKeysTogetherAsOneByOneAlsoWhereTheyShareAHash', async () => {
    const secret = Buffer.from('a secret');
    const [one, other] = twins(secret);
    const table = new ArenaTable({ secret });
    table.put(range(one), range('of one'));
    expect(valuesOf(table, [other, one])).to.deep.equal([undefined, 'of one']);
    table.put(range(other), range('of the other'));
    expect(valuesOf(table, [other, one, 'neither'])).to.deep.equal(['of the other', 'of one', undefined]);
    await withSeed(testSeed(), (random) => {
      const tiny = makeTable(random.below(2 ** 31), TINY);
      const model = new Map<string, string>();
      for (let round = 0; round < 300; round++) {
        for (let operation = 0; operation < 50; operation++) step(random, tiny, model, 400);
        const names = Array.from(
          { length: random.below(BATCH_KEYS_MAX + 1) },
          () => `key:${String(random.below(500))}`,
        );
        expect(valuesOf(tiny, names)).to.deep.equal(names.map((name) => model.get(name)));
      }
    });
  });

  it('ReclaimsWhatLiesIdleWhileItChanges', async () => {
    await withSeed(testSeed(), (random) => {
      const table = makeTable(random.below(2 ** 31));
      let idleShareMax = 0;
      for (let operation = 0; operation < 200_000; operation++) {
        const name = key(random.below(2000));
        if (random.next() < 0.2) table.delete(name);
        else table.put(name, range(Buffer.alloc(random.below(400), 120)));
        if (operation > 20_000) idleShareMax = Math.max(idleShareMax, table.idleBytes / table.arenaBytes);
      }
      table.verify();
      // An eighth of what is live, the pages that may always lie idle, and a page and what one slice of work leaves.
      expect(idleShareMax).to.be.below(0.2);
      expect(table.arenaBytes).to.be.below(table.dataBytes * 1.4);
    });
  });

  it('ReclaimsTheMoreWhereEntriesAreLong', async () => {
    await withSeed(testSeed(), (random) => {
      const shareWith = (lengthMin: number): number => {
        const table = makeTable(random.below(2 ** 31), { pageBytes: 8192 });
        let idleShareMax = 0;
        for (let operation = 0; operation < 60_000; operation++) {
          table.put(key(random.below(2000)), range(Buffer.alloc(lengthMin + random.below(200), 120)));
          if (operation > 20_000) idleShareMax = Math.max(idleShareMax, table.idleBytes / table.arenaBytes);
        }
        table.verify();
        return idleShareMax;
      };
      // An eighth of what is live is a ninth of both, a sixteenth a seventeenth.
      expect(shareWith(350)).to.be.within(0.1, 0.12);
      expect(shareWith(450)).to.be.within(0.05, 0.065);
    });
  });

  it('GivesBackWhatMassDeletionLeaves', () => {
    const table = makeTable();
    for (let number = 0; number < 20_000; number++) table.put(key(number), range('x'.repeat(80)));
    const full = table.arenaBytes;
    for (let number = 0; number < 20_000; number++) if (number % 50 !== 0) table.delete(key(number));
    table.verify();
    expect(table.count).to.equal(400);
    expect(table.arenaBytes).to.be.below(full / 10);
    for (let number = 0; number < 20_000; number += 50)
      expect(valueOf(table, key(number))).to.not.equal(undefined);
  });

  it('OverwritesInPlaceWhatTakesTheSameRoom', () => {
    const table = makeTable();
    for (let round = 0; round < 1000; round++) {
      for (let number = 0; number < 10; number++)
        table.put(key(number), range(String(round).padStart(33, '.')));
    }
    expect(table.idleBytes).to.equal(0);
    expect(table.arenaBytes).to.equal(4096);
    table.verify();
  });

  it('ValuesOfTheLastingSizeAreNeverWrittenToAgain', () => {
    const table = makeTable(1, { pageBytes: 1024 * 1024 });
    const kept = Buffer.alloc(LASTING_BYTES_MIN, 'a');
    table.put(key(1), range(kept));
    table.put(key(2), range(kept.subarray(1)));
    const lasting = table.valueAt(table.find(key(1)));
    const borrowed = table.valueAt(table.find(key(2)));
    expect(lasting.bytes.length).to.be.below(LASTING_BYTES_MIN + 100);
    expect(borrowed.bytes.length).to.equal(1024 * 1024);
    table.put(key(1), range(Buffer.alloc(LASTING_BYTES_MIN, 'b')));
    table.put(key(2), range(Buffer.alloc(LASTING_BYTES_MIN - 1, 'b')));
    expect(lasting.bytes.subarray(lasting.start, lasting.end).equals(kept)).to.equal(true);
    expect(borrowed.bytes[borrowed.start]).to.equal('b'.charCodeAt(0));
  });

  it('KeysAndValuesOfEveryLengthAreKept', () => {
    const table = makeTable(1, { pageBytes: 128 * 1024 });
    const lengths = [
      1, 2, 7, 8, 9, 63, 64, 65, 95, 96, 97, 4096, 16_383, 16_384, 16_385, 20_480, 20_481, 65_536,
    ];
    for (const keyLength of lengths) {
      for (const valueLength of [0, ...lengths]) {
        const name = range(Buffer.alloc(keyLength, `k${String(valueLength)}`));
        table.put(name, range(Buffer.alloc(valueLength, `v${String(keyLength)}`)));
      }
    }
    table.verify();
    for (const keyLength of lengths.slice(3)) {
      for (const valueLength of [0, ...lengths]) {
        const found = valueOf(table, range(Buffer.alloc(keyLength, `k${String(valueLength)}`)));
        expect(found?.equals(Buffer.alloc(valueLength, `v${String(keyLength)}`))).to.equal(true);
      }
    }
  });

  it('ClearsAndFillsAnew', () => {
    const table = makeTable(1, TINY);
    for (let round = 0; round < 3; round++) {
      for (let number = 0; number < 3000; number++)
        table.put(key(number), range(`${String(round)}:${String(number)}`));
      expect(valueOf(table, key(2999))?.toString()).to.equal(`${String(round)}:2999`);
      table.verify();
      table.clear();
      expect([table.count, table.dataBytes, table.slots, table.arenaBytes]).to.deep.equal([0, 0, 0, 0]);
      expect(table.find(key(1))).to.equal(-1);
    }
  });

  it('GoesOnWithEntriesOfTheirOwnWhenNoMorePagesCanBeToldApart', () => {
    const table = makeTable(1, { ...TINY, pagesMax: 4 });
    for (let number = 0; number < 1000; number++) table.put(key(number), range(`value ${String(number)}`));
    table.verify();
    expect(table.arenaBytes).to.equal(4 * 256);
    for (let number = 0; number < 1000; number += 2) table.delete(key(number));
    for (let number = 1; number < 1000; number += 2) table.put(key(number), range(`other ${String(number)}`));
    table.verify();
    for (let number = 0; number < 1000; number++) {
      expect(valueOf(table, key(number))?.toString()).to.equal(
        number % 2 === 0 ? undefined : `other ${String(number)}`,
      );
    }
  });

  it('GrowsPastManyPagesAndKeepsEveryKey', function () {
    this.timeout(600_000);
    const table = new ArenaTable({ secret: Buffer.from('a secret') });
    const name = range(Buffer.alloc(16));
    const value = range(Buffer.alloc(256));
    const show = (number: number): void => {
      name.bytes.writeUInt32LE(number, 0);
      value.bytes.writeUInt32LE(number, 0);
    };
    for (let number = 0; number < GROWN_KEYS; number++) {
      show(number);
      table.put(name, value);
    }
    expect(table.count).to.equal(GROWN_KEYS);
    expect(table.dataBytes).to.equal(GROWN_KEYS * 272);
    for (let number = 0; number < GROWN_KEYS; number += 97) {
      show(number);
      const { bytes, start, end } = table.valueAt(table.find(name));
      if (end - start !== 256 || bytes.readUInt32LE(start) !== number)
        throw new Error(`key ${String(number)} is lost`);
    }
  });
});
