import { cpSync } from 'node:fs';
import { keyOf, load } from '../entries.js';
import { askUntilAnswered } from '../first-answer.js';
import { contendersOf } from '../comparison.js';
import type { Case, Figure, Sample, Subject } from '../comparison.js';
import type { Goal } from '../goals.js';
import { removeDirectory } from '../leftovers.js';
import { UNDERSTUDY } from '../peers.js';
import type { Peer, Source } from '../peers.js';
import { memoryOf, processorMsOf } from '../process-files.js';
import { encode } from '../reader.js';
import { freePort } from '../redis-process.js';
import { SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';

const MIB = 1024 * 1024;

export function loadFigure({ entries }: Sizes, peers: readonly Peer[]): Figure {
  const count = entries.toLocaleString('en');
  return {
    name: 'load',
    title: `start with ${count} entries of 16 B + ${String(SMALL_VALUE_BYTES)} B, until a GET is answered`,
    notes: [
      'From the start of the process, on a copy of the same files each round; the files are in the memory of the system.',
      'The log of Redis is its AOF as it was written first. Ours is left by kill -9, before any snapshot was written.',
    ],
    metrics: [
      { name: 'first GET answered', unit: 'ms', digits: 0 },
      { name: 'said that it is ready', unit: 'ms', digits: 0 },
      { name: 'CPU until then', unit: 'ms', digits: 0 },
      { name: 'highest memory', unit: 'MiB', digits: 1 },
    ],
    cases: [
      caseOf('from the JSON file; Redis: RDB', 'snapshot', entries, peers, { bound: 2, aim: 1 }),
      caseOf('from the log; Redis: AOF', 'log', entries, peers, { bound: 0.7, aim: 0.35 }),
    ],
  };
}

function caseOf(
  name: string,
  source: Source,
  entries: number,
  peers: readonly Peer[],
  limits: Pick<Goal, 'bound' | 'aim'>,
): Case {
  const work = `start with ${entries.toLocaleString('en')} entries, ${name}`;
  return {
    name,
    contenders: contendersOf(
      peers,
      (peer) => peer.settingsAgain(source),
      (peer, directory) => prepare(peer, directory, source, entries),
    ),
    goals: [{ work, metric: 'first GET answered', against: 'Redis', better: 'less', ...limits }],
  };
}

async function prepare(peer: Peer, directory: string, source: Source, entries: number): Promise<Subject> {
  const files = `${directory}/files`;
  const server = await peer.startToFill(files, source);
  await load(server, { entries, valueBytes: SMALL_VALUE_BYTES });
  // Redis puts off writing to its AOF while that is being synced, for up to 2 s: only a stop leaves all of it there.
  await (source === 'log' && peer.name === UNDERSTUDY.name ? server.kill() : server.stop());
  return {
    measure: async (round) => {
      const copy = `${directory}/${String(round)}`;
      cpSync(files, copy, { recursive: true });
      return measure(peer, copy, source, entries).finally(() => {
        removeDirectory(copy);
      });
    },
    close: () => {
      removeDirectory(directory);
      return Promise.resolve();
    },
  };
}

async function measure(peer: Peer, directory: string, source: Source, entries: number): Promise<Sample> {
  const port = await freePort();
  const get = encode('resp', ['GET', keyOf(entries - 1)]);
  const startedMs = performance.now();
  const starting = peer.startAgain(directory, source, port);
  const answering = askUntilAnswered({ host: '127.0.0.1', port }, get).then((answer) => {
    if (!answer.toString('latin1').startsWith(`$${String(SMALL_VALUE_BYTES)}\r\n`)) {
      throw new Error(`${peer.name} has lost the last key: ${answer.toString('latin1', 0, 80)}`);
    }
    return performance.now();
  });
  const [server, answeredMs] = await Promise.all([starting, answering]);
  try {
    return {
      'first GET answered': answeredMs - startedMs,
      // Redis says it in its log only.
      ...(peer.name === 'Understudy' ? { 'said that it is ready': server.readyAtMs - startedMs } : {}),
      'CPU until then': processorMsOf(server.processId),
      'highest memory': memoryOf(server.processId).peakResidentBytes / MIB,
    };
  } finally {
    await server.kill();
  }
}
