import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NOTHING, OK, refused, value, values } from '../client/resp-answers.js';
import { startScriptedServer } from '../client/scripted-server.js';
import type { ScriptedServer } from '../client/scripted-server.js';
import { KV, runKv } from './run-kv.js';
import type { Finished, RunOptions } from './run-kv.js';

/** The map of a pretended server, both sides as latin1, and how it answers. */
class Pretended {
  readonly map = new Map<string, string>();

  answer([name = '', key = '', content = '']: readonly string[]): string {
    const found = this.map.get(key);
    if (name === 'PUT') {
      this.map.set(key, content);
      return OK;
    }
    if (name === 'GET') return found === undefined ? NOTHING : value(bytes(found));
    if (name === 'DELETE') return this.map.delete(key) ? OK : NOTHING;
    if (name === 'KEYS') {
      const keys = [...this.map.keys()].filter((one) => key === '' || one.startsWith(key.replace('*', '')));
      return values(...keys.map(bytes));
    }
    if (name === 'STATUS') {
      const member = 'member=127.0.0.1:7001 role=primary state=member acked=1:42 lag=0';
      return values('role=primary', 'index=42', 'acks=0', member);
    }
    return refused('ERR', `unknown command '${name}'`);
  }
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

describe('kv', () => {
  let server: ScriptedServer;
  let pretended: Pretended;
  /** Answers instead of the pretended server where it is set. */
  let script: ((line: string) => string | undefined) | undefined;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kv-cli-'));
    server = await startScriptedServer((line, socket, _connection, words) => {
      if (script === undefined) return pretended.answer(words);
      const answer = script(line);
      if (answer === 'hang up') socket.destroy();
      return answer === 'hang up' ? undefined : answer;
    });
  });
  beforeEach(() => {
    pretended = new Pretended();
    script = undefined;
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  function kv(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return runKv(words, { ...options, environment: { KV_ADDRESS: server.address, ...options.environment } });
  }

  it('PutGetDeleteAndTheirAnswers', async () => {
    const put = await kv(['put', 'mykey', 'hello world']);
    expect([put.code, put.stdout.toString(), put.stderr]).to.deep.equal([0, 'OK\n', '']);
    const get = await kv(['get', 'mykey']);
    expect([get.code, get.stdout.toString(), get.stderr]).to.deep.equal([0, 'hello world', '']);
    const removed = await kv(['delete', 'mykey']);
    expect([removed.code, removed.stdout.toString(), removed.stderr]).to.deep.equal([0, 'OK\n', '']);
    for (const command of ['get', 'delete']) {
      const missing = await kv([command, 'mykey']);
      expect([missing.code, missing.stdout.toString()]).to.deep.equal([1, '']);
      expect(missing.stderr).to.equal('kv: no such key: mykey\n');
    }
  });

  it('OddKeysAndValuesArriveExactly', async () => {
    const pairs: [string[], string, string][] = [
      [['n', '-5'], 'n', '-5'],
      [['007', '0x10'], '007', '0x10'],
      [['e', '1e3'], 'e', '1e3'],
      [['empty', ''], 'empty', ''],
      [['dashes', '--', '--x'], 'dashes', '--x'],
      [['dash', '--', '-'], 'dash', '-'],
      [['__proto__', 'constructor'], '__proto__', 'constructor'],
      [['two words', ' "a" \\ \n\t '], 'two words', ' "a" \\ \n\t '],
      [['é', 'ü…'], 'é', 'ü…'],
      [['http', 'GET / HTTP/1.1'], 'http', 'GET / HTTP/1.1'],
    ];
    for (const [words, key, value] of pairs) {
      const put = await kv(['put', ...words]);
      expect([put.code, put.stderr], words.join(' ')).to.deep.equal([0, '']);
      expect(pretended.map.get(latin1(key)), words.join(' ')).to.equal(latin1(value));
      expect((await kv(['get', '--', key])).stdout.toString()).to.equal(value);
    }
  });

  it('BytesComeFromStdinAndFilesAndGoOutExactly', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) & 255));
    const path = join(folder, "it's a file");
    await writeFile(path, bytes);
    for (const [words, input] of [
      [['put', 'k', '-'], bytes],
      [['put', 'k', '--file', path], undefined],
    ] as const) {
      pretended.map.clear();
      const put = await kv(words, input === undefined ? {} : { input });
      expect([put.code, put.stderr]).to.deep.equal([0, '']);
      expect((await kv(['get', 'k'])).stdout.equals(bytes)).to.equal(true);
    }
    const empty = await kv(['put', 'k', '-']);
    expect(empty.code).to.equal(0);
    expect(pretended.map.get('k')).to.equal('');
  });

  it('WhatCannotBeReadIsAUsageErrorAndNothingIsSent', async () => {
    const before = server.lines.length;
    for (const words of [
      ['put', 'k'],
      ['put', 'k', 'v', '--file', 'x'],
      ['put', 'k', '--file', join(folder, 'missing')],
      ['put', 'k', '--file', folder],
      ['put', '', 'v'],
      ['get', ''],
      ['get', 'k', '--format', 'xml'],
      ['get', 'k', '--timeout', '0'],
      ['get', 'k', '--address', 'nowhere'],
      ['get', 'k', '--address', '127.0.0.1:0'],
      ['server', '--role', 'backup'],
      ['promote', '--accept-data-loss'],
      ['promote', '--backup', 'h:1'],
      ['add-backup'],
      ['add-backup', '--primary', 'h:1'],
      ['add-backup', '--backup', 'h:1'],
      ['add-backup', '--primary', 'h:1', '--backup', 'h:0'],
      ['add-backup', 'h:1', 'h:2'],
      ['remove-backup', '--primary', 'h:1'],
      ['remove-backup', '--primary', 'h', '--backup', 'h:1'],
    ]) {
      const { code, stdout, stderr } = await kv(words);
      expect([code, stdout.length], words.join(' ')).to.deep.equal([2, 0]);
      expect(stderr, words.join(' ')).to.match(/^kv: [^\n]+\nusage: kv [^\n]+\n$/);
    }
    expect(server.lines.length).to.equal(before);
  });

  it('StdinThatIsTooLargeIsRefused', async () => {
    const { code, stderr } = await kv(['put', 'k', '-'], { input: Buffer.alloc(64 * 1024 * 1024 + 1) });
    expect(code).to.equal(5);
    expect(stderr).to.include('stdin is too large');
  });

  it('StdinThatDoesNotEndInTimeEndsTheCommand', async () => {
    const { code, stderr } = await kv(['put', 'k', '-', '--timeout', '0.1'], { input: 'open' });
    expect(code).to.equal(3);
    expect(stderr).to.equal(
      'kv: stdin did not end in time, and nothing was sent: allow more with --timeout\n',
    );
  });

  it('KeysAreSortedByTheirBytesAndQuotedWhenOdd', async () => {
    for (const key of ['b', 'a b', 'a', '\xff', '\xc3\xa9', 'END', '10', '9']) pretended.map.set(key, '');
    const text = await kv(['keys']);
    expect([text.code, text.stderr]).to.deep.equal([0, '']);
    expect(text.stdout.toString()).to.equal('10\n9\n"END"\na\n"a b"\nb\né\n"\\xff"\n');
    const json = await kv(['keys', '--format', 'json']);
    expect(JSON.parse(json.stdout.toString())).to.deep.equal([
      '10',
      '9',
      'END',
      'a',
      'a b',
      'b',
      'é',
      { keyBase64: '/w==' },
    ]);
    expect((await kv(['keys', 'a*'])).stdout.toString()).to.equal('a\n"a b"\n');
    pretended.map.clear();
    expect((await kv(['keys'])).stdout.toString()).to.equal('');
    expect((await kv(['keys', '--format', 'json'])).stdout.toString()).to.equal('[]\n');
  });

  it('JsonHoldsTextAsItIsAndOtherBytesInBase64', async () => {
    pretended.map.set('a', latin1('é "x"'));
    pretended.map.set('b', '\xff\x00');
    expect(JSON.parse((await kv(['get', 'a', '--format', 'json'])).stdout.toString())).to.deep.equal({
      key: 'a',
      value: 'é "x"',
    });
    expect(JSON.parse((await kv(['--format=json', 'get', 'b'])).stdout.toString())).to.deep.equal({
      key: 'b',
      valueBase64: '/wA=',
    });
    const missing = await kv(['get', 'c', '--format', 'json']);
    expect([missing.code, missing.stdout.length]).to.deep.equal([1, 0]);
  });

  it('StatusIsLinesOnAPipeAndAnObjectInJson', async () => {
    const member = 'member=127.0.0.1:7001 role=primary state=member acked=1:42 lag=0';
    expect((await kv(['status'])).stdout.toString()).to.equal(`role=primary\nindex=42\nacks=0\n${member}\n`);
    expect(JSON.parse((await kv(['status', '--format', 'json'])).stdout.toString())).to.deep.equal({
      role: 'primary',
      index: 42,
      acks: '0',
      members: [{ member: '127.0.0.1:7001', role: 'primary', state: 'member', acked: '1:42', lag: 0 }],
    });
  });

  it('EachKindOfFailureHasItsExitCodeAndOneLine', async () => {
    const cases: [string[], string | undefined, number, RegExp][] = [
      [
        ['get', 'k'],
        refused('BUSY', 'buffers are full: try again'),
        5,
        /^kv: buffers are full: try again \(BUSY\)\n$/,
      ],
      [['put', 'k', 'v'], refused('NO_QUORUM', 'b is down'), 5, /^kv: b is down \(NO_QUORUM\)\n$/],
      [['put', 'k', 'v'], refused('UNCONFIRMED', 'at 1:7'), 6, /^kv: unconfirmed: at 1:7.*\n$/],
      [['put', 'k', 'v'], 'hang up', 6, /^kv: unconfirmed: .*closed the connection.*\n$/],
      [['delete', 'k'], 'hang up', 6, /^kv: unconfirmed: .*\n$/],
      [['get', 'k'], 'hang up', 3, /^kv: .*closed the connection\n$/],
      [['get', 'k'], refused('NOAUTH', 'log in first'), 4, /^kv: log in first \(NOAUTH\)\n$/],
      [['get', 'k', '--timeout', '0.1'], undefined, 3, /^kv: no answer from .* within 0.1 s: .*--timeout\n$/],
      [
        ['put', 'k', 'v', '--timeout', '.1'],
        undefined,
        6,
        /^kv: unconfirmed: no answer within 0\.\d+ s.*\n$/,
      ],
      [['get', 'k'], refused('BUSY', '\u001b[31mred'), 5, /^kv: \\x1b\[31mred \(BUSY\)\n$/],
      [['get', 'k'], 'HTTP/1.1 400 Bad Request\r\n', 3, /^kv: .*does not speak this protocol.*\n$/],
    ];
    for (const [words, answer, code, stderr] of cases) {
      script = () => answer;
      const finished = await kv(words);
      expect([finished.code, finished.stdout.length], `${words.join(' ')}: ${String(answer)}`).to.deep.equal([
        code,
        0,
      ]);
      expect(finished.stderr).to.match(stderr);
    }
  });

  it('NobodyListeningIsSaidWithTheWayOut', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const { code, stderr } = await kv(['put', 'k', 'v', '--address', gone.address]);
    expect(code).to.equal(3);
    const advice = 'start a server with "kv server", or name another with --address';
    expect(stderr).to.equal(`kv: nothing listens at ${gone.address}: ${advice}\n`);
  });

  it('HelpAndVersionGoToStdout', async () => {
    for (const words of [[], ['help'], ['--help']]) {
      const { code, stdout, stderr } = await kv(words);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(stdout.toString()).to.include('Usage: kv COMMAND');
    }
    expect((await kv(['put', '--help'])).stdout.toString()).to.include('--file FILE');
    expect((await kv(['--version'])).stdout.toString()).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  it('AReaderThatHasSeenEnoughEndsTheCommandQuietly', async () => {
    for (let at = 0; at < 60_000; at++) pretended.map.set(`key-number-${String(at)}`, '');
    const child = spawn(process.execPath, [KV, 'keys', '--address', server.address]);
    const stderr: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = (await once(child, 'close')) as [number];
    expect([code, Buffer.concat(stderr).toString()]).to.deep.equal([0, '']);
  });
});
