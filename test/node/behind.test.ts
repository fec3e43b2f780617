import { expect } from 'chai';
import type { Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Link, LinkObserver, Network } from '../../src/node/ports.js';
import { NEW_STATE, startEngine, until } from './engine-fixture.js';
import type { EngineFixture } from './engine-fixture.js';
import { chain } from './frames.js';

const PRIMARY = 'p'.repeat(32) as NodeId;
const FRAMES = chain(4);

describe('How far a backup is behind', () => {
  interface Backup extends EngineFixture {
    /** A frame that is committed, from a primary that was sure of its place when this node answered last. */
    readonly append: (frame: Frame, previous: LogEnd, echoMs: number) => void;
  }

  async function startBackup(): Promise<Backup> {
    const observers: LinkObserver[] = [];
    const network: Network = {
      observe: (observer) => void observers.push(observer),
      reach: () => undefined,
      identify: () => Promise.reject(new Error('nobody asks')),
    };
    const members = [PRIMARY, NEW_STATE.node].map((node) => ({ node, address: `${node}:1` }));
    const rules = { acks: 'majority', failover: 'manual', position: EMPTY_LOG } as const;
    const configuration = { members, learners: [], ...rules };
    const fixture = await startEngine({ state: { ...NEW_STATE, role: 'backup', configuration }, network });
    const { cluster } = NEW_STATE;
    const peer = { node: PRIMARY, cluster, address: 'p:1', fsync: 'always', role: 'primary' } as const;
    const link: Link = { peer, isOutgoing: false, send: () => undefined, close: () => undefined };
    observers[0]?.up(link);
    const append: Backup['append'] = (frame, previous, echoMs) => {
      const commit: Index = endOf(frame).index;
      const standing = { isServing: true, isMember: true } as const;
      const entries = { term: 1 as Term, previous, frames: [frame], commit };
      observers[0]?.received(link, { kind: 'append', ...entries, ...standing, echoMs });
    };
    return { ...fixture, append };
  }

  it('IsKnownWhileWhatIsCommittedIsNotShownYet', async () => {
    const { append, clock, engine, log, store } = await startBackup();
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
