import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { addBackup, clusters, inTime, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfServer } from './content.js';
import { Load } from './load.js';

/** For long runs by hand. */
const GIVEN_ROUNDS = process.env.KV_TAKEOVER_ROUNDS;
const USUAL_ROUNDS = 3;
/** How long a primary is left alone before it dies as well: many round trips of a client. */
const TURNS_ALONE = 5000;
/** Small segments, so that many begin and end, and some are trimmed, in a round. */
const OPTIONS = ['--log-segment-bytes', '65536'];

interface Figures {
  rounds: number;
  acknowledged: number;
  /** Requests whose answer never came, or was that nobody knows, and that had been done. */
  doneUnanswered: number;
  handOvers: number;
  collapses: number;
  slowestTakeoverMs: number;
  slowestHandOverMs: number;
}

/** A cluster under load; what its writers were promised is held against what each new primary has. */
class Trial {
  readonly figures: Figures = {
    rounds: 0,
    acknowledged: 0,
    doneUnanswered: 0,
    handOvers: 0,
    collapses: 0,
    slowestTakeoverMs: 0,
    slowestHandOverMs: 0,
  };
  readonly #nodes: readonly ClusterNode[];
  readonly #random: Random;
  readonly #load: Load;
  #primary: ClusterNode;

  constructor(nodes: readonly ClusterNode[], random: Random) {
    this.#nodes = nodes;
    this.#primary = nodes[0]!;
    this.#random = random;
    this.#load = new Load(random);
  }

  /** Kills the primary in the middle of everything, and has a backup take over. */
  async takeOver(): Promise<void> {
    const [old, successor] = [this.#primary, this.#anyBackup()];
    await this.#loadPrimary();
    await old.kill();
    await inTime('the end of the connections', this.#load.closed());
    const startMs = performance.now();
    const answer = await promote(successor, this.#nodes.length === 2 ? 'OTHERS_ARE_DOWN' : '');
    this.figures.slowestTakeoverMs = Math.max(this.figures.slowestTakeoverMs, performance.now() - startMs);
    expect(answer.includes(`left_out=${old.address}`), answer).to.equal(this.#nodes.length === 2);
    this.#primary = successor;
    await this.#settle();
    await old.start();
    if (this.#nodes.length === 2) {
      await old.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out');
      await addBackup(successor, old);
    } else {
      await untilMember(successor, old);
    }
    this.figures.rounds++;
  }

  /**
   * Kills the backups of three first, with what was on its way to them, and then the primary, which may not have
   * acknowledged anything meanwhile: what a killed process has sent still arrives, so a takeover alone would not tell.
   */
  async collapse(): Promise<void> {
    const [old, successor] = [this.#primary, this.#anyBackup()];
    const backups = this.#nodes.filter((node) => node !== old);
    await this.#loadPrimary();
    await Promise.all(backups.map((node) => node.kill()));
    for (let turn = 0; turn < TURNS_ALONE; turn++) await new Promise((resolve) => setImmediate(resolve));
    await old.kill();
    await inTime('the end of the connections', this.#load.closed());
    await Promise.all(backups.map((node) => node.start()));
    await promote(successor);
    this.#primary = successor;
    await this.#settle();
    await old.start();
    await untilMember(successor, old);
    this.figures.collapses++;
  }

  /** Has a backup take over in order, while the writers go on. */
  async handOver(): Promise<void> {
    const [old, successor] = [this.#primary, this.#anyBackup()];
    await this.#loadPrimary();
    const startMs = performance.now();
    const answer = await promote(successor);
    this.figures.slowestHandOverMs = Math.max(this.figures.slowestHandOverMs, performance.now() - startMs);
    expect(answer).to.include(`handed_over_by=${old.address}`);
    await inTime('the last answers', this.#load.finish());
    this.#primary = successor;
    await this.#settle();
    await untilMember(successor, old);
    this.figures.handOvers++;
  }

  /** Everybody ends up with the same. */
  async converge(): Promise<void> {
    const expected = await contentOfServer(this.#primary.address);
    for (const node of this.#nodes) {
      await node.untilCaughtUpWith(this.#primary);
      expect(await contentOfServer(node.address)).to.deep.equal(expected);
    }
  }

  async #loadPrimary(): Promise<void> {
    await this.#load.begin(this.#primary.address);
    await inTime('the load', this.#load.answers(50 + this.#random.below(2000)));
    for (let turn = this.#random.below(50); turn > 0; turn--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #settle(): Promise<void> {
    this.figures.doneUnanswered += this.#load.settle(await contentOfServer(this.#primary.address));
    this.figures.acknowledged = this.#load.acknowledged;
  }

  #anyBackup(): ClusterNode {
    return this.#random.pick(this.#nodes.filter((node) => node !== this.#primary));
  }
}

describe('A primary that is killed under load', () => {
  const nodes = clusters();

  for (const [size, name] of [
    [2, 'HasTheBackupOfAPairTakeOverWithEveryAcknowledgedWrite'],
    [3, 'HasABackupOfThreeNodesTakeOverWithEveryAcknowledgedWrite'],
  ] as const) {
    it(name, async function () {
      const rounds = GIVEN_ROUNDS === undefined ? USUAL_ROUNDS : Number(GIVEN_ROUNDS);
      this.timeout(30_000 + rounds * 30_000);
      const seed = testSeed();
      await withSeed(seed, async (random) => {
        const trial = new Trial(await nodes.of(size, OPTIONS), random);
        for (let round = 0; round < rounds; round++) {
          await trial.takeOver();
          if (size === 3 && round % 2 === 0) await trial.collapse();
          await trial.handOver();
        }
        await trial.converge();
        const { figures } = trial;
        if (GIVEN_ROUNDS !== undefined) {
          process.stdout.write(
            `      ${String(size)} nodes KV_SEED=${String(seed)} ${JSON.stringify(figures)}\n`,
          );
        }
        expect(figures.acknowledged).to.be.greaterThan(rounds * 200);
      });
    });
  }
});
