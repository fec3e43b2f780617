import { expect } from 'chai';
import { codeOf, messageOf, play } from './scene.js';

const DOWN = { othersAreDown: true };

/** What an operator can ask for, and what comes of it when something is wrong at that moment. */
describe('Promotions', () => {
  it('BackupOfAPairThatWasRestartedSinceIsRefused', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.crash(a, b);
      await scene.start(b);
      const answer = await scene.promote(b, DOWN);
      expect(codeOf(answer)).to.equal('NO_QUORUM');
      expect(messageOf(answer)).to.include('has not heard from a serving primary since it started');
    }));

  it('BackupThatWasRemovedWhileItWasDownIsRefused', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.crash(b);
      const removal = { kind: 'removeBackup', address: b.address, backupIsDown: true } as const;
      await scene.pause(3000);
      expect(codeOf(await scene.command(a, removal))).to.equal('OK');
      expect(await scene.put(a, 'after')).to.equal(undefined);
      scene.crash(a);
      await scene.start(b);
      expect(codeOf(await scene.promote(b))).to.equal('NO_QUORUM');
      expect(codeOf(await scene.promote(b, DOWN))).to.equal('NO_QUORUM');
    }));

  it('MajorityOfFiveFindsEveryAcknowledgedWrite', () =>
    play(5, {}, async (scene) => {
      const [a, b, c, d, e] = scene.machines;
      await scene.join(5);
      // Each write reaches two backups at the least, not always the same ones.
      const acknowledged = ['joined'];
      for (const [key, slow] of [
        ['one', b],
        ['two', c],
        ['three', d],
        ['four', e],
      ] as const) {
        scene.cut(a, slow);
        expect(await scene.put(a, key)).to.equal(undefined);
        acknowledged.push(key);
        scene.mend();
      }
      scene.crash(a, e);
      await scene.pause(5000);
      expect(codeOf(await scene.promote(c))).to.equal('OK');
      expect(scene.keys(c)).to.include.members(acknowledged);
    }));

  it('WithoutThePrimaryNobodyIsPromotedUnderAcksZero', () =>
    play(3, { acks: '0' }, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      await scene.pause(1000);
      scene.crash(a);
      await scene.pause(5000);
      for (const words of [{}, DOWN]) {
        const answer = await scene.promote(b, words);
        expect(messageOf(answer)).to.include('with --acks 0 only the last primary');
      }
      await scene.start(a);
      await scene.until('the first serves again', () => scene.isServing(a));
    }));

  it('MajorityThatWasLeftOutStepByStepCannotServe', () =>
    play(3, {}, async (scene) => {
      const [a, b, c] = scene.machines;
      await scene.join(3);
      scene.crash(c);
      await scene.pause(3000);
      expect(codeOf(await scene.promote(a, DOWN))).to.equal('OK');
      scene.crash(b);
      await scene.pause(3000);
      expect(codeOf(await scene.promote(a, DOWN))).to.equal('OK');
      expect(await scene.put(a, 'after')).to.equal(undefined);
      scene.crash(a);
      await scene.start(b);
      await scene.start(c);
      await scene.pause(10_000);
      for (const machine of [b, c]) {
        expect(codeOf(await scene.promote(machine)), machine.name).to.be.oneOf(['NO_QUORUM', 'NOT_MEMBER']);
        expect(codeOf(await scene.promote(machine, DOWN)), machine.name).to.be.oneOf([
          'NO_QUORUM',
          'NOT_MEMBER',
        ]);
        expect(scene.isServing(machine)).to.equal(false);
      }
      await scene.start(a);
      await scene.until('the first serves again', () => scene.isServing(a));
      expect(scene.keys(a)).to.include('after');
    }));

  it('HandOverThatBreaksBeforeItIsReadyLeavesThePrimary', () =>
    play(3, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      void scene.promote(b);
      await scene.until('the hand-over begins', () =>
        scene.said.some((line) => line.includes('handing over')),
      );
      scene.crash(b);
      await scene.putAtLast(a, 'after', 8000);
      expect(scene.isServing(a)).to.equal(true);
    }));

  it('HandOverThatBreaksBehindTheFenceGivesThePrimaryItsPlaceBack', () =>
    play(3, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      void scene.promote(b);
      await scene.until('the first gives up its office', () => !a.isInOffice);
      scene.crash(b);
      await scene.putAtLast(a, 'after', 15_000);
    }));

  it('HandOverThatBreaksBeforeTheFirstEntryGivesThePrimaryItsPlaceBack', () =>
    play(3, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      scene.cluster.tookOffice = (machine) => {
        if (machine === b) scene.crash(b);
      };
      void scene.promote(b);
      await scene.until('the second took office and is gone', () => b.isStopped);
      await scene.putAtLast(a, 'after', 15_000);
    }));

  it('HandOverIsGivenUpWhereTheOtherIsCutOff', () =>
    play(3, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      void scene.promote(b);
      await scene.until('the hand-over begins', () =>
        scene.said.some((line) => line.includes('handing over')),
      );
      for (const other of scene.cluster.machines) if (other !== b) scene.cut(b, other);
      await scene.putAtLast(a, 'after', 20_000);
      scene.mend();
      await scene.until(
        'the second follows',
        () => b.node?.inspect().last.index === a.node?.inspect().last.index,
        40_000,
      );
    }));

  it('PrimaryThatRestartsAgainAndAgainWhileItIsCutOffDisturbsNobody', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      await play(3, { seed }, async (scene) => {
        const [a, b, c] = scene.machines;
        await scene.join(3);
        scene.cut(a, b);
        scene.cut(a, c);
        await scene.pause(6000);
        expect(codeOf(await scene.promote(b))).to.equal('OK');
        const term = b.node?.inspect().term;
        const before = a.node?.inspect().term;
        for (let round = 0; round < 5; round++) {
          scene.crash(a);
          await scene.start(a);
          await scene.pause(7000);
          expect(scene.isServing(a)).to.equal(false);
          expect(a.node?.inspect().term).to.equal(before);
        }
        expect(await scene.put(b, 'meanwhile')).to.equal(undefined);
        scene.mend();
        await scene.until('the first follows', () => scene.keys(a).includes('meanwhile'));
        expect(scene.isServing(b)).to.equal(true);
        expect(b.node?.inspect().term).to.equal(term);
      });
    }
  });

  it('OverLostDataLetsTheSolePrimaryThatItLeftOutStart', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.crash(a);
      await scene.insist(b, { kind: 'promote', othersAreDown: true, acceptDataLoss: false });
      expect(await scene.put(b, 'alone')).to.equal(undefined);
      await scene.start(a);
      // The other knows of it again, and does not get to count it.
      expect(codeOf(await scene.insist(b, { kind: 'addBackup', address: a.address }))).to.equal('OK');
      scene.cut(a, b);
      await scene.pause(2000);
      scene.crash(b);
      await scene.insist(a, { kind: 'promote', othersAreDown: true, acceptDataLoss: true });
      scene.mend();
      await scene.start(b);
      await scene.until('it knows that it is left out', () => b.node?.inspect().service === 'left-out');
    }));

  it('OfTwoPromotionsAtOnceNoMoreThanOneHolds', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      await play(3, { seed }, async (scene) => {
        const [a, b, c] = scene.machines;
        await scene.join(3);
        scene.crash(a);
        await scene.pause(4000);
        const answers = await Promise.all([scene.promote(b), scene.promote(c)]);
        if (answers.every((answer) => codeOf(answer) !== 'OK')) {
          expect(
            codeOf(await scene.insist(b, { kind: 'promote', othersAreDown: false, acceptDataLoss: false })),
          ).to.equal('OK');
        }
        await scene.pause(3000);
        expect([b, c].filter((machine) => scene.isServing(machine))).to.have.length(1);
      });
    }
  });

  it('NodeThatLagsFetchesTheLongestLogBeforeItServes', () =>
    play(3, {}, async (scene) => {
      const [a, b, c] = scene.machines;
      await scene.join(3);
      scene.cut(a, c);
      for (const key of ['one', 'two', 'three']) expect(await scene.put(a, key)).to.equal(undefined);
      expect(scene.keys(c)).to.not.include('one');
      await scene.lose(a);
      scene.mend();
      expect(codeOf(await scene.promote(c))).to.equal('OK');
      expect(scene.keys(c)).to.include.members(['one', 'two', 'three']);
      expect(scene.isServing(b)).to.equal(false);
    }));
});
