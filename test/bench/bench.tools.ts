import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const BENCH = path.join(import.meta.dirname, '..', '..', 'bench', 'bench.js');

interface Report {
  readonly results: readonly {
    readonly name: string;
    readonly results: readonly { readonly samples: Record<string, Record<string, number>[]> }[];
  }[];
}

describe('npm run bench', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'understudy-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('MeasuresTheMemoryOfBothServersAndLeavesOnlyItsReport', () => {
    const json = path.join(directory, 'report.json');
    const words = ['--quick', '--only', 'memory', '--rounds', '1', '--directory', directory, '--json', json];
    const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, ...words], { encoding: 'utf8' });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/^ {4}per entry, B +[\d,.]+ +[\d,.]+ +[\d,.]+$/m);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report.results.map((figure) => figure.name)).to.deep.equal(['memory']);
    const { samples } = report.results[0]!.results[0]!;
    expect(Object.keys(samples)).to.deep.equal(['Understudy', 'Redis']);
    for (const [sample] of Object.values(samples)) expect(sample!['per entry']).to.be.greaterThan(80);
    expect(readdirSync(directory)).to.deep.equal(['report.json']);
  });

  it('RefusesAFigureThatDoesNotExistWithTheOnesThatDo', () => {
    const { status, stderr } = spawnSync(process.execPath, [BENCH, '--only', 'speed'], {
      encoding: 'utf8',
    });
    expect(status).to.equal(1);
    expect(stderr).to.contain('there is no figure speed').and.contain('memory, load, snapshot');
  });
});
