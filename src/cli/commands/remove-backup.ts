import { showAddress } from '../../client/address.js';
import { createClient } from '../../client/client.js';
import { KvError } from '../../client/errors.js';
import { systemClock } from '../../clock.js';
import { WHEN_CHANGE_UNCONFIRMED, withTarget } from '../client-command.js';
import type { ClientSession } from '../client-command.js';
import { EXIT } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { CHANGE_TIMEOUT_SECONDS, readFormat, readTimeoutMs, requireNodeAddress } from '../options.js';
import { standardOutput, writeLines } from '../output.js';
import { pause } from '../pause.js';

const POLL_MS = 50;
const ASK_MS = 1000;

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

/** Asks the members that are left who the primary is; undefined when none says so in time. */
async function successorOf(session: ClientSession, gone: string): Promise<string | undefined> {
  const { client, endMs, remaining } = session;
  while (endMs - systemClock.nowMs() > POLL_MS) {
    // It was removed, whatever becomes of the questions behind that.
    const report = await client.status(remaining()).catch(() => undefined);
    if (report?.facts.get('role') === 'backup') {
      const named = report.facts.get('primary');
      if (named !== undefined && named !== 'none' && named !== gone) return named;
      // Nobody tells it who came after it.
      const left = report.members.map((member) => member.get('member') ?? gone);
      for (const address of left) if (address !== gone && (await isPrimary(address, endMs))) return address;
    }
    await pause(systemClock, POLL_MS);
  }
  return undefined;
}

async function isPrimary(address: string, endMs: number): Promise<boolean> {
  const timeoutMs = Math.max(1, Math.min(ASK_MS, endMs - systemClock.nowMs()));
  const client = createClient({ address, timeoutMs, whenUnreachable: 'fail' });
  try {
    return (await client.status()).facts.get('role') === 'primary';
  } catch (error) {
    if (error instanceof KvError) return false;
    throw error;
  } finally {
    client.close();
  }
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
