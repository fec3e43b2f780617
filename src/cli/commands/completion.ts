import { isUtf8 } from 'node:buffer';
import { createClient } from '../../client/client.js';
import { systemClock } from '../../clock.js';
import type { CommandSpec } from '../command-spec.js';
import { bashCompletion } from '../completion/bash.js';
import { completionModel } from '../completion/model.js';
import { zshCompletion } from '../completion/zsh.js';
import type { Invocation } from '../invocation.js';
import { EXIT, UsageError } from '../exit.js';
import { readServerAddress } from '../options.js';
import { standardOutput, writeLines } from '../output.js';
import { keysWithPrefix } from '../shell/key-lookup.js';
import { ShellSession } from '../shell/session.js';

/** While somebody waits for what the Tab key brings. */
const KEY_BOUNDS = { keysMax: 200, timeoutMs: 1000 };

export async function run(invocation: Invocation, commands: readonly CommandSpec[]): Promise<number> {
  const [what, prefix] = invocation.operands.map(({ text }) => text);
  if (what === 'keys') return printKeys(invocation, prefix ?? '');
  if (prefix !== undefined) throw new UsageError(`${JSON.stringify(prefix)} is too much`);
  const script = what === 'bash' ? bashCompletion : what === 'zsh' ? zshCompletion : undefined;
  if (script === undefined) {
    throw new UsageError(`${JSON.stringify(what)} is none of bash, zsh: name the shell that is to complete`);
  }
  await standardOutput(process.env).write(script(completionModel(commands)));
  return EXIT.done;
}

/**
 * Keys that begin as what was typed, as they are, one a line: for the scripts. Nothing that a shell could not be given
 * as a word is among them, and a server that does not answer has none.
 */
async function printKeys(invocation: Invocation, prefix: string): Promise<number> {
  const session = new ShellSession({
    address: readServerAddress(invocation, process.env),
    timeoutMs: KEY_BOUNDS.timeoutMs,
    changeTimeoutMs: KEY_BOUNDS.timeoutMs,
    clock: systemClock,
    connect: (address) => createClient({ address, whenUnreachable: 'fail' }),
  });
  try {
    const found = await keysWithPrefix(session, Buffer.from(prefix, 'utf8'), KEY_BOUNDS, () =>
      systemClock.nowMs(),
    );
    const keys = [...found.keys].sort((one, other) => one.compare(other)).filter(isWord);
    // With another word that begins the same, the shell fills in no more than all keys have in common.
    const more = found.isPartial && keys.length > 0 ? [`${prefix}…`] : [];
    await writeLines(standardOutput(process.env), [...keys.map(String), ...more]);
    return EXIT.done;
  } finally {
    session.close();
  }
}

function isWord(key: Buffer): boolean {
  // eslint-disable-next-line no-control-regex
  return isUtf8(key) && !/[\u0000-\u001f\u007f-\u009f]/.test(key.toString('utf8'));
}
