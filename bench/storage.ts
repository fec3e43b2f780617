import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runCase } from './comparison.js';
import type { CaseResult, Figure, FigureResult } from './comparison.js';
import { tableOf } from './comparison-table.js';
import { removeDirectory, scratchDirectory } from './leftovers.js';
import { isBusy, loadLine, machineLines, machineOf } from './machine.js';
import { findPeers, versionOf } from './peers.js';
import type { Peer } from './peers.js';
import { churnFigure } from './storage/churn.js';
import { loadFigure } from './storage/load.js';
import { memoryFigure } from './storage/memory.js';
import { FULL, QUICK } from './storage/sizes.js';
import type { Sizes } from './storage/sizes.js';
import { snapshotFigure } from './storage/snapshot.js';
import { throughputFigure } from './storage/throughput.js';

/**
 * What storage costs, with Redis beside it in the same run: memory, the time of a start, snapshots, throughput, and memory
 * after long churn. It writes nothing but to stdout and what `--json` names; its servers keep their data in `--directory`.
 */

const USAGE = `npm run bench:storage -- [--only memory|load|snapshot|throughput|churn]… [--case TEXT] [--rounds 3] [--quick]
  [--minutes 15] [--rate 5000] [--directory DIR] [--json FILE]`;

interface Settings {
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly only: readonly string[];
  readonly caseName: string;
  readonly directory: string;
  readonly json: string | undefined;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      case: { type: 'string', default: '' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      rate: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
    },
  });
  const base = values.quick ? QUICK : FULL;
  const churn = {
    ...base.churn,
    minutes: Number(values.minutes ?? base.churn.minutes),
    operationsPerSecond: Number(values.rate ?? base.churn.operationsPerSecond),
  };
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!(Number.isInteger(rounds) && rounds > 0 && churn.minutes > 0 && churn.operationsPerSecond > 0)) {
    throw new Error(`usage: ${USAGE}`);
  }
  const { only, directory, json } = values;
  return { sizes: { ...base, churn }, rounds, only, caseName: values.case, directory, json };
}

function progress(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}

function chosenFigures({ sizes, only }: Settings): Figure[] {
  const all = [
    memoryFigure(sizes),
    loadFigure(sizes),
    snapshotFigure(sizes),
    throughputFigure(sizes),
    churnFigure(sizes, progress),
  ];
  const unknown = only.find((name) => !all.some((figure) => figure.name === name));
  if (unknown !== undefined) throw new Error(`there is no figure ${unknown}; usage: ${USAGE}`);
  return only.length === 0 ? all : all.filter((figure) => only.includes(figure.name));
}

async function run(
  figure: Figure,
  peers: readonly Peer[],
  settings: Settings,
  scratch: string,
): Promise<FigureResult> {
  const { name, title, notes, metrics } = figure;
  const rounds = figure.isAtOnce === true ? 1 : settings.rounds;
  const results: CaseResult[] = [];
  let directories = 0;
  for (const each of figure.cases.filter((one) => one.name.includes(settings.caseName))) {
    const directory = (): string => path.join(scratch, `${name}-${String(directories++)}`);
    results.push(await runCase(figure, each, { peers, rounds, directory, progress }));
  }
  return { name, title, notes, metrics, rounds, results };
}

const settings = readSettings();
const figures = chosenFigures(settings);
const { peers, missing } = findPeers();
const machine = machineOf(settings.directory);
const wasBusy = isBusy();
console.log(machineLines(machine).join('\n'));
for (const peer of peers) {
  console.log(`${peer.name.padEnd(11)}${peer.version}: ${peer.settings('off')}; ${peer.settings('always')}`);
}
for (const line of missing) console.log(`missing    ${line}`);
const hasBenchmark = versionOf('redis-benchmark') !== undefined;
if (!hasBenchmark)
  console.log('missing    redis-benchmark is not installed, so no throughput: apt-get install redis-tools');
console.log(loadLine('before'));
const scratch = scratchDirectory(settings.directory);
const results: FigureResult[] = [];
for (const figure of figures) {
  if (figure.name === 'throughput' && !hasBenchmark) continue;
  const result = await run(figure, peers, settings, scratch);
  results.push(result);
  console.log(`\n${tableOf(result).join('\n')}`);
}
removeDirectory(scratch);
console.log(`\n${loadLine('after')}`);
if (wasBusy) console.log('Others were at work on this machine when it began: the figures are worth little.');
if (settings.json !== undefined) {
  const versions = Object.fromEntries(peers.map((peer) => [peer.name, peer.version]));
  writeFileSync(settings.json, `${JSON.stringify({ machine, versions, wasBusy, results }, undefined, 2)}\n`);
}
