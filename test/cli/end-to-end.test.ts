import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { serverProcesses } from '../faults/server-process.js';
import type { ServerProcess } from '../faults/server-process.js';
import { talk } from '../server/conversation.js';
import { runKv } from './run-kv.js';
import type { Finished, RunOptions } from './run-kv.js';

/** The commands against the server, each in a process of its own. */
describe('kv and its server', () => {
  const servers = serverProcesses();
  let server: ServerProcess;

  beforeEach(async () => {
    server = await servers.start();
  });

  function kv(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return runKv(words, { ...options, environment: { KV_ADDRESS: server.address, ...options.environment } });
  }

  /** Runs a command that is to succeed, and answers what it prints. */
  async function output(words: readonly string[], options: RunOptions = {}): Promise<Buffer> {
    const { code, stdout, stderr } = await kv(words, options);
    expect([code, stderr], words.join(' ')).to.deep.equal([0, '']);
    return stdout;
  }

  async function ends(words: readonly string[], code: number, message: RegExp): Promise<void> {
    const finished = await kv(words);
    expect([finished.code, finished.stdout.toString()], words.join(' ')).to.deep.equal([code, '']);
    expect(finished.stderr).to.match(message);
  }

  it('put, get, keys and delete', async () => {
    expect((await output(['put', 'mykey', 'hello world'])).toString()).to.equal('OK\n');
    expect((await output(['get', 'mykey'])).toString()).to.equal('hello world');
    await output(['put', 'other key', '1']);
    expect((await output(['keys'])).toString()).to.equal('mykey\n"other key"\n');
    expect((await output(['keys', 'my*'])).toString()).to.equal('mykey\n');
    expect((await output(['delete', 'mykey'])).toString()).to.equal('OK\n');
    await ends(['get', 'mykey'], 1, /^kv: no such key: mykey\n$/);
    await ends(['delete', 'mykey'], 1, /^kv: no such key: mykey\n$/);
  });

  it('carry odd words exactly', async () => {
    const pairs: [words: string[], key: string, value: string][] = [
      [['a', '-5'], 'a', '-5'],
      [['007', '007'], '007', '007'],
      [['b', ''], 'b', ''],
      [['c', '--', '--x'], 'c', '--x'],
      [['--', '--key', '-'], '--key', '-'],
      [['d', 'two\nlines\n'], 'd', 'two\nlines\n'],
      [['__proto__', ' "OK" \\n '], '__proto__', ' "OK" \\n '],
      [['schlüssel', 'NULL'], 'schlüssel', 'NULL'],
    ];
    await Promise.all(pairs.map(([words]) => output(['put', ...words])));
    for (const [, key, value] of pairs) {
      const [text, json] = await Promise.all([
        output(['get', '--', key]),
        output(['get', '--format', 'json', '--', key]),
      ]);
      expect(text.toString(), key).to.equal(value);
      expect(JSON.parse(json.toString())).to.deep.equal({ key, value });
    }
    const keys = JSON.parse((await output(['keys', '--format', 'json'])).toString()) as string[];
    expect(keys).to.have.members(pairs.map(([, key]) => key));
  });

  it('carry any bytes through a file and a pipe, and over a restart', async () => {
    const bytes = Buffer.from(Array.from({ length: 5_000_000 }, (_, at) => (at * 31 + (at >> 8)) & 255));
    const file = path.join(servers.directory, 'value');
    writeFileSync(file, Buffer.from([0xff, 0, 10, 13, 0x22, 0x5c, 0x80]));
    await output(['put', 'file', '--file', file]);
    await output(['put', 'pipe', '-'], { input: bytes });
    await output(['put', 'nothing', '-'], { input: Buffer.alloc(0) });
    await server.kill();
    server = await servers.start();
    expect((await output(['get', 'file'])).toString('hex')).to.equal('ff000a0d225c80');
    expect((await output(['get', 'pipe'])).equals(bytes)).to.equal(true);
    expect((await output(['get', 'nothing'])).length).to.equal(0);
    const json = JSON.parse((await output(['get', 'file', '--format', 'json'])).toString()) as unknown;
    expect(json).to.deep.equal({ key: 'file', valueBase64: '/wAKDSJcgA==' });
  });

  it('status tells what the server promises, as text and as JSON', async () => {
    const text = (await output(['status'])).toString();
    expect(text).to.match(/^role=primary\nservice=serving\n/);
    expect(text).to.include('fsync=always\n').and.to.include(`member=${server.address} role=primary`);
    const json = JSON.parse((await output(['status', '--format', 'json'])).toString()) as Record<
      string,
      unknown
    >;
    expect(json).to.include({ role: 'primary', term: 1, fsync: 'always', keys: 0 });
    expect(json.members).to.have.length(1);
  });

  it('--address comes before KV_ADDRESS', async () => {
    const other = await servers.start({ dbPath: path.join(servers.directory, 'other.json') });
    await output(['put', 'where', 'there', '--address', other.address]);
    expect(
      (await output(['get', 'where'], { environment: { KV_ADDRESS: other.address } })).toString(),
    ).to.equal('there');
    await ends(['get', 'where'], 1, /no such key/);
  });

  it('wrong words are a usage error, and what the server refuses is told with its code', async () => {
    await ends(['put', 'key'], 2, /^kv: VALUE is missing[^\n]*\nusage: kv put /);
    await ends(['put', 'k'.repeat(65_537), 'v'], 5, /^kv: [^\n]*65[,_]?536[^\n]*\n$/);
    expect(await talk(server.address, 'DBSIZE\n')).to.equal('0\n');
  });

  it('a server that is gone is unreachable', async () => {
    await server.kill();
    for (const words of [['get', 'a'], ['put', 'a', '1'], ['keys'], ['status'], ['delete', 'a']]) {
      await ends(words, 3, /^kv: nothing listens at \S+: start a server with "kv server"/);
    }
  });

  describe('and a server that stands still', () => {
    beforeEach(async () => {
      await talk(server.address, 'PUT a 1\n');
      server.signal('SIGSTOP');
    });

    for (const [words, code, message] of [
      [['get', 'a'], 3, /^kv: no answer from \S+ within 0\.3 s: [^\n]*--timeout\n$/],
      [['keys'], 3, /^kv: no answer from /],
      [['status'], 3, /^kv: no answer from /],
      [['put', 'a', '2'], 6, /^kv: unconfirmed: [^\n]*\n$/],
      [['delete', 'a'], 6, /^kv: unconfirmed: [^\n]*\n$/],
    ] as const) {
      it(`${words.join(' ')} --timeout 0.3 ends in time`, async () => {
        const startMs = performance.now();
        await ends([...words, '--timeout', '0.3'], code, message);
        expect(performance.now() - startMs)
          .to.be.greaterThan(300)
          .and.lessThan(2000);
      });
    }

    it('a put that waits when the server is killed is unconfirmed', async () => {
      const between = await standBetween(server.address);
      const put = kv(['put', 'a', '2', '--timeout', '15', '--address', between.address]);
      await between.requested;
      await server.kill();
      const { code, stderr } = await put;
      between.close();
      expect([code, stderr.startsWith('kv: unconfirmed: ')], stderr).to.deep.equal([6, true]);
      server = await servers.start();
      expect((await output(['get', 'a'])).toString()).to.equal('1');
    });
  });
});

interface Between {
  readonly address: string;
  /** Resolves when a whole request was passed on. */
  readonly requested: Promise<void>;
  close(): void;
}

/** A connection's two halves, so that a test sees what was sent to a server that cannot tell. */
async function standBetween(address: string): Promise<Between> {
  const at = address.lastIndexOf(':');
  let told: () => void = () => undefined;
  const requested = new Promise<void>((resolve) => (told = resolve));
  const listener = net.createServer((client) => {
    const server = net.connect(Number(address.slice(at + 1)), address.slice(0, at));
    client.on('data', (chunk) => {
      server.write(chunk, () => {
        if (chunk.includes('\n')) told();
      });
    });
    server.on('data', (chunk) => client.write(chunk));
    for (const socket of [client, server]) socket.on('error', () => undefined);
    server.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as net.AddressInfo;
  return { address: `127.0.0.1:${String(port)}`, requested, close: () => listener.close() };
}
