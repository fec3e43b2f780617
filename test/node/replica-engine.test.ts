import { expect } from 'chai';
import type { Refusal, Term } from '../../src/engine.js';
import { termCount } from '../../src/log/term.js';
import { RETRY_FULL_MS } from '../../src/node/disk-room.js';
import type { ReplicaEngine } from '../../src/node/replica-engine.js';
import { makeTable } from '../store/make-table.js';
import { RwLock } from '../../src/store/rw-lock.js';
import { Store } from '../../src/store/store.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { MemoryLog, diskFull } from './memory-log.js';
import { NEW_STATE, Values, codeOf, get, put, range, startEngine, textOf, until } from './engine-fixture.js';
import type { Outcome } from './engine-fixture.js';

describe('A write', () => {
  it('IsNeitherAnsweredNorSeenBeforeItIsDurable', async () => {
    const { engine, log } = await startEngine();
    log.hold = true;
    let outcome: Outcome | undefined;
    const done = put(engine, 'k', 'v').then((result) => (outcome = result));
    await until(() => log.held.length === 1);
    expect(get(engine, 'k')).to.equal(null);
    expect(outcome).to.equal(undefined);
    log.held[0]!.release();
    await done;
    expect(outcome).to.equal(1);
    expect(get(engine, 'k')).to.equal('v');
  });

  it('SharesAFrameAndASyncWithAllThatCameInTheSameTurn', async () => {
    const { engine, log } = await startEngine();
    await Promise.all(Array.from({ length: 500 }, (_, at) => put(engine, `k${String(at)}`, 'v')));
    expect(log.frames).to.deep.equal([
      { firstIndex: 1, count: 1 },
      { firstIndex: 2, count: 500 },
    ]);
  });

  it('SharesTheNextFrameWithAllThatCameWhileTheDiskWasBusy', async () => {
    const { engine, log } = await startEngine();
    log.hold = true;
    const writes = [put(engine, 'first', 'v')];
    await until(() => log.held.length === 1);
    for (let turn = 0; turn < 10; turn++) {
      writes.push(put(engine, `later${String(turn)}`, 'v'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    log.hold = false;
    log.held[0]!.release();
    await Promise.all(writes);
    expect(log.frames.map((frame) => frame.count)).to.deep.equal([1, 1, 10]);
  });

  it('IsRefusedAtTheBoundOfWhatMayWaitAndTakenAgainBelowIt', async () => {
    const bytesOfOne = 5 + 8 + 1 + 100;
    const { engine, log } = await startEngine({ waitingBytesMax: 5 * bytesOfOne });
    log.hold = true;
    const value = 'v'.repeat(100);
    const first = put(engine, 'a', value);
    await until(() => log.held.length === 1);
    const waiting = ['b', 'c', 'd', 'e'].map((key) => put(engine, key, value));
    expect(codeOf(await put(engine, 'f', value))).to.equal('BUSY');
    log.hold = false;
    log.held[0]!.release();
    expect(await first).to.equal(1);
    expect(await Promise.all(waiting)).to.deep.equal([1, 1, 1, 1]);
    expect(await put(engine, 'f', value)).to.equal(1);
    expect(engine.status().waitingBytes).to.equal(0);
  });

  it('WhoseAppendFailsIsUnconfirmedNeverAppliedAndTheLast', async () => {
    const { engine, log, failures } = await startEngine();
    log.hold = true;
    const written = put(engine, 'k', 'v');
    await until(() => log.held.length === 1);
    const waiting = put(engine, 'waiting', 'v');
    log.held[0]!.release(new Error('EIO'));
    expect(codeOf(await written)).to.equal('UNCONFIRMED');
    expect(codeOf(await waiting)).to.equal('INTERNAL');
    expect(codeOf(await put(engine, 'later', 'v'))).to.equal('INTERNAL');
    expect(failures).to.have.length(1);
    expect(log.frames).to.have.length(1);
    expect(engine.status().keys).to.equal(0);
  });

  it('ThatFindsTheDiskFullIsRefusedNotAppliedAndTheNextOneMayPass', async () => {
    const { engine, log, clock, failures } = await startEngine();
    log.failReserveWith = diskFull();
    expect(codeOf(await put(engine, 'k', 'v'))).to.equal('DISK_FULL');
    expect(get(engine, 'k')).to.equal(null);
    expect(log.frames).to.have.length(1);
    log.failReserveWith = undefined;
    clock.pass(RETRY_FULL_MS);
    await until(() => !engine.isDiskFull);
    expect(await put(engine, 'k', 'again')).to.equal(1);
    expect(failures).to.deep.equal([]);
  });

  it('IsToldRightAfterItWasAppliedAndReadsItsOwnPosition', async () => {
    const { engine } = await startEngine();
    const seen: (string | null | undefined)[] = [];
    const write = (value: string): Promise<void> =>
      new Promise((resolve) => {
        const observer = {
          written: () => {
            seen.push(get(engine, 'k'));
            resolve();
          },
        };
        engine.write({ kind: 'put', key: range('k'), value: range(value) }, observer);
      });
    await Promise.all([write('1'), write('2'), write('3')]);
    expect(seen).to.deep.equal(['1', '2', '3']);
  });
});

describe('A write that fails behind a large one', () => {
  /** Makes a large write and a small one behind it; answers what they came to, in the order of being told. */
  async function toldWhen(fail: (log: MemoryLog) => Promise<void> | void): Promise<string[]> {
    const { engine, log } = await startEngine({ waitingBytesMax: Infinity });
    const told: string[] = [];
    const observer = {
      written: (refused: Refusal | undefined) => {
        told.push(refused?.code ?? 'done');
      },
    };
    log.hold = true;
    const pairs = MANY_KEYS.flatMap((key) => [key, range('v')]);
    engine.write({ kind: 'putMany', pairs }, observer);
    await until(() => log.held.length === 1);
    engine.write({ kind: 'put', key: range('b'), value: range('v') }, observer);
    log.held[0]!.release();
    // The large write is applied in slices while the small one fails.
    await fail(log);
    await until(() => told.length === 2);
    expect(engine.status().keys).to.equal(MANY);
    return told;
  }

  it('IsToldBehindItWhenTheAppendFails', async () => {
    const told = await toldWhen(async (log) => {
      await until(() => log.held.length === 2);
      log.held[1]!.release(new Error('EIO'));
    });
    expect(told).to.deep.equal(['done', 'UNCONFIRMED']);
  });

  it('IsToldBehindItWhenThereIsNoRoom', async () => {
    const told = await toldWhen((log) => {
      log.failReserveWith = diskFull();
    });
    expect(told).to.deep.equal(['done', 'DISK_FULL']);
  });

  it('IsToldBehindItWhenRoomCannotBeMadeSafe', async () => {
    const told = await toldWhen((log) => {
      log.failReserveWith = new Error('EIO');
    });
    expect(told).to.deep.equal(['done', 'INTERNAL']);
  });
});

describe('A start', () => {
  it('TakesATermOfItsOwnAndHasItOnDiskBeforeTheFirstEntry', async () => {
    const log = new MemoryLog();
    const cleanEnd = { ...EMPTY_LOG, checksum: 1 };
    const saved: NodeState[] = [];
    const waiting: (() => void)[] = [];
    const states = {
      saveState: (state: NodeState) => {
        saved.push(state);
        return new Promise<void>((resolve) => waiting.push(resolve));
      },
    };
    const state = { ...NEW_STATE, term: 7 as Term, cleanEnd };
    const starting = startEngine({ state, states, log: () => log });
    // Each save is let through by itself, and nothing is appended before the new term is durable.
    let isTermDurable = false;
    while (!isTermDurable) {
      await until(() => waiting.length > 0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(log.frames).to.deep.equal([]);
      isTermDurable = termCount(saved.at(-1)!.term) === 1;
      waiting.shift()!();
    }
    let isStarted = false;
    void starting.then(() => (isStarted = true));
    await until(() => (waiting.shift()?.(), isStarted));
    const { engine } = await starting;
    expect(saved.map((each) => each.cleanEnd)).to.deep.equal(saved.map(() => undefined));
    expect(log.frames).to.deep.equal([{ firstIndex: 1, count: 1 }]);
    expect(engine.status().position.term).to.equal(saved.at(-1)!.term);
  });

  it('ServesOnceItResolvesAndHasSavedWhatItKnows', async () => {
    const saving = { count: 0 };
    const states = {
      saveState: async () => {
        saving.count++;
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        saving.count--;
      },
    };
    const { engine } = await startEngine({ states });
    expect(saving.count).to.equal(0);
    expect(engine.status()).to.include({ role: 'primary', service: 'serving', commit: 1, applied: 1 });
    expect(get(engine, 'k')).to.equal(null);
  });

  it('DoesNotServeWhenItsStateCannotBeSaved', async () => {
    const failing = { saveState: () => Promise.reject(new Error('EROFS')) };
    const outcome = await startEngine({ states: failing }).catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(Error);
  });
});

describe('The policy everysec', () => {
  it('SyncsOnceASecondAndStopsTheNodeWhenThatFails', async () => {
    const { engine, log, clock, failures } = await startEngine({ fsync: 'everysec' });
    await put(engine, 'k', 'v');
    expect(log.syncs).to.equal(0);
    clock.pass(1000);
    expect(log.syncs).to.equal(1);
    log.failSyncWith = new Error('EIO');
    clock.pass(1000);
    await until(() => failures.length === 1);
    expect(codeOf(await put(engine, 'k', 'v'))).to.equal('INTERNAL');
  });
});

/** A lock that keeps nobody out: what the store would be without one. */
class OpenLock extends RwLock {
  override tryRead(): boolean {
    return true;
  }
  override tryWrite(): boolean {
    return true;
  }
  override releaseRead(): void {
    // Nothing is held.
  }
  override releaseWrite(): void {
    // Nothing is held.
  }
}

/** More keys than one slice takes, so that other work gets its turn in the middle. */
const MANY = 25_000;
const MANY_KEYS = Array.from({ length: MANY }, (_, at) => range(`key${String(at)}`));

function setAll(engine: ReplicaEngine, value: string): Promise<void> {
  const pairs = MANY_KEYS.flatMap((key) => [key, range(value)]);
  return new Promise((resolve) => {
    engine.write({ kind: 'putMany', pairs }, { written: () => resolve() });
  });
}

/** Reads against the order of writing, so that a read and a write in step with one another meet in the middle. */
const MANY_KEYS_REVERSED = [...MANY_KEYS].reverse();

function readAll(engine: ReplicaEngine): Promise<Set<string | null>> {
  const sink = new Values();
  return new Promise((resolve, reject) => {
    engine.readAll(MANY_KEYS_REVERSED, sink, (refused?: Refusal) => {
      if (refused === undefined) resolve(new Set(sink.values));
      else reject(new Error(refused.message));
    });
  });
}

/** Large reads beside large writes; answers how many reads saw a mixture. */
async function countTornReads(store: Store): Promise<number> {
  const { engine } = await startEngine({ store, waitingBytesMax: Infinity });
  await setAll(engine, 'first');
  let torn = 0;
  for (let round = 0; round < 10; round++) {
    const writing = setAll(engine, `round${String(round)}`);
    const reads: Promise<Set<string | null>>[] = [];
    // A write of this size takes three turns: some of these reads begin before it, some in it, some behind it.
    for (let turn = 0; turn < 6; turn++) {
      reads.push(readAll(engine));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    for (const values of await Promise.all(reads)) if (values.size !== 1) torn++;
  }
  return torn;
}

describe('A read of many keys', () => {
  it('SeesOneState', async () => {
    expect(await countTornReads(new Store(makeTable()))).to.equal(0);
  });

  it('IsTornWithoutTheLock', async () => {
    const store = new Store(makeTable());
    Object.defineProperty(store, 'lock', { value: new OpenLock() });
    expect(await countTornReads(store)).to.be.above(0);
  });

  it('EndsWhenWhoeverAskedCanTakeNoMore', async () => {
    const { engine } = await startEngine({ waitingBytesMax: Infinity });
    await setAll(engine, 'v');
    for (const count of [100, MANY]) {
      const sink = new Values();
      sink.valuesMax = 50;
      const refused = await new Promise<Refusal | undefined>((resolve) => {
        engine.readAll(MANY_KEYS.slice(0, count), sink, resolve);
      });
      expect(refused?.code).to.equal('TOO_LARGE');
      expect(sink.values).to.have.length(51);
    }
    expect(await put(engine, 'after', 'v')).to.equal(1);
  });

  it('OfTheCountShowsNoHalfOfALargeWrite', async () => {
    const { engine } = await startEngine({ waitingBytesMax: Infinity });
    const writing = setAll(engine, 'v');
    const counts = new Set<number>();
    while ((engine.count() as number) < MANY) {
      counts.add(engine.count() as number);
      expect(engine.status().keys).to.equal(engine.count());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    counts.add(engine.count() as number);
    expect([...counts]).to.deep.equal([0, MANY]);
  });

  it('OfASingleKeyWaitsWhileALargeWriteIsHalfApplied', async () => {
    const { engine, store } = await startEngine();
    const writing = setAll(engine, 'new');
    await until(() => !store.lock.tryRead() || (store.lock.releaseRead(), false));
    const sink = new Values();
    expect(engine.read(range('key0'), sink)).to.equal('wait');
    expect(sink.values).to.deep.equal([]);
    await writing;
    expect(get(engine, 'key0')).to.equal('new');
  });
});

describe('A stop', () => {
  it('AnswersAWriteForWhichRoomIsStillBeingMade', async () => {
    const { engine, log } = await startEngine();
    log.holdReserve = true;
    const waiting = put(engine, 'k', 'v');
    await until(() => log.reserving.length === 1);
    const closing = engine.close();
    await new Promise((resolve) => setImmediate(resolve));
    log.reserving[0]!.release();
    expect(await waiting).to.equal(1);
    await closing;
    expect(log.frames).to.have.length(2);
  });
});

describe('A scan', () => {
  it('VisitsEveryKeyOnceAndGivesOthersATurnBetweenPages', async () => {
    const { engine } = await startEngine({ waitingBytesMax: Infinity });
    await setAll(engine, 'v');
    const seen: string[] = [];
    let turns = 0;
    let isScanning = true;
    const count = (): void => {
      turns++;
      if (isScanning) setImmediate(count);
    };
    setImmediate(count);
    for await (const page of engine.scan(0)) {
      if ('code' in page) throw new Error(page.message);
      expect(page.cursor).to.equal(0);
      for (const key of page.keys) seen.push(textOf({ bytes: key, start: 0, end: key.length }));
      expect(page.keys.length).to.be.at.most(1000);
    }
    isScanning = false;
    expect(new Set(seen).size).to.equal(MANY);
    expect(seen).to.have.length(MANY);
    expect(turns).to.be.at.least(MANY / 1000 - 1);
  });

  it('OfSoManyKeysTellsInEachPageWhereTheNextOneBegins', async () => {
    const { engine } = await startEngine({ waitingBytesMax: Infinity });
    await setAll(engine, 'v');
    const seen: string[] = [];
    const pages: number[] = [];
    for (let cursor = 0; ;) {
      let next = -1;
      let count = 0;
      for await (const page of engine.scan(cursor, { keysMax: 10_000, pageKeyBytesMax: 6000 })) {
        if ('code' in page) throw new Error(page.message);
        if (next !== -1) expect(page.cursor).to.equal(next);
        next = page.cursor;
        count++;
        seen.push(...page.keys.map(String));
      }
      pages.push(count);
      if (next === 0) break;
      cursor = next;
    }
    expect([...new Set(seen)]).to.have.length(MANY);
    expect(seen).to.have.length(MANY);
    expect(pages).to.have.length(3);
    expect(Math.min(...pages)).to.be.at.least(5);
  });

  it('EndsAlthoughKeysComeFasterThanItGoes', async () => {
    const { engine, store } = await startEngine({ waitingBytesMax: Infinity });
    await setAll(engine, 'v');
    let pages = 0;
    for await (const page of engine.scan(0)) {
      expect(page).to.not.have.property('code');
      pages++;
      for (let at = 0; at < 2000; at++) store.put(range(`later${String(pages)}:${String(at)}`), range('v'));
    }
    expect(pages).to.equal(MANY / 1000);
  });
});
