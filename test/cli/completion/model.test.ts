import { expect } from 'chai';
import { COMMANDS } from '../../../src/cli/command-table.js';
import { bashCompletion } from '../../../src/cli/completion/bash.js';
import { completionModel } from '../../../src/cli/completion/model.js';
import { zshCompletion } from '../../../src/cli/completion/zsh.js';
import { runKv } from '../run-kv.js';

describe('The completion of the command line', () => {
  const model = completionModel(COMMANDS);

  it('KnowsEveryCommandAndOptionOfTheTable', () => {
    for (const script of [bashCompletion(model), zshCompletion(model)]) {
      for (const { name, options } of COMMANDS) {
        expect(script).to.match(new RegExp(`^    ${name}\\) .*--help`, 'm'));
        for (const option of options) expect(script).to.include(`--${option.name}`);
      }
    }
  });

  it('KnowsWhatStandsWhere', () => {
    const operands = (name: string) => model.commands.find((command) => command.name === name)?.operands;
    const value = (dashed: string) => model.options.find((option) => option.dashed === dashed)?.value;
    expect(operands('put')).to.deep.equal([{ kind: 'keys' }, { kind: 'anything' }]);
    expect(operands('keys')).to.deep.equal([{ kind: 'anything' }]);
    expect(operands('completion')).to.deep.equal([{ kind: 'words', words: ['bash', 'zsh'] }]);
    expect(operands('help')?.[0]).to.have.property('words').that.includes('put');
    expect(value('--role')).to.deep.equal({ kind: 'words', words: ['primary', 'backup'] });
    expect(value('--db-path')).to.deep.equal({ kind: 'files' });
    expect(value('--file')).to.deep.equal({ kind: 'files' });
    expect(value('--address')).to.deep.equal({ kind: 'anything' });
    expect(value('--watch')).to.equal(undefined);
  });

  it('QuotesWhatAShellWouldActOn', () => {
    const [first] = COMMANDS;
    if (first === undefined) throw new Error('there are no commands');
    const odd = { ...first, summary: "it's $(touch x): `y`" };
    expect(zshCompletion(completionModel([odd]))).to.include(`'put:it'\\''s $(touch x): \`y\`'`);
  });

  it('IsPrintedForTheShellsThatThereAre', async () => {
    const printed = await runKv(['completion', 'bash']);
    expect(printed).to.deep.include({ code: 0, stderr: '' });
    expect(printed.stdout.toString()).to.equal(bashCompletion(model));
    expect((await runKv(['completion', 'fish'])).code).to.equal(2);
  });

  it('HasNoKeysAndSaysNothingWhereNoServerIs', async () => {
    const found = await runKv(['completion', 'keys', '--address', '127.0.0.1:1', '--', 'a']);
    expect(found).to.deep.equal({ code: 0, stdout: Buffer.alloc(0), stderr: '' });
  });
});
