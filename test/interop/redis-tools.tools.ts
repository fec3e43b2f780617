import { expect } from 'chai';
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { inTime } from '../faults/cluster.js';
import { serverFixture } from '../server/running-server.js';

interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with this on its stdin. One that is missing is a failure. */
function run(program: string, words: readonly string[], input: string | Buffer = ''): Promise<Output> {
  const child = spawn(program, words, { env: { ...process.env, NO_COLOR: '1' } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString('latin1')));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString('latin1')));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = new Promise<Output>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, ...output });
    });
  });
  return inTime(`${program} ${words.join(' ')}`, ended, 30_000);
}

/** RESP, as `--pipe` wants it. */
function arrays(requests: readonly (readonly string[])[]): string {
  return requests
    .map((words) => {
      const bulks = words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`);
      return `*${String(words.length)}\r\n${bulks.join('')}`;
    })
    .join('');
}

/** What a terminal shows, without what moves its cursor and colours it. */
function shown(raw: string): string {
  // eslint-disable-next-line no-control-regex
  return raw.replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').replaceAll('\r', '');
}

/** A program on a terminal of its own, which is typed into. */
class Terminal {
  output = '';
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;
  #wake: () => void = () => undefined;

  constructor(line: string, home: string) {
    // Without a size, redis-cli asks the terminal where its cursor is, and waits for an answer.
    const command = `stty rows 50 columns 120; exec ${line}`;
    this.#child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', HOME: home, NO_COLOR: '1' },
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.output += shown(chunk.toString('latin1'));
      this.#wake();
    });
    this.#child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', resolve);
    });
    this.ended.catch(() => undefined);
  }

  /** Resolves once it has said this and prompts again. */
  async until(text: string): Promise<void> {
    const reached = async (): Promise<void> => {
      while (!this.output.includes(text) || !this.output.endsWith('> '))
        await new Promise<void>((resolve) => (this.#wake = resolve));
    };
    await inTime(text, reached()).catch((error: unknown) => {
      throw new Error(`there is ${JSON.stringify(this.output)}`, { cause: error });
    });
  }

  async type(text: string, answer: string): Promise<void> {
    this.output = '';
    this.send(text);
    await this.until(answer);
  }

  send(line: string): void {
    this.#child.stdin.write(`${line}\r`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

describe('redis-cli', () => {
  const fixture = serverFixture();
  let terminal: Terminal | undefined;

  afterEach(() => {
    terminal?.kill();
    terminal = undefined;
  });

  /** A server, and redis-cli of it. */
  async function begin(): Promise<(words: readonly string[], input?: string | Buffer) => Promise<Output>> {
    const { address } = await fixture.start();
    const [host, port] = address.split(':');
    return (words, input) => run('redis-cli', ['-h', host!, '-p', port!, ...words], input);
  }

  for (const protocol of ['-2', '-3']) {
    it(`TakesOneCommandFromItsWordsIn${protocol === '-2' ? 'RESP2' : 'RESP3'}`, async () => {
      const cli = await begin();
      const says = async (...words: string[]): Promise<string> => {
        const { code, stdout, stderr } = await cli([protocol, '--no-raw', ...words]);
        expect([code, stderr], words.join(' ')).to.deep.equal([0, '']);
        return stdout;
      };
      expect(await says('SET', 'mykey', 'my value')).to.equal('OK\n');
      expect(await says('GET', 'mykey')).to.equal('"my value"\n');
      expect(await says('GET', 'nothing')).to.equal('(nil)\n');
      expect(await says('MSET', 'a', '1', 'b', '2')).to.equal('OK\n');
      expect(await says('MGET', 'a', 'nothing', 'b')).to.equal('1) "1"\n2) (nil)\n3) "2"\n');
      expect(await says('EXISTS', 'a', 'b', 'c')).to.equal('(integer) 2\n');
      expect(await says('DEL', 'a', 'c')).to.equal('(integer) 1\n');
      expect(await says('DELETE', 'c')).to.equal('(nil)\n');
      expect(await says('PUT', 'a', '1')).to.equal('OK\n');
      expect(await says('DBSIZE')).to.equal('(integer) 3\n');
      expect(await says('KEYS', 'my*')).to.equal('1) "mykey"\n');
      expect(await says('PING')).to.equal('PONG\n');
      expect(await says('PING', 'hello there')).to.equal('"hello there"\n');
      expect(await says('ECHO', 'hello there')).to.equal('"hello there"\n');
      expect(await says('SELECT', '0')).to.equal('OK\n');
      expect(await says('-n', '0', 'GET', 'a')).to.equal('"1"\n');
      expect(await says('INFO')).to.match(/redis_version:/);
      expect(await says('STATUS')).to.match(/role=primary/);
    });
  }

  it('ShowsErrorsAsErrorsAndEndsWithOneWhenAsked', async () => {
    const cli = await begin();
    const unknown = "(error) ERR unknown command 'NOSUCH', with args beginning with: 'a' \n";
    expect((await cli(['--no-raw', 'NOSUCH', 'a'])).stdout).to.equal(unknown);
    const arity = "(error) ERR wrong number of arguments for 'get' command\n";
    expect((await cli(['--no-raw', 'GET'])).stdout).to.equal(arity);
    expect((await cli(['--no-raw', 'SET', 'a', '1', 'EX', '5'])).stdout).to.match(/^\(error\) SYNTAX /);
    expect((await cli(['-e', 'NOSUCH'])).code).to.equal(1);
    expect((await cli(['-n', '1', 'GET', 'a'])).stderr).to.include('ERR DB index is out of range');
  });

  it('ShowsBytesAsJsonCsvAndRaw', async () => {
    const cli = await begin();
    await cli(['-x', 'SET', 'bytes'], Buffer.from([0, 1, 0xff, 0x0a]));
    expect((await cli(['--no-raw', 'GET', 'bytes'])).stdout).to.equal('"\\x00\\x01\\xff\\n"\n');
    expect((await cli(['--raw', 'GET', 'bytes'])).stdout).to.equal('\0\x01\xff\n\n');
    await cli(['MSET', 'a', '1', 'b', '2']);
    expect((await cli(['--csv', 'MGET', 'a', 'b', 'c'])).stdout).to.equal('"1","2",NULL\n');
    expect((await cli(['--json', 'MGET', 'a', 'b', 'c'])).stdout).to.equal('["1","2",null]\n');
  });

  it('ReadsCommandsFromItsStdin', async () => {
    const cli = await begin();
    const { stdout } = await cli(['--no-raw'], 'SET a "1 2"\nGET a\nNOSUCH\nDEL a b\nGET a\n');
    expect(stdout.split('\n')).to.deep.equal([
      'OK',
      '"1 2"',
      "(error) ERR unknown command 'NOSUCH', with args beginning with: ",
      '(integer) 1',
      '(nil)',
      '',
    ]);
  });

  it('PipesManyRequestsIn', async () => {
    const cli = await begin();
    const sets = Array.from({ length: 20_000 }, (_, at) => [
      'SET',
      `key:${String(at)}`,
      `value ${String(at)}`,
    ]);
    const { stdout, code } = await cli(['--pipe'], arrays(sets));
    expect(stdout).to.include('errors: 0, replies: 20000');
    expect(code).to.equal(0);
    expect((await cli(['--no-raw', 'DBSIZE'])).stdout).to.equal('(integer) 20000\n');
    const failing = await cli(['--pipe'], arrays([['SET', 'a', '1'], ['NOSUCH'], ['SET', 'b', '2']]));
    expect(failing.stdout).to.include('errors: 1, replies: 3');
  });

  it('ScansEveryKeyOnce', async () => {
    const cli = await begin();
    const names = Array.from({ length: 3000 }, (_, at) => `key:${String(at)}`);
    await cli(
      ['--pipe'],
      arrays([
        ['MSET', ...names.flatMap((name) => [name, 'v'])],
        ['SET', 'other', 'v'],
      ]),
    );
    expect((await cli(['--scan'])).stdout.split('\n').slice(0, -1).sort()).to.deep.equal(
      [...names, 'other'].sort(),
    );
    const some = await cli(['--scan', '--pattern', 'key:1*']);
    const matching = names.filter((name) => name.startsWith('key:1')).sort();
    expect(some.stdout.split('\n').slice(0, -1).sort()).to.deep.equal(matching);
  });

  for (const protocol of ['-2', '-3']) {
    it(`IsTypedIntoAndHelpsWithOurCommandsIn${protocol === '-2' ? 'RESP2' : 'RESP3'}`, async () => {
      const { address } = await fixture.start();
      const [host, port] = address.split(':');
      terminal = new Terminal(`redis-cli -h ${host!} -p ${port!} ${protocol}`, fixture.directory);
      await terminal.until('> ');
      await terminal.type('set mykey "two words"', 'OK\n');
      await terminal.type('get mykey', '"two words"\n');
      await terminal.type('get', "(error) ERR wrong number of arguments for 'get' command\n");
      // What it helps with is what the server says of its commands, and not the list that it has by itself.
      await terminal.type('help put', 'PUT key value');
      await terminal.type('help @generic', 'PUT key value');
      await terminal.type('help hset', '> ');
      expect(terminal.output).not.to.include('HSET');
      terminal.send('quit');
      expect(await terminal.ended).to.equal(0);
    });
  }

  it('MeasuresLatency', async () => {
    const cli = await begin();
    const { stdout, code } = await cli(['--raw', '--latency', '-i', '1']);
    expect(code, stdout).to.equal(0);
    expect(stdout).to.match(/^\d+ [\d.]+ [\d.]+ \d+/);
  });
});

describe('redis-benchmark', () => {
  const fixture = serverFixture();

  async function bench(...words: string[]): Promise<Output> {
    const { address } = await fixture.start({ fsync: 'off' });
    const [host, port] = address.split(':');
    return run('redis-benchmark', ['-h', host!, '-p', port!, ...words]);
  }

  it('RunsItsTestsOfOurCommands', async () => {
    const { code, stdout, stderr } = await bench(
      '-t',
      'ping_mbulk,set,get,mset',
      '-n',
      '2000',
      '-c',
      '20',
      '-q',
    );
    expect([code, stderr]).to.deep.equal([0, '']);
    for (const test of ['PING_MBULK', 'SET', 'GET', 'MSET (10 keys)']) {
      expect(stdout).to.match(new RegExp(`${test.replace(/[()]/g, '\\$&')}: [\\d.]+ requests per second`));
    }
  });

  it('PipelinesOverManyConnectionsAndKeysAndWritesCsv', async () => {
    const words = [
      '-t',
      'set,get',
      '-n',
      '20000',
      '-c',
      '50',
      '-P',
      '16',
      '-r',
      '1000',
      '-d',
      '100',
      '--csv',
    ];
    const { code, stdout, stderr } = await bench(...words);
    expect([code, stderr]).to.deep.equal([0, '']);
    const rows = stdout.trim().split('\n');
    expect(rows[0]).to.match(/^"test","rps",/);
    expect(rows.slice(1).map((row) => row.split(',')[0])).to.deep.equal(['"SET"', '"GET"']);
  });

  it('RunsWithThreads', async () => {
    const { code, stdout } = await bench('-t', 'set', '-n', '2000', '--threads', '2', '-q');
    expect(code, stdout).to.equal(0);
  });
});
