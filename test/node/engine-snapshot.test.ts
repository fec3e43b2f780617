import { expect } from 'chai';
import type { Index, NodeId, Refusal, Term } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { Link, LinkObserver, Network } from '../../src/node/ports.js';
import { testSeed, withSeed } from '../random.js';
import { NEW_STATE, codeOf, get, put, range, startEngine, until } from './engine-fixture.js';
import type { EngineFixture, Outcome } from './engine-fixture.js';
import { chain } from './frames.js';
import { diskFull } from './memory-log.js';

describe('A snapshot', () => {
  it('HoldsTheMapAtExactlyItsPositionWhileWritesGoOn', async () => {
    const seed = testSeed();
    await withSeed(seed, async (random) => {
      const { engine, snapshots, log } = await startEngine({ waitingBytesMax: Infinity });
      const models = new Map<number, Map<string, string>>();
      const model = new Map<string, string>();
      let index = log.end.index as number;
      const write = (): Promise<Outcome> => {
        const key = `k${String(random.below(3000))}`;
        const value = String(random.below(1e9));
        return new Promise((resolve) => {
          const observer = {
            written: (_refused: Refusal | undefined, count: number) => {
              model.set(key, value);
              models.set(++index, new Map(model));
              resolve(count);
            },
          };
          engine.write({ kind: 'put', key: range(key), value: range(value) }, observer);
        });
      };
      await Promise.all(Array.from({ length: 300 }, write));
      for (let round = 0; round < 5; round++) {
        const snapshot = engine.snapshot();
        for (let turn = 0; turn < 20; turn++) {
          await Promise.all(Array.from({ length: 1 + random.below(5) }, write));
        }
        await snapshot;
        expect(snapshots.content).to.deep.equal(models.get(snapshots.current!.index));
      }
    });
  });

  it('MakesApplyingWaitWhenItsFileFallsBehind', async () => {
    const { engine, snapshots } = await startEngine();
    for (let key = 0; key < 50; key++) await put(engine, `k${String(key)}`, 'old');
    snapshots.isSlow = true;
    const snapshot = engine.snapshot();
    // The file took one entry and is behind; the next change of another entry would give it one more.
    const writes = Promise.all(Array.from({ length: 50 }, (_, key) => put(engine, `k${String(key)}`, 'new')));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(get(engine, 'k49')).to.not.equal('new');
    snapshots.isSlow = false;
    snapshots.catchUp();
    await Promise.all([snapshot, writes]);
    expect(new Set(snapshots.content.values())).to.deep.equal(new Set(['old']));
  });

  it('IsWrittenByItselfWhenTheLogHasGrown', async () => {
    const { engine, snapshots } = await startEngine({ snapshotLogBytes: 10_000 });
    for (let key = 0; snapshots.current === undefined && key < 1000; key++) {
      await put(engine, `k${String(key)}`, 'v'.repeat(100));
    }
    expect(snapshots.current).to.not.equal(undefined);
  });

  it('IsWrittenAtACleanStopAndTheStateSaysWhereTheLogEnds', async () => {
    const { engine, snapshots, states, log } = await startEngine();
    await put(engine, 'k', 'v');
    await engine.close();
    expect(snapshots.current).to.deep.equal(log.end);
    expect(snapshots.content).to.deep.equal(new Map([['k', 'v']]));
    expect(states.at(-1)?.cleanEnd).to.deep.equal(log.end);
    expect(codeOf(await put(engine, 'late', 'v'))).to.equal('INTERNAL');
  });
});

const PRIMARY = 'p'.repeat(32) as NodeId;

/** A backup that was sent three entries which are committed, while its own disk has not taken them yet. */
async function startBackupWithSlowDisk(): Promise<EngineFixture> {
  const observers: LinkObserver[] = [];
  const network: Network = {
    observe: (observer) => void observers.push(observer),
    reach: () => undefined,
    identify: () => Promise.reject(new Error('nobody asks')),
  };
  const members = [PRIMARY, NEW_STATE.node].map((node) => ({ node, address: `${node}:1` }));
  const configuration = {
    members,
    learners: [],
    acks: 'majority',
    failover: 'manual',
    position: EMPTY_LOG,
  } as const;
  const state = { ...NEW_STATE, role: 'backup', configuration } as const;
  const fixture = await startEngine({ state, network });
  fixture.log.hold = true;
  const { cluster } = NEW_STATE;
  const peer = { node: PRIMARY, cluster, address: 'p:1', fsync: 'always', role: 'primary' } as const;
  const link: Link = { peer, isOutgoing: false, send: () => undefined, close: () => undefined };
  const [observer] = observers;
  observer?.up(link);
  observer?.received(link, {
    ...{ kind: 'append', term: 1 as Term, previous: EMPTY_LOG, frames: chain(3), commit: 3 as Index },
    ...{ isServing: true, isMember: true, echoMs: undefined },
  });
  await until(() => fixture.log.held.length > 0);
  return fixture;
}

describe('The snapshot of a backup', () => {
  it('IsNeverAheadOfItsOwnLog', async () => {
    const { engine, snapshots, log, store } = await startBackupWithSlowDisk();
    await engine.snapshot();
    expect(snapshots.current?.index).to.equal(0);
    log.held[0]?.release();
    await until(() => store.count === 3);
    await engine.snapshot();
    expect(snapshots.current).to.deep.equal(log.end);
    expect(log.end.index).to.equal(3);
  });

  it('IsNotAheadOfItsLogWhenItStopsWithAFullDisk', async () => {
    const { engine, snapshots, log, states } = await startBackupWithSlowDisk();
    const stopping = engine.close();
    log.held[0]?.release(diskFull());
    await stopping;
    expect(snapshots.current?.index).to.equal(0);
    expect(states.at(-1)?.cleanEnd?.index).to.equal(0);
  });
});
