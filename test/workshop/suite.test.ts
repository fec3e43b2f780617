import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../repository-root.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { startMocha } from './mocha-process.js';
import { PASSES, Suite } from './suite.js';
import type { Pass, Sum } from './suite.js';

const { scripts, mocha } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
  mocha: object;
};
const RANDOM = new URL('../random.js', import.meta.url).href;
const RUN_SUITE = path.join(import.meta.dirname, 'run-suite.js');
const PASS: Pass = { ending: '.test', processes: 2 };

describe('The suite', () => {
  const directory = temporaryDirectory();
  let output: string;

  /** A package with the settings of this one and these test files, as if they had been compiled. */
  function suiteOf(files: Readonly<Record<string, string>>): Suite {
    output = '';
    for (const name of ['node_modules', '.ci']) {
      symlinkSync(path.join(repositoryRoot, name), path.join(directory.path, name));
    }
    write('package.json', JSON.stringify({ type: 'module', mocha }));
    for (const [name, text] of Object.entries(files)) {
      write(`test/${name}.ts`, '');
      write(`build/test/${name}.js`, text);
    }
    return new Suite(directory.path, (printed) => {
      output += printed;
    });
  }

  function write(name: string, text: string): void {
    const file = path.join(directory.path, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  async function sumOf(files: Readonly<Record<string, string>>): Promise<Sum> {
    const suite = suiteOf(files);
    await suite.run(PASS);
    return suite.sum;
  }

  function fileOf(name: string): string {
    return path.join(directory.path, 'build', 'test', `${name}.js`);
  }

  it('AddsUpWhatEachProcessCountedAndShowsWhatItPrinted', async () => {
    const { passed, failed, failures, filesMs } = await sumOf({
      'a/one.test': `describe('One', () => { it('Passes', () => {}); it('PassesToo', () => {}); });`,
      'b/two.test': `describe('Two', () => { it('Passes', () => {}); it('Fails', () => { throw new Error('two'); }); });`,
    });
    expect([passed, failed]).to.deep.equal([3, 1]);
    expect(failures).to.deep.equal([{ files: [fileOf('b/two.test')], title: 'Two Fails', message: 'two' }]);
    expect([...filesMs.keys()]).to.have.members([fileOf('a/one.test'), fileOf('b/two.test')]);
    expect(output)
      .to.match(/One\n\s+✔ Passes\n\s+✔ PassesToo/)
      .and.match(/1\) Two\n\s+Fails:/);
  });

  it('SaysHowToRunAgainWhatFailedWithItsSeed', async () => {
    const suite = suiteOf({
      'a.test': `it('IsRandom', () => { throw new Error('failed with KV_SEED=41', { cause: new Error('why') }); });`,
    });
    await suite.run(PASS);
    const summary = suite.summary(1);
    expect(summary).to.include('0 passed, 1 failed, in 1 s\n');
    expect(summary).to.include('IsRandom\n    failed with KV_SEED=41: why\n');
    expect(summary).to.include('again: KV_SEED=41 npx mocha build/test/a.test.js\n');
  });

  it('NamesTheSeedThatATestDrewWhichTookTooLong', async () => {
    const suite = suiteOf({
      'a.test': `
        import { testSeed } from ${JSON.stringify(RANDOM)};
        it('IsRandomToo', () => { testSeed(); });
        it('IsRandom', (done) => { console.log('drawn', testSeed()); }).timeout(20);
        it('IsNot', () => { throw new Error('no'); });`,
    });
    await suite.run(PASS);
    const seed = /drawn (\d+)/.exec(output)?.[1];
    expect(seed).to.match(/^\d+$/);
    expect(suite.sum.failures.map(({ message }) => /KV_SEED=(\d+)/.exec(message)?.[1])).to.deep.equal([
      seed,
      undefined,
    ]);
  });

  const broken: readonly (readonly [name: string, text: string, passed: number, message: RegExp])[] = [
    ['AProcessThatEndsBeforeItsTestsDo', `it('a', () => {}); it('b', () => process.exit(0));`, 0, /with 0$/],
    ['AFileThatCannotBeLoaded', `throw new Error('not loaded');`, 0, /with 1$/],
    ['AFileWithoutTests', `export const nothing = 1;`, 0, /with 1$/],
    ['ATestThatStandsForAllOfThem', `it('a', () => {}); it.only('b', () => {});`, 0, /with 1$/],
    ['ATestThatIsLeftOut', `it('a', () => {}); it.skip('b', () => {});`, 1, /Pending test forbidden/],
    [
      'AnErrorBehindTheLastTest',
      `it('a', () => {}); after(() => { setTimeout(() => { throw new Error('late'); }, 50); });`,
      1,
      /with 7$/,
    ],
    [
      'ARejectionThatNobodyHandles',
      `it('a', async () => { void Promise.reject(new Error('lost')); await new Promise(() => {}); });`,
      0,
      /lost/,
    ],
  ];
  for (const [name, text, passedThere, message] of broken) {
    it(`Counts${name}AsAFailure`, async () => {
      const { passed, failed, failures } = await sumOf({
        'a.test': text,
        'b/fine.test': `it('Passes', () => {});`,
      });
      expect(failed, output).to.equal(1);
      expect(passed).to.equal(passedThere + 1);
      expect(failures[0]?.message).to.match(message);
    });
  }

  it('RunsWhatStandsInTheSourcesAndNothingThatWasCompiledBefore', async () => {
    const suite = suiteOf({ 'a.test': `it('Passes', () => {});` });
    write('build/test/gone.test.js', `it('Fails', () => { throw new Error(); });`);
    await suite.run(PASS);
    expect([suite.sum.passed, suite.sum.failed]).to.deep.equal([1, 0]);
    write('test/new.test.ts', '');
    const refused: unknown = await suite.run(PASS).catch((error: unknown) => error);
    expect(String(refused)).to.include('test/new.test.ts is not compiled');
  });

  it('RefusesAPassWithoutFiles', async () => {
    const suite = suiteOf({ 'a.test': `it('Passes', () => {});` });
    const refused: unknown = await suite.run({ ...PASS, ending: '.alone' }).catch((error: unknown) => error);
    expect(String(refused)).to.include('no file of the tests ends with .alone.ts');
  });

  it('EndsAProcessThatOneOfItsTestsHolds', async () => {
    suiteOf({
      'a.test': `it('Passes', () => { setInterval(() => {}, 1000); });`,
      'b.test': `it('Fails', () => { throw new Error('no'); }); setInterval(() => {}, 1000);`,
    });
    for (const [name, passed, failed] of [
      ['a.test', 1, 1],
      ['b.test', 0, 2],
    ] as const) {
      const options = { directory: directory.path, lingerMsMax: 100 };
      const outcome = await startMocha([fileOf(name)], options).outcome;
      expect([outcome.passed, outcome.failed], name).to.deep.equal([passed, failed]);
      expect(outcome.failures.at(-1)?.message).to.include('something still holds it');
    }
  });

  it('EndsAProcessWhoseTestsAreNeverThrough', async () => {
    suiteOf({ 'a.test': `it('Waits', (done) => { setInterval(() => {}, 1000); }).timeout(0);` });
    const outcome = await startMocha([fileOf('a.test')], { directory: directory.path, runMsMax: 100 })
      .outcome;
    expect([outcome.passed, outcome.failed]).to.deep.equal([0, 1]);
    expect(outcome.failures[0]?.message).to.equal('was not through after 0.1 s');
  });

  /** As the scripts of npm run it. */
  function run(): { status: number | null; counts: string | undefined } {
    const counts = path.join(directory.path, 'counts');
    const words = ['--directory', directory.path, '--counts', counts, 'together', 'alone'];
    const { status } = spawnSync(process.execPath, [RUN_SUITE, ...words]);
    return { status, counts: existsSync(counts) ? readFileSync(counts, 'utf8') : undefined };
  }

  it('CountsAllPassesAndEndsWithAFailureWhenOneOfThemHadOne', () => {
    const [passes, fails] = [`it('Passes', () => {});`, `it('Fails', () => { throw new Error('no'); });`];
    suiteOf({ 'a.test': passes, 'b.alone': passes });
    expect(run()).to.deep.equal({ status: 0, counts: '2 0\n' });
    write('build/test/a.test.js', fails);
    expect(run()).to.deep.equal({ status: 1, counts: '1 1\n' });
    write('build/test/a.test.js', passes);
    write('build/test/b.alone.js', fails);
    expect(run()).to.deep.equal({ status: 1, counts: '1 1\n' });
  });

  it('CountsNothingWhenItBreaksOff', () => {
    suiteOf({ 'a.test': `it('Passes', () => {});` });
    expect(run()).to.deep.equal({ status: 1, counts: undefined });
  });

  it('EndsAtASignalBehindTheTestThatRunsAndCountsNothing', async () => {
    const place = (name: string): string => path.join(directory.path, name);
    suiteOf({
      'a/one.test': `
        import { writeFileSync } from 'node:fs';
        afterEach(() => writeFileSync('cleaned', ''));
        it('Runs', async () => {
          writeFileSync('begun', '');
          await new Promise((go) => setTimeout(go, 300));
        });
        it('IsNotRun', () => writeFileSync('second', ''));`,
      'b/two.test': `import { writeFileSync } from 'node:fs'; it('IsNotRun', () => writeFileSync('second', ''));`,
    });
    const words = [
      '--directory',
      directory.path,
      '--counts',
      place('counts'),
      '--processes',
      '1',
      'together',
    ];
    const child = spawn(process.execPath, [RUN_SUITE, ...words], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    while (!existsSync(place('begun'))) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGINT');
    expect(await ended).to.deep.equal([128 + 2, null]);
    expect(['cleaned', 'second', 'counts'].map((name) => existsSync(place(name)))).to.deep.equal([
      true,
      false,
      false,
    ]);
  });

  it('RunsEachPassThatTheScriptsName', () => {
    const named = [scripts.test, scripts['test:tools']].flatMap((script) =>
      script!.replace(/^.*run-suite\.js /, '').split(' '),
    );
    expect(named).to.deep.equal(Object.keys(PASSES));
  });
});
