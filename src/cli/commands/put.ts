import { keyOperand, withClient } from '../client-command.js';
import type { Invocation, Operand } from '../invocation.js';
import { EXIT, UsageError } from '../exit.js';
import { readFileBytes, readStandardInput } from '../input.js';
import { standardOutput } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const key = keyOperand(invocation);
  if (key.length === 0) throw new UsageError('KEY is empty');
  const value = invocation.operands[1];
  const file = invocation.values.get('file');
  if (value !== undefined && file !== undefined) {
    throw new UsageError('the value comes from VALUE or from --file, not from both');
  }
  if (value === undefined && file === undefined) {
    throw new UsageError('VALUE is missing: give one, "" for an empty one, - for stdin, or --file FILE');
  }
  return withClient(invocation, async ({ client, endMs, remaining }) => {
    const bytes = file === undefined ? await readValue(value, endMs) : await readFileBytes(file, endMs);
    await client.put(key, bytes, remaining());
    await standardOutput(process.env).write('OK\n');
    return EXIT.done;
  });
}

async function readValue(value: Operand | undefined, endMs: number): Promise<Buffer> {
  const text = value?.text ?? '';
  if (text === '-' && value?.verbatim === false) return readStandardInput(endMs);
  return Buffer.from(text, 'utf8');
}
