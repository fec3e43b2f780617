import { expect } from 'chai';
import { formatValue } from '../../src/cli/commands/get.js';
import { showBytes, showDuration } from '../../src/cli/quantity.js';
import { formatStatusLines, formatStatusTable, statusJson } from '../../src/cli/status-view.js';
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
      ['lag_bytes', '1536'],
      ['silent_ms', '6000'],
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
      'member  role     state   acked  entries behind  bytes behind  last heard',
      'a:1     primary  member  1:42   0               -             -',
      'b:22    backup   silent  1:40   2               1.5 KiB       6.0 s ago',
    ]);
    expect(formatStatusTable({ facts: new Map([['a', '1']]), members: [] }, plain)).to.deep.equal(['a  1']);
  });

  it('TheStatusOfABackupSaysWhenItsPrimaryWasHeardAndWhatToDo', () => {
    const facts = new Map([
      ['role', 'backup'],
      ['service', 'waiting'],
      ['advice', 'promote it, or start \u001b its primary'],
      ['primary', 'a:1'],
      ['primary_silent_ms', '61000'],
      ['behind_ms', '62000'],
      ['snapshot', 'none'],
      ['data_bytes', '5242880'],
    ]);
    expect(formatStatusTable({ facts, members: [] }, plain)).to.deep.equal([
      'role                  backup',
      'service               waiting',
      'primary               a:1',
      'primary last heard    1 min ago',
      'reads at most behind  1 min',
      'snapshot              -',
      'data                  5.0 MiB',
      '',
      'promote it, or start \\x1b its primary',
    ]);
    const marked = { name: String, good: (text: string) => `+${text}`, bad: (text: string) => `!${text}` };
    const lines = formatStatusTable({ facts, members: [] }, marked);
    expect(lines).to.include('service               !waiting');
    expect(lines.at(-1)).to.match(/^!promote it/);
    expect(formatStatusTable({ facts: new Map([['advice', 'none']]), members: [] }, plain)).to.deep.equal([]);
  });

  it('WhatIsNotKnownIsNullInJson', () => {
    const facts = new Map([
      ['primary', 'none'],
      ['primary_silent_ms', '12'],
      ['advice', '12'],
      ['acks', '0'],
    ]);
    const members = [
      new Map([
        ['member', 'b:2'],
        ['acked', 'none'],
        ['lag', '0'],
      ]),
    ];
    expect(statusJson({ facts, members })).to.deep.equal({
      primary: null,
      primary_silent_ms: 12,
      advice: '12',
      acks: '0',
      members: [{ member: 'b:2', acked: null, lag: 0 }],
    });
  });

  it('BytesAndTimesAreSaidInTheUnitThatFits', () => {
    const bytes = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 2, 5 * 1024 ** 3, 1024 ** 5];
    expect(bytes.map(showBytes)).to.deep.equal([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '1.0 MiB',
      '1.0 MiB',
      '5.0 GiB',
      '1024.0 TiB',
    ]);
    const times = [0, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000, 10 * 86_400_000];
    expect(times.map(showDuration)).to.deep.equal([
      '0 ms',
      '999 ms',
      '1.0 s',
      '59.9 s',
      '1 min',
      '59 min',
      '1 h',
      '1 days',
      '10 days',
    ]);
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
      'member=b:22 role=backup state=silent acked=1:40 lag=2 lag_bytes=1536 silent_ms=6000',
    ]);
  });

  it('NothingThatATerminalActsOnIsLeftInTheServersText', () => {
    expect(plainText('a\u0007\u001b\u007f\u009bé\n')).to.equal('a\\x07\\x1b\\x7f\\x9bé\\x0a');
  });
});
