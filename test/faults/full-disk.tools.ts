import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { EXIT } from '../../src/cli/exit.js';
import { systemFiles } from '../../src/storage/files.js';
import { runKv } from '../cli/run-kv.js';
import { Conversation, talk } from '../server/conversation.js';
import { addBackup, clusters, eventually } from './cluster.js';
import { contentOfFile, contentOfServer } from './content.js';
import { serverProcesses } from './server-process.js';
import type { ServerProcess } from './server-process.js';
import { SmallDisk } from './small-disk.js';

/** How soon all is well again once there is room. */
const BACK_MS = 2000;
const FULL =
  'the disk is full: make room on it; reads go on, and so does everything else once there is room, without a restart';
const ROOM = 'there is room on the disk again';

const disks: SmallDisk[] = [];

/** A disk that is gone once the test is over and its servers have ended. */
async function makeDisk(size: string): Promise<SmallDisk> {
  const disk = await SmallDisk.make(size);
  disks.push(disk);
  return disk;
}

async function removeDisks(): Promise<void> {
  for (const disk of disks.splice(0)) await disk.remove();
}

/** What a server has said OK to. */
class Acknowledged {
  readonly values = new Map<string, string>();
  #next = 0;

  /** Puts, many at a time, until one is refused, which has to be for want of room. */
  async fillUp(address: string, valueBytes: number): Promise<void> {
    const client = await Conversation.open(address);
    // Many together need more room than one: what fits into the current segment is still taken.
    for (const together of [20, 1]) await this.#fillUp(client, valueBytes, together);
    client.socket.destroy();
  }

  async #fillUp(client: Conversation, valueBytes: number, together: number): Promise<void> {
    for (let isFull = false; !isFull;) {
      const sent = Array.from({ length: together }, () => this.#pair(valueBytes));
      const before = client.received.split('\n').length - 1;
      client.send(sent.map(([key, value]) => `PUT ${key} ${value}\n`).join(''));
      const answers = (await client.lines(before + sent.length)).slice(before);
      for (const [at, answer] of answers.entries()) {
        if (answer === 'OK') {
          this.values.set(...sent[at]!);
          continue;
        }
        isFull = true;
        expect(answer).to.match(/^ERROR DISK_FULL the disk is full, nothing was written: make room on it/);
      }
    }
  }

  /** One more, which has to pass in time. */
  async put(address: string): Promise<void> {
    const [key, value] = this.#pair(100);
    const answer = await eventually(
      'a write passes',
      () => talk(address, `PUT ${key} ${value}\n`),
      (said) => !said.startsWith('ERROR DISK_FULL') && !said.startsWith('ERROR NO_QUORUM'),
      BACK_MS,
    );
    expect(answer).to.equal('OK\n');
    this.values.set(key, value);
  }

  async check(address: string): Promise<void> {
    expect(sorted(await contentOfServer(address))).to.deep.equal(sorted(this.values));
  }

  #pair(valueBytes: number): [string, string] {
    const number = String(++this.#next);
    return [`key${number}`, number.padEnd(valueBytes, 'v')];
  }
}

function sorted(content: ReadonlyMap<string, string>): [string, string][] {
  return [...content].sort(([a], [b]) => (a < b ? -1 : 1));
}

async function adviceOf(address: string): Promise<string> {
  const { stdout } = await runKv(['status', '--address', address]);
  return /^advice=(.*)$/m.exec(stdout.toString())?.[1] ?? '';
}

function count(server: ServerProcess, message: string): number {
  return server.events.filter(({ msg }) => msg === message).length;
}

describe('A server whose disk is full', () => {
  const servers = serverProcesses();
  afterEach(removeDisks);

  const start = (disk: SmallDisk, ...options: string[]): Promise<ServerProcess> =>
    servers.start({ dbPath: path.join(disk.path, 'kv-store.json'), options });

  it('ReadsOnRefusesWritesAndTakesThemAgainOnceThereIsRoomAllWithoutARestart', async () => {
    const disk = await makeDisk('64m');
    const segments = ['--log-segment-bytes', '4194304'];
    const server = await start(disk, ...segments);
    const { address } = server;
    const acknowledged = new Acknowledged();
    for (let round = 1; round <= 2; round++) {
      disk.fill();
      await acknowledged.fillUp(address, 20_000);
      await acknowledged.check(address);
      expect(await adviceOf(address)).to.match(/^the disk is full: make room on it; writes are refused/);
      const put = await runKv(['put', 'k', 'v'.repeat(20_000), '--address', address]);
      expect(put.code).to.equal(EXIT.refused);
      expect(put.stderr).to.match(/^kv: the disk is full, nothing was written: make room .*\(DISK_FULL\)\n$/);
      disk.makeRoom();
      await acknowledged.put(address);
      await eventually(
        'the advice is gone',
        () => adviceOf(address),
        (advice) => advice === 'none',
      );
      expect(count(server, FULL)).to.equal(round);
      expect(count(server, ROOM)).to.equal(round);
    }
    // As full as it gets: with its own log and JSON file.
    await acknowledged.fillUp(address, 20_000);
    await server.kill();
    const next = await start(disk, ...segments);
    await acknowledged.check(next.address);
  }).timeout(120_000);

  for (const [how, stop] of [
    ['IsKilled', (server: ServerProcess) => server.kill()],
    [
      'IsStopped',
      (server: ServerProcess) => {
        server.signal('SIGTERM');
        return server.ended;
      },
    ],
  ] as const) {
    it(`That${how}StartsOnItAnswersReadsAndTakesWritesOnceThereIsRoomWithoutARestart`, async () => {
      const disk = await makeDisk('8m');
      const small = ['--log-segment-bytes', '65536'];
      const acknowledged = new Acknowledged();
      const first = await start(disk, ...small);
      await acknowledged.put(first.address);
      disk.fill();
      await acknowledged.fillUp(first.address, 3000);
      await stop(first);
      disk.fill();
      // Twice: what a start leaves behind on a full disk must not stand in the way of the next one.
      for (let time = 1; time <= 2; time++) {
        const server = await start(disk, ...small);
        expect(server.stdout).to.match(/^ready \S+ role=primary term=\d+\n/);
        expect(server.stdout).to.match(/The disk is full: .*Make room on it/);
        expect(count(server, FULL)).to.equal(1);
        await acknowledged.check(server.address);
        expect(await talk(server.address, 'PUT a b\n')).to.match(/^ERROR DISK_FULL .*nothing was written/);
        expect(await adviceOf(server.address)).to.match(/^the disk is full: make room on it/);
        if (time === 1) {
          await stop(server);
          continue;
        }
        disk.makeRoom();
        await acknowledged.put(server.address);
        expect(count(server, ROOM)).to.equal(1);
        await acknowledged.check(server.address);
        await server.kill();
      }
      const last = await start(disk, ...small);
      await acknowledged.check(last.address);
      last.signal('SIGTERM');
      expect((await last.ended).code).to.equal(EXIT.done);
      const file = path.join(disk.path, 'kv-store.json');
      expect(sorted(contentOfFile(file))).to.deep.equal(sorted(acknowledged.values));
    }).timeout(60_000);
  }

  it('ThatWasStoppedInOrderBeforeItFilledUpStartsOnItTheSame', async () => {
    const disk = await makeDisk('8m');
    const acknowledged = new Acknowledged();
    const first = await start(disk, '--log-segment-bytes', '65536');
    for (let key = 0; key < 5; key++) await acknowledged.put(first.address);
    first.signal('SIGTERM');
    expect((await first.ended).code).to.equal(EXIT.done);
    disk.fill();
    const second = await start(disk, '--log-segment-bytes', '65536');
    await acknowledged.check(second.address);
    // Nothing was changed: the stop before is a clean one still, and this one is.
    second.signal('SIGTERM');
    expect((await second.ended).code).to.equal(EXIT.done);
    const third = await start(disk, '--log-segment-bytes', '65536');
    expect(third.events.find(({ msg }) => msg === 'data recovered')).to.include({ cleanStop: true });
    disk.makeRoom();
    await acknowledged.put(third.address);
    await acknowledged.check(third.address);
  });

  it('SaysWhenItStopsThatTheFilesAreNotUpToDateAndLosesNothing', async () => {
    const disk = await makeDisk('8m');
    const server = await start(disk, '--log-segment-bytes', '65536');
    const acknowledged = new Acknowledged();
    disk.fill();
    await acknowledged.fillUp(server.address, 3000);
    disk.fill();
    server.signal('SIGTERM');
    expect((await server.ended).code).to.equal(EXIT.failed);
    expect(String(server.events.at(-1)?.msg)).to.match(/^the disk is full: .*nothing is lost/);
    disk.makeRoom();
    const next = await start(disk, '--log-segment-bytes', '65536');
    await acknowledged.check(next.address);
  });

  it('DoesNotStartWithoutDataAndSaysWhatToDo', async () => {
    const disk = await makeDisk('1m');
    disk.fill();
    const server = servers.launch({ dbPath: path.join(disk.path, 'kv-store.json') });
    expect((await server.ended).code).to.equal(EXIT.refused);
    expect(server.stdout).to.equal('');
    expect(server.stderr).to.match(/^kv: [^\n]*: make room on the disk\n$/);
    disk.makeRoom();
    await start(disk, '--log-segment-bytes', '65536');
  });
});

describe('A small file on a disk with a block left', () => {
  afterEach(removeDisks);

  it('IsReplacedAsAWholeOrNotAtAll', async () => {
    const disk = await makeDisk('1m');
    const file = path.join(disk.path, 'node.json');
    const old = Buffer.alloc(9000, 'o');
    await systemFiles.replace(file, old);
    disk.fill();
    disk.makeRoom(4096);
    const failed = await systemFiles.replace(file, Buffer.alloc(9000, 'n')).catch((error: unknown) => error);
    expect(failed).to.have.property('code', 'ENOSPC');
    expect(readFileSync(file)).to.deep.equal(old);
    expect(readdirSync(disk.path).sort()).to.deep.equal(['ballast', 'node.json']);
    disk.makeRoom();
    await systemFiles.replace(file, Buffer.alloc(9000, 'n'));
    expect(readFileSync(file)).to.deep.equal(Buffer.alloc(9000, 'n'));
  });
});

describe('A pair of which the disk of one is full', () => {
  const made = clusters();
  afterEach(removeDisks);

  it('TakesWritesAgainOnceTheBackupHasRoomWhichHasEverythingThen', async () => {
    const disk = await makeDisk('8m');
    const small = ['--log-segment-bytes', '65536'];
    const primary = await made.node('primary', { options: small });
    const backup = await made.node('backup', { primary, options: small, directory: disk.path });
    await Promise.all([primary.start(), backup.start()]);
    await addBackup(primary, backup);
    const values = new Map<string, string>();
    const put = async (key: string, value: string): Promise<string> => {
      const answer = await primary.ask(`PUT ${key} ${value}`);
      if (answer === 'OK') values.set(key, value);
      return answer;
    };
    disk.fill();
    let answer = 'OK';
    for (let key = 0; answer === 'OK'; key++) answer = await put(`key${String(key)}`, 'v'.repeat(3000));
    expect(answer).to.match(/^ERROR UNCONFIRMED .*waits for 127\.0\.0\.1/);
    expect(await backup.fact('advice')).to.match(/^the disk is full: .*what the primary sends waits/);
    expect(await backup.ask('GET key0')).to.equal('v'.repeat(3000));
    // It goes on so after a restart on the full disk.
    await backup.kill();
    disk.fill();
    await backup.start();
    // What it knew to be committed, until it hears from its primary.
    expect(await backup.ask('DBSIZE')).to.match(/^\d+$/);
    expect(await backup.fact('advice')).to.match(/^the disk is full: /);
    expect(await put('refused', 'v')).to.match(/^ERROR (UNCONFIRMED|NO_QUORUM) /);
    disk.makeRoom();
    await eventually(
      'a write passes',
      () => put('after', 'v'),
      (said) => said === 'OK',
    );
    await backup.untilCaughtUpWith(primary);
    const there = await contentOfServer(backup.address);
    for (const [key, value] of values) expect(there.get(key), key).to.equal(value);
    expect(await backup.fact('advice')).to.equal('none');
  }).timeout(90_000);
});
