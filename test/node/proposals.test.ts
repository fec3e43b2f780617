import { expect } from 'chai';
import { refusal } from '../../src/engine.js';
import type { Index, Refusal, Term } from '../../src/engine.js';
import { lastIndexOf } from '../../src/log/frame.js';
import { range, until } from './engine-fixture.js';
import { diskFull } from './memory-log.js';
import { Fixture, TIMEOUT_MS } from './proposals-fixture.js';

const NONE = 0 as Index;
const LOST = refusal('NOT_PRIMARY', 'db-2:7001: it is the primary now');

describe('A proposal', () => {
  it('HoldsTheWritesOfOneTurnInTheirOrder', async () => {
    const fixture = new Fixture();
    fixture.write('a');
    fixture.write('b');
    const frame = await fixture.propose('c');
    expect(fixture.proposed).to.have.length(1);
    expect(frame).to.include({ count: 3, firstIndex: 1, term: 1 });
    expect(fixture.told).to.deep.equal([]);
    fixture.apply(frame);
    expect(fixture.told).to.deep.equal(['a', 'b', 'c']);
    expect(fixture.proposals.isEmpty).to.equal(true);
    expect(fixture.proposals.waitingBytes).to.equal(0);
  });

  it('GathersWhatComesWhileTheLogIsBusy', async () => {
    const fixture = new Fixture();
    fixture.isLogBusy = true;
    fixture.write('a');
    await fixture.turns();
    fixture.write('b');
    await fixture.turns();
    expect(fixture.proposed).to.deep.equal([]);
    fixture.isLogBusy = false;
    fixture.proposals.goOn();
    await until(() => fixture.proposed.length === 1);
    expect(fixture.proposed[0]!.count).to.equal(2);
  });

  it('ThatTakesNoMoreIsMadeWhileTheLogIsBusyWhereThereIsRoom', async () => {
    const fixture = new Fixture();
    fixture.isLogBusy = true;
    fixture.mayTakeAhead = true;
    fixture.write('a', 200_000);
    await fixture.turns();
    expect(fixture.proposed, 'it may take more').to.have.length(0);
    fixture.write('b', 200_000);
    await until(() => fixture.proposed.length === 1);
    fixture.mayTakeAhead = false;
    fixture.write('c', 200_000);
    await fixture.turns();
    expect(fixture.proposed).to.have.length(1);
    fixture.isHeld = true;
    fixture.mayTakeAhead = true;
    fixture.proposals.goOn();
    await fixture.turns();
    expect(fixture.proposed, 'a hand-over is under way').to.have.length(1);
    fixture.isHeld = fixture.isLogBusy = false;
    fixture.proposals.goOn();
    await until(() => fixture.proposed.length === 3);
    expect(fixture.proposed.map(({ firstIndex }) => firstIndex)).to.deep.equal([1, 2, 3]);
  });

  it('IsKnownAgainWhenItsFrameWasReadFromTheFiles', async () => {
    const fixture = new Fixture();
    const frame = await fixture.propose('a');
    fixture.apply({ ...frame, bytes: Buffer.from(frame.bytes) });
    expect(fixture.told).to.deep.equal(['a']);
  });

  it('DoesNotHoldOnToALargeBufferForWhoeverIsSentItWhenItIsSmall', async () => {
    const fixture = new Fixture();
    for (let index = 1; index <= 20; index++) {
      const frame = await fixture.propose('k');
      const [shared] = fixture.cache.after((index - 1) as Index, 1)!;
      expect(shared?.bytes.length).to.be.at.most(2 * (frame.end - frame.start) + 64);
      fixture.cache.written(lastIndexOf(frame));
      fixture.apply(frame);
    }
  });

  it('UsesTheBytesOfTheOneBeforeAgainWhereNobodyElseHasThem', async () => {
    const fixture = new Fixture();
    const applied = async (name: string, isShared: boolean): Promise<Buffer> => {
      const frame = await fixture.propose(name);
      if (isShared) fixture.cache.after((frame.firstIndex - 1) as Index, 1);
      fixture.cache.written(lastIndexOf(frame));
      fixture.apply(frame);
      return frame.bytes;
    };
    const first = await applied('a', false);
    expect(await applied('b', true), 'alone').to.equal(first);
    expect(await applied('c'.repeat(6000), true), 'others have a copy').to.equal(first);
    expect(await applied('d', false), 'others have it').not.to.equal(first);
  });
});

describe('A write that waits too long', () => {
  it('KeepsItsBytesForWhoeverIsSentThemHoweverLargeItIs', async () => {
    for (const length of [1, 12_000]) {
      const fixture = new Fixture();
      const frame = await fixture.propose('a'.repeat(length));
      // A backup is being sent it.
      const [sent] = fixture.cache.after(NONE, 1)!;
      const bytes = Buffer.from(sent!.bytes);
      fixture.cache.written(lastIndexOf(frame));
      fixture.apply(frame);
      for (const name of ['b', 'c', 'd']) fixture.apply(await fixture.propose(name.repeat(length)));
      expect(sent?.bytes.equals(bytes)).to.equal(true);
    }
  });

  it('IsUnconfirmedAtItsDeadlineAndNotBeforeAndInOrder', async () => {
    const fixture = new Fixture();
    await fixture.propose('a');
    fixture.clock.pass(1000);
    await fixture.propose('b');
    fixture.clock.pass(TIMEOUT_MS - 1001);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal([]);
    fixture.clock.pass(1);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED']);
    fixture.clock.pass(1000);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b:UNCONFIRMED']);
    expect(fixture.proposals.isEmpty).to.equal(true);
  });

  it('SaysItsPositionAndWhoIsMissing', async () => {
    const fixture = new Fixture();
    let message = '';
    const observer = { written: (refused: Refusal | undefined) => (message = refused?.message ?? '') };
    fixture.proposals.write({ kind: 'put', key: range('k'), value: range('v') }, observer);
    await until(() => fixture.proposed.length === 1);
    fixture.clock.pass(TIMEOUT_MS);
    fixture.proposals.checkTime(NONE);
    expect(message).to.match(/ 0?:?\d*:1 .*may still take effect.*db-2:7001/);
  });

  it('IsNotToldTwiceWhenItTakesEffectAfterAll', async () => {
    const fixture = new Fixture();
    const first = await fixture.propose('a');
    fixture.clock.pass(TIMEOUT_MS);
    fixture.proposals.checkTime(NONE);
    const second = await fixture.propose('b');
    fixture.apply(first);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED']);
    fixture.apply(second);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b']);
  });

  it('IsLeftAloneOnceItIsCommitted', async () => {
    const fixture = new Fixture();
    const frame = await fixture.propose('a');
    fixture.clock.pass(2 * TIMEOUT_MS);
    fixture.proposals.checkTime(lastIndexOf(frame));
    expect(fixture.told).to.deep.equal([]);
    fixture.apply(frame);
    expect(fixture.told).to.deep.equal(['a']);
  });

  it('ForItsTurnIsRefusedAndNeverProposed', async () => {
    const fixture = new Fixture();
    fixture.isLogBusy = true;
    fixture.write('a');
    fixture.clock.pass(TIMEOUT_MS - 1);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal([]);
    fixture.clock.pass(1);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal(['a:BUSY']);
    fixture.isLogBusy = false;
    fixture.proposals.goOn();
    await fixture.turns();
    expect(fixture.proposed).to.deep.equal([]);
  });

  it('ForRoomIsToldBeforeWhatWasRefusedMeanwhile', async () => {
    const fixture = new Fixture();
    fixture.holdsReserve = true;
    fixture.write('a');
    await until(() => fixture.reserving.length === 1);
    expect(fixture.proposals.isEmpty, 'it is not forgotten').to.equal(false);
    expect(fixture.proposals.waitingBytes).to.be.above(0);
    fixture.write('b');
    fixture.clock.pass(TIMEOUT_MS);
    fixture.proposals.checkTime(NONE);
    expect(fixture.told).to.deep.equal([]);
    fixture.reserving[0]!.fulfil(diskFull());
    await until(() => fixture.told.length === 2);
    expect(fixture.told).to.deep.equal(['a:DISK_FULL', 'b:BUSY']);
    expect(fixture.proposals.isEmpty).to.equal(true);
  });
});

describe('A write that cannot be taken', () => {
  it('IsRefusedInTheCallWhenNothingIsUnderWay', () => {
    const fixture = new Fixture();
    fixture.objection = LOST;
    fixture.write('a');
    expect(fixture.told).to.deep.equal(['a:NOT_PRIMARY']);
  });

  it('IsToldBehindTheOnesUnderWay', async () => {
    const fixture = new Fixture();
    const first = await fixture.propose('a');
    fixture.objection = LOST;
    fixture.write('b');
    await fixture.turns();
    expect(fixture.told).to.deep.equal([]);
    fixture.apply(first);
    expect(fixture.told).to.deep.equal(['a', 'b:NOT_PRIMARY']);
  });

  it('ForWantOfRoomIsToldInOrderAndTheNextOneMayPass', async () => {
    const fixture = new Fixture();
    const first = await fixture.propose('a');
    fixture.failReserveWith = diskFull();
    fixture.write('b');
    await fixture.turns();
    fixture.failReserveWith = undefined;
    const third = await fixture.propose('c');
    expect(fixture.told).to.deep.equal([]);
    fixture.apply(first);
    expect(fixture.told).to.deep.equal(['a', 'b:DISK_FULL']);
    fixture.apply(third);
    expect(fixture.told).to.deep.equal(['a', 'b:DISK_FULL', 'c']);
    expect(third.firstIndex).to.equal(2);
    expect(fixture.failures).to.deep.equal([]);
  });

  it('BecauseRoomCannotBeMadeSafeStopsTheNode', async () => {
    const fixture = new Fixture();
    const failure = new Error('EIO');
    fixture.failReserveWith = failure;
    fixture.write('a');
    await until(() => fixture.told.length === 1);
    expect(fixture.told).to.deep.equal(['a:INTERNAL']);
    expect(fixture.failures).to.deep.equal([failure]);
  });
});

describe('A hand-over', () => {
  it('HoldsWritesUntilItIsDecided', async () => {
    const fixture = new Fixture();
    fixture.isHeld = true;
    fixture.write('a');
    await fixture.turns();
    fixture.proposals.goOn();
    await fixture.turns();
    expect(fixture.proposed).to.deep.equal([]);
    fixture.isHeld = false;
    fixture.proposals.goOn();
    await until(() => fixture.proposed.length === 1);
    fixture.apply(fixture.proposed[0]!);
    expect(fixture.told).to.deep.equal(['a']);
  });

  it('ThatIsDoneRefusesThem', async () => {
    const fixture = new Fixture();
    fixture.isHeld = true;
    fixture.write('a');
    await fixture.turns();
    fixture.objection = LOST;
    fixture.proposals.lose(NONE, LOST);
    expect(fixture.told).to.deep.equal(['a:NOT_PRIMARY']);
    fixture.isHeld = false;
    fixture.proposals.goOn();
    await fixture.turns();
    expect(fixture.proposed).to.deep.equal([]);
  });
});

describe('An office that is lost', () => {
  it('LeavesWhatWasProposedUnconfirmedAndRefusesWhatWasNot', async () => {
    const fixture = new Fixture();
    await fixture.propose('a');
    fixture.isLogBusy = true;
    fixture.write('b');
    fixture.proposals.lose(NONE, LOST);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b:NOT_PRIMARY']);
    expect(fixture.proposals.isEmpty).to.equal(true);
    expect(fixture.proposals.waitingBytes).to.equal(0);
  });

  it('StillAnswersWhatIsCommittedAndTellsTheRestBehindIt', async () => {
    const fixture = new Fixture();
    const first = await fixture.propose('a');
    await fixture.propose('b');
    fixture.isLogBusy = true;
    fixture.write('c');
    fixture.proposals.lose(lastIndexOf(first), LOST);
    expect(fixture.told).to.deep.equal([]);
    fixture.apply(first);
    expect(fixture.told).to.deep.equal(['a', 'b:UNCONFIRMED', 'c:NOT_PRIMARY']);
  });

  it('WhileAWriteIsHalfApplied', async () => {
    const fixture = new Fixture();
    fixture.write('a1');
    const first = await fixture.propose('a2');
    await fixture.propose('b');
    const observers = fixture.proposals.observersOf(first);
    observers[0]?.written(undefined, 1);
    fixture.proposals.lose(lastIndexOf(first), LOST);
    observers[1]?.written(undefined, 1);
    fixture.proposals.applied(first);
    expect(fixture.told).to.deep.equal(['a1', 'a2', 'b:UNCONFIRMED']);
  });

  it('ForgetsNobodyBehindARefusedWrite', async () => {
    const fixture = new Fixture();
    await fixture.propose('a');
    fixture.failReserveWith = diskFull();
    fixture.write('b');
    await fixture.turns();
    fixture.failReserveWith = undefined;
    await fixture.propose('c');
    fixture.proposals.lose(NONE, LOST);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b:DISK_FULL', 'c:UNCONFIRMED']);
    expect(fixture.proposals.isEmpty).to.equal(true);
  });

  it('WhileRoomIsMadeRefusesThatWriteInItsPlace', async () => {
    const fixture = new Fixture();
    await fixture.propose('a');
    fixture.holdsReserve = true;
    fixture.write('b');
    await until(() => fixture.reserving.length === 1);
    fixture.write('c');
    fixture.objection = LOST;
    fixture.proposals.lose(NONE, LOST);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED']);
    fixture.reserving[0]!.fulfil();
    await until(() => fixture.told.length === 3);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b:NOT_PRIMARY', 'c:NOT_PRIMARY']);
    expect(fixture.proposed).to.have.length(1);
  });

  it('AndIsHadAgainGoesOnUnderTheNewTerm', async () => {
    const fixture = new Fixture();
    const first = await fixture.propose('a');
    fixture.proposals.lose(NONE, LOST);
    fixture.term = 2 as Term;
    const second = await fixture.propose('b');
    // What was unconfirmed took effect after all.
    fixture.apply(first);
    fixture.apply(second);
    expect(fixture.told).to.deep.equal(['a:UNCONFIRMED', 'b']);
  });
});
