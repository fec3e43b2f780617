import { expect } from 'chai';
import type { FsyncPolicy } from '../../src/engine.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { contentOfFile, contentOfServer } from './content.js';
import { Load } from './load.js';
import { serverProcesses } from './server-process.js';

/** For long runs by hand. */
const GIVEN_ROUNDS = process.env.KV_KILL_ROUNDS;

interface Figures {
  rounds: number;
  acknowledged: number;
  /** Requests that were sent and not answered when the server died, and had been done. */
  doneUnanswered: number;
  snapshots: number;
  tornEnds: number;
}

describe('A server that is killed', () => {
  const servers = serverProcesses();

  async function killRounds(rounds: number, fsync: FsyncPolicy, random: Random): Promise<Figures> {
    const figures = { rounds, doneUnanswered: 0, snapshots: 0, tornEnds: 0 };
    const load = new Load(random);
    // Small segments, so that many begin and end, and several removals happen, in a round.
    const options = ['--fsync', fsync, '--log-segment-bytes', '16384'];
    for (let round = 0; round <= rounds; round++) {
      if (random.below(4) === 0) await interruptStart(options, random);
      const server = await servers.start({ options });
      figures.doneUnanswered += load.settle(await contentOfServer(server.address));
      figures.tornEnds += server.hasEvent('an interrupted write was cut off the end of the log') ? 1 : 0;
      if (round === rounds) {
        server.signal('SIGTERM');
        expect(await server.ended).to.deep.equal({ code: 0, signal: null });
        break;
      }
      await load.begin(server.address);
      await load.answers(random.below(3000));
      await turns(random.below(50));
      await server.kill();
      await load.closed();
      figures.snapshots += server.stderr.split('"msg":"snapshot written"').length - 1;
    }
    load.settle(contentOfFile(servers.dbPath));
    return { ...figures, acknowledged: load.acknowledged };
  }

  /** Recovery is not spared either. */
  async function interruptStart(options: string[], random: Random): Promise<void> {
    const server = servers.launch({ options });
    await server.until(() => server.stderr !== '');
    await turns(random.below(50));
    await server.kill();
  }

  for (const [fsync, usualRounds] of [
    ['always', 20],
    ['everysec', 5],
    ['off', 5],
  ] as const) {
    it(`has every acknowledged write, whole, and nothing from nowhere, with --fsync ${fsync}`, async function () {
      const rounds = GIVEN_ROUNDS === undefined ? usualRounds : Number(GIVEN_ROUNDS);
      this.timeout(20_000 + rounds * 5_000);
      const seed = testSeed();
      await withSeed(seed, async (random) => {
        const figures = await killRounds(rounds, fsync, random);
        if (GIVEN_ROUNDS !== undefined) {
          process.stdout.write(`      KV_SEED=${String(seed)} ${JSON.stringify(figures)}\n`);
        }
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
