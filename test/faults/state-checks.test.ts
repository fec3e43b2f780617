import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { createClient } from '../../src/client/client.js';
import { addBackup, clusters, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfServer } from './content.js';

const KEYS = 500;
const HALTED = 'this node answers nothing more';
const ALARMS = ['the state of a backup differs', 'the state of a node differs'];

describe('Nodes whose states differ', () => {
  const nodes = clusters();

  it('AreFoundInAPairAndTheBackupStopsServing', async function () {
    this.timeout(60_000);
    const [primary, backup] = await pair();
    await spoil(backup);
    await untilMember(primary, backup);
    // It serves what is wrong for as long as nobody has looked.
    expect(await backup.ask('GET key-7')).to.equal('spoilt');
    expect(await primary.ask('PUT more 1')).to.equal('OK');
    expect(await primary.ask('SNAPSHOT')).to.match(/^OK position=/);

    await backup.untilStatus('stops serving', ({ facts }) => facts.get('service') === 'diverged');
    expect(await backup.ask('GET key-7')).to.match(/^ERROR DIVERGED the state of this node at 1:\d+ /);
    expect(await backup.ask('PUT a 1')).to.match(/^ERROR DIVERGED /);
    const { facts, members } = await primary.status();
    expect(members.get(backup.address)?.get('state')).to.equal('differs');
    expect(facts.get('advice')).to.include(`the state of ${backup.address} at `);
    expect(facts.get('advice')).to.include('nobody can know which of the two is wrong');
    expect(facts.get('service')).to.equal('serving');
    expect(await primary.ask('GET key-7')).to.equal('value 7');
    expect(alarmsOf(primary)).to.have.lengthOf(1);
    expect(haltsOf(backup)).to.have.lengthOf(1);

    // Also not after a restart, whose state would be the same.
    await backup.stop();
    await backup.start();
    expect(await backup.ask('GET key-7')).to.match(/^ERROR DIVERGED the state of this node at 1:\d+ /);

    // The way out.
    await backup.stop();
    const checked = await backup.kv('check', backup.dbPath);
    expect(checked.stdout.toString()).to.match(/^answers nothing +the state of this node at 1:\d+ /m);
    expect(checked.code, 'the files themselves are whole').to.equal(0);
    const removed = await primary.kv(
      'remove-backup',
      '--primary',
      primary.address,
      '--backup',
      backup.address,
      '--backup-is-down',
    );
    expect(removed.code, removed.stderr).to.equal(0);
    expect(await primary.ask('PUT alone 1')).to.equal('OK');
    const anew = await nodes.node('anew', { primary });
    await anew.start();
    await addBackup(primary, anew);
    expect(await primary.ask('SNAPSHOT')).to.match(/^OK /);
    await expectNoAlarm(primary, [anew]);
  });

  it('AreFoundInAThreeAndTheOthersGoOn', async function () {
    this.timeout(60_000);
    const [primary, second, third] = await three();
    await spoil(third);
    await untilMember(primary, third);
    expect(await primary.ask('SNAPSHOT')).to.match(/^OK /);
    await third.untilStatus('stops serving', ({ facts }) => facts.get('service') === 'diverged');
    expect(await third.ask('GET key-7')).to.match(/^ERROR DIVERGED .* the data of this node is wrong/);
    const { facts, members } = await primary.status();
    expect(members.get(third.address)?.get('state')).to.equal('differs');
    expect(members.get(second.address)?.get('state')).to.equal('member');
    expect(facts.get('advice')).to.match(/^the state of \S+ at 1:\d+ differs from that of most members/);
    expect(await primary.ask('PUT on 1')).to.equal('OK');
    expect(await primary.ask('GET on')).to.equal('1');
    expect(haltsOf(third)).to.have.lengthOf(1);
    expect(haltsOf(second)).to.have.lengthOf(0);
  });

  it('AreFoundWhenThePrimaryIsTheOddOneAndOneOfTheOthersTakesOver', async function () {
    this.timeout(60_000);
    const [primary, second, third] = await three();
    await spoil(primary);
    await untilMember(primary, second);
    await untilMember(primary, third);
    expect(await primary.ask('GET key-7')).to.equal('spoilt');
    await primary.ask('SNAPSHOT');
    await primary.untilStatus('stops serving', ({ facts }) => facts.get('service') === 'diverged');
    expect(await primary.ask('GET key-7')).to.match(
      /^ERROR DIVERGED .* this node, the primary, .* promote one of the others/,
    );
    expect(await primary.ask('PUT a 1')).to.match(/^ERROR DIVERGED /);
    await promote(second);
    expect(await second.ask('PUT on 1')).to.equal('OK');
    expect(await second.ask('GET key-7')).to.equal('value 7');
    expect(haltsOf(primary)).to.have.lengthOf(1);
    await primary.stop();
    await primary.start();
    expect(await primary.ask('GET key-7')).to.match(/^ERROR DIVERGED /);
    expect(await second.ask('PUT on 2')).to.equal('OK');
  });

  it('AreNotClaimedWhereNothingDiffers', async function () {
    this.timeout(120_000);
    const options = ['--log-segment-bytes', '65536'];
    const [primary, second, third] = (await nodes.of(3, options)) as [ClusterNode, ClusterNode, ClusterNode];
    const load = write(primary, 6000);
    for (let round = 0; round < 5; round++) expect(await primary.ask('SNAPSHOT')).to.match(/^OK /);
    await load;
    await third.kill();
    for (let round = 0; round < 2; round++) {
      await write(primary, 3000);
      expect(await primary.ask('SNAPSHOT')).to.match(/^OK /);
    }
    // What it still has in memory would do instead of the log.
    await primary.stop();
    await primary.start();
    await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
    await third.start();
    await third.untilCaughtUpWith(primary);
    await untilMember(primary, third);
    expect(third.process.hasEvent('the content was replaced by a snapshot of the primary')).to.equal(true);
    await Promise.all([write(primary, 4000), primary.ask('SNAPSHOT')]);
    for (const node of [second, third]) await node.untilCaughtUpWith(primary);
    const position = (await primary.ask('SNAPSHOT')).replace('OK position=', '');
    for (const node of [second, third]) {
      await node.untilStatus('has a snapshot of the mark', ({ facts }) => facts.get('snapshot') === position);
    }
    await expectNoAlarm(primary, [second, third]);
    const checksums = [primary, second, third].map((node) =>
      checksumsOf(node).get(Number(position.split(':')[1])),
    );
    // The client library has opened a session.
    expect(checksums[0]).to.match(/^\d+(\+\d+)?:[0-9a-f]{16}$/);
    expect(new Set(checksums).size).to.equal(1);
    expect((await contentOfServer(third.address)).size).to.equal(
      (await contentOfServer(primary.address)).size,
    );
  });

  async function pair(): Promise<[ClusterNode, ClusterNode]> {
    const made = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    await write(made[0], KEYS);
    return made;
  }

  async function three(): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
    const made = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    await write(made[0], KEYS);
    return made;
  }
});

/** Stops a node in order, gives one key another value in its JSON file, with a right checksum, and starts it again. */
async function spoil(node: ClusterNode): Promise<void> {
  await node.untilStatus('has the key', ({ facts }) => facts.get('keys') === String(KEYS));
  await node.stop();
  const text = readFileSync(node.dbPath, 'utf8');
  const changed = text.replace('"key-7":"value 7"', '"key-7":"spoilt"');
  expect(changed).to.not.equal(text);
  const covered = changed.slice(0, changed.lastIndexOf('"checksum"'));
  const checksum = crc32(covered).toString(16).padStart(8, '0');
  writeFileSync(node.dbPath, `${covered}"checksum":"${checksum}"}\n`);
  await node.start();
}

async function write(primary: ClusterNode, count: number): Promise<void> {
  const client = createClient({ address: primary.address, timeoutMs: 20_000 });
  try {
    for (let first = 0; first < count; first += KEYS) {
      const keys = Array.from({ length: KEYS }, (_, at) => at);
      await Promise.all(keys.map((at) => client.put(`key-${String(at)}`, `value ${String(first + at)}`)));
    }
  } finally {
    client.close();
  }
}

async function expectNoAlarm(primary: ClusterNode, backups: readonly ClusterNode[]): Promise<void> {
  const { facts, members } = await primary.status();
  expect(facts.get('advice')).to.equal('none');
  for (const backup of backups) {
    expect(members.get(backup.address)?.get('state')).to.equal('member');
    expect(await backup.fact('service')).to.equal('following');
    expect(haltsOf(backup)).to.have.lengthOf(0);
  }
}

function alarmsOf(node: ClusterNode): unknown[] {
  return node.process.events.filter(({ msg }) => ALARMS.some((alarm) => String(msg).startsWith(alarm)));
}

function haltsOf(node: ClusterNode): unknown[] {
  return node.process.events.filter(({ msg }) => String(msg).startsWith(HALTED));
}

/** By index, the checksums that a node says its snapshots have. */
function checksumsOf(node: ClusterNode): ReadonlyMap<number, string> {
  const written = node.process.events.filter(({ msg }) => msg === 'snapshot written');
  return new Map(written.map(({ index, checksum }) => [index as number, checksum as string]));
}
