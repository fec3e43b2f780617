import { expect } from 'chai';
import type { FsyncPolicy } from '../../src/engine.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { contentOfFile, contentOfServer } from './content.js';
import { Load } from './load.js';
import { serverProcesses } from './server-process.js';

/** For long runs by hand: so many kills in all, of servers that are given the time to answer more in between. */
const GIVEN_ROUNDS = process.env.KV_KILL_ROUNDS;
/** How many answers there are at most between two kills. With 200 kills, a million writes are acknowledged. */
const ANSWERS_MAX = GIVEN_ROUNDS === undefined ? 3000 : 14_000;
/** Each life of a server takes at most so long. */
const ROUND_MS_MAX = 30_000;

interface Figures {
  kills: number;
  /** Writes, each of which was found to be there, or overwritten by a later one, after the next kill. */
  acknowledged: number;
  seconds: number;
  /** Requests that were sent and not answered when the server died, and had been done. */
  doneUnanswered: number;
  snapshots: number;
  tornEnds: number;
}

describe('A server that is killed', () => {
  const servers = serverProcesses();

  async function killRounds(rounds: number, fsync: FsyncPolicy, random: Random): Promise<Figures> {
    const begun = performance.now();
    const figures = { kills: 0, doneUnanswered: 0, snapshots: 0, tornEnds: 0 };
    const load = new Load(random);
    // Small segments, so that many begin and end, and several removals happen, in a round.
    const options = ['--fsync', fsync, '--log-segment-bytes', '16384'];
    for (let round = 0; round <= rounds; round++) {
      if (random.below(4) === 0) {
        await interruptStart(options, random);
        figures.kills++;
      }
      const server = await servers.start({ options });
      figures.doneUnanswered += load.settle(await contentOfServer(server.address));
      figures.tornEnds += server.hasEvent('an interrupted write was cut off the end of the log') ? 1 : 0;
      if (round === rounds) {
        server.signal('SIGTERM');
        expect(await server.ended).to.deep.equal({ code: 0, signal: null });
        break;
      }
      await load.begin(server.address);
      await load.answers(random.below(ANSWERS_MAX));
      await turns(random.below(50));
      await server.kill();
      figures.kills++;
      await load.closed();
      figures.snapshots += server.stderr.split('"msg":"snapshot written"').length - 1;
    }
    load.settle(contentOfFile(servers.dbPath));
    const seconds = Math.round((performance.now() - begun) / 1000);
    return { ...figures, acknowledged: load.acknowledged, seconds };
  }

  /** Recovery is not spared either. */
  async function interruptStart(options: string[], random: Random): Promise<void> {
    const server = servers.launch({ options });
    await server.until(() => server.stderr !== '');
    await turns(random.below(50));
    await server.kill();
  }

  for (const [fsync, usualRounds, share] of [
    ['always', 12, 0.5],
    ['everysec', 5, 0.25],
    ['off', 5, 0.25],
  ] as const) {
    it(`has every acknowledged write, whole, and nothing from nowhere, with --fsync ${fsync}`, async function () {
      const rounds = GIVEN_ROUNDS === undefined ? usualRounds : Math.ceil(Number(GIVEN_ROUNDS) * share);
      this.timeout(ROUND_MS_MAX * (rounds + 1));
      const seed = testSeed();
      await withSeed(seed, async (random) => {
        const figures = await killRounds(rounds, fsync, random);
        process.stdout.write(`      KV_SEED=${String(seed)} ${JSON.stringify({ ...figures, lost: 0 })}\n`);
        expect(figures.acknowledged).to.be.greaterThan(rounds * 200);
        expect(figures.snapshots).to.be.greaterThan(0);
      });
    });
  }
});

/** A moment between two answers. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
