import { isUtf8 } from 'node:buffer';
import { withClient } from '../client-command.js';
import type { Invocation } from '../invocation.js';
import { EXIT } from '../exit.js';
import { readFormat } from '../options.js';
import type { Format } from '../options.js';
import { jsonMember, showOnTerminal, standardOutput, writeLines } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const format = readFormat(invocation);
  const glob = invocation.operands[0]?.text;
  return withClient(invocation, async ({ client, remaining }) => {
    const keys = await client.keys(glob, remaining());
    keys.sort((one, other) => one.compare(other));
    await writeLines(standardOutput(process.env), formatKeys(keys, format));
    return EXIT.done;
  });
}

/** The lines that list the keys. The JSON array stands one key a line, too, so that a long one can be looked at. */
export function* formatKeys(keys: readonly Buffer[], format: Format): Generator<string> {
  if (format === 'text') {
    for (const key of keys) yield showOnTerminal(key, false);
    return;
  }
  if (keys.length === 0) {
    yield '[]';
    return;
  }
  yield '[';
  for (const [at, key] of keys.entries()) {
    const item = JSON.stringify(isUtf8(key) ? key.toString('utf8') : jsonMember('key', key));
    yield at === keys.length - 1 ? `  ${item}` : `  ${item},`;
  }
  yield ']';
}
