import { fstatSync } from 'node:fs';
import type { ReadStream } from 'node:tty';
import { createClient } from '../../client/client.js';
import { systemClock } from '../../clock.js';
import { showWord } from '../../protocol/quoting.js';
import type { Invocation } from '../invocation.js';
import { CHANGE_TIMEOUT_SECONDS, readServerAddress, readTimeoutMs } from '../options.js';
import { showOnTerminal, standardOutput } from '../output.js';
import { readHistorySettings } from '../shell/history-options.js';
import type { HistorySettings } from '../shell/history-options.js';
import { keepHistory } from '../shell/history.js';
import { runPrompt } from '../shell/prompt.js';
import { runScript } from '../shell/script.js';
import { ShellSession } from '../shell/session.js';
import { painter } from '../status-view.js';

export async function run(invocation: Invocation): Promise<number> {
  const history = readHistorySettings(invocation, process.env);
  const session = new ShellSession({
    address: readServerAddress(invocation, process.env),
    timeoutMs: readTimeoutMs(invocation),
    changeTimeoutMs: readTimeoutMs(invocation, CHANGE_TIMEOUT_SECONDS),
    clock: systemClock,
    connect: (address) => createClient({ address, whenUnreachable: 'fail' }),
  });
  try {
    const screen = screenOf(process.stdin);
    return screen === undefined ? await script(session) : await interactive(session, screen, history);
  } finally {
    session.close();
  }
}

/** Where somebody who types sees it; undefined when nobody does. Results may go elsewhere, as in `kv shell > file`. */
function screenOf(stdin: ReadStream): NodeJS.WriteStream | undefined {
  if (!isTerminal(stdin)) return undefined;
  return [process.stdout, process.stderr].find(isTerminal);
}

function isTerminal(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true;
}

async function interactive(
  session: ShellSession,
  screen: NodeJS.WriteStream,
  history: HistorySettings,
): Promise<number> {
  const output = standardOutput(process.env);
  return runPrompt({
    session,
    input: process.stdin,
    screen,
    output,
    show: output.isTerminal ? showOnTerminal : showWord,
    paint: await painter(output.colour),
    history: await keepHistory(history, (message) => {
      screen.write(`kv: ${message}\n`);
    }),
    clock: systemClock,
  });
}

async function script(session: ShellSession): Promise<number> {
  const output = standardOutput(process.env);
  return runScript({
    session,
    source: process.stdin,
    isWhole: fstatSync(process.stdin.fd).isFile(),
    output,
    show: output.isTerminal ? showOnTerminal : showWord,
    paint: await painter(false),
    complain: (message) => {
      process.stderr.write(`kv: ${message}\n`);
    },
  });
}
