import { showWord } from '../../protocol/quoting.js';
import { keyOperand, withClient } from '../client-command.js';
import type { Invocation } from '../invocation.js';
import { CommandError, EXIT, UsageError } from '../exit.js';
import { standardOutput } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const key = keyOperand(invocation);
  if (key.length === 0) throw new UsageError('KEY is empty');
  return withClient(invocation, async ({ client, remaining }) => {
    const found = await client.delete(key, remaining());
    if (!found) throw new CommandError(EXIT.noSuchKey, `no such key: ${showWord(key, false)}`);
    await standardOutput(process.env).write('OK\n');
    return EXIT.done;
  });
}
