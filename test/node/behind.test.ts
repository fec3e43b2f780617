import { expect } from 'chai';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { until } from './engine-fixture.js';
import { startFedBackup } from './fed-backup.js';
import { chain } from './frames.js';

const FRAMES = chain(4);

describe('How far a backup is behind', () => {
  it('IsKnownWhileWhatIsCommittedIsNotShownYet', async () => {
    const { clock, engine, log, store, ...backup } = await startFedBackup();
    const append = (frame: Frame, previous: LogEnd, echoMs: number): void => {
      backup.append({ previous, frames: [frame], commit: endOf(frame).index, echoMs });
    };
    const startMs = clock.nowMs();
    append(FRAMES[0]!, EMPTY_LOG, startMs - 5);
    await until(() => store.count === 1);
    expect(engine.status().behindMs).to.equal(5);
    // Committed elsewhere, and nothing is shown here before its own log has it.
    log.hold = true;
    append(FRAMES[1]!, endOf(FRAMES[0]!), startMs - 2);
    append(FRAMES[2]!, endOf(FRAMES[1]!), startMs - 1);
    await until(() => log.held.length > 0);
    expect(engine.status().behindMs, 'as of what is shown').to.equal(5);
    log.hold = false;
    for (const held of log.held) held.release();
    await until(() => store.count === 3);
    expect(engine.status().behindMs).to.equal(2);
    append(FRAMES[3]!, endOf(FRAMES[2]!), startMs);
    await until(() => engine.status().behindMs === 0);
  });
});
