import { expect } from 'chai';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Conversation, talk } from '../server/conversation.js';
import { inTime } from './cluster.js';
import { serverProcesses } from './server-process.js';
import type { LaunchOptions } from './server-process.js';

/** What spoils the data of a server that stopped cleanly, and what the refusal has to name. */
const SPOILED: Record<string, [spoil: (dbPath: string) => void, named: RegExp]> = {
  'a JSON file, the one before it and the log with a byte changed': [
    (dbPath) => {
      changeByte(dbPath);
      changeByte(path.join(`${dbPath}.d`, 'previous.json'));
      // Within the records: what stands behind their end may be of an earlier life, and says nothing.
      changeByte(segmentsOf(dbPath)[0]!, 200);
    },
    /kv-store\.json is damaged/,
  ],
  'an empty JSON file and no log that could make it good': [
    (dbPath) => {
      truncateSync(dbPath);
      for (const segment of segmentsOf(dbPath)) rmSync(segment);
    },
    /damaged/,
  ],
  'a log with a byte changed': [
    (dbPath) => changeByte(segmentsOf(dbPath)[0]!, 200),
    /segment-\d+ is damaged at byte \d+/,
  ],
  'a log that is shorter than it was made': [
    (dbPath) => truncateSync(segmentsOf(dbPath)[0]!, 4000),
    /segment-\d+ is damaged at byte 4000/,
  ],
  'a log whose file is gone': [(dbPath) => rmSync(segmentsOf(dbPath)[0]!), /no segment|is missing/],
  'a node state with a byte changed': [
    (dbPath) => changeByte(path.join(`${dbPath}.d`, 'node.json')),
    /node\.json is damaged/,
  ],
  'a log and no node state': [(dbPath) => rmSync(path.join(`${dbPath}.d`, 'node.json')), /no node\.json/],
  'a directory where the node state is': [
    (dbPath) => directoryInstead(path.join(`${dbPath}.d`, 'node.json')),
    /node\.json|EISDIR/,
  ],
  'a directory where the JSON file is': [(dbPath) => directoryInstead(dbPath), /kv-store\.json|EISDIR/],
  'a directory where a file of the log is': [
    (dbPath) => directoryInstead(segmentsOf(dbPath)[0]!),
    /segment|EISDIR/,
  ],
  'a directory where the lock is': [
    (dbPath) => directoryInstead(path.join(`${dbPath}.d`, 'lock')),
    /lock|EISDIR/,
  ],
};

function changeByte(file: string, place?: number): void {
  const bytes = readFileSync(file);
  const at = place ?? bytes.length >> 1;
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(file, bytes);
}

function directoryInstead(file: string): void {
  rmSync(file);
  mkdirSync(file);
}

function segmentsOf(dbPath: string): string[] {
  const directory = `${dbPath}.d`;
  const names = readdirSync(directory).filter((name) => name.startsWith('segment-'));
  return names.sort().map((name) => path.join(directory, name));
}

/** Everything that lies in a directory, but for the lock, which says who looked last, and the directory made for it. */
function diskContent(directory: string): Record<string, string> {
  const content: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(directory, name);
    const isMadeForTheLock = name.endsWith('.json.d') || path.basename(name) === 'lock';
    if (isMadeForTheLock) continue;
    content[name] = statSync(file).isDirectory() ? 'directory' : readFileSync(file, 'latin1');
  }
  return content;
}

describe('A server that cannot start', () => {
  const servers = serverProcesses();

  /** Launches a server that is to refuse, and answers its line on stderr. */
  async function refusal(options: LaunchOptions = {}): Promise<string> {
    const before = diskContent(servers.directory);
    const server = servers.launch(options);
    const { code } = await inTime('a refusal', server.ended);
    expect(code, server.stderr).to.be.greaterThan(0);
    expect(server.stdout).to.equal('');
    expect(server.stderr).to.match(/^kv: [^\n]+\n$/);
    expect(diskContent(servers.directory)).to.deep.equal(before);
    return server.stderr;
  }

  async function makeData(): Promise<void> {
    const server = await servers.start({ options: ['--log-segment-bytes', '8192'] });
    await talk(server.address, 'PUT a 1\nSNAPSHOT\nPUT b 2\nSNAPSHOT\nPUT c 3\n');
    server.signal('SIGTERM');
    await server.ended;
  }

  for (const [name, [spoil, named]] of Object.entries(SPOILED)) {
    it(`says so, and changes nothing: ${name}`, async () => {
      await makeData();
      spoil(servers.dbPath);
      expect(await refusal()).to.match(named);
    });
  }

  it('says so, and makes nothing: a port that something else has', async () => {
    const elsewhere = path.join(servers.directory, 'first.json');
    const { address } = await servers.start({ dbPath: elsewhere });
    expect(await refusal({ address })).to.include(`something listens at ${address} already`);
    expect(readdirSync(servers.directory)).not.to.include('kv-store.json.d');
  });

  it('says so, and names the other process: data that another server has', async () => {
    const first = await servers.start();
    expect(await refusal()).to.include(`in use by another server (process ${String(first.processId)})`);
    const conversation = await Conversation.open(first.address);
    conversation.send('PUT a 1\nGET a\n');
    expect(await conversation.lines(2)).to.deep.equal(['OK', '1']);
  });

  it('says so: a directory for the data that cannot be made', async () => {
    const file = path.join(servers.directory, 'file');
    writeFileSync(file, '');
    expect(await refusal({ dbPath: path.join(file, 'kv-store.json') })).to.match(/cannot be made.*--db-path/);
    expect(await refusal({ dbPath: path.join(file, 'deeper', 'kv-store.json') })).to.match(/cannot be made/);
  });

  it('says so, and how it can be had: an address that others reach', async () => {
    const advice = await refusal({ address: '0.0.0.0:0' });
    expect(advice).to.include('--allow-unauthenticated');
    expect(await refusal({ address: '[::]:0' })).to.include('--allow-unauthenticated');
    const server = await servers.start({ address: '0.0.0.0:0', options: ['--allow-unauthenticated'] });
    expect(server.stdout).to.match(/^ready 0\.0\.0\.0:\d+ /);
  });

  it('says so: first content that is no JSON, is empty, or is something else', async () => {
    for (const content of ['{"data":{"a":', '', '[]', '{"data":{"a":1}}', '{"format":"kv-snapshot"}']) {
      writeFileSync(servers.dbPath, content);
      expect(await refusal(), content).to.include('kv-store.json');
    }
  });
});
