import type { Contender, Sample, Subject } from '../comparison.js';
import { pause } from '../first-answer.js';
import { removeDirectory } from '../leftovers.js';
import type { LoadPlan } from '../load/conversation.js';
import { LoadClients, fillBy } from '../load/load-clients.js';
import { processorMsOf } from '../process-files.js';
import type { BenchServer } from '../server-process.js';
import { CLIENTS, SMALL_VALUE_BYTES } from '../sizes.js';
import type { Sizes } from '../sizes.js';
import { sampleOf } from './metrics.js';
import type { RunFigures } from './metrics.js';

/** What the clients of this bench do, instead of redis-benchmark. */
export interface DrivenWork {
  /** The share of reads of each test, in percent. */
  readonly tests: Readonly<Record<string, number>>;
  readonly pipeline: number;
  readonly keys: number;
}

/** Somebody who is driven by the clients of this bench. */
export interface Driven {
  readonly name: string;
  readonly settings: string;
  readonly protocol: LoadPlan['protocol'];
  readonly isWaitedFor?: boolean;
  /** The one that is written to first. */
  start(directory: string): Promise<readonly BenchServer[]>;
}

export function drivenNotes({ clientProcesses }: Sizes): string[] {
  const processes = clientProcesses === 1 ? 'one process' : `${String(clientProcesses)} processes`;
  return [
    `The clients are those of this bench: ${String(CLIENTS)} connections of ${processes}, for everybody the same. Each sends a batch, waits`,
    'until all of it is answered, and sends the next one; the latency is that of the whole batch.',
  ];
}

export function drivenContender(driven: Driven, work: DrivenWork, sizes: Sizes): Contender {
  return {
    name: driven.name,
    settings: driven.settings,
    prepare: async (directory): Promise<Subject> => {
      const servers = await driven.start(directory);
      const loads = new Map<string, LoadClients>();
      const close = async (): Promise<void> => {
        for (const clients of loads.values()) await clients.stop();
        for (const server of servers) await server.kill();
        removeDirectory(directory);
      };
      try {
        await warmUp(loads, planOf(servers, driven, work), work, sizes);
      } catch (error) {
        // What was begun would be in the way of all that is measured after it.
        await close();
        throw error;
      }
      return {
        measure: async () => {
          let sample: Sample = {};
          for (const [test, clients] of loads) {
            sample = { ...sample, ...sampleOf(test, await measure(servers, clients, sizes.runMs)) };
          }
          return sample;
        },
        close,
      };
    },
  };
}

/** Sets all keys, and has clients for each test that have been at work for a while. */
async function warmUp(
  loads: Map<string, LoadClients>,
  plan: LoadPlan,
  { tests }: DrivenWork,
  { clientProcesses, warmUpMs }: Sizes,
): Promise<void> {
  await fillBy(plan);
  for (const [test, readsPercent] of Object.entries(tests)) {
    const clients = await LoadClients.start({ ...plan, readsPercent }, clientProcesses);
    loads.set(test, clients);
    await clients.during(() => pause(warmUpMs));
  }
}

function planOf(servers: readonly BenchServer[], driven: Driven, { pipeline, keys }: DrivenWork): LoadPlan {
  const [primary] = servers;
  if (primary === undefined) throw new Error('nobody was started');
  const { host, port } = primary;
  return {
    host,
    port,
    protocol: driven.protocol,
    clients: CLIENTS,
    pipeline,
    readsPercent: 0,
    keys,
    valueBytes: SMALL_VALUE_BYTES,
    isWaitedFor: driven.isWaitedFor ?? false,
  };
}

async function measure(
  servers: readonly BenchServer[],
  clients: LoadClients,
  runMs: number,
): Promise<RunFigures> {
  const beforeMs = servers.map(({ processId }) => processorMsOf(processId));
  const report = await clients.during(() => pause(runMs));
  const usedMs = servers.map(({ processId }, at) => processorMsOf(processId) - (beforeMs[at] ?? 0));
  return { ...report, serversUs: usedMs.map((each) => (each * 1000) / report.requests) };
}
