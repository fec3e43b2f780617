import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Bystander, BulkLoad, showLatencies } from './bulk-load.js';
import { clusters, eventually, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfServer } from './content.js';
import { residentBytes } from './memory.js';
import { SlowLink } from './slow-link.js';

const MIB = 1024 * 1024;
/** For a look at the figures; `KV_BACKPRESSURE_MIB` writes more. */
const GIVEN_MIB = process.env.KV_BACKPRESSURE_MIB;
const WRITTEN_BYTES = Number(GIVEN_MIB ?? 256) * MIB;
const LARGE = { keys: 256, valueBytes: 64 * 1024 };
/**
 * Far less than what the backups lack: the newest frames (16 MiB), a window of 4 MiB and a part of half a MiB for each backup, what clients
 * have under way, the map, and garbage.
 */
const MEMORY_GROWTH_MAX = 180 * MIB;
/** What a new backup is sent. */
const MAP = { keys: 3200, valueBytes: 64 * 1024 };
const SLOW_BYTES_PER_SECOND = 300_000;
const TIMEOUT_MS = 180_000;

/** The most memory that a process has resident from now on. */
class MemoryWatch {
  readonly beforeBytes: number;
  maxBytes: number;
  readonly #timer: NodeJS.Timeout;

  constructor({ process }: ClusterNode) {
    const { processId } = process;
    this.beforeBytes = this.maxBytes = residentBytes(processId);
    this.#timer = setInterval(() => {
      try {
        this.maxBytes = Math.max(this.maxBytes, residentBytes(processId));
      } catch {
        // The test failed before it came to its end, and the process is gone.
        clearInterval(this.#timer);
      }
    }, 50);
  }

  /** How much more it was than at first. */
  end(): number {
    clearInterval(this.#timer);
    return this.maxBytes - this.beforeBytes;
  }
}

describe('A primary', () => {
  const nodes = clusters();
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** A backup that the others reach over a link that can be made slow. */
  async function backupBehind(
    primary: ClusterNode,
    name: string,
  ): Promise<{ node: ClusterNode; link: SlowLink }> {
    const link = await SlowLink.listen();
    closing.push(() => {
      link.close();
    });
    const node = await nodes.node(name, { primary, options: ['--advertise', link.address] });
    link.target = node.address;
    return { node, link };
  }

  it('IsUnharmedByBackupsThatStallAreSlowAndFlapAtOnce', async function () {
    this.timeout(TIMEOUT_MS);
    const primary = await nodes.node('primary', { options: ['--acks', '0'] });
    await primary.start();
    const [sound, stalled, slow, flapping] = [
      await backupBehind(primary, 'sound'),
      await backupBehind(primary, 'stalled'),
      await backupBehind(primary, 'slow'),
      await backupBehind(primary, 'flapping'),
    ];
    const backups = [sound, stalled, slow, flapping];
    for (const { node, link } of backups) {
      await node.start();
      await add(primary, link.address);
    }
    const memory = new MemoryWatch(primary);
    const [load, bystander] = [new BulkLoad(LARGE), new Bystander()];
    stalled.node.process.signal('SIGSTOP');
    slow.link.bytesPerSecond = SLOW_BYTES_PER_SECOND;
    flapping.link.flap(100);
    bystander.start(primary.address);
    load.start(primary.address);
    const startMs = performance.now();
    await eventually(
      'it is written',
      () => load.writtenBytes,
      (bytes) => bytes >= WRITTEN_BYTES,
      TIMEOUT_MS,
    );
    await load.stop();
    const seconds = (performance.now() - startMs) / 1000;
    const growth = memory.end();
    await bystander.stop();
    const { pings, writes } = bystander.take();
    report([
      `${String(load.writtenBytes / MIB)} MiB in ${seconds.toFixed(1)} s, ${String(flapping.link.breaks)} breaks`,
      `memory ${mib(memory.beforeBytes)}, at most ${mib(memory.maxBytes)} MiB`,
      `pings ${showLatencies(pings)}`,
      `writes ${showLatencies(writes)}`,
    ]);
    expect(flapping.link.breaks).to.be.greaterThan(3);
    expect(growth, 'memory').to.be.lessThan(MEMORY_GROWTH_MAX);
    expect(pings.maxMs, 'the longest ping').to.be.lessThan(1500);
    expect(writes.maxMs, 'the longest small write').to.be.lessThan(3000);
    expect(load.fault).to.equal(undefined);
    stalled.node.process.signal('SIGCONT');
    slow.link.bytesPerSecond = Infinity;
    flapping.link.steady();
    for (const { node } of backups) await node.untilCaughtUpWith(primary, 60_000);
    const expected = await contentOfServer(primary.address);
    expect(expected.size).to.equal(LARGE.keys + 1);
    for (const { node } of backups) await expectSame(expected, node);
  });

  it('ServesOthersWhileItSendsALargeSnapshot', async function () {
    this.timeout(TIMEOUT_MS);
    const primary = await nodes.node('primary', { options: ['--acks', '0'] });
    // Its log begins behind this content, so there is no other way to it than a snapshot.
    writeContent(primary.dbPath);
    await primary.start();
    const backup = await nodes.node('backup', { primary });
    await backup.start();
    const memory = new MemoryWatch(primary);
    const [load, bystander] = [new BulkLoad({ keys: 1000, valueBytes: 4096 }), new Bystander()];
    bystander.start(primary.address);
    load.start(primary.address);
    const alone = await during(load, () => pause(2000));
    const before = bystander.take();
    expect(await primary.ask(`ADD_BACKUP ${backup.address}`)).to.equal('OK state=learner');
    const beside = await during(load, () => untilMember(primary, backup, 120_000));
    const meanwhile = bystander.take();
    await load.stop();
    await bystander.stop();
    const growth = memory.end();
    report([
      `alone ${alone.mibPerSecond.toFixed(1)} MiB/s, beside the snapshot ${beside.mibPerSecond.toFixed(1)} MiB/s for ${beside.seconds.toFixed(1)} s`,
      `memory ${mib(memory.beforeBytes)}, at most ${mib(memory.maxBytes)} MiB`,
      `pings alone ${showLatencies(before.pings)}; beside ${showLatencies(meanwhile.pings)}`,
      `writes alone ${showLatencies(before.writes)}; beside ${showLatencies(meanwhile.writes)}`,
    ]);
    expect(growth, 'memory').to.be.lessThan(MEMORY_GROWTH_MAX);
    expect(meanwhile.pings.maxMs, 'the longest ping').to.be.lessThan(1500);
    expect(meanwhile.writes.maxMs, 'the longest small write').to.be.lessThan(3000);
    expect(beside.mibPerSecond, 'throughput').to.be.greaterThan(alone.mibPerSecond / 20);
    await backup.untilCaughtUpWith(primary, 60_000);
    expect(backup.process.hasEvent('the content was replaced by a snapshot of the primary')).to.equal(true);
    await expectSame(await contentOfServer(primary.address), backup);
  });
});

async function add(primary: ClusterNode, address: string): Promise<void> {
  const answer = await eventually(
    `${address} is added`,
    () => primary.ask(`ADD_BACKUP ${address}`),
    (text) => !text.startsWith('ERROR BUSY'),
  );
  expect(answer).to.equal('OK state=learner');
  await primary.untilStatus(
    `has ${address} as a member`,
    ({ members }) => members.get(address)?.get('state') === 'member',
  );
}

function writeContent(file: string): void {
  const value = 'x'.repeat(MAP.valueBytes);
  const keys = Array.from({ length: MAP.keys }, (_, at) => [`key-${String(at)}`, value] as const);
  writeFileSync(file, JSON.stringify({ data: Object.fromEntries(keys) }));
}

async function during(
  load: BulkLoad,
  work: () => Promise<unknown>,
): Promise<{ seconds: number; mibPerSecond: number }> {
  const [startMs, startBytes] = [performance.now(), load.writtenBytes];
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, mibPerSecond: (load.writtenBytes - startBytes) / MIB / seconds };
}

async function expectSame(expected: ReadonlyMap<string, string>, backup: ClusterNode): Promise<void> {
  const here = await contentOfServer(backup.address);
  expect(here.size).to.equal(expected.size);
  expect([...expected].filter(([key, value]) => here.get(key) !== value).map(([key]) => key)).to.deep.equal(
    [],
  );
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}

function report(lines: readonly string[]): void {
  if (GIVEN_MIB === undefined) return;
  for (const line of lines) process.stdout.write(`      ${line}\n`);
}
