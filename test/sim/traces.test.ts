import { expect } from 'chai';
import { codeOf, messageOf, play } from './scene.js';

const DOWN = { othersAreDown: true };
/** What is held up by a cut is there so long after it was mended. */
const LATE_MS = 400;
/** Who is silent for so long may be said to be stopped. */
const SILENT_MS = 2000;

/** Each of these broke a simpler form of the rule about memberships. */
describe('Memberships', () => {
  it('PrimaryWhoseRemovalOfTheOtherWasNotConfirmedDoesNotServeAlone', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.cut(a, b);
      void scene.command(a, { kind: 'removeBackup', address: b.address, backupIsDown: false });
      await scene.until('the removal is appended', () => scene.stateOf(a, b.address) === undefined);
      await scene.lose(a);
      scene.mend();
      expect(codeOf(await scene.promote(b, DOWN))).to.equal('OK');
      expect(await scene.put(b, 'after')).to.equal(undefined);
      await scene.start(a);
      await scene.until('the first is told', () => a.node?.inspect().service === 'left-out');
      expect(scene.isServing(b)).to.equal(true);
      expect(await scene.put(b, 'later')).to.equal(undefined);
    }));

  it('NodesOfAnAdditionThatWasNotConfirmedDoNotOutvoteAForcedOne', () =>
    play(3, {}, async (scene) => {
      const [a, b, c] = scene.machines;
      await scene.join(2);
      await scene.command(a, { kind: 'addBackup', address: c.address });
      scene.cut(a, b);
      const before = a.node?.inspect().last.index ?? 0;
      await scene.until('the third has the entry', () => (c.node?.inspect().last.index ?? 0) > before);
      expect(a.node?.inspect().commit).to.equal(before);
      await scene.lose(a, c);
      scene.mend();
      expect(codeOf(await scene.promote(b, DOWN))).to.equal('OK');
      expect(await scene.put(b, 'after')).to.equal(undefined);
      scene.crash(b);
      await scene.start(a);
      await scene.start(c);
      await scene.pause(10_000);
      expect(codeOf(await scene.promote(c))).to.equal('NO_QUORUM');
      expect([a, c].some((machine) => scene.isServing(machine))).to.equal(false);
      await scene.start(b);
      await scene.until('the second serves', () => scene.isServing(b));
      expect(scene.keys(b)).to.include('after');
    }));

  it('HalfOfAMembershipThatNobodyConfirmedIsNotEnough', () =>
    play(3, {}, async (scene) => {
      const [a, b, c] = scene.machines;
      await scene.join(3);
      scene.crash(a);
      scene.cluster.tookOffice = (machine) => {
        if (machine !== b) return;
        scene.cut(b, c);
        scene.cut(a, b);
      };
      void scene.promote(b, DOWN);
      await scene.until('the second takes office', () => b.isInOffice);
      await scene.pause(1000);
      await scene.start(a);
      await scene.until('the first serves', () => scene.isServing(a));
      expect(await scene.put(a, 'after')).to.equal(undefined);
      await scene.lose(a, c);
      scene.mend();
      await scene.pause(20_000);
      const answer = await scene.promote(b, DOWN);
      expect(codeOf(answer)).to.equal('NO_QUORUM');
      expect(scene.isServing(b)).to.equal(false);
    }));

  it('HearingAPrimaryThatDoesNotServeConfirmsNobody', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.crash(a, b);
      scene.cluster.tookOffice = () => {
        scene.cutOneWay(b, a);
      };
      await scene.start(b);
      await scene.start(a);
      await scene.until('the first takes office', () => a.isInOffice);
      await scene.pause(3000);
      expect(scene.isServing(a)).to.equal(false);
      expect(b.node?.engine.status().primary).to.equal(a.address);
      await scene.lose(a);
      scene.mend();
      const answer = await scene.promote(b, DOWN);
      expect(messageOf(answer)).to.include('has not heard from a serving primary since it started');
    }));

  it('BackupThatComesBackWhileItIsRemovedAsStoppedEndsTheRemoval', () =>
    play(3, {}, async (scene) => {
      const [a, b, c] = scene.machines;
      await scene.join(3);
      scene.crash(b);
      await scene.pause(3000);
      // The third takes its time, so that the removal is still under way when the second comes back.
      c.process?.pause();
      const removal = scene.command(a, { kind: 'removeBackup', address: b.address, backupIsDown: true });
      await scene.pause(20);
      await scene.start(b);
      const answer = await removal;
      expect(codeOf(answer)).to.equal('NO_QUORUM');
      expect(scene.stateOf(a, b.address)).to.not.equal(undefined);
      c.process?.resume();
      await scene.putAtLast(a, 'after', 10_000);
    }));

  /**
   * The order of trace 5: what would confirm the backup is under way when the command arrives. Of four, because a primary
   * that has nobody else to ask removes it within the same turn.
   */
  it('AppendUnderWayDoesNotConfirmABackupThatIsRemovedAsStopped', () =>
    play(4, {}, async (scene) => {
      const [a, b, c, d] = scene.machines;
      await scene.join(4);
      scene.crash(b);
      await scene.pause(3000);
      let isUnderWay = false;
      scene.onSending((process, message, to) => {
        if (isUnderWay || process !== a.process || to !== b.address || message.kind !== 'heartbeat') return;
        isUnderWay = true;
        scene.cutOneWay(a, b);
      });
      await scene.start(b);
      await scene.until('a heartbeat is under way', () => isUnderWay);
      scene.cutOneWay(b, a);
      await scene.pause(SILENT_MS);
      c.process?.pause();
      const removal = scene.command(a, { kind: 'removeBackup', address: b.address, backupIsDown: true });
      scene.mendOneWay(a, b);
      await scene.pause(LATE_MS);
      expect(scene.stateOf(a, b.address), 'not removed before the heartbeat was there').to.not.equal(
        undefined,
      );
      // All but one learn of the removal; that one has said that it does not hear the backup.
      scene.cut(a, d);
      c.process?.resume();
      expect(codeOf(await removal)).to.equal('OK');
      expect(await scene.put(a, 'after')).to.equal(undefined);
      scene.crash(a, c);
      await scene.pause(5000);
      // Only one half may be believed.
      expect(codeOf(await scene.promote(b, DOWN))).to.equal('NO_QUORUM');
    }));

  it('WritesBeforeARemovalNeedTheMembersThatThereWere', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.cut(a, b);
      const answers: unknown[] = [];
      void scene.put(a, 'before').then((refused) => answers.push(refused?.code ?? 'OK'));
      await scene.pause(10);
      void scene.command(a, { kind: 'removeBackup', address: b.address, backupIsDown: false });
      await scene.until('the removal is appended', () => scene.stateOf(a, b.address) === undefined);
      await scene.until('the write is answered', () => answers.length > 0);
      expect(answers).to.deep.equal(['UNCONFIRMED']);
      await scene.lose(a);
      scene.mend();
      expect(codeOf(await scene.promote(b, DOWN))).to.equal('OK');
    }));
});
