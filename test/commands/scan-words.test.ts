import { expect } from 'chai';
import { readScanWords } from '../../src/commands/scan-words.js';
import { wholeRange } from '../../src/engine.js';

function read(...words: string[]): unknown {
  const read = readScanWords(words.map((word) => wholeRange(Buffer.from(word))));
  if ('code' in read) return `${read.code} ${read.message.split(':')[0] ?? ''}`;
  const { cursor, pattern, count } = read;
  return { cursor, pattern: pattern?.bytes.toString(), count };
}

describe('The words of SCAN', () => {
  it('AreACursorAndOptionsInAnyOrderAndAnyCapitals', () => {
    expect(read('0')).to.deep.equal({ cursor: 0, pattern: undefined, count: 10 });
    const both = { cursor: 17, pattern: 'a*', count: 5 };
    expect(read('17', 'MATCH', 'a*', 'COUNT', '5')).to.deep.equal(both);
    expect(read('17', 'count', '5', 'Match', 'a*')).to.deep.equal(both);
    expect(read('0', 'match', 'count', 'count', '1')).to.deep.equal({
      cursor: 0,
      pattern: 'count',
      count: 1,
    });
  });

  it('TakeAnyCursorThatAServerMayHaveGivenAndNoOther', () => {
    expect(read('18446744073709551615')).to.include({ cursor: 2 ** 64 });
    for (const cursor of ['', '-1', '+1', '1.5', '0x1', ' 1', '1\n', 'x', '1'.repeat(21)]) {
      expect(read(cursor), cursor).to.equal('SYNTAX invalid cursor');
    }
  });

  it('TakeACountFromOneOnAndDoNoMoreThanItsBoundAtOnce', () => {
    expect(read('0', 'COUNT', '1')).to.include({ count: 1 });
    expect(read('0', 'COUNT', '1000000')).to.include({ count: 1_000_000 });
    for (const count of ['1000001', '9'.repeat(20)])
      expect(read('0', 'COUNT', count)).to.include({ count: 1_000_000 });
    for (const count of ['0', '-1', '1.5', '', 'x', '1e3', '9'.repeat(21)]) {
      expect(read('0', 'COUNT', count), count).to.equal('SYNTAX COUNT is a whole number, and at least 1');
    }
  });

  it('TakeEachOptionOnceAndNoOther', () => {
    const refused = 'SYNTAX the options of SCAN are MATCH glob and COUNT n, each at most once';
    expect(read('0', 'COUNT', '1', 'COUNT', '1')).to.equal(refused);
    expect(read('0', 'MATCH', 'a', 'MATCH', 'a')).to.equal(refused);
    expect(read('0', 'TYPE', 'string')).to.equal(refused);
    expect(read('0', 'COUNT')).to.equal('SYNTAX nothing stands behind the last option of SCAN');
    expect(read('0', 'MATCH', 'a', 'COUNT')).to.equal('SYNTAX nothing stands behind the last option of SCAN');
  });
});
