import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { casesOf, fill } from './cases.js';
import type { Case, Sizes } from './cases.js';
import { removeDirectory, scratchDirectory } from './leftovers.js';
import { Reader, encode } from './reader.js';
import type { Framing } from './reader.js';
import { PingWatch, startServer } from './server-process.js';
import type { BenchServer } from './server-process.js';

/**
 * How long one client's pings wait while another one asks for much: the longest wait of each round, for each kind of request.
 * Three processes: the server, the client that asks, and the client that pings.
 */

const USAGE = `npm run bench:fairness -- [--keys 1000000] [--value-mib 64] [--rounds 3] [--framing line|resp|both]
  [--only TEXT] [--json FILE]`;

interface Row {
  readonly framing: Framing | 'idle';
  readonly name: string;
  /** The longest wait of each round. */
  readonly longestMs: readonly number[];
  readonly p99Ms: number;
  readonly pings: number;
  /** How long a round took. */
  readonly tookMs: number;
  readonly failure?: string;
}

interface Settings {
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly framings: readonly Framing[];
  readonly only: string;
  readonly json: string | undefined;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '1000000' },
      'value-mib': { type: 'string', default: '64' },
      rounds: { type: 'string', default: '3' },
      framing: { type: 'string', default: 'both' },
      only: { type: 'string', default: '' },
      json: { type: 'string' },
    },
  });
  const framings = (['line', 'resp'] as const).filter(
    (each) => values.framing === 'both' || values.framing === each,
  );
  const [keys, mib, rounds] = [values.keys, values['value-mib'], values.rounds].map(Number);
  if (!keys || !mib || !rounds || framings.length === 0) throw new Error(`usage: ${USAGE}`);
  const sizes = { keys, valueBytes: mib * 1024 * 1024 };
  return { sizes, rounds, framings, only: values.only, json: values.json };
}

/** Several rounds of one case beside the pings. What it is refused is told, and no end of the others. */
async function measure(
  watch: PingWatch,
  framing: Framing,
  each: Case,
  reader: Reader,
  setup: Reader,
  rounds: number,
): Promise<Row> {
  const reports = [];
  const begunMs = performance.now();
  let tookMs = 0;
  try {
    await each.prepare?.(setup);
    // A snapshot that is due is written now, and not beside what is measured.
    await setup.ask(encode('resp', ['SNAPSHOT']));
    for (let round = 0; round < rounds; round++) {
      const fromMs = performance.now();
      reports.push(await watch.during(() => each.run(reader)));
      tookMs = performance.now() - fromMs;
    }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    const { name } = each;
    return { framing, name, longestMs: [], p99Ms: 0, pings: 0, tookMs: performance.now() - begunMs, failure };
  }
  return {
    framing,
    name: each.name,
    longestMs: reports.map((report) => report.longestMs),
    p99Ms: Math.max(...reports.map((report) => report.p99Ms)),
    pings: reports.reduce((sum, report) => sum + report.pings, 0),
    tookMs,
    ...(/^(-|ERROR )/.test(reader.head) ? { failure: reader.head.slice(0, 60) } : {}),
  };
}

function show(row: Row): string {
  const ms = (value: number): string => value.toFixed(1).padStart(8);
  const longest = row.longestMs.map(ms).join('');
  const failure = row.failure === undefined ? '' : `  ${row.failure.split(/[\r\n]/)[0] ?? ''}`;
  const what = `${row.framing.padEnd(5)}${row.name.padEnd(44)}`;
  return `${what}${longest}  p99${ms(row.p99Ms)}  ${String(row.pings).padStart(6)} pings ${row.tookMs.toFixed(0).padStart(7)} ms${failure}`;
}

async function measureAll(server: BenchServer, watch: PingWatch, settings: Settings): Promise<Row[]> {
  const { sizes, rounds, framings, only } = settings;
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    console.log(show(row));
  };
  const filler = await Reader.connect(server.host, server.port, 'resp');
  console.error(`setting ${sizes.keys.toLocaleString('en')} keys …`);
  add(
    await measure(
      watch,
      'line',
      { name: 'setting all keys', run: (reader) => fill(reader, sizes.keys) },
      filler,
      filler,
      1,
    ),
  );
  const idle = {
    name: 'nothing, for two seconds',
    run: () => new Promise((resolve) => setTimeout(resolve, 2000)),
  };
  add({ ...(await measure(watch, 'line', idle, filler, filler, rounds)), framing: 'idle' });
  for (const framing of framings) {
    for (const each of casesOf(framing, sizes)) {
      if (!each.name.includes(only)) continue;
      const reader = await Reader.connect(server.host, server.port, framing);
      add(await measure(watch, framing, each, reader, filler, rounds));
      reader.close();
    }
  }
  filler.close();
  return rows;
}

const settings = readSettings();
const directory = scratchDirectory(tmpdir());
try {
  const server = await startServer(path.join(directory, 'kv-store.json'), [
    '--fsync',
    'off',
    '--log-level',
    'warn',
  ]);
  console.log(`Node ${process.version}; the longest wait of a ping in each round, in milliseconds`);
  const watch = await PingWatch.start(server);
  const rows = await measureAll(server, watch, settings).finally(async () => {
    await watch.stop();
    await server.stop();
  });
  if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify(rows, undefined, 2)}\n`);
} finally {
  removeDirectory(directory);
}
