import { showAddress } from '../../client/address.js';
import { WHEN_CHANGE_UNCONFIRMED, withTarget } from '../client-command.js';
import { EXIT } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { CHANGE_TIMEOUT_SECONDS, readFormat, readTimeoutMs, requireNodeAddress } from '../options.js';
import { standardOutput, writeLines } from '../output.js';

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
  return withTarget(target, async ({ client, remaining }) => {
    const backupIsDown = invocation.flags.has('backup-is-down');
    await client.removeBackup(backup, { ...remaining(), backupIsDown });
    const output = standardOutput(process.env);
    if (format === 'json') await output.write(`${JSON.stringify({ primary, backup, state: 'removed' })}\n`);
    else await writeLines(output, removed(primary, backup));
    return EXIT.done;
  });
}

function removed(primary: string, backup: string): string[] {
  return [
    `${backup} takes part no more.`,
    `Next: stop it, or bring it back with "kv add-backup --primary ${primary} --backup ${backup}".`,
  ];
}
