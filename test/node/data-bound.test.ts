import { expect } from 'chai';
import type { ByteRange, Operation } from '../../src/engine.js';
import { DataBound } from '../../src/node/data-bound.js';
import { RETRY_FULL_MS } from '../../src/node/disk-room.js';
import { entryBatch } from '../entry-batch.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { codeOf, put, range, startEngine, textOf, until } from './engine-fixture.js';
import type { Outcome } from './engine-fixture.js';
import { diskFull } from './memory-log.js';

/** Sizes alone: what a key and its value take together. */
type Put = readonly [key: string, bytes: number];
type Write = { readonly puts: readonly Put[] } | { readonly deletes: readonly string[] };

/** A store, and writes on their way to it, of which the test says when they arrive and whether. */
class Surroundings {
  readonly sizes = new Map<string, number>();
  readonly underWay: Write[] = [];
  /** Whether it can be told what is under way. */
  canTell = true;
  readonly bound: DataBound;

  constructor(bytesMax: number) {
    this.bound = new DataBound({
      bytesMax,
      storedBytes: () => this.stored,
      entryBytes: (key) => this.sizes.get(textOf(key)) ?? 0,
      underWayBytes: () => (this.canTell ? sum(this.underWay.flatMap(brought)) : undefined),
    });
  }

  get stored(): number {
    return sum([...this.sizes.values()]);
  }

  /** The code of the refusal; undefined when it was taken, and is under way now. */
  write(write: Write): string | undefined {
    const refused = this.bound.admit(operationOf(write));
    if (refused === undefined) this.underWay.push(write);
    return refused?.code;
  }

  /** How many of these were taken, from the first on, each as a write of its own. */
  putEach(puts: readonly Put[]): number {
    const entries = entryBatch(puts.map(([key, bytes]) => [key, valueOf(key, bytes)]));
    const taken = this.bound.admitEach(entries, puts.length);
    for (const put of puts.slice(0, taken)) this.underWay.push({ puts: [put] });
    return taken;
  }

  put(...put: Put): string | undefined {
    return this.write({ puts: [put] });
  }

  delete(...deletes: string[]): string | undefined {
    return this.write({ deletes });
  }

  /** The oldest write arrives, or is lost on its way. */
  settle(isApplied = true): void {
    const write = this.underWay.shift();
    if (write === undefined || !isApplied) return;
    if ('deletes' in write) for (const key of write.deletes) this.sizes.delete(key);
    else for (const [key, bytes] of write.puts) this.sizes.set(key, bytes);
  }

  settleAll(): void {
    while (this.underWay.length > 0) this.settle();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function brought(write: Write): number[] {
  return 'puts' in write ? write.puts.map(([, bytes]) => bytes) : [];
}

function valueOf(key: string, bytes: number): string {
  return 'v'.repeat(bytes - key.length);
}

function operationOf(write: Write): Operation {
  if ('deletes' in write) return { kind: 'delete', keys: write.deletes.map((key) => range(key)) };
  const pairs = write.puts.flatMap(([key, bytes]): ByteRange[] => {
    return [range(key), range(valueOf(key, bytes))];
  });
  const [key, value] = pairs;
  if (pairs.length === 2 && key !== undefined && value !== undefined) return { kind: 'put', key, value };
  return { kind: 'putMany', pairs };
}

describe('The bound on the data', () => {
  it('TakesWhatFillsItAndRefusesOneByteMore', () => {
    const node = new Surroundings(100);
    expect(node.put('a', 60)).to.equal(undefined);
    node.settleAll();
    expect(node.put('b', 41)).to.equal('MEMORY_FULL');
    expect(node.put('b', 40)).to.equal(undefined);
    node.settleAll();
    expect(node.stored).to.equal(100);
    expect(node.put('c', 1)).to.equal('MEMORY_FULL');
    expect(node.put('a', 61)).to.equal('MEMORY_FULL');
  });

  it('CountsOnlyWhatAnOverwriteAdds', () => {
    const node = new Surroundings(100);
    node.put('a', 90);
    node.settleAll();
    expect(node.put('a', 101)).to.equal('MEMORY_FULL');
    expect(node.put('a', 100)).to.equal(undefined);
    node.settleAll();
    expect(node.put('a', 100)).to.equal(undefined);
    expect(node.put('a', 10)).to.equal(undefined);
  });

  it('GivesTheRoomOfADeleteOnceItIsApplied', () => {
    const node = new Surroundings(100);
    node.put('a', 100);
    node.settleAll();
    expect(node.delete('a')).to.equal(undefined);
    expect(node.put('b', 100)).to.equal('MEMORY_FULL');
    node.settleAll();
    expect(node.put('b', 100)).to.equal(undefined);
  });

  it('CountsWhatIsUnderWayAndIsExactAgainOnceItHasArrived', () => {
    const node = new Surroundings(100);
    expect(node.put('a', 50)).to.equal(undefined);
    expect(node.put('a', 50), 'counted as if both were new').to.equal(undefined);
    expect(node.put('b', 1)).to.equal('MEMORY_FULL');
    node.settleAll();
    expect(node.put('b', 50)).to.equal(undefined);
  });

  it('TakesWhatFitsBesideOverwritesUnderWayAlsoAfterARefusal', () => {
    const node = new Surroundings(100);
    node.put('a', 90);
    node.settleAll();
    node.put('a', 90);
    expect(node.put('b', 11)).to.equal('MEMORY_FULL');
    expect(node.put('b', 10)).to.equal(undefined);
  });

  it('FindsTheRoomOfWhatWasLostOnItsWay', () => {
    const node = new Surroundings(100);
    node.put('a', 100);
    expect(node.put('b', 1)).to.equal('MEMORY_FULL');
    node.settle(false);
    expect(node.put('b', 100)).to.equal(undefined);
  });

  it('CountsEachPairOfSeveralByItself', () => {
    const node = new Surroundings(100);
    const twice = { puts: [['a', 51] as const, ['a', 51] as const] };
    expect(node.write(twice)).to.equal('MEMORY_FULL');
    expect(node.write({ puts: [['a', 60] as const, ['b', 40] as const] })).to.equal(undefined);
    node.settleAll();
    const swapped = { puts: [['a', 40] as const, ['b', 60] as const] };
    expect(node.write(swapped), 'what shrinks makes room only once it is applied').to.equal('MEMORY_FULL');
    expect(node.write({ puts: [['a', 60] as const, ['b', 39] as const] })).to.equal(undefined);
  });

  it('AboveItTakesWhatDoesNotGrow', () => {
    const node = new Surroundings(100);
    node.sizes.set('a', 150).set('b', 50);
    expect(node.put('a', 151)).to.equal('MEMORY_FULL');
    expect(node.put('c', 1)).to.equal('MEMORY_FULL');
    expect(node.put('a', 150)).to.equal(undefined);
    expect(node.put('a', 149)).to.equal(undefined);
    expect(node.delete('a')).to.equal(undefined);
    expect(node.put('b', 50)).to.equal(undefined);
    node.settleAll();
    expect(node.put('c', 51)).to.equal('MEMORY_FULL');
    expect(node.put('c', 50)).to.equal(undefined);
  });

  /** A delete makes room, and a put that was admitted before it was applied takes that room again. */
  it('DoesNotGiveTheSameRoomTwice', () => {
    const node = new Surroundings(100);
    node.put('a', 100);
    node.settleAll();
    node.delete('a');
    expect(node.put('a', 100)).to.equal(undefined);
    node.settle();
    expect(node.stored).to.equal(0);
    expect(node.put('b', 100)).to.equal('MEMORY_FULL');
    node.settleAll();
    expect(node.stored).to.equal(100);
  });

  it('TakesNothingThatGrowsWhileItCannotTellWhatIsUnderWay', () => {
    const node = new Surroundings(100);
    node.sizes.set('a', 10);
    node.canTell = false;
    expect(node.put('b', 1)).to.equal('BUSY');
    expect(node.put('a', 10)).to.equal(undefined);
    expect(node.delete('a')).to.equal(undefined);
    node.canTell = true;
    expect(node.put('b', 1)).to.equal(undefined);
    node.canTell = false;
    expect(node.put('c', 1), 'what was counted still holds').to.equal(undefined);
    node.bound.forget();
    expect(node.put('c', 1)).to.equal('BUSY');
  });

  it('TakesOfSeveralPutsThoseThatFillItWithWhateverElseIsCounted', () => {
    const node = new Surroundings(100);
    const three: Put[] = [
      ['a', 30],
      ['b', 30],
      ['c', 30],
    ];
    expect(node.putEach(three), 'how much there is was not looked up').to.equal(0);
    expect(node.put('a', 10)).to.equal(undefined);
    expect(node.putEach(three)).to.equal(3);
    expect(node.putEach([['d', 1]])).to.equal(0);
    node.settleAll();
    // An overwrite counts all that it brings, until one that does not fit so is looked at by itself.
    expect(node.putEach([['a', 30]])).to.equal(0);
    expect(node.put('d', 1)).to.equal(undefined);
    expect(
      node.putEach([
        ['d', 9],
        ['e', 1],
      ]),
    ).to.equal(1);
  });

  const seed = testSeed();
  it(`IsNeverPassedAndExactWhenNothingIsUnderWay, seed ${String(seed)}`, async () => {
    await withSeed(seed, (random) => {
      for (let round = 0; round < 200; round++) walk(random);
    });
  });
});

const KEYS = ['a', 'b', 'c', 'd'];

function walk(random: Random): void {
  const bytesMax = 20 + random.below(60);
  const node = new Surroundings(bytesMax);
  if (random.below(4) === 0) node.sizes.set('a', bytesMax + random.below(20));
  let most = Math.max(bytesMax, node.stored);
  const started = most;
  for (let step = 0; step < 120; step++) {
    node.canTell = random.below(5) > 0;
    if (random.below(3) === 0) node.settle(random.below(6) > 0);
    const size = (): Put => [random.pick(KEYS), 1 + random.below(30)];
    const chosen = random.below(8);
    if (chosen === 0) node.delete(random.pick(KEYS));
    else if (chosen === 1) node.write({ puts: [size(), size(), size()] });
    else if (chosen === 2) checkedRow(node, [size(), size(), size(), size()], bytesMax);
    else checkedPut(node, size(), bytesMax);
    // What began above the bound may come back to where it was as long as something is under way, and no further.
    if (node.underWay.length === 0) most = Math.max(bytesMax, node.stored);
    expect(node.stored).to.be.at.most(most);
    expect(most).to.be.at.most(started);
  }
  while (node.underWay.length > 0) {
    node.settle(random.below(6) > 0);
    expect(node.stored).to.be.at.most(most);
  }
}

function checkedPut(node: Surroundings, [key, bytes]: Put, bytesMax: number): void {
  const isExact = node.underWay.length === 0 && node.canTell;
  const before = node.sizes.get(key) ?? 0;
  const fits = bytes <= before || node.stored - before + bytes <= bytesMax;
  const code = node.put(key, bytes);
  if (isExact) expect(code).to.equal(fits ? undefined : 'MEMORY_FULL');
  if (bytes <= before) expect(code).to.equal(undefined);
}

/** Puts that came together: what is close to the bound is left to be looked at by itself. */
function checkedRow(node: Surroundings, puts: readonly Put[], bytesMax: number): void {
  const rest = puts.slice(node.putEach(puts));
  if (rest[0] !== undefined) checkedPut(node, rest[0], bytesMax);
}

describe('An engine whose data is bounded', () => {
  const VALUE = 'v'.repeat(59);

  it('CountsWhatIsBeingWrittenUntilItIsApplied', async () => {
    const { engine, log } = await startEngine({ dataBytesMax: 100 });
    log.hold = true;
    const first = put(engine, 'a', VALUE);
    await until(() => log.held.length === 1);
    expect(codeOf(await put(engine, 'b', VALUE))).to.equal('MEMORY_FULL');
    log.hold = false;
    log.held[0]!.release();
    expect(await first).to.equal(1);
    expect(codeOf(await put(engine, 'b', VALUE.slice(19)))).to.equal('MEMORY_FULL');
    expect(await put(engine, 'b', VALUE.slice(20))).to.equal(1);
    expect(engine.status()).to.include({ dataBytes: 100, dataBytesMax: 100 });
  });

  it('CountsAnUnconfirmedWriteThatMayYetTakeEffect', async () => {
    const { engine, log, clock } = await startEngine({ dataBytesMax: 100 });
    log.hold = true;
    let outcome: Outcome | undefined;
    void put(engine, 'a', VALUE).then((result) => {
      outcome = result;
    });
    await until(() => log.held.length === 1);
    clock.pass(6000);
    await until(() => outcome !== undefined);
    expect(codeOf(outcome!)).to.equal('UNCONFIRMED');
    expect(codeOf(await put(engine, 'b', VALUE))).to.equal('MEMORY_FULL');
    log.hold = false;
    log.held[0]!.release();
    await until(() => engine.status().dataBytes === 60);
    expect(await put(engine, 'b', VALUE.slice(20))).to.equal(1);
  });

  it('IsExactAgainAfterAWriteThatFoundTheDiskFull', async () => {
    const { engine, log, clock } = await startEngine({ dataBytesMax: 100 });
    log.failReserveWith = diskFull();
    expect(codeOf(await put(engine, 'a', VALUE))).to.equal('DISK_FULL');
    log.failReserveWith = undefined;
    clock.pass(RETRY_FULL_MS);
    await until(() => !engine.isDiskFull);
    expect(await put(engine, 'b', 'v'.repeat(99))).to.equal(1);
  });

  it('TellsWritersInTheOrderOfTheirWritesWhatIsRefusedAtOnceAtOnce', async () => {
    const { engine } = await startEngine({ dataBytesMax: 100 });
    const outcomes = await Promise.all([
      put(engine, 'a', VALUE),
      put(engine, 'b', VALUE),
      put(engine, 'a', ''),
    ]);
    expect(outcomes.map((outcome) => codeOf(outcome) ?? 'OK')).to.deep.equal(['OK', 'MEMORY_FULL', 'OK']);
  });
});
