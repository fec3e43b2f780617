import { showWord } from '../../protocol/quoting.js';
import { keyOperand, withClient } from '../client-command.js';
import type { Invocation } from '../invocation.js';
import { CommandError, EXIT, UsageError } from '../exit.js';
import { readFormat } from '../options.js';
import type { Format } from '../options.js';
import { jsonMember, showOnTerminal, standardOutput } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const key = keyOperand(invocation);
  if (key.length === 0) throw new UsageError('KEY is empty');
  const format = readFormat(invocation);
  return withClient(invocation, async ({ client, remaining }) => {
    const value = await client.get(key, remaining());
    if (value === undefined) throw new CommandError(EXIT.noSuchKey, `no such key: ${showWord(key, false)}`);
    const output = standardOutput(process.env);
    await output.write(formatValue(key, value, format, output.isTerminal));
    return EXIT.done;
  });
}

/** The value as it is printed. */
export function formatValue(
  key: Buffer,
  value: Buffer,
  format: Format,
  isTerminal: boolean,
): string | Buffer {
  if (format === 'json') {
    return `${JSON.stringify({ ...jsonMember('key', key), ...jsonMember('value', value) })}\n`;
  }
  return isTerminal ? `${showOnTerminal(value, true)}\n` : value;
}
