import { expect } from 'chai';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EXIT } from '../../src/cli/exit.js';
import { runKv } from '../cli/run-kv.js';
import { talk } from '../server/conversation.js';
import { imageOf } from '../storage/scratch.js';
import { contentOfServer } from './content.js';
import { serverProcesses } from './server-process.js';

const OPTIONS = ['--log-segment-bytes', '8192'];

interface Told {
  readonly whole: boolean;
  readonly kind: string;
  readonly damage: readonly {
    readonly file: string;
    readonly offset: number | null;
    readonly message: string;
  }[];
  readonly start: { readonly refused: boolean; readonly keys?: number; readonly reason?: string };
  readonly node: { readonly cleanStop: boolean; readonly members: readonly string[] } | null;
}

describe('kv check', () => {
  const servers = serverProcesses();

  const inDirectory = (name: string): string => path.join(`${servers.dbPath}.d`, name);

  /** Checks, and makes sure that no file was changed by it. */
  async function check(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const before = await imageOf(servers.directory);
    const { code, stdout, stderr } = await runKv(['check', ...words]);
    expect(await imageOf(servers.directory)).to.deep.equal(before);
    return { code, stdout: stdout.toString(), stderr };
  }

  async function checkJson(file: string): Promise<Told & { readonly code: number | null }> {
    const { code, stdout, stderr } = await check(file, '--format', 'json');
    expect(stderr).to.equal('');
    return { code, ...(JSON.parse(stdout) as Told) };
  }

  async function makeData(end: 'SIGTERM' | 'SIGKILL', options: readonly string[] = OPTIONS): Promise<void> {
    const server = await servers.start({ options });
    await talk(server.address, 'PUT a 1\nSNAPSHOT\nPUT b 2\nSNAPSHOT\nPUT c 3\nDELETE a\nPUT b 4\n');
    if (end === 'SIGTERM') server.signal(end);
    else await server.kill();
    await server.ended;
  }

  function changeByte(file: string, at: number): void {
    const content = readFileSync(file);
    content[at] = content[at]! ^ 1;
    writeFileSync(file, content);
  }

  it('FindsWhatAServerThatWasKilledLeftWholeAndCountsWhatItThenHolds', async () => {
    await makeData('SIGKILL');
    const { code, stdout } = await check(servers.dbPath);
    expect(code, stdout).to.equal(EXIT.done);
    expect(stdout).to.match(/^last stop +not a clean one$/m);
    expect(stdout).to.match(/^kv-store\.json +whole +1:3 +2 /m);
    expect(stdout).to.match(/^previous\.json +whole +1:2 +1 /m);
    expect(stdout).to.match(/^segment-0000000001 +live +1:1 +1:6 +6 /m);
    expect(stdout).to.match(/kv-store\.json is whole\. A start would have 2 keys, at 1:6\.\n$/);
    const json = await checkJson(`${servers.dbPath}.d`);
    expect(json).to.deep.include({ code: EXIT.done, whole: true, kind: 'node', damage: [] });
    expect(json.node?.cleanStop).to.equal(false);
    expect(await checkJson(`${servers.dbPath}.d/.`)).to.deep.equal(json);
    const { address } = await servers.start({ options: OPTIONS });
    expect((await contentOfServer(address)).size).to.equal(json.start.keys);
  });

  it('NamesFileAndByteOfEachDamageAndSaysWhatAStartWouldDo', async () => {
    await makeData('SIGTERM');
    const cases: [file: string, at: number, isRefused: boolean][] = [
      [inDirectory('segment-0000000001'), 150, true],
      [inDirectory('node.json'), 60, true],
      [servers.dbPath, statSync(servers.dbPath).size - 60, false],
      [inDirectory('previous.json'), 40, false],
    ];
    for (const [file, at, isRefused] of cases) {
      changeByte(file, at);
      const json = await checkJson(servers.dbPath);
      expect(json).to.include({ code: EXIT.refused, whole: false });
      expect(json.start.refused, file).to.equal(isRefused);
      expect(json.damage.map((damage) => damage.file)).to.deep.equal([file]);
      expect(json.damage[0]!.offset).to.be.a('number');
      const { code, stdout } = await check(servers.dbPath);
      expect(code).to.equal(EXIT.refused);
      expect(stdout).to.include(json.damage[0]!.message);
      expect(stdout).to.match(/^The data of \S+kv-store\.json is (not whole|damaged)/m);
      changeByte(file, at);
    }
    expect((await check(servers.dbPath)).code).to.equal(EXIT.done);
    for (const [file, at] of cases) changeByte(file, at);
    expect((await checkJson(servers.dbPath)).damage.map(({ file }) => file)).to.have.members(
      cases.map(([file]) => file),
    );
  });

  it('RefusesDataThatAServerHasOpenNamesItAndLeavesItAlone', async () => {
    const server = await servers.start();
    const { code, stdout, stderr } = await check(servers.dbPath);
    expect([code, stdout]).to.deep.equal([EXIT.refused, '']);
    expect(stderr).to.match(/^kv: [^\n]+ in use by a server \(process \d+\)[^\n]+\n$/);
    expect(stderr).to.include(`process ${String(server.processId)}`);
    expect(await talk(server.address, 'PUT a 1\nGET a\n')).to.include('1');
  });

  it('TakesACopyOfTheJsonFileForWhatANewServerIsStartedFrom', async () => {
    await makeData('SIGTERM');
    const copy = path.join(servers.directory, 'copy.json');
    copyFileSync(servers.dbPath, copy);
    const { code, stdout } = await check(copy);
    expect(code).to.equal(EXIT.done);
    expect(stdout).to.include('copy.json is whole: a new server that is started from it would hold 2 keys.');
    changeByte(copy, 200);
    expect((await check(copy)).code).to.equal(EXIT.refused);
    writeFileSync(copy, '{"data":{"a":"1"}}');
    expect(await checkJson(copy)).to.include({ code: EXIT.done, kind: 'bare' });
    writeFileSync(copy, 'notes, and no data\n');
    const other = await check(copy);
    expect(other.code).to.equal(EXIT.refused);
    expect(other.stdout).to.include('neither a snapshot nor {"data"');
  });

  it('SaysWhatToNameWhereThereIsNothing', async () => {
    const empty = path.join(servers.directory, 'empty');
    mkdirSync(empty);
    for (const [words, message] of [
      [[path.join(servers.directory, 'none.json')], /none\.json is not there: name the file/],
      [[empty], /empty is a directory, and no data of a node is in it/],
      [[''], /FILE is empty/],
      [['a', 'b'], /usage: kv check/],
    ] as const) {
      const { code, stdout, stderr } = await check(...words);
      expect([code, stdout]).to.deep.equal([EXIT.usage, '']);
      expect(stderr).to.match(message);
    }
    rmSync(empty, { recursive: true });
    expect(readdirSync(servers.directory)).to.deep.equal([]);
  });
});
