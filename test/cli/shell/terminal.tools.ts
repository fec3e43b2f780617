import { expect } from 'chai';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { serverProcesses } from '../../faults/server-process.js';
import { talk } from '../../server/conversation.js';
import { Terminal } from '../terminal.js';

describe('kv shell in a terminal', () => {
  const servers = serverProcesses();
  let terminal: Terminal | undefined;

  afterEach(async () => {
    await terminal?.close();
    terminal = undefined;
  });

  async function open(command: string, environment: Record<string, string> = {}): Promise<Terminal> {
    terminal = await Terminal.open(servers.directory, command, environment);
    return terminal;
  }

  it('LooksAsItShouldFromTheFirstLineToTheLast', async () => {
    const { address } = await servers.start();
    const prompt = `${address}>`;
    const shown = await open('bash --norc', { KV_ADDRESS: address });
    await shown.type(`PS1='$ '; clear`);
    await shown.press('Enter');
    await shown.until('$');
    const enter = async (line: string): Promise<void> => {
      await shown.type(line);
      await shown.until(`${prompt} ${line}`);
      await shown.press('Enter');
      await shown.until(prompt);
    };
    await shown.type('kv shell');
    await shown.press('Enter');
    await shown.until(prompt);
    await enter('PUT mykey hello  world');
    await enter('MSET "a key" 1 photo "\\x1b[2J"');
    await shown.type('get my');
    await shown.press('Tab');
    await shown.until(`${prompt} get mykey`);
    await shown.press('Enter');
    await shown.until(prompt);
    await enter('GET photo');
    await enter('MGET "a key" nothing');
    await enter('GET mykey mykeys');
    await enter('DELET mykey');
    await enter('PUT mykey');
    await shown.type('PUT half a');
    await shown.press('C-c');
    await shown.until(`${prompt} ^C\n${prompt}`);
    await shown.press('Up', 'Up', 'Up', 'Up');
    await shown.until(`${prompt} MGET "a key" nothing`);
    await shown.press('C-a', 'C-k');
    await shown.until(prompt);
    await shown.press('C-d');
    expect(await shown.until('\n$')).to.equal(
      [
        '$ kv shell',
        `Connected to ${address}, primary in term 1.`,
        'HELP lists the commands, Tab completes, Ctrl-D leaves.',
        `${prompt} PUT mykey hello  world`,
        'OK',
        `${prompt} MSET "a key" 1 photo "\\x1b[2J"`,
        'OK',
        `${prompt} get mykey`,
        'hello  world',
        `${prompt} GET photo`,
        '"\\x1b[2J"',
        `${prompt} MGET "a key" nothing`,
        '1',
        'NULL',
        'END 2',
        `${prompt} GET mykey mykeys`,
        '  GET mykey mykeys',
        '            ^^^^^^',
        'error: mykeys is too much: GET key',
        `${prompt} DELET mykey`,
        '  DELET mykey',
        '  ^^^^^',
        'error: there is no command DELET: did you mean DELETE?',
        `${prompt} PUT mykey`,
        '  PUT mykey',
        '           ^',
        'error: the value is missing: PUT key value, or PUT key "" for an empty one',
        `${prompt} ^C`,
        prompt,
        '$',
      ].join('\n'),
    );
    const history = path.join(servers.directory, 'state', 'understudy', 'history');
    expect(statSync(history).mode & 0o777).to.equal(0o600);
    expect(readFileSync(history, 'utf8').split('\n')).to.include.members(['get mykey ', 'DELET mykey']);
  });

  it('ShowsWhatItTakesWhenTheServerDiesAndComesBack', async () => {
    const server = await servers.start();
    const { address } = server;
    const shown = await open(`kv shell --history-values no --address ${address}`);
    await shown.until(`${address}>`);
    server.signal('SIGKILL');
    await server.ended;
    await shown.type('PUT a secret');
    await shown.press('Enter');
    await shown.until(`${address} no answer>`);
    expect((await shown.screen()).replaceAll('\n', '')).to.include(
      `error: nothing listens at ${address}: start a server with "kv server", or name another with CONNECT`,
    );
    await servers.start({ address });
    await shown.press('Up', 'Enter');
    await shown.until(`\nOK\n${address}>`);
    const history = path.join(servers.directory, 'state', 'understudy', 'history');
    expect(readFileSync(history, 'utf8')).to.equal('PUT a\n');
    expect(await talk(address, 'GET a\n')).to.equal('secret\n');
  });

  it('PromptsOnTheScreenWhenRepliesGoToAFile', async () => {
    const { address } = await servers.start();
    const file = path.join(servers.directory, 'replies');
    const shown = await open(`bash -c 'kv shell --no-history --address ${address} > ${file}; cat'`);
    await shown.until(`${address}>`);
    await shown.type('PUT a "\\x9b"');
    await shown.press('Enter');
    await shown.until(`\n${address}>`);
    await shown.type('GET a');
    await shown.press('Enter');
    await shown.until(`GET a\n${address}>`);
    expect(readFileSync(file, 'utf8')).to.equal('OK\n"\\x9b"\n');
  });
});
