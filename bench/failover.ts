import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { Writers } from './failover/writers.js';
import { removeDirectory, scratchDirectory } from './leftovers.js';
import { isBusy, loadLine, machineLines, machineOf } from './machine.js';
import { OwnCluster } from './own-cluster.js';
import { percentileOf } from './statistics.js';

/**
 * How long a client that follows the primary cannot write when the primary is killed, and when it is told to stop, with three nodes that
 * make their own primary and everything else as it is where nobody says anything.
 */

/** Not measured: processes that have just been started have to be compiled first, and new nodes vote for nobody for 3 s. */
const KILLS_BEFORE = 1;
const HAND_OVERS_BEFORE = 3;

const USAGE = `npm run bench:failover -- [--kills 100] [--hand-overs 100] [--callers 4] [--interval 2] [--directory DIR]
  [--json FILE]`;

interface Settings {
  readonly kills: number;
  readonly handOvers: number;
  readonly callers: number;
  /** Between an answer and the next write of the same caller. */
  readonly intervalMs: number;
  readonly directory: string;
  readonly json: string | undefined;
}

interface Summary {
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly leastMs: number;
  readonly mostMs: number;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '100' },
      'hand-overs': { type: 'string', default: '100' },
      callers: { type: 'string', default: '4' },
      interval: { type: 'string', default: '2' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
    },
  });
  const [kills, handOvers] = [Number(values.kills), Number(values['hand-overs'])];
  const [callers, intervalMs] = [Number(values.callers), Number(values.interval)];
  const areWhole = [kills, handOvers, callers].every((each) => Number.isInteger(each) && each >= 0);
  if (!areWhole || callers === 0 || !(intervalMs >= 0)) throw new Error(`usage: ${USAGE}`);
  return { kills, handOvers, callers, intervalMs, directory: values.directory, json: values.json };
}

function progress(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
}

/** From the kill to the first acknowledged write that was begun after it. */
async function oneKill(cluster: OwnCluster, writers: Writers): Promise<number> {
  const { address } = await cluster.whole();
  await writers.firstAfter(performance.now());
  writers.forget();
  const killedMs = cluster.kill(address);
  const elapsedMs = (await writers.firstAfter(killedMs)) - killedMs;
  await cluster.restart(address);
  return elapsedMs;
}

/** From the signal until the old primary has ended and somebody else has acknowledged a write. */
async function oneHandOver(
  cluster: OwnCluster,
  writers: Writers,
): Promise<{ readonly pauseMs: number; readonly writeMs: number }> {
  const { address, term } = await cluster.whole();
  writers.forget();
  await writers.firstAfter(performance.now());
  const { atMs, ended } = cluster.stop(address);
  await ended;
  await writers.firstAfter(performance.now());
  const measured = { pauseMs: writers.longestPauseFrom(atMs), writeMs: writers.longestWriteFrom(atMs) };
  await cluster.restart(address);
  const after = await cluster.whole();
  if (after.term === term) throw new Error('nobody took over');
  return measured;
}

function summaryOf(values: readonly number[]): Summary {
  return {
    count: values.length,
    medianMs: percentileOf(values, 0.5),
    p99Ms: percentileOf(values, 0.99),
    leastMs: percentileOf(values, 0),
    mostMs: percentileOf(values, 1),
  };
}

function lineOf(title: string, { count, medianMs, p99Ms, leastMs, mostMs }: Summary): string {
  const show = (milliseconds: number): string => milliseconds.toFixed(0).padStart(6);
  const values = [medianMs, p99Ms, leastMs, mostMs].map(show).join(' ');
  return `${title.padEnd(58)} ${String(count).padStart(5)} ${values}`;
}

const settings = readSettings();
const machine = machineOf(settings.directory);
const wasBusy = isBusy();
console.log(machineLines(machine).join('\n'));
console.log(
  `cluster    3 nodes on this machine, --failover auto, --fsync always, --acks majority; ${String(settings.callers)} callers of one client, a write each and then ${String(settings.intervalMs)} ms`,
);
console.log(
  `not measured  the first ${String(KILLS_BEFORE)} kill and ${String(HAND_OVERS_BEFORE)} planned stops, with new nodes and processes`,
);
console.log(loadLine('before'));
const scratch = scratchDirectory(settings.directory);
const cluster = await OwnCluster.start(scratch, { nodes: 3, failover: 'auto' });
const writers = new Writers(cluster.addresses, settings.callers, settings.intervalMs);
const [killsMs, pausesMs, writesMs]: [number[], number[], number[]] = [[], [], []];
if (settings.kills > 0) for (let at = 0; at < KILLS_BEFORE; at++) await oneKill(cluster, writers);
for (let at = 0; at < settings.kills; at++) {
  killsMs.push(await oneKill(cluster, writers));
  if (at % 10 === 9) progress(`${String(at + 1)} kills`);
}
if (settings.handOvers > 0)
  for (let at = 0; at < HAND_OVERS_BEFORE; at++) await oneHandOver(cluster, writers);
for (let at = 0; at < settings.handOvers; at++) {
  const { pauseMs, writeMs } = await oneHandOver(cluster, writers);
  pausesMs.push(pauseMs);
  writesMs.push(writeMs);
  if (at % 10 === 9) progress(`${String(at + 1)} planned stops`);
}
await writers.end();
await cluster.end();
removeDirectory(scratch);
const results = {
  ...(killsMs.length === 0 ? {} : { killToFirstWrite: summaryOf(killsMs) }),
  ...(pausesMs.length === 0
    ? {}
    : { pauseAtPlannedStop: summaryOf(pausesMs), longestWriteAtPlannedStop: summaryOf(writesMs) }),
};
const titles = {
  killToFirstWrite: 'kill -9 of the primary: to the first acknowledged write',
  pauseAtPlannedStop: 'SIGTERM to the primary: longest pause between two answers',
  longestWriteAtPlannedStop: 'SIGTERM to the primary: longest that a write took',
};
const heads = ['times', 'median', 'p99', 'least', 'most'];
console.log(
  `\n${'milliseconds'.padEnd(58)} ${heads
    .map((head) => head.padStart(6))
    .join(' ')
    .slice(1)}`,
);
for (const [name, summary] of Object.entries(results)) {
  console.log(lineOf(titles[name as keyof typeof titles], summary));
}
console.log(`calls that failed: ${String(writers.failed)}`);
console.log(`\n${loadLine('after')}`);
if (wasBusy) console.log('Others were at work on this machine when it began: the figures are worth little.');
if (settings.json !== undefined) {
  const each = { killsMs, pausesMs, writesMs };
  const report = { machine, settings, wasBusy, failed: writers.failed, results, each };
  writeFileSync(settings.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
