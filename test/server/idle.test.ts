import { expect } from 'chai';
import net from 'node:net';
import { destroyWhenIdle } from '../../src/server/idle.js';

describe('A socket that is let go of when it is idle', () => {
  it('HasOneListenerHoweverOftenThatIsSaid', () => {
    const socket = new net.Socket();
    for (let time = 0; time < 20; time++) destroyWhenIdle(socket, 30_000);
    expect(socket.listenerCount('timeout')).to.equal(1);
    expect(socket.timeout).to.equal(30_000);
    socket.destroy();
  });

  it('IsDestroyedAfterThatTime', async () => {
    const socket = new net.Socket();
    destroyWhenIdle(socket, 1);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.destroyed).to.equal(true);
  });
});
