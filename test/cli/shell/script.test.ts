import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { openSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { Readable } from 'node:stream';
import { runScript, WRITES_UNDER_WAY_MAX } from '../../../src/cli/shell/script.js';
import { ShellSession } from '../../../src/cli/shell/session.js';
import type { CommandClient } from '../../../src/cli/shell/session.js';
import { sourceLines } from '../../../src/cli/shell/source-lines.js';
import { KvError } from '../../../src/client/errors.js';
import type { KvReply } from '../../../src/client/reply.js';
import { systemClock } from '../../../src/clock.js';
import { showWord } from '../../../src/protocol/quoting.js';
import { talk } from '../../server/conversation.js';
import { serverFixture } from '../../server/running-server.js';
import { KV, runKv } from '../run-kv.js';

const OK: KvReply = { kind: 'ok', fields: '' };

describe('kv shell with a script', () => {
  const servers = serverFixture();

  async function shell(address: string, input: string | Buffer) {
    const { code, stdout, stderr } = await runKv(['shell', '--address', address], {
      input: Buffer.from(input),
    });
    return { code, stdout: stdout.toString('latin1'), stderr };
  }

  it('AnswersAsTheLineProtocolDoes', async () => {
    const { address } = await servers.start();
    const lines = [
      'PUT greeting  hello there ',
      'put "a key" "\\x00\\xff\\n"',
      'PUT reserved "OK"',
      'PUT empty ""',
      'MSET user:1 ann user:2 "b ob"',
      'GET greeting',
      'GET "a key"',
      'GET reserved',
      'GET empty',
      'GET nothing',
      'MGET greeting nothing user:2',
      'KEYS user:*',
      'KEYS a*',
      'SCAN 0 MATCH a* COUNT 1000',
      'EXISTS greeting nothing',
      'DBSIZE',
      'PING',
      'PING "two words"',
      'ECHO \xc3\xa9',
      'SELECT 0',
      'CONFIG GET maxclients',
      'DELETE nothing',
      'DELETE greeting',
      'DEL empty nothing',
    ];
    const script = `${lines.join('\n')}\n`;
    const byHand = await talk(address, script);
    const byShell = await shell(address, Buffer.from(script, 'latin1'));
    expect(byShell).to.deep.equal({ code: 0, stdout: byHand, stderr: '' });
  });

  it('GoesOnBehindALineThatIsRefusedAndEndsWithTheCodeOfTheFirst', async () => {
    const { address } = await servers.start();
    const script = 'PUT a 1\nPUTT b 2\n\n# a remark\nGET a\nGET "a\nADD_BACKUP 127.0.0.1:1\nhistory\nGET a\n';
    const { code, stdout, stderr } = await shell(address, script);
    expect(code).to.equal(2);
    expect(stdout).to.equal('OK\n1\n1\n');
    const messages = stderr.trim().split('\n');
    expect(messages[0]).to.equal(
      'kv: line 2, column 1: there is no command PUTT: did you mean PUT? (UNKNOWN_COMMAND)',
    );
    expect(messages[1]).to.equal('kv: line 6, column 5: open quote in word 2 (SYNTAX)');
    expect(messages[2]).to.match(/^kv: line 7: .*\(UNREACHABLE\)$/);
    expect(messages[3]).to.equal('kv: line 8, column 1: HISTORY is for a terminal');
    expect(messages).to.have.length(4);
    expect((await shell(address, 'ADD_BACKUP 127.0.0.1:1\nFOO\n')).code).to.equal(5);
  });

  it('EndsWithItsOwnWords', async () => {
    const { address } = await servers.start();
    expect(await shell(address, 'PUT a 1\nEXIT\nPUT a 2\n')).to.include({ code: 0, stdout: 'OK\n' });
    expect(await shell(address, 'quit\nPUT a 2\n')).to.include({ code: 0, stdout: '' });
    expect((await shell(address, 'help get\n')).stdout).to.equal(
      'GET key\nReads one key.\nAnswers the value or NULL.\n',
    );
    expect((await shell(address, 'GET a\n')).stdout).to.equal('1\n');
  });

  it('GoesOnAtAnotherServerAndNotAtTheFirstWhenThatMakesNoSense', async () => {
    const { address } = await servers.start();
    const other = await servers.start({ dbPath: path.join(servers.directory, 'other.json') });
    const script = `PUT a 1\nCONNECT ${other.address}\nPUT a 2\n`;
    expect(await shell(address, script)).to.include({ code: 0, stdout: 'OK\nOK\n' });
    expect(await talk(address, 'GET a\n')).to.equal('1\n');
    expect(await talk(other.address, 'GET a\n')).to.equal('2\n');
    const wrong = await shell(address, 'CONNECT nowhere\nDELETE a\n');
    expect(wrong).to.include({ code: 2, stdout: '' });
    expect(await talk(address, 'GET a\n')).to.equal('1\n');
  });

  it('DoesAWriteInALastLineWithoutALineFeedOnlyFromAFile', async () => {
    const { address } = await servers.start();
    const piped = await shell(address, 'PUT a 1\nPUT b cut-o');
    expect(piped).to.include({ code: 2, stdout: 'OK\n' });
    expect(piped.stderr).to.match(/^kv: line 2, column 12: PUT was cut off/);
    expect((await shell(address, 'MGET a b')).stdout).to.equal('1\nNULL\nEND 2\n');
    const file = path.join(servers.directory, 'session.txt');
    writeFileSync(file, 'PUT b whole');
    const child = spawn(process.execPath, [KV, 'shell', '--address', address], {
      stdio: [openSync(file, 'r'), 'pipe', 'pipe'],
    });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).to.equal(0);
    expect((await shell(address, 'GET b\n')).stdout).to.equal('whole\n');
  });

  it('StopsWhereNoServerAnswersEvenWhenMoreMayBeTyped', async () => {
    const child = spawn(process.execPath, [KV, 'shell', '--address', '127.0.0.1:1']);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.write('PUT a 1\n');
    expect(await once(child, 'close')).to.deep.equal([3, null]);
    expect(stderr.split('\n')).to.deep.equal([
      'kv: line 1: nothing listens at 127.0.0.1:1: start a server with "kv server", or name another with CONNECT',
      'kv: nothing behind line 1 was sent',
      '',
    ]);
  });

  it('AnswersEachLineBeforeTheNextIsThere', async () => {
    const { address } = await servers.start();
    const child = spawn(process.execPath, [KV, 'shell', '--address', address]);
    for (const [line, reply] of [
      ['PUT a 1\n', 'OK\n'],
      ['GET a\n', '1\n'],
      ['PUT a 2\n', 'OK\n'],
    ]) {
      child.stdin.write(line ?? '');
      const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
      expect(chunk.toString()).to.equal(reply);
    }
    child.stdin.end();
    expect(await once(child, 'close')).to.deep.equal([0, null]);
  });
});

describe('A script', () => {
  /** Runs a script against a client that a test writes down. */
  async function run(input: string | Readable, command: CommandClient['command']) {
    const printed: string[] = [];
    const complaints: string[] = [];
    const plain = { name: String, good: String, bad: String };
    const exitCode = await runScript({
      session: new ShellSession({
        address: { host: '127.0.0.1', port: 1 },
        timeoutMs: 1000,
        changeTimeoutMs: 1000,
        clock: systemClock,
        connect: () => ({ command, close: () => undefined }),
      }),
      source: typeof input === 'string' ? Readable.from([Buffer.from(input)]) : input,
      isWhole: false,
      output: {
        isTerminal: false,
        colour: false,
        write: (text) => {
          printed.push(String(text));
          return Promise.resolve();
        },
      },
      show: showWord,
      paint: plain,
      complain: (message) => complaints.push(message),
    });
    return { exitCode, printed: printed.join(''), complaints };
  }

  it('HasNoMoreWritesUnderWayThanItsBoundAndReadsBehindThem', async () => {
    const open: (() => void)[] = [];
    const names: string[] = [];
    let most = 0;
    const writes = 'PUT a 1\n'.repeat(2 * WRITES_UNDER_WAY_MAX);
    const { exitCode, printed } = await run(`${writes}GET a\nPUT a 2\n`, async (words) => {
      names.push(String(words[0]));
      await new Promise<void>((resolve) => {
        open.push(resolve);
        most = Math.max(most, open.length);
        // Answered once nothing more is sent, from the last to the first.
        setImmediate(() => open.pop()?.());
      });
      return words[0]?.toString() === 'GET' ? { kind: 'integer', value: 7 } : OK;
    });
    expect(exitCode).to.equal(0);
    expect(most).to.be.above(1).and.at.most(WRITES_UNDER_WAY_MAX);
    expect(printed).to.equal(`${'OK\n'.repeat(2 * WRITES_UNDER_WAY_MAX)}7\nOK\n`);
    expect(names.indexOf('GET')).to.equal(2 * WRITES_UNDER_WAY_MAX);
  });

  it('CountsTheWritesThatWereUnderWayWhenTheServerWasLost', async () => {
    let asked = 0;
    const { exitCode, printed, complaints } = await run('PUT a 1\n'.repeat(1000), async () => {
      if (++asked === 1) return OK;
      // It breaks once nothing more is sent.
      await new Promise((resolve) => setImmediate(resolve));
      throw new KvError('CONNECTION_LOST', 'it broke', { outcomeUnknown: true });
    });
    expect(exitCode).to.equal(6);
    expect(printed).to.equal('OK\n');
    expect(complaints).to.have.length(2);
    expect(complaints[0]).to.match(/^line 2: unconfirmed: it broke: read the key/);
    const last = String(asked);
    expect(complaints[1]).to.equal(
      `lines 2 to ${last} were under way: ${String(asked - 1)} of them may have taken effect; ` +
        `nothing behind line ${last} was sent`,
    );
    expect(asked)
      .to.be.above(2)
      .and.at.most(1 + WRITES_UNDER_WAY_MAX);
  });

  it('EndsWhenItsOutputIsGone', async () => {
    const source = new Readable({ read: () => undefined });
    source.push('GET a\n');
    const gone = Object.assign(new Error('gone'), { code: 'EPIPE' });
    let failure: unknown;
    await run(source, () => Promise.reject(gone)).catch((error: unknown) => (failure = error));
    expect(failure).to.equal(gone);
    expect(source.destroyed).to.equal(true);
  });
});

describe('The lines of a source', () => {
  async function read(chunks: readonly string[], bytesMax = 8) {
    const lines: unknown[] = [];
    const source = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
    for await (const { number, bytes, terminated } of sourceLines(source, bytesMax)) {
      lines.push([number, bytes?.toString(), terminated]);
    }
    return lines;
  }

  it('AreTheSameHoweverTheyAreCut', async () => {
    const text = 'one\r\n\n12345678\n123456789\nlast\r';
    const expected = [
      [1, 'one', true],
      [2, '', true],
      [3, '12345678', true],
      [4, undefined, true],
      [5, 'last\r', false],
    ];
    expect(await read([text])).to.deep.equal(expected);
    expect(await read(Array.from(text))).to.deep.equal(expected);
    for (let at = 0; at <= text.length; at++) {
      expect(await read([text.slice(0, at), text.slice(at)].filter((part) => part !== ''))).to.deep.equal(
        expected,
      );
    }
  });

  it('AreNotKeptPastTheirBound', async () => {
    expect(await read(['x'.repeat(9)])).to.deep.equal([[1, undefined, false]]);
    expect(await read(['x'.repeat(8)])).to.deep.equal([[1, 'xxxxxxxx', false]]);
    expect(await read([])).to.deep.equal([]);
  });
});
