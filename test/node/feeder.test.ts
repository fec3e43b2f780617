import { expect } from 'chai';
import type { Index, NodeId } from '../../src/engine.js';
import { Feeder } from '../../src/node/feeder.js';
import { FrameCache } from '../../src/node/frame-cache.js';
import type { Input, LinkId } from '../../src/replication/state.js';
import { MemorySnapshots, SILENT, until } from './engine-fixture.js';
import { chain } from './frames.js';
import { MemoryLog } from './memory-log.js';

describe('Feeding', () => {
  it('SaysSoWhenTheLogCannotBeReadAndReadsItWhenItIsAskedAgain', async () => {
    const log = new MemoryLog();
    await log.append(chain(3));
    const inputs: Input[] = [];
    let isBroken = true;
    const read = log.read.bind(log);
    log.read = (after, bytesMax) => (isBroken ? Promise.reject(new Error('EIO')) : read(after, bytesMax));
    const feeder = new Feeder({
      cache: new FrameCache(3 as Index),
      snapshots: new MemorySnapshots(),
      events: SILENT,
      log: () => log,
      takeSnapshot: () => Promise.resolve(),
      input: (input) => void inputs.push(input),
    });
    const feed = { kind: 'feed', peer: 'b' as NodeId, link: 1 as LinkId, after: 0 as Index } as const;
    for (const count of [1, 2]) {
      feeder.perform({ ...feed, bytesMax: 1 });
      await until(() => inputs.length === count);
      isBroken = false;
    }
    const frames = inputs.map((input) => (input.kind === 'fed' ? input.frames : undefined));
    expect(frames[0]).to.equal('unreadable');
    expect(frames[1]).to.have.length(1);
  });
});
