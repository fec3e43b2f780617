import { expect } from 'chai';
import type { Index, Refusal, Term } from '../../src/engine.js';
import type { EventLog } from '../../src/event-log.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { ReplicaEngineParts } from '../../src/node/engine-parts.js';
import { RETRY_FULL_MS } from '../../src/node/disk-room.js';
import { BACKLOG_MAX } from '../../src/node/replica.js';
import type { Message } from '../../src/replication/message.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { makeTable } from '../store/make-table.js';
import { Store } from '../../src/store/store.js';
import { NEW_STATE, codeOf, get, put, range, startEngine, until } from './engine-fixture.js';
import type { EngineFixture } from './engine-fixture.js';
import { chain } from './frames.js';
import { MemoryLog, diskFull } from './memory-log.js';
import { OTHER, TestNetwork } from './test-network.js';

/** A disk for the node state that is full while `isFull` is set. */
class StateDisk {
  isFull = false;
  saves = 0;
  readonly saved: NodeState[] = [];

  saveState(state: NodeState): Promise<void> {
    this.saves++;
    if (this.isFull) return Promise.reject(diskFull());
    this.saved.push(state);
    return Promise.resolve();
  }
}

class Told implements EventLog {
  readonly lines: string[] = [];
  readonly debug = (): void => undefined;
  readonly info = (_fields: object, message: string): void => void this.lines.push(`info ${message}`);
  readonly warn = (_fields: object, message: string): void => void this.lines.push(`warn ${message}`);
  readonly error = (_fields: object, message: string): void => void this.lines.push(`error ${message}`);

  about(text: string): string[] {
    return this.lines.filter((line) => line.includes(text));
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets the time pass after which room is looked for again. */
async function lookAgain({ clock }: EngineFixture): Promise<void> {
  clock.pass(RETRY_FULL_MS);
  await settle();
}

function advice({ engine }: EngineFixture): string | undefined {
  return engine.status().advice;
}

describe('While the log has no room', () => {
  it('WritesAreRefusedAtOnceAndRoomIsLookedForNoSoonerThanTheRetry', async () => {
    const fixture = await startEngine();
    const { engine, log, clock } = fixture;
    log.failReserveWith = diskFull();
    for (let write = 0; write < 50; write++) {
      expect(codeOf(await put(engine, `k${String(write)}`, 'v'))).to.equal('DISK_FULL');
    }
    expect(log.looks).to.equal(1);
    for (let round = 2; round < 6; round++) {
      clock.pass(RETRY_FULL_MS - 1);
      expect(codeOf(await put(engine, 'k', 'v'))).to.equal('DISK_FULL');
      expect(log.looks, 'not before the time has come').to.equal(round - 1);
      clock.pass(1);
      await settle();
      expect(log.looks).to.equal(round);
    }
    expect(log.frames).to.have.length(1);
    log.failReserveWith = undefined;
    await lookAgain(fixture);
    expect(await put(engine, 'k', 'v')).to.equal(1);
    expect(get(engine, 'k')).to.equal('v');
  });

  it('WhatFitsIntoTheCurrentSegmentIsStillTaken', async () => {
    const { engine, log } = await startEngine();
    log.failReserveWith = diskFull();
    expect(codeOf(await put(engine, 'large', 'v'.repeat(10_000)))).to.equal('DISK_FULL');
    log.roomBytes = 1000;
    expect(await put(engine, 'small', 'v')).to.equal(1);
    expect(codeOf(await put(engine, 'large', 'v'.repeat(10_000)))).to.equal('DISK_FULL');
    expect(log.looks).to.equal(1);
  });

  it('ItIsToldOnceAndTheAdviceSaysSoAndOnceWhenThereIsRoom', async () => {
    const events = new Told();
    const fixture = await startEngine({ events });
    const { engine, log } = fixture;
    expect(advice(fixture)).to.equal(undefined);
    for (let time = 1; time <= 2; time++) {
      log.failReserveWith = diskFull();
      for (let round = 0; round < 3; round++) {
        const refused = (await put(engine, 'k', 'v')) as Refusal;
        expect(refused.code).to.equal('DISK_FULL');
        expect(refused.message).to.match(/nothing was written: make room/);
        await lookAgain(fixture);
      }
      expect(advice(fixture)).to.match(/^the disk is full: make room on it; writes are refused until/);
      log.failReserveWith = undefined;
      await lookAgain(fixture);
      expect(advice(fixture)).to.equal(undefined);
      expect(events.about('the disk is full')).to.have.length(time);
      expect(events.about('there is room on the disk again')).to.have.length(time);
    }
  });
});

/** A lone primary with a change of its cluster under way that finds no room for the node state. */
async function stuckPrimary(parts: Partial<ReplicaEngineParts> = {}) {
  const disk = new StateDisk();
  const network = new TestNetwork();
  const events = new Told();
  const fixture = await startEngine({ states: disk, network, events, ...parts });
  const { engine } = fixture;
  expect(await put(engine, 'k', 'before')).to.equal(1);
  expect(await engine.reconfigure({ kind: 'addBackup', address: OTHER.address })).to.not.have.property(
    'code',
  );
  await settle();
  disk.isFull = true;
  const change = engine.reconfigure({ kind: 'setAcks', acks: 'all' });
  await until(() => engine.isDiskFull);
  return { ...fixture, fixture, disk, network, events, change };
}

describe('While the node state has no room', () => {
  it('ReadsGoOnWritesAndChangesAreRefusedAndAllOfItGoesOnOnceThereIsRoom', async () => {
    const { engine, fixture, disk, events, change, failures, log } = await stuckPrimary();
    const outcome = (await change) as Refusal;
    expect(outcome.code).to.equal('UNCONFIRMED');
    expect(outcome.message).to.include('the disk is full');
    const entries = log.frames.length;
    const saves = disk.saved.length;
    expect(get(engine, 'k')).to.equal('before');
    expect(codeOf(await put(engine, 'k', 'v'))).to.equal('DISK_FULL');
    const refused = await engine.reconfigure({
      kind: 'removeBackup',
      address: OTHER.address,
      backupIsDown: false,
    });
    expect(refused).to.include({ code: 'DISK_FULL' });
    for (let round = 0; round < 4; round++) await lookAgain(fixture);
    expect(disk.saved).to.have.length(saves);
    expect(log.frames).to.have.length(entries);
    disk.isFull = false;
    await lookAgain(fixture);
    expect(engine.isDiskFull).to.equal(false);
    expect(disk.saved.at(-1)!.configuration).to.include({ acks: 'all' });
    expect(await put(engine, 'k', 'after')).to.equal(1);
    expect(get(engine, 'k')).to.equal('after');
    expect(events.about('the disk is full')).to.have.length(1);
    expect(events.about('there is room on the disk again')).to.have.length(1);
    expect(failures).to.deep.equal([]);
  });

  it('ItIsTriedAgainNoSoonerThanTheRetry', async () => {
    const { disk, clock, change } = await stuckPrimary();
    await change;
    for (let round = 0; round < 5; round++) {
      const { saves } = disk;
      clock.pass(RETRY_FULL_MS - 1);
      await settle();
      expect(disk.saves).to.equal(saves);
      clock.pass(1);
      await settle();
      expect(disk.saves).to.equal(saves + 1);
    }
  });

  it('NothingPilesUpOfTicksAndMessagesAndPastTheBoundTheNodeStopsAndSaysWhy', async () => {
    const { engine, fixture, network, change, failures } = await stuckPrimary();
    await change;
    const { cluster } = NEW_STATE;
    const link = network.link({ ...OTHER, cluster });
    const observer = network.observer!;
    // Each time that a backup comes back it is to be probed.
    const flap = (): void => {
      observer.up(link);
      observer.received(link, { kind: 'heartbeat answer', term: 1 as Term, round: 0, sentMs: 0, leaseMs: 0 });
      observer.down(link);
    };
    network.sent.length = 0;
    for (let round = 0; round < 20; round++) await lookAgain(fixture);
    for (let at = 0; at < BACKLOG_MAX - 100; at++) flap();
    expect(failures).to.deep.equal([]);
    for (let at = 0; at < 300 && failures.length === 0; at++) flap();
    expect(failures).to.have.length(1);
    expect(String(failures[0])).to.match(/the disk has been full for too long/);
    expect(network.sent).to.deep.equal([]);
    expect(codeOf(await put(engine, 'k', 'v'))).to.equal('INTERNAL');
  });

  it('AStopIsNotACleanOneAndSavesNothing', async () => {
    const { engine, fixture, disk, change } = await stuckPrimary();
    await change;
    const saves = disk.saved.length;
    const stopping = engine.close().then(
      () => 'cleanly',
      (error: unknown) => (error as Error).name,
    );
    await lookAgain(fixture);
    expect(await stopping).to.equal('DiskFull');
    expect(disk.saved).to.have.length(saves);
  });
});

function filledStore(): Store {
  const store = new Store(makeTable());
  store.put(range('k'), range('v'));
  return store;
}

/** Starts on a disk that has no room for the node state. */
async function startFull(state: Partial<NodeState> = {}) {
  const disk = new StateDisk();
  disk.isFull = true;
  const network = new TestNetwork();
  const events = new Told();
  const log = new MemoryLog();
  const store = filledStore();
  const started = { ...NEW_STATE, ...state };
  const fixture = await startEngine({ states: disk, network, events, store, state: started, log: () => log });
  return { ...fixture, fixture: { ...fixture, log }, log, disk, network, events };
}

const MEMBERS = [NEW_STATE.node, OTHER.node].map((node) => ({ node, address: `${node}:1` }));
const PAIR = {
  members: MEMBERS,
  learners: [],
  acks: 'majority',
  failover: 'manual',
  position: EMPTY_LOG,
} as const;

describe('A start on a full disk', () => {
  it('AnswersReadsOfTheOnlyMemberAndRefusesWritesUntilThereIsRoomWithoutARestart', async () => {
    const { engine, fixture, disk, events, log, network } = await startFull();
    expect(get(engine, 'k')).to.equal('v');
    expect(engine.count()).to.equal(1);
    expect(codeOf(await put(engine, 'k', 'new'))).to.equal('DISK_FULL');
    expect(engine.status()).to.include({ role: 'primary', service: 'waiting' });
    expect(advice(fixture)).to.match(
      /^the disk is full: make room on it; writes are refused.* without a restart$/,
    );
    expect(engine.status().members).to.have.length(1);
    expect(engine.status().members[0]).to.include({ role: 'primary' });
    expect(await engine.snapshot()).to.include({ code: 'DISK_FULL' });
    for (let round = 0; round < 5; round++) await lookAgain(fixture);
    // It takes no part: nobody reaches it, and nothing is in the log.
    expect(network.observer).to.equal(undefined);
    expect(log.frames).to.deep.equal([]);
    expect(disk.saves).to.equal(6);
    disk.isFull = false;
    await lookAgain(fixture);
    expect(engine.status()).to.include({ role: 'primary', service: 'serving', advice: undefined });
    expect(await put(engine, 'k', 'new')).to.equal(1);
    expect(get(engine, 'k')).to.equal('new');
    expect(disk.saved[0]!.cleanEnd).to.equal(undefined);
    expect(events.about('the disk is full')).to.have.length(1);
    expect(events.about('there is room on the disk again')).to.have.length(1);
  });

  it('AnswersReadsAlsoWhenTheRoomIsGoneBeforeItsFirstEntryIsInTheLog', async () => {
    const log = new MemoryLog();
    log.hold = true;
    const starting = startEngine({ store: filledStore(), log: () => log });
    await until(() => log.held.length === 1);
    log.held[0]!.release(diskFull());
    const fixture = { ...(await starting), log };
    const { engine } = fixture;
    expect(get(engine, 'k')).to.equal('v');
    expect(codeOf(await put(engine, 'k', 'new'))).to.equal('DISK_FULL');
    expect(engine.status()).to.include({ role: 'primary', service: 'waiting' });
    log.hold = false;
    await lookAgain(fixture);
    expect(await put(engine, 'k', 'new')).to.equal(1);
  });

  it('AnswersNoQuorumWhereOthersCouldBeThePrimary', async () => {
    const { engine, fixture } = await startFull({ configuration: PAIR, commit: 0 as Index });
    expect(engine.count()).to.include({ code: 'NO_QUORUM' });
    expect(codeOf(await put(engine, 'k', 'new'))).to.equal('DISK_FULL');
    expect(advice(fixture)).to.match(/^the disk is full: .*Besides: .*waits until enough members agree/);
  });

  it('AnswersReadsOfABackupWhichSaysWhereItsPrimaryIs', async () => {
    const state = { role: 'backup', configuration: PAIR, lastPrimary: OTHER.node } as const;
    const { engine, fixture, disk, network } = await startFull(state);
    expect(get(engine, 'k')).to.equal('v');
    expect(codeOf(await put(engine, 'k', 'new'))).to.equal('NOT_PRIMARY');
    expect(advice(fixture)).to.match(/what the primary sends waits until there is room/);
    disk.isFull = false;
    await lookAgain(fixture);
    expect(network.observer).to.not.equal(undefined);
    expect(engine.status()).to.include({ role: 'backup', service: 'following' });
  });

  it('ThatIsStoppedBeforeThereIsRoomChangesNothing', async () => {
    const { engine, disk, log } = await startFull();
    await engine.close();
    expect(disk.saved).to.deep.equal([]);
    expect(log.syncs).to.equal(0);
  });

  it('IsRefusedForAnyOtherFailure', async () => {
    let saves = 0;
    const states = {
      saveState: () => Promise.reject(++saves === 1 ? diskFull() : new Error('EIO')),
    };
    const fixture = await startEngine({ states, store: filledStore() });
    await lookAgain(fixture);
    expect(fixture.failures.map(String)).to.deep.equal(['Error: EIO']);
    expect(codeOf(await put(fixture.engine, 'k', 'v'))).to.equal('INTERNAL');
  });
});

describe('A backup whose node state has no room', () => {
  it('TakesAndTellsNothingUntilThereIsRoomAndGoesOnThen', async () => {
    const disk = new StateDisk();
    const network = new TestNetwork();
    const state = { ...NEW_STATE, role: 'backup', configuration: PAIR } as const;
    const fixture = await startEngine({ states: disk, network, state });
    const { engine, log } = fixture;
    const peer = { ...OTHER, cluster: NEW_STATE.cluster, role: 'primary' } as const;
    const link = network.link(peer);
    const append: Message = {
      ...{ kind: 'append', term: 1 as Term, previous: EMPTY_LOG, frames: chain(3), commit: 3 as Index },
      ...{ isServing: true, isMember: true, echoMs: undefined },
    };
    disk.isFull = true;
    network.observer!.up(link);
    // The term of this primary is news, and must be on disk before anything is said.
    network.observer!.received(link, append);
    await until(() => engine.isDiskFull);
    network.sent.length = 0;
    for (let round = 0; round < 10; round++) {
      network.observer!.received(link, append);
      await lookAgain(fixture);
    }
    expect(network.sent).to.deep.equal([]);
    expect(log.frames).to.deep.equal([]);
    expect(engine.count()).to.equal(0);
    disk.isFull = false;
    await lookAgain(fixture);
    network.observer!.received(link, append);
    await settle();
    expect(log.frames).to.have.length(3);
    expect(engine.count()).to.equal(3);
    expect(network.sent.map(({ kind }) => kind)).to.include('append answer');
  });
});

describe('A snapshot that finds no room', () => {
  const noSpace = (): Error => Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });

  it('IsToldOnceAndTriedAgainAfterAWhileUntilThereIsRoom', async () => {
    const events = new Told();
    const fixture = await startEngine({ events, snapshotLogBytes: 1000 });
    const { engine, snapshots, clock } = fixture;
    snapshots.failWith = noSpace();
    for (let key = 0; key < 100; key++) await put(engine, `k${String(key)}`, 'v'.repeat(100));
    await settle();
    expect(snapshots.begun).to.equal(1);
    for (let round = 2; round < 5; round++) {
      clock.pass(9_000);
      await settle();
      expect(snapshots.begun).to.equal(round - 1);
      clock.pass(1_000);
      await settle();
      expect(snapshots.begun).to.equal(round);
    }
    expect(fixture.log.sparesGivenUp, 'for the room that they take').to.equal(4);
    expect(advice(fixture)).to.match(/no room for the JSON file: make room/);
    expect(await engine.snapshot()).to.include({ code: 'DISK_FULL' });
    snapshots.failWith = undefined;
    clock.pass(10_000);
    await settle();
    expect(snapshots.current).to.deep.equal(fixture.log.end);
    expect(advice(fixture)).to.equal(undefined);
    expect(events.about('no room for the JSON file')).to.have.length(1);
  });

  it('IsWrittenWhenItIsTheLogThatNeedsTheRoom', async () => {
    const fixture = await startEngine();
    const { engine, snapshots, log, clock } = fixture;
    await put(engine, 'k', '1');
    await engine.snapshot();
    await put(engine, 'k', '2');
    log.failReserveWith = diskFull();
    expect(codeOf(await put(engine, 'k', '3'))).to.equal('DISK_FULL');
    clock.pass(100);
    await until(() => snapshots.current?.index === log.end.index);
    // It has everything now: another one would free nothing.
    const { begun } = snapshots;
    for (let round = 0; round < 5; round++) await lookAgain(fixture);
    expect(snapshots.begun).to.equal(begun);
  });
});
