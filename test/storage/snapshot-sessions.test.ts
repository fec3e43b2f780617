import { expect } from 'chai';
import { SESSIONS_MAX, SESSION_NUMBERS_MAX } from '../../src/engine.js';
import { StorageFault } from '../../src/storage/fault.js';
import { readWhole } from '../../src/storage/files.js';
import { SnapshotDamage, readSnapshot } from '../../src/storage/snapshot-reader.js';
import { SnapshotWriter } from '../../src/storage/snapshot-writer.js';
import { MemoryDisk } from './memory-files.js';
import { HEAD, PATH, mounted, written } from './snapshot-fixture.js';
import { range } from './test-node.js';

type Kept = readonly [id: number, lowest: number, answers: readonly number[]];

const SOME: readonly Kept[] = [
  [2 ** 53 - 1, 2 ** 52, [1, -1, 0]],
  [5, 1, []],
  [6, 7, Array.from({ length: SESSION_NUMBERS_MAX }, () => 2 ** 31 - 1)],
];

/** A snapshot with sessions between its entries, as a walk may meet them. */
async function withSessions(sessions: readonly Kept[]): Promise<Buffer> {
  const files = new MemoryDisk().mount();
  const writer = await SnapshotWriter.create(files, PATH);
  writer.start({ ...HEAD, hasSessions: true });
  writer.add(range('text'), range('x'));
  for (const [id, lowest, answers] of sessions) {
    writer.addSession(id, lowest, Int32Array.from(answers));
    if (writer.backedUp) await writer.drained();
  }
  writer.add(range('\xff'), range('x'));
  await writer.finish();
  expect(await files.list('/')).to.deep.equal(['file']);
  return readWhole(files, PATH);
}

async function sessionsIn(content: Buffer): Promise<Kept[]> {
  const found: Kept[] = [];
  const keys: string[] = [];
  await readSnapshot(
    mounted(content),
    PATH,
    (key) => keys.push(key.bytes.toString('latin1', key.start, key.end)),
    undefined,
    (id, lowest, answers) => found.push([id, lowest, [...answers]]),
  );
  expect(keys).to.deep.equal(['text', '\xff']);
  return found;
}

describe('Sessions in the JSON file', () => {
  it('AreReadAsTheyWereWritten', async () => {
    expect(await sessionsIn(await withSessions(SOME))).to.deep.equal(SOME);
  });

  it('AreJsonUnderSessionsAndCountAsNoEntries', async () => {
    const file = JSON.parse((await withSessions(SOME)).toString()) as Record<string, unknown>;
    expect(file).to.include({ version: 2, count: 2 });
    expect(file.sessions).to.deep.equal([
      { id: 2 ** 53 - 1, lowest: 2 ** 52, answers: [1, null, 0] },
      { id: 5, lowest: 1, answers: [] },
      { id: 6, lowest: 7, answers: SOME[2]![2] },
    ]);
  });

  it('AreNotNamedInAFileWithoutThemWhichIsAsItWasBefore', async () => {
    const file = JSON.parse((await written([])).toString()) as Record<string, unknown>;
    expect(file).to.include({ version: 1 }).and.not.to.have.property('sessions');
  });

  it('AreCountedWhereTheFileIsOnlyChecked', async () => {
    const content = await withSessions(SOME);
    expect((await readSnapshot(mounted(content), PATH)).head.hasSessions).to.equal(true);
    const changed = Buffer.from(content.toString('latin1').replace('[1,null,0]', '[1,null,1]'), 'latin1');
    const fault: unknown = await readSnapshot(mounted(changed), PATH).catch((error: unknown) => error);
    expect(fault).to.be.instanceOf(SnapshotDamage);
  });

  it('AreTakenUpToTheirBoundAndNotPastIt', async function () {
    this.timeout(60_000);
    const many = Array.from({ length: SESSIONS_MAX + 1 }, (_, at): Kept => [at + 1, 1, [0]]);
    expect(await sessionsIn(await withSessions(many.slice(1)))).to.have.lengthOf(SESSIONS_MAX);
    const fault: unknown = await sessionsIn(await withSessions(many)).catch((error: unknown) => error);
    expect(fault).to.be.instanceOf(SnapshotDamage).and.have.property('what').that.includes('more sessions');
  });

  for (const line of [
    '{"id":0,"lowest":1,"answers":[]}',
    '{"id":1,"lowest":0,"answers":[]}',
    '{"id":1,"lowest":9007199254740991,"answers":[1]}',
    '{"id":1,"lowest":1,"answers":[2147483648]}',
    '{"id":1,"lowest":1,"answers":[-1]}',
    '{"id":1,"lowest":1,"answers":[1,]}',
    '{"id":1,"lowest":1}',
    `{"id":1,"lowest":1,"answers":[${Array.from({ length: SESSION_NUMBERS_MAX + 1 }, () => '1').join(',')}]}`,
    `{"id":1,"lowest":1,"answers":[${'1'.repeat(20_000)}]}`,
    '"key":"value"',
  ]) {
    it(`AreDamageWhereALineIsNoSession: ${line.slice(0, 60)}`, async () => {
      const content = (await withSessions([[5, 1, []]])).toString('latin1');
      const spoilt = content.replace('{"id":5,"lowest":1,"answers":[]}', line);
      expect(spoilt).not.to.equal(content);
      const fault: unknown = await sessionsIn(Buffer.from(spoilt, 'latin1')).catch((error: unknown) => error);
      expect(fault).to.be.instanceOf(SnapshotDamage).and.have.property('what', 'a session is malformed');
    });
  }

  it('AreOfAVersionOfTheirOwnThatAnOlderProgramRefuses', async () => {
    const content = (await withSessions(SOME)).toString('latin1');
    // As a program from before them finds theirs: one that it does not know.
    const newer = Buffer.from(content.replace('"version":2', '"version":3'), 'latin1');
    const fault: unknown = await readSnapshot(mounted(newer), PATH).catch((error: unknown) => error);
    expect(fault).to.be.instanceOf(StorageFault).and.have.property('kind', 'foreign');
    const older = Buffer.from(content.replace('"version":2', '"version":1'), 'latin1');
    const damage: unknown = await sessionsIn(older).catch((error: unknown) => error);
    expect(damage).to.be.instanceOf(SnapshotDamage);
  });
});
