import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCase } from './comparison.js';
import type { CaseResult, Figure, FigureResult } from './comparison.js';
import { allFigures, chosenFigures } from './figures.js';
import { removeDirectory, scratchDirectory } from './leftovers.js';
import { isBusy, loadLine, machineLines, machineOf } from './machine.js';
import { findInstalled } from './peers.js';
import { chartOf } from './report/chart.js';
import { markdownOf } from './report/markdown.js';
import { pageWith } from './report/page.js';
import type { Report } from './report/report.js';
import { tableOf } from './report/text-table.js';
import { readSettings } from './settings.js';
import type { Settings } from './settings.js';

/**
 * This project beside its peers, as they are installed, in one run: throughput, processor time and latencies at the same
 * durability and with the same number of copies, memory, starts, snapshots, and what a new backup costs. It writes nothing
 * but to stdout and what `--json`, `--markdown` and `--chart` name; its servers keep their data in `--directory`.
 */

function progress(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}

const failures: string[] = [];

async function run(figure: Figure, settings: Settings, scratch: string): Promise<FigureResult> {
  const { name, title, notes, metrics } = figure;
  const rounds = figure.isAtOnce === true ? 1 : settings.rounds;
  const results: CaseResult[] = [];
  let directories = 0;
  for (const each of figure.cases.filter((one) => one.name.includes(settings.caseName))) {
    const directory = (): string => path.join(scratch, `${name}-${String(directories++)}`);
    try {
      results.push(await runCase(figure, each, { rounds, directory, progress }));
    } catch (error) {
      // The others are worth having without it.
      failures.push(`${name}, ${each.name}: ${error instanceof Error ? error.message : String(error)}`);
      progress(failures.at(-1) ?? '');
    }
  }
  return { name, title, notes, metrics, rounds, results };
}

function write(report: Report, { json, markdown, chart }: Settings): void {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (markdown !== undefined) {
    const page = existsSync(markdown) ? readFileSync(markdown, 'utf8') : undefined;
    writeFileSync(markdown, pageWith(markdownOf(report), page));
  }
  if (chart === undefined) return;
  const drawn = chartOf(report);
  if (drawn === undefined) progress('nothing was compared with a peer, so there is no chart');
  else writeFileSync(chart, drawn);
}

const settings = readSettings(process.argv.slice(2));
const installed = findInstalled();
const machine = machineOf(settings.directory);
const wasBusy = isBusy();
console.log(machineLines(machine).join('\n'));
const versions = {
  ...Object.fromEntries(installed.peers.slice(0, 1).map(({ name, version }) => [name, version])),
  ...Object.fromEntries(installed.versions),
};
for (const [name, version] of Object.entries(versions)) console.log(`${name.padEnd(16)} ${version}`);
for (const line of installed.missing) console.log(`missing    ${line}`);
const figures = chosenFigures(allFigures(settings.sizes, installed, progress), settings);
console.log(loadLine('before'));
const scratch = scratchDirectory(settings.directory);
const results: FigureResult[] = [];
for (const figure of figures) {
  const result = await run(figure, settings, scratch);
  if (result.results.length === 0) continue;
  results.push(result);
  console.log(`\n${tableOf(result).join('\n')}`);
}
removeDirectory(scratch);
console.log(`\n${loadLine('after')}`);
for (const failure of failures) console.log(`not measured  ${failure}`);
if (failures.length > 0) process.exitCode = 1;
if (wasBusy) console.log('Others were at work on this machine when it began: the figures are worth little.');
const { isQuick, rounds } = settings;
const date = new Date().toISOString().slice(0, 10);
write(
  { date, isQuick, rounds, machine, versions, missing: installed.missing, failures, wasBusy, results },
  settings,
);
