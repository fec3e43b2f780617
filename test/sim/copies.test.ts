import { expect } from 'chai';
import type { Machine } from './cluster.js';
import { codeOf, play } from './scene.js';
import type { Scene } from './scene.js';

const DOWN = { othersAreDown: true };
const LARGE = 'x'.repeat(400_000);

/** What a node holds, when its copy was replaced, cut off half-way, or is not what it was. */
describe('Copies', () => {
  it('SnapshotThatIsInterruptedIsNeverHalfApplied', async () => {
    for (const afterMs of [3, 20, 60]) {
      await play(2, { snapshotLogBytes: 100_000 }, async (scene) => {
        const [a, b] = scene.machines;
        await scene.join(1);
        for (const key of ['one', 'two', 'three', 'four'])
          expect(await scene.put(a, key, LARGE)).to.equal(undefined);
        await scene.pause(2000);
        scene.cluster.network.temper = { ...scene.cluster.network.temper, latencyMsMax: 20 };
        await scene.command(a, { kind: 'addBackup', address: b.address });
        for (let round = 0; round < 4; round++) {
          await scene.pause(afterMs * (round + 1));
          scene.crash(b);
          await scene.start(b);
          expect(b.node?.content()?.size).to.be.oneOf([0, 4, 5]);
        }
        await scene.until('the second has everything', () => countOf(b) === 5);
        await scene.until('it is a member', () => scene.stateOf(a, b.address) === 'member');
      });
    }
  });

  it('BackupWhoseDiskForgotIsNotCounted', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      scene.crash(b);
      const old = scene.copyDisk(b);
      await scene.start(b);
      await scene.putAtLast(a, 'known', 5000);
      scene.crash(b);
      scene.restoreDisk(b, old);
      await scene.start(b);
      await scene.until('it is told', () =>
        scene.said.some((line) => line.includes('with less than it had acknowledged')),
      );
      await scene.pause(10_000);
      const refused = await scene.put(a, 'after');
      expect(refused?.code).to.equal('NO_QUORUM');
      expect(refused?.message).to.include(`${b.address} came back with less than it had acknowledged`);
      expect(a.node?.engine.status().advice).to.include('add it anew with an empty directory');
      expect(scene.stateOf(a, b.address)).to.equal('forgetful');
      const told = scene.said.filter((line) => line.includes('with less than it had acknowledged'));
      expect(told).to.have.length(1);
      // Also over another link it is not taken for what it was.
      scene.crash(b);
      await scene.start(b);
      await scene.until('it is linked', () => scene.stateOf(a, b.address) === 'forgetful');
      expect((await scene.put(a, 'after'))?.code).to.equal('NO_QUORUM');
    }));

  it('BackupOfThreeWhoseDiskForgotIsShownAlsoWhileWritesGoOn', () =>
    play(3, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(3);
      const old = scene.copyDisk(b);
      expect(await scene.put(a, 'known')).to.equal(undefined);
      await scene.until('the second has it', () => scene.keys(b).includes('known'));
      scene.crash(b);
      scene.restoreDisk(b, old);
      await scene.start(b);
      await scene.until('it is shown', () => scene.stateOf(a, b.address) === 'forgetful');
      expect(await scene.put(a, 'after')).to.equal(undefined);
      expect(a.node?.engine.status().advice).to.include(`${b.address} came back with less`);
    }));

  it('CopyOfThePrimaryThatIsStartedBesideItNeverServesWhileItIsHeard', () =>
    play(4, {}, async (scene) => {
      const [a, , , copy] = scene.machines;
      await scene.join(3);
      scene.crash(copy);
      scene.restoreDisk(copy, scene.copyDisk(a));
      await scene.start(copy);
      for (let second = 0; second < 30; second++) {
        expect(await scene.put(a, `key ${String(second)}`)).to.equal(undefined);
        expect(scene.isServing(copy)).to.equal(false);
        await scene.pause(1000);
      }
      expect(scene.isServing(a)).to.equal(true);
    }));

  it('NodeWithCommittedEntriesThatThePrimaryLacksHalts', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(1);
      scene.crash(a);
      const old = scene.copyDisk(a);
      await scene.start(a);
      await scene.until('the first serves', () => scene.isServing(a));
      expect(await addAndWrite(scene, a, b)).to.equal(undefined);
      await scene.pause(2000);
      scene.crash(a, b);
      scene.restoreDisk(a, old);
      // What was committed before is gone with the copy, which nobody but an operator can do.
      scene.checks.forgive();
      // Once more, so that its term is the higher one.
      for (let round = 0; round < 2; round++) {
        scene.crash(a);
        await scene.start(a);
        await scene.until('the first serves', () => scene.isServing(a));
      }
      for (const key of ['other', 'others']) expect(await scene.put(a, key)).to.equal(undefined);
      await scene.start(b);
      await scene.insist(a, { kind: 'addBackup', address: b.address });
      await scene.until('the second halts', () => b.node?.inspect().service === 'diverged');
      expect(b.node?.engine.status().advice).to.include('restored from an old copy');
      expect((await scene.put(b, 'x'))?.code).to.equal('DIVERGED');
    }));

  for (const writes of [0, 5]) {
    it(`NodeThatWasPromotedWithLossAndWrote${String(writes)}IsReplacedByTheOthers`, () =>
      play(3, {}, async (scene) => {
        const [a, b, c] = scene.machines;
        await scene.join(3);
        await a.node?.engine.snapshot();
        scene.crash(a, b, c);
        await scene.start(b);
        expect(codeOf(await scene.promote(b, { ...DOWN, acceptDataLoss: true }))).to.equal('OK');
        for (let at = 0; at < writes; at++)
          expect(await scene.put(b, `key ${String(at)}`)).to.equal(undefined);
        scene.crash(b);
        await scene.start(c);
        // More than once, so that its term is the higher one.
        for (let round = 0; round < 3; round++) {
          scene.crash(a);
          await scene.start(a);
          await scene.until('the first serves', () => scene.isServing(a));
        }
        await scene.start(b);
        await scene.putAtLast(a, 'after', 20_000);
        await scene.until('the second has what the first has', () => scene.keys(b).includes('after'));
        expect(scene.keys(b)).to.deep.equal(['after', 'joined']);
      }));
  }

  it('NodeThatWasLeftOutAndPromotedWithLossServesAgainAfterARestart', () =>
    play(2, {}, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      const removal = { kind: 'removeBackup', address: b.address, backupIsDown: false } as const;
      expect(codeOf(await scene.command(a, removal))).to.equal('OK');
      scene.crash(a);
      expect(codeOf(await scene.promote(b, { ...DOWN, acceptDataLoss: true }))).to.equal('OK');
      scene.crash(b);
      await scene.start(b);
      await scene.until('the second serves again', () => scene.isServing(b));
    }));

  it('AcceptedLossReplacesTheOtherCopyAndKeepsWhatItHadMore', () =>
    play(2, { acks: '0' }, async (scene) => {
      const [a, b] = scene.machines;
      await scene.join(2);
      await scene.pause(1000);
      scene.cut(a, b);
      for (const key of ['lost', 'loss']) expect(await scene.put(a, key)).to.equal(undefined);
      await scene.lose(a);
      scene.mend();
      const answer = await scene.promote(b, { ...DOWN, acceptDataLoss: true });
      expect(codeOf(answer)).to.equal('OK');
      expect(answer).to.have.nested.property('knownUpTo.index');
      expect(await scene.put(b, 'after')).to.equal(undefined);
      await scene.start(a);
      await scene.until('the first is told', () => a.node?.inspect().service === 'left-out');
      expect(codeOf(await scene.insist(b, { kind: 'addBackup', address: a.address }))).to.equal('OK');
      await scene.until('the first has what the second has', () => scene.keys(a).includes('after'));
      expect(scene.keys(a)).to.deep.equal(scene.keys(b));
      expect(scene.keys(a)).to.not.include('lost');
      const kept = [...scene.copyDisk(a)].filter(([file]) => file.includes('lost-'));
      expect(kept.some(([, bytes]) => bytes.includes('loss'))).to.equal(true);
    }));
});

function countOf({ node }: Machine): number | undefined {
  const count = node?.engine.count();
  return typeof count === 'number' ? count : undefined;
}

async function addAndWrite(scene: Scene, a: Machine, b: Machine): Promise<unknown> {
  await scene.insist(a, { kind: 'addBackup', address: b.address });
  await scene.until('it is a member', () => scene.stateOf(a, b.address) === 'member');
  return scene.put(a, 'mine');
}
