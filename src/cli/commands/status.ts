import type { StatusReport } from '../../client/answers.js';
import { showAddress } from '../../client/address.js';
import { createClient } from '../../client/client.js';
import { KvError } from '../../client/errors.js';
import { systemClock } from '../../clock.js';
import { WHEN_CHANGE_UNCONFIRMED, withClient } from '../client-command.js';
import type { Invocation } from '../invocation.js';
import { EXIT } from '../exit.js';
import { explain } from '../explain.js';
import type { Target } from '../explain.js';
import { readFormat, readServerAddress, readTimeoutMs } from '../options.js';
import type { Format } from '../options.js';
import { standardOutput, writeLines } from '../output.js';
import type { Output } from '../output.js';
import { formatStatusLines, formatStatusTable, painter, statusJson } from '../status-view.js';
import { watch } from '../watch.js';

export async function run(invocation: Invocation): Promise<number> {
  const format = readFormat(invocation);
  const output = standardOutput(process.env);
  if (invocation.flags.has('watch')) return runWatch(invocation, format, output);
  return withClient(invocation, async ({ client, remaining }) => {
    const report = await client.status(remaining());
    if (format === 'json') await output.write(`${JSON.stringify(statusJson(report), undefined, 2)}\n`);
    else await writeLines(output, await textLines(report, output));
    return EXIT.done;
  });
}

async function textLines(report: StatusReport, output: Output): Promise<string[]> {
  if (!output.isTerminal) return formatStatusLines(report);
  return formatStatusTable(report, await painter(output.colour));
}

/** Ends with Ctrl-C. A node that cannot be reached is asked again: to see it come back is what a watch is for. */
async function runWatch(invocation: Invocation, format: Format, output: Output): Promise<number> {
  const target: Target = {
    address: readServerAddress(invocation, process.env),
    option: '--address',
    timeoutMs: readTimeoutMs(invocation),
    whenUnconfirmed: WHEN_CHANGE_UNCONFIRMED,
  };
  const { address, timeoutMs } = target;
  const client = createClient({ address, timeoutMs, whenUnreachable: 'fail' });
  const stop = new AbortController();
  const onSignal = (): void => {
    stop.abort();
  };
  process.once('SIGINT', onSignal);
  const ask = async (): Promise<readonly string[]> => {
    try {
      const report = await client.status({ signal: stop.signal });
      return format === 'json' ? [JSON.stringify(statusJson(report))] : await textLines(report, output);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      return trouble(error, target, format);
    }
  };
  try {
    await watch({ ask, output, clock: systemClock, isSpaced: format === 'text', stop: stop.signal });
    return EXIT.done;
  } finally {
    process.off('SIGINT', onSignal);
    client.close();
  }
}

function trouble(error: KvError, target: Target, format: Format): string[] {
  const { message } = explain(error, target);
  const address = showAddress(target.address);
  if (format === 'json') return [JSON.stringify({ error: { code: error.code, message, address } })];
  return [message, `${address} is asked again each second.`];
}
