import { expect } from 'chai';
import { codeOf, play } from './scene.js';

describe('A node that was left out', () => {
  it('TakesPartAgainWhenItsLogSaysSoAlsoWhereTheLinkIsGoneByThen', () =>
    play(2, { connections: 1000 }, async (scene) => {
      const [a, b] = scene.machines;
      const serviceOfB = (): string | undefined => b.node?.inspect().service;
      await scene.join(2);
      const { address } = b;
      expect(codeOf(await scene.command(a, { kind: 'removeBackup', address, backupIsDown: false }))).to.equal(
        'OK',
      );
      await scene.until('it is told', () => serviceOfB() === 'left-out');
      const before = a.node?.inspect().last.index ?? 0;
      scene.slowDown(b);
      void scene.command(a, { kind: 'addBackup', address });
      await scene.until('it has the entry', () => (b.node?.inspect().last.index ?? 0) > before);
      expect(serviceOfB(), 'not before it is durable').to.equal('left-out');
      scene.cut(a, b);
      scene.cluster.network.breakAll(address);
      await scene.until('it takes part', () => serviceOfB() === 'following');
    }));
});
