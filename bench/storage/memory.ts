import { contendersOf } from '../comparison.js';
import type { Figure, Sample } from '../comparison.js';
import { load } from '../entries.js';
import type { Peer } from '../peers.js';
import { memoryOf, proportionalBytesOf } from '../process-files.js';
import { removeDirectory } from '../leftovers.js';
import { settledResidentBytes } from './settling.js';
import { SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';

const MIB = 1024 * 1024;

export function memoryFigure({ entries, settledMs }: Sizes, peers: readonly Peer[]): Figure {
  return {
    name: 'memory',
    title: `memory of ${entries.toLocaleString('en')} entries of 16 B + ${String(SMALL_VALUE_BYTES)} B, set through the wire`,
    notes: [
      'A new server each round, nothing synced. VmRSS; Pss counts pages that processes share in part.',
      'Settled is when it no longer changes. Per entry is settled minus empty; the data itself is 80 B.',
    ],
    metrics: [
      { name: 'empty', unit: 'MiB', digits: 1 },
      { name: 'right after the last entry', unit: 'MiB', digits: 1 },
      { name: 'highest so far', unit: 'MiB', digits: 1 },
      { name: 'settled', unit: 'MiB', digits: 1 },
      { name: 'settled, as Pss', unit: 'MiB', digits: 1 },
      { name: 'per entry', unit: 'B', digits: 1 },
      { name: 'per entry, the whole server', unit: 'B', digits: 1 },
    ],
    cases: [
      {
        name: `${entries.toLocaleString('en')} entries`,
        contenders: contendersOf(
          peers,
          (peer) => peer.settings('off'),
          (peer, directory) =>
            Promise.resolve({
              measure: (round) => measure(peer, `${directory}/${String(round)}`, entries, settledMs),
              close: () => Promise.resolve(),
            }),
        ),
        goals: [
          {
            work: `resident memory per entry, ${entries.toLocaleString('en')} of 16 B + ${String(SMALL_VALUE_BYTES)} B`,
            metric: 'per entry',
            against: 'Redis',
            better: 'less',
            bound: 0.8,
            aim: 0.6,
          },
        ],
      },
    ],
  };
}

async function measure(peer: Peer, directory: string, entries: number, settledMs: number): Promise<Sample> {
  const server = await peer.start(directory, 'off');
  try {
    const { processId } = server;
    const empty = await settledResidentBytes(processId, settledMs);
    await load(server, { entries, valueBytes: SMALL_VALUE_BYTES });
    const loaded = memoryOf(processId);
    const settled = await settledResidentBytes(processId, settledMs);
    return {
      empty: empty / MIB,
      'right after the last entry': loaded.residentBytes / MIB,
      'highest so far': loaded.peakResidentBytes / MIB,
      settled: settled / MIB,
      'settled, as Pss': proportionalBytesOf(processId) / MIB,
      'per entry': (settled - empty) / entries,
      'per entry, the whole server': settled / entries,
    };
  } finally {
    await server.kill();
    removeDirectory(directory);
  }
}
