import { expect } from 'chai';
import { usageOf } from '../../src/commands/command.js';
import { findCommand, resolveCommand } from '../../src/commands/resolve.js';
import { COMMANDS } from '../../src/commands/table.js';
import { textOf } from '../../src/commands/words.js';
import type { RequestLimits } from '../../src/protocol/limits.js';
import { range } from '../store/table-contract.js';

const LIMITS: RequestLimits = {
  keyBytesMax: 8,
  valueBytesMax: 16,
  requestBytesMax: 1000,
  wordsMax: 10,
  globBytesMax: 8,
};

function resolve(words: string[], terminated = true): string {
  const outcome = resolveCommand(
    { framing: 'line', words: words.map((word) => range(word)), terminated },
    LIMITS,
  );
  return 'code' in outcome ? outcome.code : outcome.name;
}

describe('A request finds its command', () => {
  it('WhichIsNeverRunManyTimesAtOnceWhenItTakesLong', () => {
    for (const command of COMMANDS) {
      if (command.workWords === undefined) continue;
      const request = { framing: 'resp' as const, words: [range(command.name)], terminated: true };
      expect('isQuick' in command && command.isQuick(request), command.name).to.equal(false);
    }
  });

  it('AndMakesNoTextOfAWordThatIsLongerThanAnyName', () => {
    expect(textOf(range('n'.repeat(1024)))).to.have.length(1024);
    expect(textOf(range('n'.repeat(1025)))).to.have.length(1024);
    expect(textOf(undefined)).to.equal(undefined);
  });

  it('AndNoOtherNameIsTakenForOne', () => {
    for (const { name } of COMMANDS) {
      for (let at = 0; at < name.length; at++) {
        for (let byte = 0; byte < 256; byte++) {
          const bytes = Buffer.from(name);
          bytes[at] = byte;
          const found = findCommand({ bytes, start: 0, end: bytes.length })?.name;
          const upper = bytes.toString('latin1').replace(/[a-z]/g, (letter) => letter.toUpperCase());
          expect(found, bytes.toString('latin1')).to.equal(COMMANDS.find((one) => one.name === upper)?.name);
        }
      }
      expect(findCommand(range(name.slice(0, -1)))?.name).to.not.equal(name);
      expect(findCommand(range(`${name}S`))?.name).to.not.equal(name);
    }
    expect(findCommand(range(''))).to.equal(undefined);
  });

  it('InAnyMixOfCapitals', () => {
    for (const name of ['GET', 'get', 'gEt']) expect(findCommand(range(name))?.name).to.equal('GET');
    for (const name of ['GETT', 'GE', '', '__proto__', 'constructor']) {
      expect(findCommand(range(name)), name).to.equal(undefined);
    }
  });

  it('OnlyWithTheWordsThatItTakes', () => {
    const cases: [string[], string][] = [
      [['GET', 'k'], 'GET'],
      [['GET'], 'SYNTAX'],
      [['GET', 'k', 'l'], 'SYNTAX'],
      [['PUT', 'k', 'v'], 'PUT'],
      [['PUT', 'k'], 'SYNTAX'],
      [['MGET', 'a', 'b', 'c'], 'MGET'],
      [['MGET'], 'SYNTAX'],
      [['MSET', 'a', '1', 'b', '2'], 'MSET'],
      [['MSET', 'a', '1', 'b'], 'SYNTAX'],
      [['MSET'], 'SYNTAX'],
      [['KEYS'], 'KEYS'],
      [['KEYS', '*'], 'KEYS'],
      [['KEYS', 'a', 'b'], 'SYNTAX'],
      [['DBSIZE'], 'DBSIZE'],
      [['DBSIZE', 'x'], 'SYNTAX'],
      [['SET', 'k', 'v'], 'UNKNOWN_COMMAND'],
    ];
    for (const [words, expected] of cases) expect(resolve(words), words.join(' ')).to.equal(expected);
  });

  it('OnlyWithKeysAndValuesWithinTheirBounds', () => {
    const [key, value] = ['k'.repeat(8), 'v'.repeat(16)];
    expect(resolve(['PUT', key, value])).to.equal('PUT');
    expect(resolve(['PUT', `${key}k`, value])).to.equal('TOO_LARGE');
    expect(resolve(['PUT', key, `${value}v`])).to.equal('TOO_LARGE');
    expect(resolve(['PUT', '', value])).to.equal('SYNTAX');
    expect(resolve(['PUT', key, ''])).to.equal('PUT');
    expect(resolve(['MSET', 'a', value, key, value])).to.equal('MSET');
    expect(resolve(['MSET', 'a', value, `${key}k`, value])).to.equal('TOO_LARGE');
    expect(resolve(['MSET', 'a', value, 'b', `${value}v`])).to.equal('TOO_LARGE');
    expect(resolve(['MSET', 'a', value, '', value])).to.equal('SYNTAX');
    for (const name of ['GET', 'DELETE', 'DEL', 'MGET', 'EXISTS']) {
      expect(resolve([name, key]), name).to.equal(name);
      expect(resolve([name, `${key}k`]), name).to.equal('TOO_LARGE');
      expect(resolve([name, '']), name).to.equal('SYNTAX');
    }
  });

  it('OnlyWithAPatternWithinItsBound', () => {
    expect(resolve(['KEYS', '*'.repeat(8)])).to.equal('KEYS');
    expect(resolve(['KEYS', '*'.repeat(9)])).to.equal('TOO_LARGE');
  });

  it('FromALineThatWasCutOffOnlyWhenItReads', () => {
    for (const name of ['GET', 'DELETE', 'DEL', 'MGET', 'EXISTS']) {
      const expected = findCommand(range(name))?.effect === 'reads' ? name : 'SYNTAX';
      expect(resolve([name, 'k'], false), name).to.equal(expected);
    }
    expect(resolve(['SNAPSHOT'], false)).to.equal('SYNTAX');
    expect(resolve(['PROMOTE'], false)).to.equal('SYNTAX');
    expect(resolve(['REPLICATE'], false)).to.equal('SYNTAX');
  });
});

describe('The table of commands', () => {
  it('NamesEachCommandOnceInCapitals', () => {
    const names = COMMANDS.map((command) => command.name);
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(name).to.match(/^[A-Z_]+$/);
  });

  it('ExplainsEachCommandInOneLine', () => {
    for (const command of COMMANDS) {
      expect(usageOf(command)).to.match(/^[A-Z_]+( .+)?$/);
      expect(command.summary).to.match(/^[A-Z].*\.$/);
      expect(command.answers).to.not.equal('');
    }
  });
});
