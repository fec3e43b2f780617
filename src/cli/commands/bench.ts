import type { KvClient } from '../../client/client.js';
import { KvError } from '../../client/errors.js';
import { systemClock } from '../../clock.js';
import { runLoad } from '../bench/load.js';
import type { Measurement } from '../bench/load.js';
import { readBenchPlan } from '../bench/plan.js';
import type { BenchPlan } from '../bench/plan.js';
import { progressText, reportJson, reportLines } from '../bench/report.js';
import { withClient } from '../client-command.js';
import { EXIT } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { readFormat } from '../options.js';
import { standardOutput, writeLines } from '../output.js';
import { progressLine } from '../progress.js';

/** What a shell answers for a command that Ctrl-C ended. */
const INTERRUPTED = 130;
/** Keys that are deleted with one request. */
const CLEAN_KEYS = 10_000;

export async function run(invocation: Invocation): Promise<number> {
  const format = readFormat(invocation);
  const plan = readBenchPlan(invocation, process.env);
  return withClient(invocation, async ({ client, remaining }) => {
    await client.ping(remaining());
    const measured = await measure(plan);
    const isThere = measured.ended !== 'lost';
    const cleaned = plan.isCleaned && isThere ? await clean(client, plan) : undefined;
    const report = { plan, measured, cleaned: cleaned instanceof KvError ? undefined : cleaned };
    const lines =
      format === 'json' ? [JSON.stringify(reportJson(report), undefined, 2)] : reportLines(report);
    await writeLines(standardOutput(process.env), lines);
    // The figures first: they are good whatever became of the keys.
    if (cleaned instanceof KvError) throw cleaned;
    return exitCode(measured);
  });
}

/** The first Ctrl-C ends the measurement and keeps its figures, a second one the process. */
async function measure(plan: BenchPlan): Promise<Measurement> {
  const stop = new AbortController();
  const onSignal = (): void => {
    stop.abort();
  };
  process.once('SIGINT', onSignal);
  const line = progressLine(process.stderr);
  try {
    return await runLoad({
      plan,
      clock: systemClock,
      progress: (progress) => {
        line.show(progressText(progress));
      },
      stop: stop.signal,
    });
  } finally {
    line.end();
    process.off('SIGINT', onSignal);
  }
}

/** How many of the keys there were. */
async function clean(client: KvClient, { prefix, keys, timeoutMs }: BenchPlan): Promise<number | KvError> {
  let cleaned = 0;
  try {
    for (let from = 0; from < keys; from += CLEAN_KEYS) {
      const count = Math.min(CLEAN_KEYS, keys - from);
      const words = Array.from({ length: count }, (_, at) => `${prefix}${String(from + at)}`);
      const reply = await client.command(['DEL', ...words], { timeoutMs });
      if (reply.kind === 'integer') cleaned += reply.value;
    }
    return cleaned;
  } catch (error) {
    if (error instanceof KvError) return error;
    throw error;
  }
}

function exitCode({ ended, reads, writes, errors }: Measurement): number {
  if (ended === 'interrupted') return INTERRUPTED;
  if (ended === 'lost') return EXIT.unreachable;
  return errors.length > 0 && reads.count + writes.count === 0 ? EXIT.refused : EXIT.done;
}
