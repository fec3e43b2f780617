import { expect } from 'chai';
import fc from 'fast-check';
import { readCommandLine } from '../../src/cli/command-line.js';
import { COMMANDS } from '../../src/cli/command-table.js';
import { UsageError } from '../../src/cli/exit.js';
import { helpText, usageLine } from '../../src/cli/help.js';
import { readAddress, readTimeoutMs } from '../../src/cli/options.js';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { serverOptions } from './server-options.js';

function operandsOf(words: readonly string[]): string[] {
  const read = readCommandLine(words);
  if (read.kind !== 'run') throw new Error(JSON.stringify(read));
  return read.invocation.operands.map((operand) => operand.text);
}

function faultOf(...words: string[]): string {
  const read = readCommandLine(words);
  expect(read.kind, words.join(' ')).to.equal('usage error');
  return read.kind === 'usage error' ? read.message : '';
}

describe('command line', () => {
  it('OddValuesArriveExactly', () => {
    const values = [
      '-5',
      '-0.5',
      '007',
      '0x10',
      '1e3',
      '',
      ' ',
      '-',
      'true',
      'null',
      '__proto__',
      'constructor',
      '"quoted"',
      "'quoted'",
      'a=b',
      'a.b',
      '1_000',
      'Infinity',
      '9007199254740993',
      '\n',
      'é',
      '[1]',
      '{"a":1}',
      '\\n',
      '@x',
    ];
    for (const value of values) {
      expect(operandsOf(['put', 'k', value])).to.deep.equal(['k', value]);
      expect(operandsOf(['--timeout', '3', 'put', value, value])).to.deep.equal([value, value]);
    }
  });

  it('AnyWordsBehindTwoDashesArriveExactly', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.oneof(fc.string(), fc.constantFrom('--', '--x', '-', '-h', '--help=1')),
        (key, value) => {
          expect(operandsOf(['put', '--', key, value])).to.deep.equal([key, value]);
          if (!key.startsWith('-')) expect(operandsOf(['put', key, '--', value])).to.deep.equal([key, value]);
        },
      ),
    );
  });

  it('ADashIsVerbatimOnlyBehindTwoDashes', () => {
    const dashes = (words: string[]): boolean[] => {
      const read = readCommandLine(words);
      return read.kind === 'run' ? read.invocation.operands.map((operand) => operand.verbatim) : [];
    };
    expect(dashes(['put', 'k', '-'])).to.deep.equal([false, false]);
    expect(dashes(['put', 'k', '--', '-'])).to.deep.equal([false, true]);
  });

  it('OptionsStandBeforeOrAfterTheCommand', () => {
    const lines = [
      ['--address', 'h:1', '--timeout', '2', 'get', 'k'],
      ['get', 'k', '--address', 'h:1', '--timeout', '2'],
      ['--address=h:1', 'get', '--timeout=2', 'k'],
      ['get', '--timeout', '2', '--address', 'h:1', '--', 'k'],
    ];
    for (const words of lines) {
      const read = readCommandLine(words);
      if (read.kind !== 'run') throw new Error(JSON.stringify(read));
      expect(read.command.name).to.equal('get');
      expect([...read.invocation.values].sort()).to.deep.equal([
        ['address', 'h:1'],
        ['timeout', '2'],
      ]);
      expect(read.invocation.operands).to.deep.equal([{ text: 'k', verbatim: words.includes('--') }]);
    }
    expect(serverOptions([]).dbPath).to.equal('kv-store.json');
    const before = readCommandLine(['--db-path', 'x', '--allow-unauthenticated', 'server']);
    expect(before.kind === 'run' && before.invocation.values.get('db-path')).to.equal('x');
    expect(before.kind === 'run' && before.invocation.flags.has('allow-unauthenticated')).to.equal(true);
  });

  it('TheValueOfAnOptionArrivesExactly', () => {
    for (const file of ["'a'", '"a"', 'a=b', ' ', '007']) {
      for (const words of [['--file', file], [`--file=${file}`]]) {
        const read = readCommandLine(['put', 'k', ...words]);
        expect(read.kind === 'run' && read.invocation.values.get('file')).to.equal(file);
      }
    }
  });

  it('WhatMakesNoSenseIsAUsageErrorThatSaysSo', () => {
    expect(faultOf('get')).to.equal('KEY is missing');
    expect(faultOf('get', 'a', 'b')).to.include('"b" is too much');
    expect(faultOf('put', 'a', 'b', 'c')).to.include('quotes');
    expect(faultOf('keys', 'a', 'b')).to.include('[GLOB]');
    expect(faultOf('status', 'x')).to.include('takes no words');
    expect(faultOf('get', 'k', '--adress', 'x')).to.include('did you mean --address?');
    expect(faultOf('get', 'k', '-x')).to.include('unknown option "-x"');
    expect(faultOf('put', 'k', '-5x')).to.include('comes after --');
    expect(faultOf('get', 'k', '--no-help')).to.include('unknown option');
    expect(faultOf('get', 'k', '--__proto__=1')).to.include('unknown option');
    expect(faultOf('get', 'k', '--address')).to.include('--address needs a value');
    expect(faultOf('get', 'k', '--address=')).to.include('--address needs a value');
    expect(faultOf('get', 'k', '--address', '--timeout', '3')).to.include('--address needs a value');
    expect(faultOf('--timeout', '1', 'get', 'k', '--timeout=2')).to.equal('--timeout is given twice');
    expect(faultOf('server', '--allow-unauthenticated', '--allow-unauthenticated')).to.include('twice');
    expect(faultOf('server', '--allow-unauthenticated=yes')).to.include('takes no value');
    expect(faultOf('put', 'k', 'v', '--format', 'json')).to.equal('"kv put" has no option --format');
    expect(faultOf('get', 'k', '--db-path', 'x')).to.include('no option --db-path');
    expect(faultOf('--address', 'h:1')).to.include('no command');
    expect(faultOf('help', 'get', 'put')).to.include('"put" is too much');
  });

  it('AnUnknownCommandNamesWhatThereIs', () => {
    expect(faultOf('gte', 'k'))
      .to.include('did you mean "get"?')
      .and.to.include('put, get, delete, keys, server, status, add-backup, remove-backup, promote');
    expect(faultOf('PUT')).to.include('did you mean "put"?');
    expect(faultOf('del')).to.include('did you mean "delete"?');
    expect(faultOf('prom')).to.include('did you mean "promote"?');
    expect(faultOf('stauts')).to.include('did you mean "status"?');
    expect(faultOf('frobnicate')).not.to.include('did you mean');
    expect(faultOf('')).to.include('unknown command ""');
    expect(faultOf('help', 'delet')).to.include('did you mean "delete"?');
  });

  it('HelpAndVersionWinOverTheRest', () => {
    for (const words of [[], ['help'], ['--help'], ['-h'], ['help', 'help'], ['--help', '--timeout', '3']]) {
      expect(readCommandLine(words), words.join(' ')).to.deep.equal({ kind: 'help', command: undefined });
    }
    for (const words of [
      ['help', 'put'],
      ['put', '--help'],
      ['--help', 'put'],
      ['put', 'a', 'b', 'c', '-h'],
    ]) {
      const read = readCommandLine(words);
      expect(read.kind === 'help' && read.command?.name, words.join(' ')).to.equal('put');
    }
    expect(readCommandLine(['--version'])).to.deep.equal({ kind: 'version' });
    expect(readCommandLine(['get', '--version'])).to.deep.equal({ kind: 'version' });
  });

  it('TheHelpNamesEveryCommandAndEveryOption', () => {
    const overview = helpText(undefined, 80);
    for (const { name } of COMMANDS) {
      expect(overview).to.include(`kv ${name}`);
      const read = readCommandLine(['help', name]);
      if (read.kind !== 'help' || read.command === undefined) throw new Error(name);
      const text = helpText(read.command, 80);
      for (const option of read.command.options) expect(text).to.include(`--${option.name}`);
      expect(usageLine(read.command)).to.match(/^usage: kv [^\n]*$/);
      // An example is to be copied, and so is never broken.
      const isExample = (line: string): boolean => line.startsWith('  kv ');
      for (const line of text.split('\n')) {
        if (!isExample(line)) expect(line.length, line).to.be.at.most(80);
      }
    }
  });

  it('TheUsageLineShowsTheOptionsThatAreNeeded', () => {
    const read = readCommandLine(['help', 'add-backup']);
    expect(usageLine(read.kind === 'help' ? read.command : undefined)).to.equal(
      'usage: kv add-backup --primary HOST:PORT --backup HOST:PORT [options]; "kv help add-backup" explains them',
    );
  });

  it('AnyWordsAreReadWithoutAnException', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'get',
        'put',
        '--',
        '-',
        '--address',
        '--file=x',
        '-h',
        '--help',
        'k',
        '-5',
        '---',
        '-=',
        '--=',
      ),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => void readCommandLine(words)),
      { numRuns: 300 },
    );
  });

  it('TheTimeoutIsAPositiveNumberOfSeconds', () => {
    const timeout = (text: string): number =>
      readTimeoutMs({ values: new Map([['timeout', text]]), flags: new Set() });
    expect(readTimeoutMs({ values: new Map(), flags: new Set() })).to.equal(5000);
    expect(['2', '0.5', '.25', '1.', '86400', '0.0001'].map(timeout)).to.deep.equal([
      2000, 500, 250, 1000, 86_400_000, 1,
    ]);
    for (const text of ['0', '-1', '1s', '1e3', '0x10', 'NaN', 'Infinity', '86401', ' 1', '.', '1,5']) {
      expect(() => timeout(text), text).to.throw(UsageError);
    }
  });

  it('TheAddressComesFromTheOptionThenTheEnvironmentThenTheDefault', () => {
    const none = { values: new Map<string, string>(), flags: new Set<string>() };
    const given = { ...none, values: new Map([['address', '[::1]:5']]) };
    expect(readAddress(given, { KV_ADDRESS: 'h:2' })).to.deep.equal({ host: '::1', port: 5 });
    expect(readAddress(none, { KV_ADDRESS: 'h:2' })).to.deep.equal({ host: 'h', port: 2 });
    expect(readAddress(none, { KV_ADDRESS: '' })).to.deep.equal({ host: '127.0.0.1', port: 7001 });
    expect(() => readAddress(none, { KV_ADDRESS: 'h' })).to.throw(UsageError, 'KV_ADDRESS');
  });

  it('AWordThatWasNoUtf8IsRefusedBecauseWhatWasMeantIsLost', () => {
    expect(faultOf('put', 'k', 'a\ufffdb')).to.include('--file or stdin');
    expect(faultOf('get', '\ufffd')).to.include('not UTF-8');
  });

  it('TheServersOptionsAreReadAndChecked', () => {
    expect(serverOptions([])).to.deep.equal({
      address: { host: '127.0.0.1', port: 7001 },
      dbPath: 'kv-store.json',
      fsync: 'always',
      clusterSecretFile: undefined,
      allowUnauthenticated: false,
      logLevel: 'info',
      segmentBytes: undefined,
      role: undefined,
      primary: undefined,
      join: undefined,
      advertise: undefined,
      acks: undefined,
      failover: undefined,
      limits: DEFAULT_SERVER_LIMITS,
      dataBytesMax: undefined,
      readsBehindMaxMs: undefined,
      sessionIdleMs: 3_600_000,
    });
    const all =
      '--role backup --primary [::1]:7001 --advertise db-2:7002 --acks 0 --failover manual --address [::]:0 --db-path d.json ' +
      '--fsync everysec --cluster-secret-file secret.txt --allow-unauthenticated --log-level debug --log-segment-bytes 65536';
    expect(serverOptions(all.split(' '))).to.deep.equal({
      address: { host: '::', port: 0 },
      dbPath: 'd.json',
      fsync: 'everysec',
      clusterSecretFile: 'secret.txt',
      allowUnauthenticated: true,
      logLevel: 'debug',
      segmentBytes: 65_536,
      role: 'backup',
      primary: { host: '::1', port: 7001 },
      join: undefined,
      advertise: { host: 'db-2', port: 7002 },
      acks: '0',
      failover: 'manual',
      limits: DEFAULT_SERVER_LIMITS,
      dataBytesMax: undefined,
      readsBehindMaxMs: undefined,
      sessionIdleMs: 3_600_000,
    });
    expect(serverOptions(['--allow-unauthenticated', 'false']).allowUnauthenticated).to.equal(false);
    expect(serverOptions(['--role', 'primary', '--acks', 'all'])).to.include({
      role: 'primary',
      acks: 'all',
    });
    const refused = [
      '--role x',
      '--acks 1',
      '--acks none',
      '--failover on',
      '--failover automatic',
      '--advertise h',
      '--advertise h:0',
      '--role backup --primary h:0',
      '--fsync never',
      '--log-level loud',
      '--address h',
      '--log-segment-bytes 1',
      '--log-segment-bytes 1e9',
      '--log-segment-bytes -5',
    ];
    for (const line of refused) expect(() => serverOptions(line.split(' ')), line).to.throw(UsageError);
  });

  it('ABackupNamesItsPrimaryAndNobodyElseDoes', () => {
    expect(() => serverOptions(['--role', 'backup'])).to.throw(UsageError, 'needs --join');
    for (const line of ['--primary h:1', '--role primary --primary h:1']) {
      expect(() => serverOptions(line.split(' ')), line).to.throw(UsageError, 'give --role backup');
    }
  });
});
