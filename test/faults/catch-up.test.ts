import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { createClient } from '../../src/client/client.js';
import { addBackup, clusters, eventually, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfServer } from './content.js';

/** For long runs by hand. */
const GIVEN_WRITES = process.env.KV_CATCH_UP_WRITES;
const WRITES = GIVEN_WRITES === undefined ? 20_000 : Number(GIVEN_WRITES);
const AT_ONCE = 1000;
const KEYS = 5000;
const TIMEOUT_MS = 60_000 + WRITES * 2;
/** What a window, its frames and the garbage between two collections may take. */
const MEMORY_GROWTH_MAX = 160 * 1024 * 1024;

describe('A backup that missed many writes', () => {
  const nodes = clusters();

  async function three(options: readonly string[] = []): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
    return (await nodes.of(3, options)) as [ClusterNode, ClusterNode, ClusterNode];
  }

  for (const gone of ['killed', 'paused'] as const) {
    it(`CatchesUpFromTheLogAfterItWas${gone === 'killed' ? 'Killed' : 'Paused'}`, async function () {
      this.timeout(TIMEOUT_MS);
      const [primary, , backup] = await three();
      await write(primary, 1000, 'before');
      const before = peakBytes(primary);
      if (gone === 'killed') await backup.kill();
      else backup.process.signal('SIGSTOP');
      const startMs = performance.now();
      await write(primary, WRITES, 'missed');
      const writtenMs = performance.now() - startMs;
      const during = peakBytes(primary);
      const returnMs = performance.now();
      if (gone === 'killed') await backup.start();
      else backup.process.signal('SIGCONT');
      await backup.untilCaughtUpWith(primary, TIMEOUT_MS);
      report(`${gone}, from the log`, {
        writtenMs,
        caughtUpMs: performance.now() - returnMs,
        before,
        during,
        primary,
      });
      expect(during - before).to.be.lessThan(MEMORY_GROWTH_MAX);
      await untilMember(primary, backup);
      await expectSame(primary, backup);
      expect(backup.process.hasEvent('the content was replaced by a snapshot of the primary')).to.equal(
        false,
      );
    });
  }

  it('CatchesUpFromASnapshotOnceTheLogIsTrimmed', async function () {
    this.timeout(TIMEOUT_MS);
    const [primary, , backup] = await three(['--log-segment-bytes', '65536']);
    await write(primary, 1000, 'before');
    await backup.kill();
    const before = peakBytes(primary);
    const startMs = performance.now();
    await write(primary, WRITES / 2, 'missed');
    await trim(primary);
    await write(primary, WRITES / 2, 'missed too');
    await trim(primary);
    const writtenMs = performance.now() - startMs;
    const during = peakBytes(primary);
    // What it still had in memory would do instead of the log.
    await primary.stop();
    await primary.start();
    await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
    const returnMs = performance.now();
    await backup.start();
    await backup.untilCaughtUpWith(primary, TIMEOUT_MS);
    report('killed, from a snapshot', {
      writtenMs,
      caughtUpMs: performance.now() - returnMs,
      before,
      during,
      primary,
    });
    expect(backup.process.hasEvent('the content was replaced by a snapshot of the primary')).to.equal(true);
    await untilMember(primary, backup);
    await expectSame(primary, backup);
    expect(await primary.ask('PUT on 1')).to.equal('OK');
    await backup.untilCaughtUpWith(primary);
    await backup.kill();
    await backup.start();
    await backup.untilCaughtUpWith(primary);
    await expectSame(primary, backup);
  });

  it('GoesOnFromTheLogWhenItIsKilledHalfWayAgainAndAgain', async function () {
    this.timeout(TIMEOUT_MS);
    const [primary, , backup] = await three();
    await backup.kill();
    await write(primary, WRITES, 'missed');
    const all = Number(await primary.fact('commit'));
    let applied = 0;
    for (let share = 1; share <= 4; share++) {
      await backup.start();
      applied = await eventually(
        'more was applied',
        () => appliedBy(backup),
        (index) => index > (all * share) / 8,
      );
      await backup.kill();
    }
    expect(applied).to.be.greaterThan(all / 2);
    await backup.start();
    await backup.untilCaughtUpWith(primary, TIMEOUT_MS);
    await untilMember(primary, backup);
    await expectSame(primary, backup);
  });

  it('NeverShowsHalfASnapshotWhenItIsKilledMeanwhile', async function () {
    this.timeout(TIMEOUT_MS);
    const primary = await nodes.node('primary', { options: ['--log-segment-bytes', '65536'] });
    const backup = await nodes.node('backup', { primary });
    await primary.start();
    await write(primary, WRITES, 'x'.repeat(1000));
    await trim(primary);
    await trim(primary);
    const keys = Number(await primary.fact('keys'));
    await backup.start();
    expect(await primary.ask(`ADD_BACKUP ${backup.address}`)).to.equal('OK state=learner');
    for (let round = 0; round < 6; round++) {
      // Later in each round, from before the first part arrives to when some of it must be on the disk.
      for (let asked = 0; asked < round * 3; asked++) expect([0, keys]).to.include(await keysOf(backup));
      await backup.kill();
      await backup.start();
    }
    await untilMember(primary, backup, TIMEOUT_MS);
    await backup.untilCaughtUpWith(primary);
    await expectSame(primary, backup);
  });

  it('ThatIsNewIsAddedWhileWritesGoOn', async function () {
    this.timeout(TIMEOUT_MS);
    const primary = await nodes.node('primary');
    const backup = await nodes.node('backup', { primary });
    await Promise.all([primary.start(), backup.start()]);
    await write(primary, 2000, 'before');
    await Promise.all([write(primary, WRITES / 2, 'meanwhile'), addBackup(primary, backup, TIMEOUT_MS)]);
    await backup.untilCaughtUpWith(primary);
    await expectSame(primary, backup);
  });

  function report(
    what: string,
    figures: { writtenMs: number; caughtUpMs: number; before: number; during: number; primary: ClusterNode },
  ): void {
    if (GIVEN_WRITES === undefined) return;
    const { writtenMs, caughtUpMs, before, during, primary } = figures;
    const mib = [before, during, peakBytes(primary)]
      .map((bytes) => (bytes / 1024 / 1024).toFixed(0))
      .join(', ');
    process.stdout.write(
      `      ${what}: ${String(WRITES)} writes in ${seconds(writtenMs)}, caught up in ${seconds(caughtUpMs)}; ` +
        `peak memory of the primary before, after the writes, at the end: ${mib} MiB\n`,
    );
  }
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Many writes to not so many keys, all acknowledged. */
async function write(primary: ClusterNode, count: number, mark: string): Promise<void> {
  const client = createClient({ address: primary.address, timeoutMs: 20_000 });
  try {
    for (let first = 0; first < count; first += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) => first + at);
      await Promise.all(some.map((at) => client.put(`key-${String(at % KEYS)}`, `${mark} ${String(at)}`)));
    }
  } finally {
    client.close();
  }
}

/** The log is kept back to the snapshot before the newest: after two, it begins behind everything that came before both. */
async function trim(node: ClusterNode): Promise<void> {
  expect(await node.ask('PUT trimmed 1')).to.equal('OK');
  expect(await node.ask('SNAPSHOT')).to.match(/^OK position=/);
}

async function expectSame(primary: ClusterNode, backup: ClusterNode): Promise<void> {
  const [there, here] = await Promise.all([
    contentOfServer(primary.address),
    contentOfServer(backup.address),
  ]);
  expect(here.size).to.equal(there.size);
  expect([...there].filter(([key, value]) => here.get(key) !== value)).to.deep.equal([]);
}

async function appliedBy(node: ClusterNode): Promise<number> {
  return Number(await node.fact('applied'));
}

async function keysOf(node: ClusterNode): Promise<number> {
  return Number(await node.fact('keys'));
}

/** The most memory that the process ever had resident. */
function peakBytes(node: ClusterNode): number {
  const text = readFileSync(`/proc/${String(node.process.processId)}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)![1]) * 1024;
}
