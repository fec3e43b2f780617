import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { usageOf } from '../../src/commands/command.js';
import { statusLines } from '../../src/commands/status.js';
import { COMMANDS } from '../../src/commands/table.js';
import { ERROR_CODES } from '../../src/engine.js';
import { repositoryRoot } from '../repository-root.js';
import { STATUS } from './fake-engine.js';

const protocol = readFileSync(path.join(repositoryRoot, 'docs', 'protocol.md'), 'utf8');

describe('docs/protocol.md', () => {
  it('HasTheTableOfCommandsAsTheCodeHasIt', () => {
    const rows = protocol.split('\n').map((line) => line.replace(/ +/g, ' ').trim());
    for (const command of COMMANDS) {
      expect(rows).to.include(`| \`${usageOf(command)}\` | ${command.answers} | ${command.summary} |`);
    }
    const documented = rows.filter((row) => /^\| `[A-Z_]+[^`]*` \| .* \| .* \|$/.test(row));
    expect(documented).to.have.length(COMMANDS.length);
  });

  it('ExplainsEveryFactOfStatus', () => {
    const lines = statusLines(STATUS);
    const names = lines.flatMap((line) => {
      const fields = line.startsWith('member=') ? line.split(' ') : [line];
      return fields.map((field) => field.slice(0, field.indexOf('=')));
    });
    for (const name of names) expect(protocol).to.include(`\`${name}\``);
  });

  it('NamesEveryErrorCode', () => {
    for (const code of ERROR_CODES) expect(protocol).to.include(`\`${code}\``);
  });
});
