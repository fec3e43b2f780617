import { expect } from 'chai';
import { SESSIONS_MAX, SESSION_NUMBERS_MAX } from '../../src/engine.js';
import type { Term, WriteObserver } from '../../src/engine.js';
import { ITEMS_A_SLICE } from '../../src/node/applier.js';
import { LOOKS_A_TICK, SESSION_IDLE_MS, SessionExpiry } from '../../src/node/session-expiry.js';
import { Sessions } from '../../src/store/sessions.js';
import { testSeed, withSeed } from '../random.js';
import { HeldClock, codeOf, get, put, startEngine, until } from './engine-fixture.js';
import type { Outcome } from './engine-fixture.js';
import { openSession, openedSession, operationOf, write } from './session-writes.js';

describe('A write under a session', () => {
  it('OfManyKeysIsAppliedInSlicesOnceAndAnsweredAgainWithItsCount', async () => {
    const { engine, store } = await startEngine({ waitingBytesMax: Infinity });
    const session = await openedSession(engine);
    const keys = Array.from({ length: ITEMS_A_SLICE * 2 + 500 }, (_, at) => `k${String(at)}`);
    const pairs = operationOf(`put ${keys.map((key) => `${key} 1`).join(' ')}`);
    const first = write(engine, pairs, { session, number: 1, lowest: 1 });
    const again = write(engine, pairs, { session, number: 1, lowest: 1 });
    const between = put(engine, 'k0', 'other');
    const last = write(engine, pairs, { session, number: 1, lowest: 1 });
    expect(await Promise.all([first, again, between, last])).to.deep.equal([
      keys.length,
      keys.length,
      1,
      keys.length,
    ]);
    expect(get(engine, 'k0')).to.equal('other');
    const gone = operationOf(`delete ${keys.join(' ')}`);
    expect(await write(engine, gone, { session, number: 2, lowest: 1 })).to.equal(keys.length);
    await put(engine, 'k1', 'new');
    expect(await write(engine, gone, { session, number: 2, lowest: 1 })).to.equal(keys.length);
    expect(get(engine, 'k1')).to.equal('new');
    expect(store.count).to.equal(1);
  });

  it('IsRefusedByTheEngineWhereItsNumbersMakeNoSense', async () => {
    const { engine, log } = await startEngine();
    const session = await openedSession(engine);
    const frames = log.frames.length;
    const last = SESSION_NUMBERS_MAX + 1;
    for (const [tag, code] of [
      [{ session, number: 0, lowest: 0 }, 'SYNTAX'],
      [{ session, number: 1, lowest: 2 }, 'SYNTAX'],
      [{ session, number: 1.5, lowest: 1 }, 'SYNTAX'],
      [{ session, number: 2 ** 53, lowest: 2 ** 53 }, 'SYNTAX'],
      [{ session: NaN, number: 1, lowest: 1 }, 'SYNTAX'],
      [{ session, number: last, lowest: 1 }, 'TOO_LARGE'],
    ] as const) {
      expect(codeOf(await write(engine, operationOf('put a 1'), tag)), JSON.stringify(tag)).to.equal(code);
    }
    expect(log.frames).to.have.lengthOf(frames);
    expect(
      codeOf(await write(engine, operationOf('put a 1'), { session, number: last, lowest: 2 })),
    ).to.equal(undefined);
  });

  it('ThatWasAppliedIsAnsweredAlsoWhereTheDataIsFull', async () => {
    const { engine } = await startEngine({ dataBytesMax: 1024 });
    const session = await openedSession(engine);
    const value = 'v'.repeat(500);
    const first = { session, number: 1, lowest: 1 };
    expect(await write(engine, operationOf(`put a ${value}`), first)).to.equal(1);
    expect(await put(engine, 'b', value)).to.equal(1);
    expect(codeOf(await put(engine, 'c', value))).to.equal('MEMORY_FULL');
    await write(engine, operationOf('delete a'));
    await put(engine, 'd', value);
    expect(await write(engine, operationOf(`put a ${value}`), first)).to.equal(1);
    const second = { session, number: 2, lowest: 1 };
    expect(codeOf(await write(engine, operationOf(`put a ${value}`), second))).to.equal('MEMORY_FULL');
    expect(get(engine, 'a')).to.equal(null);
  });

  it('CountsNothingOfItsSessionAsData', async () => {
    const { engine } = await startEngine();
    const session = await openedSession(engine);
    await write(engine, operationOf('put a 1'), { session, number: 1, lowest: 1 });
    expect(engine.status()).to.include({ keys: 1, dataBytes: 2, sessions: 1 });
  });
});

describe('Sessions of an engine', () => {
  it('AreBusyPastTheirBoundAndOpenAgainOnceSomeHaveExpired', async function () {
    this.timeout(30_000);
    const { engine, clock } = await startEngine({ waitingBytesMax: Infinity, sessionIdleMs: 1000 });
    const ids = await Promise.all(Array.from({ length: SESSIONS_MAX }, () => openedSession(engine)));
    expect(new Set(ids).size).to.equal(SESSIONS_MAX);
    expect(codeOf(await openSession(engine))).to.equal('BUSY');
    expect(
      codeOf(await write(engine, operationOf('put a 1'), { session: ids[0]!, number: 1, lowest: 1 })),
    ).to.equal(undefined);
    while (engine.status().sessions === SESSIONS_MAX) {
      clock.pass(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await openSession(engine)).to.be.a('number');
  });

  it('AreEndedByEntriesOnlyAndOnlyThoseThatNobodyUses', async () => {
    const { engine, log, clock } = await startEngine({ sessionIdleMs: 10_000 });
    const [idle, used] = [await openedSession(engine), await openedSession(engine)];
    clock.pass(9000);
    expect(await write(engine, operationOf('put a 1'), { session: used, number: 1, lowest: 1 })).to.equal(1);
    log.hold = true;
    clock.pass(1500);
    await until(() => log.held.length === 1);
    // The entry that ends it is not in the log yet, and so nothing has ended.
    expect(engine.status().sessions).to.equal(2);
    log.hold = false;
    log.held[0]!.release();
    await until(() => engine.status().sessions === 1);
    const refused = await write(engine, operationOf('put a 2'), { session: idle, number: 1, lowest: 1 });
    expect(codeOf(refused)).to.equal('SESSION_EXPIRED');
    expect(get(engine, 'a')).to.equal('1');
    expect(await write(engine, operationOf('put a 3'), { session: used, number: 2, lowest: 2 })).to.equal(1);
  });

  it('AreNotEndedWhileAWriteOfTheirsIsUnderWay', async () => {
    const { engine, log, clock } = await startEngine({ sessionIdleMs: 3000 });
    const session = await openedSession(engine);
    clock.pass(2500);
    log.hold = true;
    const written = write(engine, operationOf('put a 1'), { session, number: 1, lowest: 1 });
    await until(() => log.held.length === 1);
    clock.pass(2500);
    log.hold = false;
    log.held[0]!.release();
    expect(await written).to.equal(1);
    expect(await write(engine, operationOf('put a 2'), { session, number: 2, lowest: 2 })).to.equal(1);
    expect(engine.status().sessions).to.equal(1);
  });

  it('AreInASnapshotExactlyAsTheyWereAtItsPositionWhileWritesGoOn', async () => {
    await withSeed(testSeed(), async (random) => {
      const { engine, snapshots, log } = await startEngine({ waitingBytesMax: Infinity });
      const ids: number[] = [];
      for (let at = 0; at < 100; at++) ids.push(await openedSession(engine));
      const model = new Map(ids.map((id) => [id, [] as readonly number[]]));
      const models = new Map<number, Map<number, readonly number[]>>();
      let index = log.end.index as number;
      const step = (): Promise<void> => {
        const session = random.pick(ids);
        return new Promise((resolve) => {
          const number = (numbers.get(session) ?? 0) + 1;
          numbers.set(session, number);
          const observer = {
            written: (_: unknown, count: number) => {
              model.set(session, [...(model.get(session) ?? []), count]);
              models.set(++index, new Map(model));
              resolve();
            },
          };
          engine.write(operationOf(`delete k${String(random.below(20))}`), observer, {
            session,
            number,
            lowest: 1,
          });
        });
      };
      const numbers = new Map<number, number>();
      await Promise.all(Array.from({ length: 100 }, step));
      for (let round = 0; round < 5; round++) {
        const snapshot = engine.snapshot();
        for (let turn = 0; turn < 20; turn++) {
          await Promise.all(Array.from({ length: 1 + random.below(5) }, step));
        }
        await snapshot;
        const found = [...snapshots.sessions].map(([id, { answers }]) => [id, answers] as const);
        expect(new Map(found)).to.deep.equal(models.get(snapshots.current!.index));
      }
    });
  });

  for (const repeats of [false, true]) {
    const what = repeats ? 'RepeatedWrites' : 'Writes';
    it(`MakeApplyingOf${what}WaitWhenTheFileOfASnapshotFallsBehind`, async () => {
      const { engine, snapshots } = await startEngine();
      const ids: number[] = [];
      for (let at = 0; at < 30; at++) ids.push(await openedSession(engine));
      const writeAll = (): Promise<Outcome>[] =>
        ids.map((session) => write(engine, operationOf('put a 1'), { session, number: 1, lowest: 1 }));
      if (repeats) await Promise.all(writeAll());
      snapshots.isSlow = true;
      const snapshot = engine.snapshot();
      const writes = writeAll();
      let done = 0;
      for (const each of writes) void each.then(() => done++);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(done).to.be.below(ids.length);
      snapshots.isSlow = false;
      snapshots.catchUp();
      await Promise.all([snapshot, ...writes]);
      const before = ids.map(() => (repeats ? [1] : []));
      expect([...snapshots.sessions.values()].map(({ answers }) => answers)).to.deep.equal(before);
    });
  }
});

describe('The expiry of sessions', () => {
  /** What it is made of, in the test's hand. */
  class Fixture {
    readonly clock = new HeldClock();
    readonly sessions = new Sessions();
    readonly proposed: number[][] = [];
    observer: WriteObserver | undefined;
    office: Term | undefined = 1 as Term;
    readonly expiry = new SessionExpiry({
      sessions: this.sessions,
      clock: this.clock,
      idleMs: SESSION_IDLE_MS,
      office: () => this.office,
      propose: (sessions, observer) => {
        this.proposed.push([...sessions]);
        this.observer = observer;
      },
    });

    /** Ticks for as long as this, in steps. */
    pass(durationMs: number, stepMs = 100): void {
      for (let passed = 0; passed < durationMs; passed += stepMs) {
        this.clock.pass(stepMs);
        this.expiry.tick();
      }
    }

    applied(): void {
      for (const id of this.proposed.at(-1) ?? []) this.sessions.expire(id);
      this.observer?.written(undefined, 1);
    }
  }

  it('ProposesASessionOnceItWasUnusedForSoLongAndNotBefore', () => {
    const fixture = new Fixture();
    fixture.sessions.open(1);
    fixture.pass(SESSION_IDLE_MS - 200);
    fixture.sessions.begin(1, 1, 1);
    fixture.pass(SESSION_IDLE_MS - 200);
    expect(fixture.proposed).to.deep.equal([]);
    fixture.pass(400);
    expect(fixture.proposed).to.deep.equal([[1]]);
    // Another one is not proposed before it is known what came of this one.
    fixture.pass(1000);
    expect(fixture.proposed).to.have.lengthOf(1);
    fixture.applied();
    fixture.pass(1000);
    expect(fixture.proposed).to.have.lengthOf(1);
  });

  it('CountsFromWhenThisNodeTookOffice', () => {
    const fixture = new Fixture();
    fixture.office = undefined;
    fixture.sessions.open(1);
    fixture.pass(2 * SESSION_IDLE_MS, 1000);
    fixture.office = 2 as Term;
    fixture.pass(SESSION_IDLE_MS - 1000, 1000);
    fixture.office = 3 as Term;
    fixture.pass(SESSION_IDLE_MS, 1000);
    expect(fixture.proposed).to.deep.equal([]);
    fixture.pass(1000, 1000);
    expect(fixture.proposed).to.deep.equal([[1]]);
  });

  it('CountsNoTimeInWhichNoWriteWasTakenOrThisNodeWasPaused', () => {
    const fixture = new Fixture();
    fixture.sessions.open(1);
    fixture.pass(1000);
    fixture.office = undefined;
    fixture.pass(2 * SESSION_IDLE_MS, 1000);
    fixture.office = 1 as Term;
    fixture.pass(10 * SESSION_IDLE_MS, 10 * SESSION_IDLE_MS);
    fixture.pass(1000);
    expect(fixture.proposed).to.deep.equal([]);
    fixture.pass(SESSION_IDLE_MS);
    expect(fixture.proposed).to.deep.equal([[1]]);
  });

  it('LooksAtABoundedNumberInATickAndComesToAllOfThem', () => {
    const fixture = new Fixture();
    for (let id = 1; id <= SESSIONS_MAX; id++) fixture.sessions.open(id);
    fixture.pass(SESSION_IDLE_MS + 1000, 1000);
    for (let ticks = 0; fixture.sessions.count > 0; ticks++) {
      fixture.applied();
      fixture.pass(100);
      expect(fixture.proposed.at(-1)!.length).to.be.within(1, LOOKS_A_TICK);
      expect(ticks).to.be.below((2 * SESSIONS_MAX) / LOOKS_A_TICK);
    }
  });

  it('ProposesAgainWhatWasRefused', () => {
    const fixture = new Fixture();
    fixture.sessions.open(1);
    fixture.pass(SESSION_IDLE_MS + 1000, 1000);
    fixture.observer?.written({ code: 'NO_QUORUM', message: 'nobody is there' }, 0);
    fixture.pass(1000);
    expect(fixture.proposed).to.deep.equal([[1], [1]]);
  });
});
