import { expect } from 'chai';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import {
  HISTORY_LINES_MAX,
  HISTORY_LINE_BYTES_MAX,
  appendHistory,
  lineToKeep,
  readHistory,
} from '../../../src/cli/shell/history-file.js';
import { readHistorySettings } from '../../../src/cli/shell/history-options.js';
import { keepHistory } from '../../../src/cli/shell/history.js';
import { temporaryDirectory } from '../../temporary-directory.js';

const given = (values: Record<string, string>, ...flags: string[]) => ({
  values: new Map(Object.entries(values)),
  flags: new Set(flags),
});

describe('The history file', () => {
  const directory = temporaryDirectory();
  const file = (): string => path.join(directory.path, 'state', 'understudy', 'history');

  it('IsMadeForItsUserOnly', async () => {
    await appendHistory(file(), 'GET a');
    expect(statSync(file()).mode & 0o777).to.equal(0o600);
    expect(statSync(path.dirname(file())).mode & 0o777).to.equal(0o700);
    expect(await readHistory(file())).to.deep.equal(['GET a']);
  });

  it('IsEmptyWhereThereIsNone', async () => {
    expect(await readHistory(file())).to.deep.equal([]);
  });

  it('KeepsWhatTwoShellsWrite', async () => {
    const lines = Array.from({ length: 50 }, (_, at) => [`GET a${String(at)}`, `GET b${String(at)}`]).flat();
    await Promise.all(lines.map((line) => appendHistory(file(), line)));
    expect((await readHistory(file())).sort()).to.deep.equal([...lines].sort());
  });

  it('IsCutToItsBoundAndNotBefore', async () => {
    mkdirSync(path.dirname(file()), { recursive: true });
    const lines = Array.from({ length: 2 * HISTORY_LINES_MAX }, (_, at) => `GET ${String(at)}`);
    writeFileSync(file(), `${lines.join('\n')}\n`, { mode: 0o600 });
    const newest = lines.slice(-HISTORY_LINES_MAX);
    expect(await readHistory(file())).to.deep.equal(newest);
    expect(readFileSync(file(), 'utf8').split('\n')).to.have.length(lines.length + 1);
    appendFileSync(file(), 'GET one more\n');
    const kept = [...newest.slice(1), 'GET one more'];
    expect(await readHistory(file())).to.deep.equal(kept);
    expect(readFileSync(file(), 'utf8')).to.equal(`${kept.join('\n')}\n`);
    expect(statSync(file()).mode & 0o777).to.equal(0o600);
  });

  it('IsReadFromItsEndWhenItIsLarge', async () => {
    mkdirSync(path.dirname(file()), { recursive: true });
    writeFileSync(file(), `${'x'.repeat(5 * 1024 * 1024)}\nGET a\n`);
    expect(await readHistory(file())).to.deep.equal(['GET a']);
    expect(readFileSync(file(), 'utf8')).to.equal('GET a\n');
  });

  it('MayBeADeviceThatTakesEverything', async () => {
    mkdirSync(path.dirname(file()), { recursive: true });
    symlinkSync('/dev/null', file());
    await appendHistory(file(), 'GET a');
    expect(await readHistory(file())).to.deep.equal([]);
  });

  it('WarnsOnceWhenItCannotBeUsed', async () => {
    const warnings: string[] = [];
    mkdirSync(path.dirname(file()), { recursive: true });
    writeFileSync(path.join(directory.path, 'plain'), '');
    chmodSync(path.dirname(file()), 0o700);
    const inPlainFile = path.join(directory.path, 'plain', 'history');
    const keeper = await keepHistory({ file: inPlainFile, withValues: true }, (message) =>
      warnings.push(message),
    );
    await keeper.keep('GET a');
    await keeper.keep('GET b');
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.include('ENOTDIR').and.include('--history');
  });
});

describe('A line of history', () => {
  it('IsKeptUnlessItBeginsWithABlankOrIsVeryLong', () => {
    expect(lineToKeep('PUT a secret', true)).to.equal('PUT a secret');
    expect(lineToKeep(' PUT a secret', true)).to.equal(undefined);
    expect(lineToKeep('\tPUT a secret', true)).to.equal(undefined);
    expect(lineToKeep(`PUT a ${'x'.repeat(HISTORY_LINE_BYTES_MAX - 6)}`, true)).to.have.length(
      HISTORY_LINE_BYTES_MAX,
    );
    expect(lineToKeep(`PUT a ${'x'.repeat(HISTORY_LINE_BYTES_MAX - 5)}`, true)).to.equal(undefined);
  });

  it('EndsBeforeItsFirstValueWhenValuesAreLeftOut', () => {
    expect(lineToKeep('PUT "a key" secret', false)).to.equal('PUT "a key"');
    expect(lineToKeep('mset é secret b secret', false)).to.equal('mset é');
    expect(lineToKeep('GET a', false)).to.equal('GET a');
    expect(lineToKeep('DEL a b', false)).to.equal('DEL a b');
    expect(lineToKeep('help put', false)).to.equal('help put');
  });

  it('IsNotKeptWithoutValuesWhenNobodyCanTellWhatTheyAre', () => {
    expect(lineToKeep('PUTT a secret', false)).to.equal(undefined);
    expect(lineToKeep('PUT a "secret', false)).to.equal(undefined);
    expect(lineToKeep('MSET a secret b', false)).to.equal(undefined);
  });

  it('WithoutItsValueIsNoCommandThatWouldChangeAnything', () => {
    expect(lineToKeep(lineToKeep('PUT a secret', false) ?? '', false)).to.equal(undefined);
    expect(lineToKeep(lineToKeep('MSET a secret b c', false) ?? '', false)).to.equal(undefined);
  });
});

describe('What is said about history', () => {
  it('IsFollowed', () => {
    const home = { HOME: '/home/me' };
    const usual = '/home/me/.local/state/understudy/history';
    expect(readHistorySettings(given({}), home)).to.deep.equal({ file: usual, withValues: true });
    expect(readHistorySettings(given({}), { ...home, XDG_STATE_HOME: 'relative' }).file).to.equal(usual);
    expect(readHistorySettings(given({}), { ...home, XDG_STATE_HOME: '/state' }).file).to.equal(
      '/state/understudy/history',
    );
    expect(readHistorySettings(given({ history: '/x' }), home).file).to.equal('/x');
    expect(readHistorySettings(given({}, 'no-history'), home).file).to.equal(undefined);
    expect(readHistorySettings(given({}), { ...home, KV_HISTORY_VALUES: 'no' }).withValues).to.equal(false);
    const option = given({ 'history-values': 'yes' });
    expect(readHistorySettings(option, { ...home, KV_HISTORY_VALUES: 'no' }).withValues).to.equal(true);
  });

  it('IsRefusedWhenItMakesNoSense', () => {
    expect(() => readHistorySettings(given({ 'history-values': 'maybe' }), {})).to.throw('none of yes, no');
    expect(() => readHistorySettings(given({}), { KV_HISTORY_VALUES: 'off' })).to.throw('KV_HISTORY_VALUES');
    expect(() => readHistorySettings(given({ history: 'x' }, 'no-history'), {})).to.throw('one of them');
  });
});
