import { expect } from 'chai';
import { formatValue } from '../../src/cli/commands/get.js';
import { formatStatusLines, formatStatusTable } from '../../src/cli/commands/status.js';
import { plainText } from '../../src/cli/output.js';

const report = {
  facts: new Map([
    ['role', 'primary'],
    ['commit', '42'],
    ['note', '\u001b[2J'],
  ]),
  members: [
    new Map([
      ['member', 'a:1'],
      ['role', 'primary'],
      ['state', 'member'],
      ['acked', '1:42'],
      ['lag', '0'],
    ]),
    new Map([
      ['member', 'b:22'],
      ['role', 'backup'],
      ['state', 'silent'],
      ['acked', '1:40'],
      ['lag', '2'],
    ]),
  ],
};
const plain = { name: String, good: String, bad: String };

describe('output', () => {
  it('AValueIsEscapedOnATerminalAndExactOnAPipe', () => {
    const key = Buffer.from('k');
    const value = Buffer.from('\u001b[2J\n\xff', 'latin1');
    expect(formatValue(key, value, 'text', false)).to.equal(value);
    expect(formatValue(key, value, 'text', true)).to.equal('"\\x1b[2J\\n\\xff"\n');
    expect(formatValue(key, Buffer.from('hello world'), 'text', true)).to.equal('hello world\n');
  });

  it('TheStatusIsAlignedOnATerminal', () => {
    expect(formatStatusTable(report, plain)).to.deep.equal([
      'role    primary',
      'commit  42',
      'note    \\x1b[2J',
      '',
      'member  role     state   acked  lag',
      'a:1     primary  member  1:42   0',
      'b:22    backup   silent  1:40   2',
    ]);
    expect(formatStatusTable({ facts: new Map([['a', '1']]), members: [] }, plain)).to.deep.equal(['a  1']);
  });

  it('ColourSaysWhatIsGoodAndWhatIsNot', () => {
    const marked = { name: String, good: (text: string) => `+${text}`, bad: (text: string) => `!${text}` };
    const lines = formatStatusTable(report, marked);
    expect(lines.some((line) => line.includes('+member'))).to.equal(true);
    expect(lines.some((line) => line.includes('!silent'))).to.equal(true);
  });

  it('TheStatusOnAPipeIsWhatTheServerSays', () => {
    expect(formatStatusLines(report)).to.deep.equal([
      'role=primary',
      'commit=42',
      'note=\\x1b[2J',
      'member=a:1 role=primary state=member acked=1:42 lag=0',
      'member=b:22 role=backup state=silent acked=1:40 lag=2',
    ]);
  });

  it('NothingThatATerminalActsOnIsLeftInTheServersText', () => {
    expect(plainText('a\u0007\u001b\u007f\u009bé\n')).to.equal('a\\x07\\x1b\\x7f\\x9bé\\x0a');
  });
});
