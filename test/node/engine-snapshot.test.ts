import { expect } from 'chai';
import type { Index, Refusal } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import { testSeed, withSeed } from '../random.js';
import { codeOf, get, put, range, startEngine, until } from './engine-fixture.js';
import type { EngineFixture, Outcome } from './engine-fixture.js';
import { startFedBackup } from './fed-backup.js';
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

/** A backup that was sent three entries which are committed, while its own disk has not taken them yet. */
async function startBackupWithSlowDisk(): Promise<EngineFixture> {
  const fixture = await startFedBackup();
  fixture.log.hold = true;
  fixture.append({ previous: EMPTY_LOG, frames: chain(3), commit: 3 as Index, echoMs: undefined });
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
