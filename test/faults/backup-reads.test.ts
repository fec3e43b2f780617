import { expect } from 'chai';
import { clusters, eventually } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { proxyFabric } from './fabric.js';
import type { Fabric } from './fabric.js';

const BOUND_SECONDS = 3;
/** How long everything takes from the primary to the backup. */
const DELAY_MS = 600;

async function asked(node: ClusterNode, key: string): Promise<{ behindMs: number; value: string }> {
  const lines = (await node.talk(`STATUS\nGET ${key}\n`)).trimEnd().split('\n');
  const behind = lines.find((line) => line.startsWith('behind_ms='))?.split('=')[1] ?? 'none';
  return { behindMs: behind === 'none' ? Infinity : Number(behind), value: lines.at(-1) ?? '' };
}

describe('Reads at a backup', () => {
  const nodes = clusters();
  let fabric: Fabric | undefined;

  afterEach(async () => {
    await fabric?.close();
    fabric = undefined;
  });

  it('ShowWhatWasAcknowledgedUntilAsLongAgoAsStatusSaysAndNeverGoBack', async function () {
    this.timeout(60_000);
    fabric = proxyFabric();
    const [primary, , backup] = (await nodes.of(3, [], fabric)) as [ClusterNode, ClusterNode, ClusterNode];
    fabric.impair?.(primary.name, backup.name, { delayMs: DELAY_MS });
    const acknowledgedMs: number[] = [];
    const end = { isOver: false };
    const writing = (async () => {
      for (let count = 0; !end.isOver; count++) {
        expect(await primary.ask(`PUT counter ${String(count)}`)).to.equal('OK');
        acknowledgedMs[count] = performance.now();
      }
    })();
    let [seen, known] = [-1, 0];
    const look = async (): Promise<void> => {
      const startMs = performance.now();
      const { behindMs, value } = await asked(backup, 'counter');
      const count = value === 'NULL' ? -1 : Number(value);
      expect(count).to.be.at.least(seen);
      seen = count;
      if (behindMs === Infinity) return;
      known++;
      // What the server calls `behind` it counts from a moment after this.
      const least = acknowledgedMs.findLastIndex((atMs) => atMs < startMs - behindMs);
      expect(count, `at most ${String(behindMs)} ms behind`).to.be.at.least(least);
    };
    for (let round = 0; round < 4; round++) {
      await eventually('it knows how far it is behind', look, () => known >= 50 * (round + 1));
      backup.process.signal('SIGSTOP');
      const before = acknowledgedMs.length;
      await eventually(
        'writes go on',
        () => acknowledgedMs.length,
        (count) => count > before + 20,
      );
      backup.process.signal('SIGCONT');
    }
    end.isOver = true;
    await writing;
  });

  it('AreRefusedPastTheBoundUntilThePrimaryIsHeardAgain', async function () {
    this.timeout(60_000);
    const primary = await nodes.node('node1');
    const backup = await nodes.node('node2', {
      primary,
      options: ['--reads-behind-max', String(BOUND_SECONDS)],
    });
    await Promise.all([primary.start(), backup.start()]);
    expect(await primary.ask('PUT k v')).to.equal('OK');
    expect(await primary.ask(`ADD_BACKUP ${backup.address}`)).to.equal('OK state=learner');
    await eventually(
      'the backup shows it',
      () => backup.ask('GET k'),
      (answer) => answer === 'v',
    );
    primary.process.signal('SIGSTOP');
    const pausedMs = performance.now();
    const refused = await eventually(
      'a read is refused',
      () => backup.ask('GET k'),
      (answer) => answer !== 'v',
    );
    expect(performance.now() - pausedMs).to.be.greaterThan((BOUND_SECONDS - 2.5) * 1000);
    expect(refused).to.match(/^ERROR NOT_PRIMARY .*too far behind to be read, 4 s; read at the primary/);
    expect(refused).to.include(primary.address);
    for (const command of ['MGET k j', 'KEYS', 'DBSIZE', 'EXISTS k'])
      expect(await backup.ask(command), command).to.match(/^ERROR NOT_PRIMARY /);
    primary.process.signal('SIGCONT');
    await eventually(
      'reads are answered again',
      () => backup.ask('GET k'),
      (answer) => answer === 'v',
    );
  });
});
