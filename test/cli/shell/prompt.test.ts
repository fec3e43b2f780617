import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import path from 'node:path';
import { keepHistory } from '../../../src/cli/shell/history.js';
import { runPrompt } from '../../../src/cli/shell/prompt.js';
import { ShellSession } from '../../../src/cli/shell/session.js';
import { showOnTerminal } from '../../../src/cli/output.js';
import { createClient } from '../../../src/client/client.js';
import { systemClock } from '../../../src/clock.js';
import { OK, value, values } from '../../client/resp-answers.js';
import { startScriptedServer } from '../../client/scripted-server.js';
import type { ScriptedServer } from '../../client/scripted-server.js';
import { talk } from '../../server/conversation.js';
import { serverFixture } from '../../server/running-server.js';

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const TAB = '\t';
const UP = '\x1b[A';

/** A shell that a person types into, without the terminal around it. */
class Typist {
  readonly #input = new PassThrough();
  #screen = '';
  #wake: () => void = () => undefined;
  readonly ended: Promise<number>;

  constructor(address: string, historyFile?: string, timeoutMs = 5000) {
    const screen = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#screen += chunk.toString();
        this.#wake();
        done();
      },
    });
    const [host = '', port = ''] = address.split(':');
    const session = new ShellSession({
      address: { host, port: Number(port) },
      timeoutMs,
      changeTimeoutMs: timeoutMs,
      clock: systemClock,
      connect: (to) => createClient({ address: to, whenUnreachable: 'fail' }),
    });
    this.ended = keepHistory({ file: historyFile, withValues: true }, () => undefined)
      .then((history) =>
        runPrompt({
          session,
          input: this.#input,
          screen,
          output: {
            isTerminal: true,
            colour: false,
            write: (text) => new Promise((resolve) => screen.write(text, () => resolve())),
          },
          show: showOnTerminal,
          paint: { name: String, good: String, bad: String },
          history,
          clock: systemClock,
        }),
      )
      .finally(() => session.close());
  }

  /** Hangs up, whatever is going on. */
  async leave(): Promise<void> {
    this.type(CTRL_C);
    this.#input.end();
    await this.ended;
  }

  /** What stands on the screen since it was last asked for, without what moves the cursor. */
  seen(): string {
    // eslint-disable-next-line no-control-regex
    return this.#screen.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');
  }

  type(text: string): void {
    this.#input.write(text);
  }

  /** Waits until the screen shows this behind what was waited for before, and answers what stood in front of it. */
  async until(text: string): Promise<string> {
    for (;;) {
      const at = this.seen().indexOf(text);
      if (at !== -1) {
        const front = this.seen().slice(0, at);
        this.#screen = this.seen().slice(at + text.length);
        return front;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Types a line and answers what is shown for it. */
  async line(text: string, prompt: string): Promise<string> {
    this.type(`${text}\r`);
    await this.until(`${text}\n`);
    return this.until(prompt);
  }
}

describe('kv shell on a terminal', () => {
  const servers = serverFixture();
  let scripted: ScriptedServer[] = [];
  let typists: Typist[] = [];

  function sitDown(address: string, historyFile?: string): Typist {
    const typist = new Typist(address, historyFile);
    typists.push(typist);
    return typist;
  }

  afterEach(async () => {
    for (const typist of typists) await typist.leave();
    typists = [];
    for (const server of scripted) await server.close();
    scripted = [];
  });

  async function pretend(script: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    scripted.push(server);
    return server;
  }

  /** Answers HEARTBEAT as a primary does, and whatever else as it is told. */
  function standing(words: readonly string[]): string | undefined {
    return words[0] === 'HEARTBEAT' ? '+OK role=primary term=1 index=1 commit=1\r\n' : undefined;
  }

  it('GreetsDoesCommandsAndLeaves', async () => {
    const { address } = await servers.start();
    const prompt = `${address}> `;
    const typist = sitDown(address);
    expect(await typist.until(prompt)).to.equal(
      `Connected to ${address}, primary in term 1.\nHELP lists the commands, Tab completes, Ctrl-D leaves.\n`,
    );
    expect(await typist.line('PUT a  b ', prompt)).to.equal('OK\n');
    expect(await typist.line('get a', prompt)).to.equal('" b "\n');
    expect(await typist.line('GET nothing', prompt)).to.equal('NULL\n');
    expect(await typist.line('MGET a nothing', prompt)).to.equal('" b "\nNULL\nEND 2\n');
    expect(await typist.line('PUT a "\\x1b[2J\\xc2\\x9b"', prompt)).to.equal('OK\n');
    expect(await typist.line('GET a', prompt)).to.equal('"\\x1b[2J\\xc2\\x9b"\n');
    expect(await typist.line('GET a b', prompt)).to.equal(
      '  GET a b\n        ^\nerror: b is too much: GET key\n',
    );
    expect(await typist.line('ADD_BACKUP 127.0.0.1:1', prompt)).to.match(
      /^error: .*\(UNREACHABLE\)\ntook \d+\.\d s\n$/,
    );
    expect(await typist.line('# a remark', prompt)).to.equal('');
    expect(await typist.line('HELLO 3', prompt)).to.match(/^error: HELLO is about a connection.*\n$/);
    expect(await typist.line('HELP get', prompt)).to.equal(
      'GET key\nReads one key.\nAnswers the value or NULL.\n',
    );
    typist.type(CTRL_D);
    expect(await typist.ended).to.equal(0);
    expect(await talk(address, 'GET a\n')).to.equal('"\\x1b[2J\xc2\x9b"\n');
  });

  it('LeavesByWordToo', async () => {
    const { address } = await servers.start();
    for (const word of ['exit', 'QUIT']) {
      const typist = sitDown(address);
      await typist.until('> ');
      typist.type(`${word}\r`);
      expect(await typist.ended).to.equal(0);
    }
  });

  it('GivesUpWhatIsDoneOnCtrlCAndSaysWhenNobodyKnowsWhatCameOfIt', async () => {
    const server = await pretend((_line, _socket, _connection, words) => standing(words));
    const prompt = `${server.address}> `;
    const typist = sitDown(server.address);
    await typist.until(prompt);
    typist.type('PUT a 1\r');
    await server.until(() => server.lines.some((line) => line === 'PUT' || line.startsWith('PUT')));
    typist.type(CTRL_C);
    expect(await typist.until('(ABORTED)\n'))
      .to.include('error: unconfirmed: ')
      .and.include('read the key');
    await typist.until('> ');
    typist.type('GET a\r');
    await server.until(() => server.lines.some((line) => line.startsWith('GET')));
    typist.type(CTRL_C);
    await typist.until('given up\n');
    await typist.until('> ');
    typist.type(CTRL_D);
    expect(await typist.ended).to.equal(0);
  });

  it('ClearsALineOnCtrlCAndForgetsWhatWaits', async () => {
    const { address } = await servers.start();
    const prompt = `${address}> `;
    const typist = sitDown(address);
    await typist.until(prompt);
    typist.type('PUT a 1');
    await typist.until('PUT a 1');
    typist.type(CTRL_C);
    await typist.until(`^C\n${prompt}`);
    typist.type(CTRL_C);
    await typist.until(`^C\nCtrl-D or EXIT leaves.\n${prompt}`);
    expect(await typist.line('GET a', prompt)).to.equal('NULL\n');
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('DoesLinesThatWerePastedOneAfterAnother', async () => {
    const { address } = await servers.start();
    const prompt = `${address}> `;
    const typist = sitDown(address);
    await typist.until(prompt);
    const lines = Array.from({ length: 1100 }, (_, at) => `PING ${String(at)}.`);
    typist.type(`${lines.join('\r')}\rDBSIZE\r`);
    const seen = await typist.until(`${prompt}DBSIZE\n0\n`);
    expect(seen.slice(seen.indexOf(prompt))).to.equal(
      lines
        .slice(1)
        .map((line) => `${prompt}${line}\n${line.slice('PING '.length)}\n`)
        .join(''),
    );
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('SaysWhenTheServerIsGoneAndGoesOnWhenItIsBack', async () => {
    const first = await servers.start();
    const { address } = first;
    const typist = sitDown(address);
    await typist.until(`${address}> `);
    await first.stop();
    expect(await typist.line('PUT a 1', `${address} no answer> `)).to.equal(
      `error: nothing listens at ${address}: start a server with "kv server", or name another with CONNECT\n`,
    );
    const port = Number(address.split(':')[1]);
    await servers.start({ address: { host: '127.0.0.1', port } });
    expect(await typist.line('PUT a 1', `${address}> `)).to.equal('OK\n');
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('SaysWhenAConnectionBreaksUnderAWriteThatItMayHaveBeenDone', async () => {
    const server = await pretend((_line, socket, _connection, words) => {
      if (words[0] === 'PUT') socket.destroy();
      return standing(words);
    });
    const typist = sitDown(server.address);
    await typist.until('> ');
    expect(await typist.line('PUT a 1', `${server.address}> `)).to.match(
      /^error: unconfirmed: .* read the key before you try again \(CONNECTION_LOST\)\n$/,
    );
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('ShowsTheRoleOfABackupAndMovesToAnotherServer', async () => {
    const backup = await pretend((_line, _socket, _connection, words) => {
      return words[0] === 'HEARTBEAT' ? '+OK role=backup term=7 index=1 commit=1\r\n' : OK;
    });
    const { address } = await servers.start();
    const typist = sitDown(address);
    await typist.until(`${address}> `);
    expect(await typist.line(`CONNECT ${backup.address}`, `${backup.address} backup> `)).to.equal(
      `Connected to ${backup.address}, backup in term 7.\n`,
    );
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('CompletesWithTabAndIsNotHeldUpByASilentServer', async () => {
    const server = await pretend((_line, _socket, _connection, words) => {
      if (words[0] !== 'SCAN') return standing(words) ?? value('v');
      return words[3]?.startsWith('silent') === true
        ? undefined
        : `*2\r\n$1\r\n0\r\n${values('mykey one', 'mykey two')}`;
    });
    const prompt = `${server.address}> `;
    const typist = sitDown(server.address);
    await typist.until(prompt);
    typist.type('ge');
    typist.type(TAB);
    await typist.until('get ');
    typist.type('my');
    typist.type(TAB);
    await typist.until('"mykey ');
    typist.type('one"\r');
    await typist.until(`v\n${prompt}`);
    typist.type('GET silent');
    typist.type(TAB);
    await server.until(() => server.lines.some((line) => line.includes('silent')));
    typist.type(CTRL_C);
    await typist.until(`^C\n${prompt}`);
    typist.type(CTRL_D);
    await typist.ended;
  });

  it('RemembersLinesFromOneShellToTheNextButForThoseBehindABlank', async () => {
    const { address } = await servers.start();
    const prompt = `${address}> `;
    const file = path.join(servers.directory, 'history');
    const first = sitDown(address, file);
    await first.until(prompt);
    for (const line of ['PUT a 1', ' PUT a 2']) await first.line(line, prompt);
    first.type(UP);
    await first.until(`${prompt}PUT a 1`);
    first.type(CTRL_C);
    await first.until(`^C\n${prompt}`);
    for (const line of ['GET a', 'GET a', 'GETT a']) await first.line(line, prompt);
    expect(await first.line('history', prompt)).to.equal(
      `PUT a 1\nGET a\nGETT a\nhistory\nIt is kept in ${file}.\n`,
    );
    first.type(CTRL_D);
    await first.ended;
    expect(readFileSync(file, 'utf8')).to.equal('PUT a 1\nGET a\nGETT a\nhistory\n');
    const second = sitDown(address, file);
    await second.until(prompt);
    second.type(UP);
    second.type(UP);
    second.type(UP);
    await second.until('GET a');
    second.type('\r');
    await second.until('2\n');
    second.type(CTRL_D);
    await second.ended;
  });

  it('RefusesBytesThatAreNoText', async () => {
    const { address } = await servers.start();
    const prompt = `${address}> `;
    const typist = sitDown(address);
    await typist.until(prompt);
    typist.type('GET a\ufffd\r');
    expect(await typist.until(`\\xHH in a word in double quotes\n${prompt}`)).to.include('       ^\n');
    typist.type(CTRL_D);
    await typist.ended;
  });
});
