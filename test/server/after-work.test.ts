import { expect } from 'chai';
import { afterWork } from '../../src/server/after-work.js';

/** What nobody has caught while this was done. */
async function uncaughtIn(work: () => void): Promise<unknown[]> {
  const listeners = process.listeners('uncaughtException');
  const caught: unknown[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  work();
  await new Promise((resolve) => setImmediate(resolve));
  process.removeAllListeners('uncaughtException');
  for (const listener of listeners) process.on('uncaughtException', listener);
  return caught;
}

describe('What is done after the work under way', () => {
  it('IsDoneInTheOrderInWhichItWasAskedFor', async () => {
    const done: string[] = [];
    afterWork(() => {
      done.push('first');
      afterWork(() => done.push('third'));
    });
    afterWork(() => done.push('second'));
    expect(done).to.deep.equal([]);
    await Promise.resolve();
    expect(done).to.deep.equal(['first', 'second', 'third']);
    afterWork(() => done.push('later'));
    await Promise.resolve();
    expect(done.at(-1)).to.equal('later');
  });

  it('IsDoneAlsoBehindSomethingThatFails', async () => {
    const done: string[] = [];
    const failure = new Error('on purpose');
    const caught = await uncaughtIn(() => {
      afterWork(() => done.push('before'));
      afterWork(() => {
        throw failure;
      });
      afterWork(() => done.push('behind'));
    });
    expect(caught).to.deep.equal([failure]);
    expect(done).to.deep.equal(['before', 'behind']);
  });
});
