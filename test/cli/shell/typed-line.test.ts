import { expect } from 'chai';
import { faultLines } from '../../../src/cli/shell/fault-lines.js';
import { readTypedLine, wordsOf } from '../../../src/cli/shell/typed-line.js';
import type { LineFault } from '../../../src/cli/shell/typed-line.js';
import { typedWords } from '../../../src/cli/shell/typed-words.js';
import { COMMANDS } from '../../../src/commands/table.js';
import { OWN_WORDS } from '../../../src/cli/shell/own-words.js';

function faultOf(line: string, terminated = true): LineFault {
  const typed = readTypedLine(Buffer.from(line), terminated);
  if (typed.kind !== 'fault') throw new Error(`${line} is fine`);
  return typed.fault;
}

/** What stands under the mark, and the message. */
function marked(line: string): readonly [string, string] {
  const { start, end, message } = faultOf(line);
  return [Buffer.from(line).toString('utf8', start, end), message];
}

describe('A typed line', () => {
  it('IsReadAsTheLineFramingReadsIt', () => {
    const typed = readTypedLine(Buffer.from('  put "a b"  two  words '));
    if (typed.kind !== 'command') throw new Error(typed.kind);
    expect(typed.command.name).to.equal('PUT');
    expect(typed.words.map(String)).to.deep.equal(['put', 'a b', ' two  words ']);
  });

  it('AsksForNothingWhenItIsEmptyOrARemark', () => {
    for (const line of ['', ' \t', '# PUT a 1', '  #']) {
      expect(readTypedLine(Buffer.from(line)), line).to.deep.equal({ kind: 'nothing' });
    }
  });

  it('MarksTheWordThatIsWrong', () => {
    expect(marked('PUTT a 1')).to.deep.equal(['PUTT', 'there is no command PUTT: did you mean PUT?']);
    expect(marked('connet a:1')).to.deep.equal([
      'connet',
      'there is no command connet: did you mean CONNECT?',
    ]);
    expect(marked('frobnicate')).to.deep.equal([
      'frobnicate',
      'there is no command frobnicate: HELP lists them',
    ]);
    expect(marked('GET a bé c')).to.deep.equal(['bé', 'bé is too much: GET key']);
    expect(marked('GET ""')[0]).to.equal('""');
    expect(marked('MSET a 1 "" 2')[0]).to.equal('""');
    expect(marked('PROMOTE others_are_up')[0]).to.equal('others_are_up');
    expect(marked('REMOVE_BACKUP a:1 NOW')[0]).to.equal('NOW');
    expect(marked('ADD_BACKUP nowhere')[0]).to.equal('nowhere');
    expect(marked('CONNECT nowhere')[0]).to.equal('nowhere');
    expect(marked('CONNECT a:0')[0]).to.equal('a:0');
    expect(marked('EXIT now')).to.deep.equal(['now', 'now is too much: EXIT']);
    expect(marked('GET "a\\qb"')[0]).to.equal('\\');
  });

  it('MarksTheEndWhereAWordIsMissing', () => {
    const missing = [
      ['GET', 'key is missing: GET key'],
      ['MSET a 1 b', 'value is missing: MSET key value [key value …]'],
      ['MSET a', 'value is missing: MSET key value [key value …]'],
      ['PUT a', 'the value is missing: PUT key value, or PUT key "" for an empty one'],
      ['CONNECT', 'host:port is missing: CONNECT host:port'],
    ] as const;
    for (const [line, message] of missing) {
      const fault = faultOf(line);
      expect([fault.start, fault.end, fault.message]).to.deep.equal([line.length, line.length, message]);
    }
  });

  it('RefusesAWriteThatTheEndOfTheInputCutOff', () => {
    expect(faultOf('PUT a 1', false).message).to.include('cut off');
    expect(faultOf('PUT a 1', false).start).to.equal(7);
    expect(readTypedLine(Buffer.from('GET a'), false).kind).to.equal('command');
  });

  it('HasNoCommandOfTheServerUnderAWordOfTheShell', () => {
    const names = COMMANDS.map(({ name }) => name).filter((name) => name !== 'QUIT');
    expect(names).to.not.include.members(OWN_WORDS.map(({ name }) => name));
  });

  it('CountsWordsAsTheUsageNamesThem', () => {
    expect(wordsOf('PING')).to.deep.equal({ min: 0, max: 0 });
    expect(wordsOf('GET key')).to.deep.equal({ min: 1, max: 1 });
    expect(wordsOf('MSET key value [key value …]')).to.deep.equal({ min: 2, max: Infinity });
    expect(wordsOf('PROMOTE [OTHERS_ARE_DOWN [ACCEPT_DATA_LOSS]]')).to.deep.equal({ min: 0, max: 2 });
  });

  it('IsTakenApartAsFarAsItWasTyped', () => {
    const words = (line: string): unknown =>
      typedWords(Buffer.from(line)).map(({ bytes, isOpen }) => [bytes?.toString(), isOpen]);
    expect(words('GET "a b')).to.deep.equal([
      ['GET', false],
      ['a b', true],
    ]);
    expect(words('GET "a\\n"')).to.deep.equal([
      ['GET', false],
      ['a\n', false],
    ]);
    expect(words('GET "a\\')).to.deep.equal([
      ['GET', false],
      [undefined, true],
    ]);
    expect(words('GE')).to.deep.equal([['GE', true]]);
    expect(words('GET ')).to.deep.equal([['GET', false]]);
  });
});

describe('The mark under a word', () => {
  const show = (line: string, word: string, columns = 80): string[] => {
    const start = Buffer.byteLength(line.slice(0, line.indexOf(word)));
    const fault = { code: 'SYNTAX', message: '', start, end: start + Buffer.byteLength(word) };
    return faultLines(line, fault, columns);
  };

  it('StandsInItsColumnsWhateverTheirWidth', () => {
    expect(show('GET a bad', 'bad')).to.deep.equal(['  GET a bad', '        ^^^']);
    expect(show('GET 漢字 bad', 'bad')).to.deep.equal(['  GET 漢字 bad', '           ^^^']);
    expect(show('GET 漢字 b', '漢字')).to.deep.equal(['  GET 漢字 b', '      ^^^^']);
    expect(faultLines('GET', { code: '', message: '', start: 3, end: 3 }, 80)).to.deep.equal([
      '  GET',
      '     ^',
    ]);
  });

  it('StaysWithinTheTerminalWhenTheLineDoesNot', () => {
    const long = 'x'.repeat(100_000);
    for (const line of [`GET ${long} bad ${long}`, `GET bad ${long}`, `GET ${long} bad`]) {
      const [shown = '', mark = ''] = show(line, 'bad', 60);
      expect(shown.length).to.be.below(60);
      expect(shown.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).to.equal('bad');
    }
    const [shown = '', mark = ''] = show(`GET ${long}`, long, 60);
    expect([shown.length, mark.length]).to.deep.equal([59, 59]);
  });

  it('ShowsNothingThatATerminalActsOn', () => {
    expect(show('GET \u001b[2J bad', 'bad')).to.deep.equal(['  GET \\x1b[2J bad', '              ^^^']);
  });
});
