import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { KV } from '../cli/run-kv.js';
import { talk } from '../server/conversation.js';
import { serverProcesses } from './server-process.js';

/** A program that a person types into. */
class Session {
  output = '';
  readonly ended: Promise<number | null>;
  readonly child: ChildProcessWithoutNullStreams;
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(program: string, words: readonly string[]) {
    this.child = spawn(program, words, { env: { ...process.env, NO_COLOR: '1', TERM: 'dumb' } });
    const receive = (chunk: Buffer): void => {
      this.output += chunk.toString('latin1').replaceAll('\r', '');
      this.#wake();
    };
    this.child.stdout.on('data', receive);
    this.child.stderr.on('data', receive);
    this.child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => {
        this.#hasEnded = true;
        this.#wake();
        resolve(code);
      });
    });
    this.ended.catch(() => undefined);
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  async until(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.#hasEnded) throw new Error(`it ended and never said ${text}: ${this.output}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Runs a program to its end and answers its output; a program that is missing is a failure. */
function output(program: string, words: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { input, encoding: 'utf8' });
  if (error !== undefined) throw error;
  expect([status, stderr], `${program} ${words.join(' ')}`).to.deep.equal([0, '']);
  return stdout;
}

describe('The tools at hand', () => {
  const servers = serverProcesses();
  let sessions: Session[] = [];

  afterEach(async () => {
    for (const session of sessions) {
      session.child.kill('SIGKILL');
      await session.ended.catch(() => undefined);
    }
    sessions = [];
  });

  function open(program: string, words: readonly string[]): Session {
    const session = new Session(program, words);
    sessions.push(session);
    return session;
  }

  it('netcat puts and gets in one breath', async () => {
    const { address } = await servers.start();
    const words = ['-N', ...address.split(':')];
    expect(output('nc', words, 'PUT mykey hello world\nGET mykey\n')).to.equal('OK\nhello world\n');
    expect(output('nc', words, 'get mykey')).to.equal('hello world\n');
    expect(output('nc', words, 'PUT mykey cut-o')).to.match(/^ERROR SYNTAX /);
    expect(output('nc', words, 'GET mykey\r\nKEYS\r\n')).to.equal('hello world\nmykey\nEND 1\n');
    const many = Array.from({ length: 5000 }, (_, at) => `PUT key${String(at)} ${String(at)}\n`).join('');
    expect(output('nc', words, many)).to.equal('OK\n'.repeat(5000));
    expect(output('nc', words, 'DBSIZE\n')).to.equal('5001\n');
  });

  it('telnet holds a conversation', async () => {
    const { address } = await servers.start();
    const session = open('telnet', address.split(':'));
    await session.until('Escape character');
    session.type('put mykey "two\\nlines"\n');
    await session.until('\nOK\n');
    session.type('GET mykey\n');
    await session.until('\n"two\\nlines"\n');
    session.type('GET\n');
    await session.until('\nERROR SYNTAX the command is written GET key\n');
    session.type('QUIT\n');
    await session.ended;
    expect(session.output).to.include('Connection closed by foreign host');
  });

  it('jq reads the JSON file while the server runs and when it has stopped', async () => {
    const server = await servers.start();
    await talk(server.address, 'PUT mykey myvalue\nPUT "a b" "1\\n\\"2\\""\nPUT bytes "\\xff"\nSNAPSHOT\n');
    const read = (filter: string): string => output('jq', ['-r', filter, servers.dbPath]);
    const wholeness = '.count == (.data | length) + (.binary | length) and .format == "kv-snapshot"';
    expect(read('.data.mykey, .data["a b"], .count')).to.equal('myvalue\n1\n"2"\n3\n');
    expect(read('.binary[] | .[0] | @base64d')).to.equal('bytes\n');
    expect(read(wholeness)).to.equal('true\n');
    await talk(server.address, 'PUT mykey newer\n');
    server.signal('SIGTERM');
    await server.ended;
    expect(read('.data.mykey')).to.equal('newer\n');
    expect(read(wholeness)).to.equal('true\n');
  });

  it('a terminal shows readable lines, and Ctrl-C ends the server well', async () => {
    const file = path.join(servers.directory, 'on-a-terminal.json');
    const line = `exec '${process.execPath}' '${KV}' server --address 127.0.0.1:0 --db-path '${file}'`;
    const session = open('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null']);
    await session.until('Ctrl-C stops the server');
    session.type('\x03');
    expect(await session.ended).to.equal(0);
    expect(session.output).to.match(/^ready 127\.0\.0\.1:\d+ role=primary term=1$/m);
    expect(session.output).to.match(/INFO.*stopped cleanly/);
    expect(session.output).not.to.include('"level"');
  });

  it('kv get shows a terminal no byte that it would act on', async () => {
    const { address } = await servers.start();
    await talk(address, 'PUT mykey "\\x1b[31mred\\x07"\n');
    const line = `exec '${process.execPath}' '${KV}' get mykey --address ${address}`;
    const session = open('script', ['--quiet', '--return', '--command', line, '/dev/null']);
    expect(await session.ended).to.equal(0);
    expect(session.output).to.equal('"\\x1b[31mred\\x07"\n');
  });
});
