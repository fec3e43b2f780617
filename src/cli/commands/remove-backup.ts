import { showAddress } from '../../client/address.js';
import { systemClock } from '../../clock.js';
import { WHEN_CHANGE_UNCONFIRMED, withTarget } from '../client-command.js';
import type { ClientSession } from '../client-command.js';
import { EXIT } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { CHANGE_TIMEOUT_SECONDS, readFormat, readTimeoutMs, requireNodeAddress } from '../options.js';
import { standardOutput, writeLines } from '../output.js';
import { pause } from '../pause.js';

const POLL_MS = 50;

export async function run(invocation: Invocation): Promise<number> {
  const address = requireNodeAddress(invocation, 'primary');
  const [primary, backup] = [showAddress(address), showAddress(requireNodeAddress(invocation, 'backup'))];
  const format = readFormat(invocation);
  const target = {
    address,
    option: '--primary',
    timeoutMs: readTimeoutMs(invocation, CHANGE_TIMEOUT_SECONDS),
    whenUnconfirmed: WHEN_CHANGE_UNCONFIRMED,
  } as const;
  return withTarget(target, async (session) => {
    const { client, remaining } = session;
    const backupIsDown = invocation.flags.has('backup-is-down');
    await client.removeBackup(backup, { ...remaining(), backupIsDown });
    // A primary that was removed itself lets another member take over.
    const next = primary === backup ? await successorOf(session, backup) : primary;
    const output = standardOutput(process.env);
    if (format === 'json') {
      await output.write(`${JSON.stringify({ primary: next ?? null, backup, state: 'removed' })}\n`);
    } else await writeLines(output, removed(next, backup, primary === backup));
    return EXIT.done;
  });
}

/** Asks the one that was removed until it knows the next primary; undefined when it does not in time. */
async function successorOf(
  { client, endMs, remaining }: ClientSession,
  gone: string,
): Promise<string | undefined> {
  while (endMs - systemClock.nowMs() > POLL_MS) {
    // It was removed, whatever becomes of the questions behind that.
    const report = await client.status(remaining()).catch(() => undefined);
    const named = report?.facts.get('primary');
    const isKnown = report?.facts.get('role') === 'backup' && named !== undefined && named !== 'none';
    if (isKnown && named !== gone) return named;
    await pause(systemClock, POLL_MS);
  }
  return undefined;
}

function removed(primary: string | undefined, backup: string, wasPrimary: boolean): string[] {
  const gone = `${backup} takes part no more`;
  if (primary === undefined) {
    const advice = 'Next: ask another member with "kv status --address HOST:PORT".';
    return [`${gone}, and does not know yet who takes over.`, advice];
  }
  const back = `"kv add-backup --primary ${primary} --backup ${backup}"`;
  return [
    wasPrimary ? `${gone}, and ${primary} is the primary now.` : `${gone}.`,
    `Next: stop it, or bring it back with ${back}.`,
  ];
}
