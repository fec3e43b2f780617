import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { serverProcesses } from '../../faults/server-process.js';
import { talk } from '../../server/conversation.js';
import { Terminal } from '../terminal.js';

interface Shell {
  readonly name: string;
  readonly command: string;
  readonly load: string;
  readonly prompt: string;
}

const SHELLS: readonly Shell[] = [
  { name: 'bash', command: 'bash --norc', load: 'source <(kv completion bash)', prompt: '$' },
  {
    name: 'zsh',
    command: 'zsh -f',
    load: 'autoload -U compinit; compinit -D; source <(kv completion zsh)',
    prompt: '%',
  },
];

describe('Completion of kv', () => {
  const servers = serverProcesses();
  let terminal: Terminal | undefined;

  afterEach(async () => {
    await terminal?.close();
    terminal = undefined;
  });

  for (const { name, command, load, prompt } of SHELLS) {
    it(`WorksIn ${name}`, async () => {
      const { address } = await servers.start();
      await talk(address, 'MSET user:one 1 user:two 2 "two words" 3 star* 4 "it\'s" 5 "a\\nb" 6\n');
      writeFileSync(path.join(servers.directory, 'photo.jpg'), '');
      const shown = await Terminal.open(servers.directory, command, { KV_ADDRESS: address });
      terminal = shown;
      await shown.type(
        `cd ${servers.directory}; ${load}; PS1='${prompt}${prompt === '%' ? '%' : ''} '; clear`,
      );
      await shown.press('Enter');
      await shown.until(prompt);
      const completed = async (typed: string, becomes: string): Promise<void> => {
        await shown.type(typed);
        await shown.until(`${prompt} ${typed}`);
        await shown.press('Tab');
        await shown.until(`${prompt} ${becomes}`);
        await shown.press('C-u');
        await shown.until(prompt);
      };
      await completed('kv sta', 'kv status');
      await completed('kv remove-backup --backup-', 'kv remove-backup --backup-is-down');
      await completed('kv server --fs', 'kv server --fsync');
      await completed('kv server --fsync ev', 'kv server --fsync everysec');
      await completed('kv server --fsync=ev', 'kv server --fsync=everysec');
      await completed('kv --timeout 3 ge', 'kv --timeout 3 get');
      await completed('kv help prom', 'kv help promote');
      await completed('kv put x --file ph', 'kv put x --file photo.jpg');
      await completed('kv get us', 'kv get user:');
      await completed('kv get user:o', 'kv get user:one');
      await completed('kv delete user:t', 'kv delete user:two');
      await completed(`kv get --address ${address} user:o`, `kv get --address ${address} user:one`);
      await completed('kv get tw', 'kv get two\\ words');
      await completed('kv get two\\ w', 'kv get two\\ words');
      await completed('kv get "tw', 'kv get "two words"');
      await completed('kv get sta', 'kv get star\\*');
      await completed('kv get -- it', "kv get -- it\\'s");
      // Nobody answers there: nothing happens, and the next key is heard.
      await shown.type('kv get --address=127.0.0.1:1 us');
      await shown.press('Tab');
      await shown.type('x');
      expect(await shown.until('us x'.replace(' ', ''))).to.include('kv get --address=127.0.0.1:1 usx');
    });
  }
});
