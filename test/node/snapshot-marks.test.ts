import { expect } from 'chai';
import type { ByteRange, Index, Term } from '../../src/engine.js';
import type { LogEnd } from '../../src/log/frame.js';
import type { SnapshotOutput } from '../../src/node/ports.js';
import { EARLY_BYTES_MAX } from '../../src/node/snapshot-walk.js';
import { MARK_EVERY_MS, Snapshotter } from '../../src/node/snapshotter.js';
import type { Company } from '../../src/node/snapshotter.js';
import type { StateReport } from '../../src/replication/state-checks.js';
import { SUM_SLICE_BYTES, StateSum } from '../../src/store/state-sum.js';
import { Store } from '../../src/store/store.js';
import { testSeed, withSeed } from '../random.js';
import { makeTable } from '../store/make-table.js';
import { HeldClock, MemorySnapshots, NEW_STATE, SILENT, range, until } from './engine-fixture.js';
import { MemoryLog } from './memory-log.js';

/** Bytes of the log that make a snapshot due. */
const DUE_BYTES = 1000;

/** Snapshots in memory whose file opens when the test says so. */
class LateSnapshots extends MemorySnapshots {
  isHeld = false;
  #open: (() => void)[] = [];

  override async begin(): Promise<SnapshotOutput> {
    const output = await super.begin();
    if (this.isHeld) await new Promise<void>((resolve) => this.#open.push(resolve));
    return output;
  }

  open(): void {
    this.isHeld = false;
    for (const resolve of this.#open) resolve();
  }
}

class Fixture {
  readonly store = new Store(makeTable());
  readonly snapshots = new LateSnapshots();
  readonly clock = new HeldClock();
  readonly log = { appendedBytes: 0, sync: () => Promise.resolve(), removeUpTo: () => Promise.resolve() };
  readonly reports: StateReport[] = [];
  readonly snapshotter: Snapshotter;
  company: Company = 'marks';
  asked = 0;
  canMark = true;
  applied: LogEnd = at(1);

  constructor() {
    const { cluster, node } = NEW_STATE;
    const memoryLog = new MemoryLog();
    this.snapshotter = new Snapshotter({
      ...{ store: this.store, snapshots: this.snapshots, clock: this.clock, events: SILENT },
      log: () => Object.assign(memoryLog, this.log),
      logBytes: DUE_BYTES,
      identity: () => ({ cluster: cluster!, node }),
      neededFrom: () => undefined,
      applied: () => this.applied,
      company: () => this.company,
      askForMark: () => {
        this.asked++;
        return this.canMark;
      },
      summed: (report) => void this.reports.push(report),
    });
  }

  put(key: string, value: string | Buffer): void {
    this.store.put(range(key), range(value));
    this.store.settle();
  }

  grow(bytes: number): void {
    this.log.appendedBytes += bytes;
    this.snapshotter.writeIfDue();
  }

  mark(index: number): void {
    this.applied = at(index);
    this.snapshotter.marked(this.applied);
  }
}

function at(index: number): LogEnd {
  return { term: 1 as Term, index: index as Index, checksum: index };
}

function sumOf(content: ReadonlyMap<string, string>): string {
  const sum = new StateSum();
  for (const [key, value] of content) {
    const bytes = (text: string): ByteRange => range(Buffer.from(text, 'latin1'));
    sum.add(bytes(key), bytes(value));
  }
  while (sum.isBusy) sum.step();
  return sum.text;
}

describe('A mark', () => {
  it('BeginsASnapshotOfExactlyItsPositionBeforeTheFileIsOpen', async () => {
    const fixture = new Fixture();
    for (let key = 0; key < 2000; key++) fixture.put(`k${String(key)}`, 'old');
    fixture.snapshots.isHeld = true;
    fixture.mark(5);
    fixture.put('k7', 'new');
    fixture.put('another', 'new');
    fixture.store.delete(range('k8'));
    fixture.snapshots.open();
    fixture.put('k1999', 'new');
    await fixture.snapshotter.idle();
    const expected = new Map(Array.from({ length: 2000 }, (_, key) => [`k${String(key)}`, 'old']));
    expect(fixture.snapshots.content).to.deep.equal(expected);
    expect(fixture.snapshots.current).to.deep.equal(at(5));
    expect(fixture.reports).to.deep.equal([{ end: at(5), checksum: sumOf(expected) }]);
  });

  it('AddsUpTheStateOfOnePositionWhateverChangesMeanwhile', async () => {
    const seed = testSeed();
    await withSeed(seed, async (random) => {
      const fixture = new Fixture();
      const model = new Map<string, string>();
      const change = (): void => {
        const key = `k${String(random.below(4000))}`;
        if (random.next() < 0.3) {
          model.delete(key);
          fixture.store.delete(range(key));
          return;
        }
        const bytes = random.next() < 0.01 ? SUM_SLICE_BYTES * 2 * random.next() : 300 * random.next();
        const value = random.bytes(Math.floor(bytes));
        model.set(key, value.toString('latin1'));
        fixture.put(key, value);
      };
      for (let at = 0; at < 5000; at++) change();
      for (let round = 1; round <= 4; round++) {
        const expected = sumOf(model);
        fixture.mark(10 * round);
        const done = fixture.snapshotter.idle().then(() => 'done');
        while ((await Promise.race([done, turnOver()])) !== 'done') {
          for (let more = random.below(20); more > 0; more--) {
            if (fixture.snapshotter.isBehind) await fixture.snapshotter.caughtUp();
            change();
          }
        }
        expect(fixture.reports.at(-1)).to.deep.equal({ end: at(10 * round), checksum: expected });
      }
    });
  }).timeout(60_000);

  it('LetsNoMoreChangeBeforeTheFileIsOpenThanIsKept', async () => {
    const fixture = new Fixture();
    const half = Buffer.alloc(EARLY_BYTES_MAX / 2, 1);
    for (const key of ['a', 'b', 'c']) fixture.put(key, half);
    fixture.snapshots.isHeld = true;
    fixture.mark(5);
    fixture.put('a', 'new');
    expect(fixture.snapshotter.isBehind).to.equal(false);
    fixture.put('b', 'new');
    expect(fixture.snapshotter.isBehind).to.equal(true);
    const caughtUp = fixture.snapshotter.caughtUp();
    fixture.snapshots.open();
    await caughtUp;
    await until(() => !fixture.snapshotter.isBehind);
    await fixture.snapshotter.idle();
    expect(fixture.snapshots.content.get('b')?.length).to.equal(half.length);
  });

  it('LetsNoMoreThanOneLargeValueWaitToBeAddedUp', async () => {
    const fixture = new Fixture();
    const large = Buffer.alloc(8 * SUM_SLICE_BYTES, 1);
    for (const key of ['a', 'b', 'c']) fixture.put(key, large);
    fixture.mark(5);
    // The walk is at the first of them.
    await turnOver();
    expect(fixture.snapshotter.isBehind).to.equal(false);
    fixture.put('b', 'new');
    expect(fixture.snapshotter.isBehind).to.equal(true);
    await fixture.snapshotter.caughtUp();
    expect(fixture.snapshotter.isBehind).to.equal(false);
    await fixture.snapshotter.idle();
    expect(fixture.reports).to.have.lengthOf(1);
  });

  it('IsPassedOverWhileASnapshotIsUnderWay', async () => {
    const fixture = new Fixture();
    fixture.snapshots.isHeld = true;
    fixture.mark(5);
    fixture.mark(6);
    expect(fixture.snapshots.begun).to.equal(1);
    fixture.snapshots.open();
    await fixture.snapshotter.idle();
    expect(fixture.reports.map(({ end }) => end.index)).to.deep.equal([5]);
    fixture.mark(7);
    await fixture.snapshotter.idle();
    expect(fixture.reports.map(({ end }) => end.index)).to.deep.equal([5, 7]);
  });

  it('WhoseFileCannotBeOpenedHoldsNothingUp', async () => {
    const fixture = new Fixture();
    fixture.put('a', Buffer.alloc(2 * EARLY_BYTES_MAX, 1));
    fixture.snapshots.failWith = new Error('no file today');
    fixture.mark(5);
    fixture.put('a', 'new');
    expect(fixture.snapshotter.isBehind).to.equal(true);
    await fixture.snapshotter.caughtUp();
    await fixture.snapshotter.idle();
    expect(fixture.snapshotter.isBehind).to.equal(false);
    expect(fixture.reports).to.deep.equal([]);
    fixture.snapshots.failWith = undefined;
    fixture.mark(6);
    await fixture.snapshotter.idle();
    expect(fixture.reports).to.have.lengthOf(1);
  });
});

describe('A snapshot that is due', () => {
  it('IsWrittenAtOnceByANodeAlone', async () => {
    const fixture = new Fixture();
    fixture.company = 'alone';
    fixture.grow(DUE_BYTES - 1);
    await fixture.snapshotter.idle();
    expect(fixture.snapshots.begun).to.equal(0);
    fixture.grow(1);
    await fixture.snapshotter.idle();
    expect(fixture.snapshots.begun).to.equal(1);
    expect([fixture.asked, fixture.reports.length]).to.deep.equal([0, 0]);
  });

  it('IsSoWhenTheLogHasGrownByTwiceTheSizeOfTheLastOne', async () => {
    const fixture = new Fixture();
    fixture.company = 'alone';
    for (const [currentBytes, dueBytes] of [
      [DUE_BYTES / 2, DUE_BYTES],
      [DUE_BYTES / 2 + 1, DUE_BYTES + 2],
      [DUE_BYTES, 2 * DUE_BYTES],
    ] as const) {
      const before = fixture.snapshots.begun;
      fixture.snapshots.currentBytes = currentBytes;
      fixture.applied = at(fixture.applied.index + 1);
      fixture.grow(dueBytes - 1);
      await fixture.snapshotter.idle();
      expect(fixture.snapshots.begun).to.equal(before);
      fixture.grow(1);
      await fixture.snapshotter.idle();
      expect(fixture.snapshots.begun).to.equal(before + 1);
    }
  });

  it('IsMarkedOnceByAPrimaryWithOthers', async () => {
    const fixture = new Fixture();
    fixture.grow(DUE_BYTES - 1);
    expect(fixture.asked).to.equal(0);
    fixture.grow(1);
    fixture.grow(1);
    expect([fixture.asked, fixture.snapshots.begun]).to.deep.equal([1, 0]);
    fixture.mark(5);
    await fixture.snapshotter.idle();
    fixture.grow(DUE_BYTES);
    expect([fixture.asked, fixture.snapshots.begun]).to.deep.equal([2, 1]);
  });

  for (const company of ['marks', 'is told'] as const) {
    it(`IsWrittenWithoutAMarkOnceTheLogHasGrownTwiceAsMuchWhere ${company}`, async () => {
      const fixture = new Fixture();
      fixture.company = company;
      fixture.canMark = false;
      fixture.grow(2 * DUE_BYTES - 1);
      await fixture.snapshotter.idle();
      expect(fixture.snapshots.begun).to.equal(0);
      fixture.grow(1);
      await fixture.snapshotter.idle();
      expect(fixture.snapshots.begun).to.equal(1);
      expect(fixture.reports).to.deep.equal([]);
    });
  }
});

describe('A primary that writes little', () => {
  it('MarksItsLogOnceAnHourAndOnlyWhenItMoved', async () => {
    const fixture = new Fixture();
    const pass = (durationMs: number): number => {
      fixture.clock.pass(durationMs);
      fixture.snapshotter.markIfOld();
      return fixture.asked;
    };
    expect(pass(MARK_EVERY_MS - 1)).to.equal(0);
    expect(pass(1)).to.equal(1);
    expect(pass(MARK_EVERY_MS - 1), 'it was asked for').to.equal(1);
    fixture.mark(5);
    await fixture.snapshotter.idle();
    expect(pass(MARK_EVERY_MS), 'nothing was written since').to.equal(1);
    fixture.applied = at(6);
    expect(pass(MARK_EVERY_MS)).to.equal(2);
    fixture.company = 'is told';
    expect(pass(MARK_EVERY_MS), 'no longer the primary').to.equal(2);
  });
});

describe('A snapshot that an operator asks for', () => {
  it('IsTheOneOfAMarkOnAPrimaryWithOthers', async () => {
    const fixture = new Fixture();
    const [first, second] = [fixture.snapshotter.writeMarked(), fixture.snapshotter.writeMarked()];
    await until(() => fixture.asked > 0);
    await turnOver();
    fixture.mark(9);
    expect(await first).to.deep.equal(at(9));
    expect(await second).to.deep.equal(at(9));
    expect([fixture.asked, fixture.snapshots.begun]).to.deep.equal([1, 1]);
    expect(fixture.reports).to.have.lengthOf(1);
  });

  it('IsWrittenWithoutAMarkThatIsNotToBeHad', async () => {
    const fixture = new Fixture();
    fixture.canMark = false;
    expect(await fixture.snapshotter.writeMarked()).to.deep.equal(at(1));
    fixture.canMark = true;
    fixture.applied = at(2);
    const late = fixture.snapshotter.writeMarked();
    await until(() => fixture.asked === 2);
    await turnOver();
    fixture.clock.pass(10_000);
    expect(await late).to.deep.equal(at(2));
    fixture.company = 'alone';
    fixture.applied = at(3);
    expect(await fixture.snapshotter.writeMarked()).to.deep.equal(at(3));
    expect(fixture.asked).to.equal(2);
  });

  it('FailsWhenTheOneOfItsMarkDoes', async () => {
    const fixture = new Fixture();
    const asked = fixture.snapshotter.writeMarked().then(
      () => 'written',
      (error: unknown) => String(error),
    );
    await until(() => fixture.asked > 0);
    await turnOver();
    fixture.snapshots.failWith = new Error('no file today');
    fixture.mark(9);
    expect(await asked).to.equal('Error: no file today');
  });
});

function turnOver(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
