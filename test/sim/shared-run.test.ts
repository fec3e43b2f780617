import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryDirectory } from '../temporary-directory.js';
import { startRealNode } from './real-node.js';
import { NO_SEEDS, chosenPlan, runSeeds } from './seeds.js';
import type { Campaign, SeedRange } from './seeds.js';
import { forkWorkers, runShared } from './shared-run.js';
import type { SeedWorker } from './shared-run.js';
import type { Result } from './simulate.js';

/** Remembers what it was asked, and is answered by the test. */
class HeldWorker implements SeedWorker {
  readonly asked: SeedRange[] = [];
  hasEnded = false;
  #answer: (campaign: Campaign) => void = () => undefined;

  run(seeds: SeedRange): Promise<Campaign> {
    this.asked.push(seeds);
    return new Promise((resolve) => (this.#answer = resolve));
  }

  end(): void {
    this.hasEnded = true;
  }

  /** The seeds that it was asked last are clean, but for this one. */
  async answer(failingSeed?: number): Promise<void> {
    const { from, count } = this.asked.at(-1)!;
    const failure = failingSeed === undefined ? undefined : ({ seed: failingSeed } as Result);
    const seeds = failingSeed === undefined ? count : failingSeed - from + 1;
    this.#answer({ ...NO_SEEDS, seeds, events: seeds, failure });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('A run that is shared', () => {
  const directory = temporaryDirectory();

  it('FindsWhatOneProcessFinds', async () => {
    const range = { from: 1, count: 5 };
    const shared = await runShared(range, { workers: forkWorkers(2), seedsAShare: 2 });
    const alone = await runSeeds(range, { startNode: startRealNode, plan: chosenPlan() });
    expect(shared.simulatedHours).to.be.closeTo(alone.simulatedHours, 1e-9);
    expect({ ...shared, simulatedHours: 0 }).to.deep.equal({ ...alone, simulatedHours: 0 });
  });

  it('TellsOnlyOfSeedsBeforeWhichAllAreClean', async () => {
    const [one, other] = [new HeldWorker(), new HeldWorker()];
    const told: number[] = [];
    const run = runShared(
      { from: 1, count: 30 },
      { workers: [one, other], seedsAShare: 10, progressed: (_, cleanUpTo) => told.push(cleanUpTo) },
    );
    await other.answer();
    expect(told).to.deep.equal([]);
    await one.answer();
    expect(told).to.deep.equal([10, 20]);
    await other.answer();
    expect((await run).seeds).to.equal(30);
    expect([one.hasEnded, other.hasEnded]).to.deep.equal([true, true]);
  });

  it('ShowsTheFirstFailureAndBeginsNothingBehindIt', async () => {
    const [one, other] = [new HeldWorker(), new HeldWorker()];
    const run = runShared({ from: 1, count: 100 }, { workers: [one, other], seedsAShare: 10 });
    await other.answer(15);
    await one.answer(3);
    expect((await run).failure?.seed).to.equal(3);
    expect(other.asked).to.deep.equal([{ from: 11, count: 10 }]);
  });

  it('GoesOnWhereItWasBrokenOff', async () => {
    const progressFile = path.join(directory.path, 'progress.json');
    const first = new HeldWorker();
    const broken = runShared({ from: 1, count: 30 }, { workers: [first], seedsAShare: 10, progressFile });
    await first.answer();
    await first.answer(17);
    expect((await broken).failure?.seed).to.equal(17);
    expect(JSON.parse(readFileSync(progressFile, 'utf8'))).to.include({ from: 1, cleanUpTo: 10 });
    const second = new HeldWorker();
    const resumed = runShared({ from: 1, count: 20 }, { workers: [second], seedsAShare: 10, progressFile });
    await second.answer();
    expect(second.asked).to.deep.equal([{ from: 11, count: 10 }]);
    expect(await resumed).to.include({ seeds: 20, events: 20 });
    const elsewhere = await runShared({ from: 2, count: 1 }, { workers: [], progressFile }).catch(String);
    expect(elsewhere).to.include('is of a run from seed 1');
  });
});
