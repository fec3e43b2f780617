import { expect } from 'chai';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { addBackup, clusters, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const REPLACED = 'the content was replaced by a snapshot of the primary';

/** Lines to a node, and as many lines back. */
async function say(node: ClusterNode, ...lines: string[]): Promise<string[]> {
  return (await node.talk(lines.map((line) => `${line}\n`).join(''))).split('\n').slice(0, -1);
}

/** A session with one write of each kind, whose effects were undone since: a second application would show. */
async function writeOnce(node: ClusterNode): Promise<string> {
  const [id = ''] = await say(node, 'SESSION');
  expect(id).to.match(/^\d+$/);
  const first = await say(
    node,
    'MSET gone 1 alone 1',
    ...writes(id).flat(),
    'MSET a new b new',
    'PUT gone new',
  );
  expect(first).to.deep.equal(['OK', ...ANSWERS.flatMap((answer) => ['OK', answer]), 'OK', 'OK']);
  return id;
}

const ANSWERS = ['OK', 'OK', '2', 'OK'];

function writes(id: string): [string, string][] {
  const commands = ['PUT a 1', 'MSET a 2 b 2', 'DEL gone alone never', 'DELETE a'];
  return commands.map((command, at) => [`SESSION ${id} ${String(at + 1)} 1`, command]);
}

/** The same writes again are answered as they were, and change nothing; the next one is new. */
async function expectKnown(node: ClusterNode, id: string, next: number): Promise<void> {
  expect(await say(node, ...writes(id).flat())).to.deep.equal(ANSWERS.flatMap((answer) => ['OK', answer]));
  expect(await say(node, 'GET a', 'GET b', 'GET gone')).to.deep.equal(['new', 'new', 'new']);
  expect(
    await say(node, `SESSION ${id} ${String(next)} 1`, `PUT next ${String(next)}`, 'GET next'),
  ).to.deep.equal(['OK', 'OK', String(next)]);
}

async function serving(node: ClusterNode): Promise<void> {
  await node.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
}

/** Fills the log with so much that its beginning is trimmed. */
async function outgrowLog(node: ClusterNode): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const puts = Array.from({ length: 200 }, (_, at) => `PUT filling-${String(at)} ${'x'.repeat(100)}`);
    await say(node, ...puts, 'SNAPSHOT');
  }
}

describe('Sessions of real servers', () => {
  const nodes = clusters();

  it('SurviveARestartFromTheLogFromTheJsonFileAndFromThatFileAlone', async function () {
    this.timeout(60_000);
    const [node] = (await nodes.of(1)) as [ClusterNode];
    const id = await writeOnce(node);
    await node.kill();
    const checked = await node.kv('check', node.dbPath, '--format', 'json');
    expect(checked.code, checked.stderr).to.equal(0);
    await node.start();
    await serving(node);
    await expectKnown(node, id, 5);
    await node.stop();
    const file = JSON.parse(readFileSync(node.dbPath, 'utf8')) as { readonly sessions: unknown };
    expect(file.sessions).to.deep.equal([{ id: Number(id), lowest: 1, answers: [1, 2, 2, 1, 1] }]);
    await node.start();
    await serving(node);
    await expectKnown(node, id, 6);
    await node.stop();
    const restored = await nodes.node('restored');
    copyFileSync(node.dbPath, restored.dbPath);
    await restored.start();
    await expectKnown(restored, id, 7);
    expect(await restored.fact('sessions')).to.equal('1');
  });

  it('AreCountedByACheckOfTheFilesAsAStartWouldApplyThem', async function () {
    this.timeout(60_000);
    const [node] = (await nodes.of(1)) as [ClusterNode];
    const id = await writeOnce(node);
    await say(node, 'SNAPSHOT');
    // Applied, they would delete one and set another.
    await say(
      node,
      `SESSION ${id} 3 1`,
      'DEL gone',
      `SESSION ${id} 1 1`,
      'PUT more 1',
      'SESSION 99 1 1',
      'PUT more 1',
    );
    await say(node, `SESSION ${id} 5 5`, 'PUT new 1', `SESSION ${id} 4 4`, 'PUT more 1');
    const keys = Number(await node.fact('keys'));
    await node.kill();
    const { stdout } = await node.kv('check', node.dbPath, '--format', 'json');
    expect(JSON.parse(stdout.toString())).to.have.nested.property('start.keys', keys);
  });

  it('AreAnsweredAsTheFirstTimeByABackupThatTakesOver', async function () {
    this.timeout(60_000);
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    const id = await writeOnce(primary);
    await primary.kill();
    await promote(backup, 'OTHERS_ARE_DOWN');
    await expectKnown(backup, id, 5);
  });

  it('AreSentInASnapshotToABackupThatIsAddedAndAnsweredByItOnceItIsPromoted', async function () {
    this.timeout(60_000);
    const options = ['--log-segment-bytes', '4096'];
    const [primary] = (await nodes.of(1, options)) as [ClusterNode];
    const id = await writeOnce(primary);
    await outgrowLog(primary);
    const backup = await nodes.node('backup', { primary, options });
    await backup.start();
    await addBackup(primary, backup);
    expect(backup.process.hasEvent(REPLACED)).to.equal(true);
    expect(await backup.fact('sessions')).to.equal('1');
    await expectEqual(primary, backup);
    await promote(backup);
    await expectKnown(backup, id, 5);
    await untilMember(backup, primary);
    await expectEqual(backup, primary);
  });

  it('ThatDifferAreFoundByTheComparisonOfStates', async function () {
    this.timeout(60_000);
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    await writeOnce(primary);
    await backup.untilCaughtUpWith(primary);
    await backup.stop();
    const text = readFileSync(backup.dbPath, 'utf8');
    const changed = text.replace('"answers":[1,2,2,1]', '"answers":[1,2,3,1]');
    expect(changed).to.not.equal(text);
    const covered = changed.slice(0, changed.lastIndexOf('"checksum"'));
    const checksum = crc32(covered).toString(16).padStart(8, '0');
    writeFileSync(backup.dbPath, `${covered}"checksum":"${checksum}"}\n`);
    await backup.start();
    await untilMember(primary, backup);
    await primary.ask('PUT more 1');
    expect(await primary.ask('SNAPSHOT')).to.match(/^OK position=/);
    await backup.untilStatus('stops serving', ({ facts }) => facts.get('service') === 'diverged');
  });

  it('ThatNobodyUsesAreEndedOnAllNodesByTheClockOfThePrimary', async function () {
    this.timeout(60_000);
    const options = ['--session-idle', '1'];
    const [primary, backup] = (await nodes.of(2, options)) as [ClusterNode, ClusterNode];
    const [id = ''] = await say(primary, 'SESSION');
    await primary.untilStatus('has ended it', ({ facts }) => facts.get('sessions') === '0');
    await backup.untilCaughtUpWith(primary);
    expect(await backup.fact('sessions')).to.equal('0');
    const [ok, refused, value] = await say(primary, `SESSION ${id} 1 1`, 'PUT a 1', 'GET a');
    expect([ok, value]).to.deep.equal(['OK', 'NULL']);
    expect(refused).to.match(/^ERROR SESSION_EXPIRED /);
    await expectEqual(primary, backup);
  });
});

/** Both have compared their states at one position, and found nothing. */
async function expectEqual(primary: ClusterNode, backup: ClusterNode): Promise<void> {
  await primary.ask('PUT compared 1');
  const position = (await primary.ask('SNAPSHOT')).replace('OK position=', '');
  await backup.untilStatus('has a snapshot of the mark', ({ facts }) => facts.get('snapshot') === position);
  const index = Number(position.split(':')[1]);
  const [own, others] = [primary, backup].map(({ process }) =>
    process.events.find((event) => event.msg === 'snapshot written' && event.index === index),
  );
  expect(own?.checksum).to.match(/^\d+(\+\d+)?:[0-9a-f]{16}$/);
  expect(others?.checksum).to.equal(own?.checksum);
  expect(await primary.fact('advice')).to.equal('none');
}
